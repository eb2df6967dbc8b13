"""HTTP over plain ASGI, shared by the surfaces: exchange, routing, media types, JSON bodies, general errors."""

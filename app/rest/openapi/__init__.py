"""The proxy described by itself: an OpenAPI 3.1 document made of its routes, and a page that shows it."""

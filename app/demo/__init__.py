"""A lively, made-up shop: what `caudal demo` streams into a running platform."""

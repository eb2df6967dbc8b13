"""Schemas and payloads as the surfaces see them: the port to a registry, and records read by it. Knows no registry."""

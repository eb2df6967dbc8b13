"""The registry's HTTP API. Paths and parameters in, the domain's answers out; nothing is decided here."""

from app.registry.routes.app import RegistryApp, create_registry

__all__ = ["RegistryApp", "create_registry"]

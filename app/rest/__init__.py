"""REST Proxy: Kafka for everything that speaks HTTP (REST API v2 and v3)."""

from app.rest.app import RestProxy, create_rest
from app.rest.settings import RestSettings

__all__ = ["RestProxy", "RestSettings", "create_rest"]

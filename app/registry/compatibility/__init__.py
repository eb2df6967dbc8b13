"""May a schema follow others? The levels, and the dispatch to the rules of each format."""

from app.registry.compatibility.check import CompatibilityLevel, CompatibilityPolicy, check
from app.registry.compatibility.incompatibility import Incompatibility

__all__ = ["CompatibilityLevel", "CompatibilityPolicy", "Incompatibility", "check"]

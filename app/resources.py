"""Where templates, static files and migrations are: in the wheel's bundle, or in the checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_BUNDLE = _PACKAGE / "_bundled"
_ROOT = _BUNDLE if _BUNDLE.is_dir() else _PACKAGE.parent

TEMPLATES = _ROOT / "templates"
STATIC = _ROOT / "static"
MIGRATIONS = _ROOT / "alembic"

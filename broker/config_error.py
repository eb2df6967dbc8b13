"""The error of a setting; apart from the settings, so that what only reads certificates need not know them."""


class ConfigError(ValueError):
    """A setting that cannot be used; the message names it, its value and the remedy."""

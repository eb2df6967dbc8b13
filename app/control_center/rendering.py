"""The Jinja environment: strict about names, escaping everything, with our words as filters."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.control_center import words


def build_templates(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    environment.filters.update(
        count=words.count,
        size=words.size,
        rate=words.rate,
        short=words.short,
        span=words.span,
        percent=words.percent,
        sentence=words.sentence,
        plural=words.plural,
    )
    environment.globals["UNKNOWN"] = words.UNKNOWN
    return environment

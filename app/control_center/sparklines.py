"""Sparklines: an SVG path of about 150 bytes for a table cell."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.control_center import words

WIDTH = 96
HEIGHT = 24
MARGIN = 2
POINTS = 25


@dataclass(frozen=True, slots=True)
class Sparkline:
    """path in a 96 x 24 box; words for those who cannot see it; tone '' , 'warn', 'bad' or 'flat'."""

    path: str
    words: str
    tone: str = ""


def draw(values: Sequence[float | None], *, what: str, tone: str = "") -> Sparkline:
    """values evenly spaced over time; None leaves a gap. The scale begins at 0, so that small noise stays small."""
    known = [value for value in values if value is not None]
    if not known:
        return Sparkline("", f"{what}: nothing seen yet", "flat")
    most = max(known)
    spoken = f"{what}: now {words.short(known[-1])}, most {words.short(most)}"
    if most <= 0:
        return Sparkline(f"M0 {HEIGHT - MARGIN}H{WIDTH}", f"{what}: nothing", "flat")
    step = WIDTH / max(1, len(values) - 1)
    return Sparkline(path(values, step=step, height=HEIGHT, margin=MARGIN, top=most), spoken, tone)


def path(values: Sequence[float | None], *, step: float, height: int, margin: int, top: float) -> str:
    """An SVG path over whole pixels; a lone point between gaps becomes a dash of three."""
    drawn: list[str] = []
    pen_is_down = False
    for at, value in enumerate(values):
        if value is None:
            pen_is_down = False
            continue
        x = round(at * step)
        y = round(height - margin - (height - 2 * margin) * max(0.0, value) / top)
        is_alone = not pen_is_down and (at + 1 == len(values) or values[at + 1] is None)
        drawn.append(f"{'L' if pen_is_down else 'M'}{x} {y}" + (f"h{-3 if x else 3}" if is_alone else ""))
        pen_is_down = True
    return "".join(drawn)

"""Charts of lines as SVG, drawn without a library, so that whoever runs a benchmark can draw its result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 440
_HEIGHT: Final = 300
_LEFT: Final = 56
_RIGHT: Final = 16
_TOP: Final = 64
_BOTTOM: Final = 40
_COLOURS: Final = ("#2563eb", "#d97706", "#059669", "#9333ea")
_TICKS: Final = 5
_GREY: Final = "#6b7280"


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart.

    Parameters
    ----------
    title
        What the values are, with their unit.
    across
        What is counted from left to right, from 1 on.
    lines
        The values of each line, not negative, by its name; at least one line of at least one value.
    """

    title: str
    across: str
    lines: Mapping[str, Sequence[float]]


def chart(panels: Sequence[Panel]) -> str:
    """Return panels beside each other as one SVG."""
    width = _WIDTH * len(panels)
    drawn = (
        f'<g transform="translate({number * _WIDTH} 0)">{"".join(_drawn(panel))}</g>\n'
        for number, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{"".join(drawn)}</svg>\n'
    )


def _drawn(panel: Panel) -> Iterator[str]:
    count = max(map(len, panel.lines.values()))
    step = _round_step(max(map(max, panel.lines.values())) / _TICKS)
    yield _text(_LEFT, 20, panel.title, "start", size=14)
    for tick in range(_TICKS + 1):
        y = _y_of(tick / _TICKS)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#e5e7eb"/>'
        yield _text(_LEFT - 6, y + 4, f"{tick * step:g}", "end")
    for number in sorted({1, *range(count // _TICKS, count + 1, max(1, count // _TICKS))} - {0}):
        yield _text(_x_of(number, count), _HEIGHT - _BOTTOM + 16, str(number), "middle")
    yield _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, panel.across, "middle")
    place = float(_LEFT)
    for (name, values), colour in zip(panel.lines.items(), _COLOURS, strict=False):
        points = " ".join(
            f"{_x_of(number, count):.1f},{_y_of(value / (step * _TICKS)):.1f}"
            for number, value in enumerate(values, start=1)
        )
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield f'<line x1="{place}" x2="{place + 16}" y1="40" y2="40" stroke="{colour}" stroke-width="2"/>'
        yield _text(place + 20, 44, name, "start")
        # About as wide as its letters.
        place += 36 + 7 * len(name)


def _x_of(number: int, count: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (number - 1) / max(1, count - 1)


def _y_of(share: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def _round_step(least: float) -> float:
    """Return the next number that is 1, 2 or 5 times a power of ten."""
    power = 1.0
    while power > least > 0:
        power /= 10
    while power * 10 < least:
        power *= 10
    return next((power * factor for factor in (1, 2, 5) if power * factor >= least), power * 10)


def _text(x: float, y: float, text: str, anchor: str, size: int = 12) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" fill="{_GREY}">{escape(text)}</text>'

"""Small line charts as SVG, written directly: a page may have hundreds of them."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 260, 120
LEFT, BOTTOM, TOP = 34, 16, 6
FEW = 4
"""Points below which each has a dot, for a line of one is not to be seen."""


@dataclass(frozen=True)
class Line:
    """A line over the frames.

    Args:
        colour: Hexadecimal.
        points: Frame and value, in the order of the frames.
        is_level: Whether it is a dashed level, such as a manual measure.
    """

    colour: str
    points: Sequence[tuple[float, float]]
    is_level: bool = False


def line_chart(lines: Sequence[Line], unit: str) -> str:
    """Lines from zero upwards, with the ends of both axes in numbers, as a data URI.

    Args:
        lines: One at least with a point.
        unit: Of the values; of this package's own words, as no text from outside is escaped.
    """
    xs = [x for line in lines for x, _ in line.points]
    top = max((y for line in lines for _, y in line.points), default=0.0) or 1.0
    low, high = min(xs), max(max(xs), min(xs) + 1)
    digits = 0 if top >= 10 else 1
    parts = [_line(line, low, high, top) for line in lines]
    floor = HEIGHT - BOTTOM
    axes = f"M{LEFT},{TOP}V{floor}H{WIDTH - 4}"
    text = (
        f'<text x="{LEFT - 4}" y="{TOP + 7}" text-anchor="end">{top:.{digits}f}</text>'
        f'<text x="{LEFT - 4}" y="{TOP + 18}" text-anchor="end">{unit}</text>'
        f'<text x="{LEFT - 4}" y="{floor}" text-anchor="end">0</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 3}">{low + 1:.0f}</text>'
        f'<text x="{WIDTH - 4}" y="{HEIGHT - 3}" text-anchor="end">{high + 1:.0f}</text>'
    )
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" font-family="sans-serif" font-size="9" fill="#333">'
        f'<path d="{axes}" fill="none" stroke="#999"/>{text}{"".join(parts)}</svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode('ascii')}"


def _line(line: Line, low: float, high: float, top: float) -> str:
    width, height = WIDTH - 4 - LEFT, HEIGHT - BOTTOM - TOP
    places = [
        f"{LEFT + width * (x - low) / (high - low):.1f},{TOP + height * (1 - y / top):.1f}"
        for x, y in line.points
    ]
    dash = ' stroke-dasharray="4 3" stroke-width="1"' if line.is_level else ' stroke-width="1.6"'
    dots = "" if line.is_level or len(places) >= FEW else "".join(_dot(p, line) for p in places)
    return (
        dots + f'<polyline points="{" ".join(places)}" fill="none" stroke="{line.colour}"{dash}/>'
    )


def _dot(place: str, line: Line) -> str:
    x, y = place.split(",")
    return f'<circle cx="{x}" cy="{y}" r="2" fill="{line.colour}"/>'

"""Colours, and how a figure becomes an image that stands in the page.

Figures hold no text that came from outside: names of studies, structures and trainings are set
by the page, which escapes them and has every script's letters.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semiqc.schemes import LabelScheme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCENARIO_COLOURS = ("#4d4d4d", "#e69f00", "#56b4e9", "#0072b2", "#d55e00", "#cc79a7", "#009e73")
"""Okabe and Ito's palette, which readers of any colour vision tell apart.
https://jfly.uni-koeln.de/color"""

STRUCTURE_COLOURS = ("#ee6677", "#228833", "#4477aa", "#ccbb44", "#66ccee", "#aa3377")
"""Paul Tol's bright scheme, likewise. https://personal.sron.nl/~pault"""

INK = "#333333"
PALE = "#d9d9d9"


@dataclass(frozen=True)
class Picture:
    """An image with what the page says around it.

    Args:
        source: The image as a data URI.
        alternative: What it shows, for who cannot see it.
        caption: Below it.
        title: Above it.
    """

    source: str
    alternative: str
    caption: str = ""
    title: str = ""


def scenario_colours(names: Sequence[str]) -> dict[str, str]:
    """Colour of each scenario, the same in every figure."""
    return _colours(names, SCENARIO_COLOURS)


def structure_colours(scheme: LabelScheme) -> dict[str, str]:
    """Colour of each structure, the same in every figure."""
    return _colours([structure.name for structure in scheme.structures], STRUCTURE_COLOURS)


def blank(width: float, height: float) -> "tuple[Figure, Axes]":
    """A figure of that size in inches with one pair of axes, in the report's style."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.tick_params(labelsize=8, colors=INK, length=3)
    axes.xaxis.label.set(size=8, color=INK)
    axes.yaxis.label.set(size=8, color=INK)
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    return figure, axes


def as_svg(figure: "Figure") -> str:
    """A line drawing as a data URI."""
    import matplotlib

    drawn = io.BytesIO()
    # Neither date nor random names within, so that the same results give the same file.
    with matplotlib.rc_context({"svg.hashsalt": "semiqc"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return _data_uri("image/svg+xml", drawn.getvalue())


def as_png(figure: "Figure", dots_per_inch: int) -> str:
    """A figure full of pixels as a data URI."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawn = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(drawn, format="png", dpi=dots_per_inch)
    return _data_uri("image/png", drawn.getvalue())


def _data_uri(kind: str, content: bytes) -> str:
    """Bytes as text that stands in the page."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _colours(names: Sequence[str], palette: Sequence[str]) -> dict[str, str]:
    """A colour for each name; they repeat where there are more names."""
    return {name: palette[rank % len(palette)] for rank, name in enumerate(names)}

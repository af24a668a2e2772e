"""What all pictures of an evaluation share: colours, empty figures, and how they are written.

Nothing here touches pyplot's global state, and matplotlib is imported when a picture is drawn.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from semiqc.files.atomic import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c510a")
"""Okabe and Ito's palette, which readers of any colour vision tell apart.
https://jfly.uni-koeln.de/color"""

MARKERS = "os^Dvp"
INK = "#333333"
PALE = "#d9d9d9"
DPI = 150

TITLES = {"dice": "Dice", "nsd": "NSD", "multi_class": "Dice of all at once", "score": "score"}
"""How an estimate is called in pictures and tables."""

Look = tuple[str, str]
"""Colour and marker."""


def looks(names: Iterable[str]) -> dict[str, Look]:
    """A look for each name in its order, no two alike until all colours and markers are used."""
    return {
        name: (COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])
        for place, name in enumerate(dict.fromkeys(names))
    }


def panels(count: int, width: float, height: float, columns: int = 3) -> tuple[Figure, list[Axes]]:
    """A figure with a number of axes of a size in inches."""
    from matplotlib.figure import Figure

    columns = min(count, columns)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in axes[count:]:
        unused.remove()
    for one in axes[:count]:
        one.spines[["top", "right"]].set_visible(False)
        one.spines[["bottom", "left"]].set_color(INK)
        one.tick_params(colors=INK, labelsize=8)
        one.xaxis.label.set_size(9)
        one.yaxis.label.set_size(9)
    return figure, axes[:count]


def plain(text: str) -> str:
    """Text that matplotlib draws as it stands, and not as a formula."""
    return text.replace("$", r"\$")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with whole_file(path) as temporary, warnings.catch_warnings():
        # Names in a script that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(temporary, format="png", dpi=DPI)

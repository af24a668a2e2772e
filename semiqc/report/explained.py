"""What estimators looked at: maps of networks, and ways through the manifold's latent space."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiqc.pages.drawing import INK, Picture, as_png, as_svg, blank
from semiqc.pages.table import Cell, Table, number_text

INCHES, DOTS_PER_INCH = 2.4, 110
STRONG = 0.65
"""Opacity of a map where it is highest."""


@dataclass(frozen=True, eq=False)
class Explained:
    """Where a network looked for the Dice of a structure.

    Args:
        estimator: Its name.
        study: Name of the study.
        structure: Name of the structure.
        frame: Index of the frame.
        slice: Index of the slice.
        score: Of the estimator for the study.
        image: Intensities, ``[Y, X]``.
        labels: Class of each voxel that was judged, ``[Y, X]``.
        heat: How much each voxel speaks for a high Dice, in [0, 1], ``[Y, X]``.
    """

    estimator: str
    study: str
    structure: str
    frame: int
    slice: int
    score: float
    image: NDArray[np.float32]
    labels: NDArray[np.int8]
    heat: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SearchPath:
    """Where the search for the nearest good pair went, of the slices of one frame.

    Args:
        estimator: Its name.
        study: Name of the study.
        frame: Index of the frame.
        score: Of the estimator for the study.
        slices: Index of the slice of each point, ``[P]``.
        points: In the order of the steps, on the two main axes of all of them, ``[P, 2]``.
    """

    estimator: str
    study: str
    frame: int
    score: float
    slices: NDArray[np.int64]
    points: NDArray[np.float64]


def looked_at(explained: Sequence[Explained]) -> list[Picture]:
    """A picture of each map over its slice, with the outline of what was judged."""
    return [_map(one) for one in explained]


def _map(one: Explained) -> Picture:
    from matplotlib.figure import Figure

    height, width = one.image.shape
    figure = Figure(figsize=(INCHES, INCHES * height / width))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(np.nan_to_num(one.image), cmap="gray")
    axes.imshow(one.heat, cmap="inferno", vmin=0, vmax=1, alpha=STRONG * np.clip(one.heat, 0, 1))
    judged = one.labels > 0
    if judged.any() and not judged.all():
        axes.contour(judged, levels=[0.5], colors="white", linewidths=0.8)
    return Picture(
        as_png(figure, DOTS_PER_INCH),
        f"Where {one.estimator} looked for the Dice of {one.structure} in {one.study}.",
        f"{one.study}, score {number_text(one.score, 2)}: Dice of {one.structure} in frame"
        f" {one.frame + 1}, slice {one.slice + 1}",
        one.estimator,
    )


def path_plots(paths: Sequence[SearchPath]) -> list[Picture]:
    """Ways of the slices, from a ring to a dot."""
    return [_path(one) for one in paths]


def _path(one: SearchPath) -> Picture:
    figure, axes = blank(2.9, 2.9)
    for z in np.unique(one.slices):
        x, y = one.points[one.slices == z].T
        [line] = axes.plot(x, y, linewidth=1)
        axes.plot(x[:1], y[:1], "o", mfc="none", mec=line.get_color(), markersize=6)
        axes.plot(x[-1:], y[-1:], "o", color=line.get_color(), markersize=5)
        axes.annotate(str(z + 1), (x[-1], y[-1]), (4, 3), textcoords="offset points", size=7)
    axes.set_xlabel("First main axis")
    axes.set_ylabel("Second main axis")
    axes.axhline(0, color=INK, linewidth=0.4)
    said = (
        f"{one.study}, score {number_text(one.score, 2)}, frame {one.frame + 1}: the way of each"
        " slice through the latent space, from a ring to the nearest good pair."
    )
    return Picture(as_svg(figure), said, said, f"{one.estimator}: search path")


def path_table(paths: Sequence[SearchPath]) -> Table:
    """The points of the ways."""
    rows: list[dict[str, Cell]] = [
        {"estimator": one.estimator, "study": one.study, "frame": one.frame, "slice": int(z),
         "first": float(x), "second": float(y)}
        for one in paths
        for z, (x, y) in zip(one.slices, one.points, strict=True)
    ]  # fmt: skip
    return Table("search_path", "Search in latent space", rows, [], section="control")

"""Pictures of the worst slices, and of the quality of all slices.

Slices are on the grid that the estimators saw, resampled in plane, and not on the file's own. They
are cut to a square around the segmentation.
"""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from semiqc.pages.drawing import PALE, Picture, as_png, structure_colours
from semiqc.schemes import LabelScheme
from semiqc.scoring.worst import WorstSlice

INCHES = 2.6
DOTS_PER_INCH = 110

ERROR_COLOURS = "inferno"
QUALITY_COLOURS = "RdYlBu"
"""Red is 0 and blue is 1, which readers of any colour vision tell apart."""

CELL_INCHES = 0.16


def slice_picture(study: str, shown: WorstSlice, scheme: LabelScheme) -> Picture:
    """The slice with the segmentation's outlines; beside it error map and explanation, if any."""
    overlays = {
        "with the error map": shown.error,
        f"where the networks looked for the Dice of {shown.looked_for}": shown.heat,
    }
    known = {what: overlay for what, overlay in overlays.items() if overlay is not None}
    panels = 1 + len(known)
    figure = Figure(figsize=(panels * INCHES, INCHES))
    for panel, overlay in enumerate([None, *known.values()]):
        axes = figure.add_axes((panel / panels, 0, 0.99 / panels, 1))
        _show(axes, shown, overlay, scheme)
    what = f" and, beside it, {', then '.join(known)}" if known else ""
    looked = (
        f"; right: looked at for the Dice of {shown.looked_for}" if shown.heat is not None else ""
    )
    return Picture(
        as_png(figure, DOTS_PER_INCH),
        f"{study}: slice {shown.slice + 1} of frame {shown.frame + 1} with the outlines of the"
        f" segmentation{what}.",
        f"frame {shown.frame + 1}, slice {shown.slice + 1}{looked}",
    )


def _show(
    axes: Axes, shown: WorstSlice, overlay: NDArray[np.float32] | None, scheme: LabelScheme
) -> None:
    """One panel: the slice, an overlay in [0, 1] if any, and the outlines on top.

    Grey goes from the 1st to the 99th percentile of the slice's intensities.
    """
    axes.set_axis_off()
    low, high = np.percentile(shown.image, (1, 99))
    axes.imshow(shown.image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
    if overlay is not None:
        # What is likely right stays clear, so that the tissue is seen.
        axes.imshow(overlay, cmap=ERROR_COLOURS, vmin=0, vmax=1, alpha=0.85 * overlay**0.5)
    _outline(axes, shown.labels, scheme, thin=overlay is not None)


def _outline(axes: Axes, labels: NDArray[np.int8], scheme: LabelScheme, *, thin: bool) -> None:
    """Lines around each structure of a slice ``[Y, X]``."""
    # The first structure on top: a wall's inner outline is that of the cavity within.
    for name, colour in reversed(structure_colours(scheme).items()):
        mask = scheme.structure(name).mask(labels)
        # A line wants both sides: a mask that fills the view, or is empty, has no outline.
        if mask.any() and not mask.all():
            axes.contour(mask, levels=[0.5], colors=colour, linewidths=0.7 if thin else 1.4)


def frames_across(dice: NDArray[np.float64]) -> bool:
    """Whether the frames of ``[T, Z]`` are the columns of a strip, else the slices are."""
    frames, slices = dice.shape
    return bool(frames > slices)


def strip_picture(study: str, structure: str, dice: NDArray[np.float64]) -> Picture:
    """Dice of each slice ``[T, Z]`` as coloured cells, pale where there is no number."""
    cells = dice.T if frames_across(dice) else dice
    rows, columns = cells.shape
    figure = Figure(figsize=(columns * CELL_INCHES, rows * CELL_INCHES))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    colours = colormaps[QUALITY_COLOURS].with_extremes(bad=PALE)
    axes.imshow(np.ma.masked_invalid(cells), cmap=colours, vmin=0, vmax=1, aspect="auto")
    known = dice[np.isfinite(dice)]
    lowest = f"lowest {known.min():.2f}" if known.size else "not known"
    return Picture(
        as_png(figure, DOTS_PER_INCH),
        f"Estimated Dice of {structure} in each slice of {study}, {lowest}.",
        lowest,
        structure,
    )

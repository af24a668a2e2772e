"""Pictures of predictions on the images they were made of.

A picture shows one slice in true proportions of voxels, cut to a square around what is segmented,
with intensities from the 1st to the 99th percentile of the cut in grey.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray

from semiqc.pages.drawing import Picture, as_png, structure_colours
from semiqc.pages.table import number_text
from semiqc.report.data import Overlay, ReportData
from semiqc.schemes import LabelScheme

MARGIN = 14
"""Voxels shown around the outermost labelled or predicted one."""

SMALLEST_VIEW = 48
"""Voxels that are shown along either axis at least, if the image has them."""

INCHES = 2.0
DOTS_PER_INCH = 110


def overlay_picture(data: ReportData, overlay: Overlay) -> Picture:
    """The image, the prediction filled in the structures' colours, the reference as outlines."""
    place = f"frame {overlay.frame + 1}, slice {overlay.slice + 1}"
    return Picture(
        as_png(_overlay_figure(data.scheme, overlay), DOTS_PER_INCH),
        f"{overlay.rank} study of {data.scenario_title(overlay.scenario)}, {overlay.study}: slice"
        f" {overlay.slice + 1} of frame {overlay.frame + 1} with the predicted structures and"
        f" the outlines of the reference.",
        f"{place}; Dice {number_text(overlay.dice, 3)}",
        overlay.study,
    )


def _overlay_figure(scheme: LabelScheme, overlay: Overlay) -> Figure:
    """The part of the slice that is shown, without a margin."""
    view = _view(overlay, scheme)
    image = np.nan_to_num(np.asarray(overlay.image, np.float64)[view], posinf=0, neginf=0)
    low, high = np.percentile(image, (1, 99))
    height, width = image.shape
    figure = Figure(figsize=(INCHES, INCHES * height / width))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), interpolation="bilinear")
    colours = structure_colours(scheme)
    for structure in scheme.structures:
        predicted = structure.mask(overlay.predicted)[view]
        axes.imshow(_tinted(predicted, colours[structure.name]), interpolation="nearest")
        _outline(axes, structure.mask(overlay.reference)[view])
    return figure


def _outline(axes: Axes, mask: NDArray[np.bool_]) -> None:
    """The outline of a mask, ``[Y, X]``, white on black, to be seen everywhere."""
    # A line wants both sides: a mask that fills the view, or is empty, has no outline.
    if mask.any() and not mask.all():
        for line, width_points in (("black", 2.0), ("white", 0.9)):
            axes.contour(mask, levels=[0.5], colors=line, linewidths=width_points)


def _view(overlay: Overlay, scheme: LabelScheme) -> tuple[slice, slice]:
    """The part of the slice that holds every structure, with a margin."""
    shown = np.zeros(overlay.predicted.shape, dtype=bool)
    for structure in scheme.structures:
        shown |= structure.mask(overlay.predicted) | structure.mask(overlay.reference)
    if not shown.any():
        return slice(None), slice(None)
    spans = [np.flatnonzero(shown.any(axis=other)) for other in (1, 0)]
    side = max(int(np.ptp(span)) + 1 + 2 * MARGIN for span in spans)
    side = max(side, SMALLEST_VIEW)
    centres = [int(span[0] + span[-1]) // 2 for span in spans]
    height, width = overlay.predicted.shape
    return _window(centres[0], side, height), _window(centres[1], side, width)


def _window(centre: int, side: int, length: int) -> slice:
    """A part of an axis, of length ``side`` around a centre, moved to lie within the axis."""
    start = min(max(0, centre - side // 2), max(0, length - side))
    return slice(start, min(length, start + side))


def _tinted(mask: NDArray[np.bool_], colour: str) -> NDArray[np.float64]:
    """A transparent colour where the mask is, ``[Y, X]`` to ``[Y, X, RGBA]``."""
    tinted = np.zeros((*mask.shape, 4))
    tinted[mask] = to_rgba(colour, alpha=0.45)
    return tinted

"""Where in a study the structures lie: found on whole slices, segmented in what is around them.

A network that learned from patches around the heart takes much of a thorax for one. On whole
slices it need only say where the heart is; what it segments it sees as it did in training.
"""

from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from segmenters.components import largest_component, main_piece
from semiqc.images.crop import CropBox, box_around
from semiqc.schemes import BACKGROUND, LabelScheme

LOOKED_AT = 3
"""Frames on which the structures are looked for, spread over the cycle."""

MARGIN = 0.1
"""What is kept free around structures that fill a patch, as a share of it."""


def looked_at(frames: int) -> tuple[int, ...]:
    """The frames on which structures are looked for, of as many."""
    count = min(frames, LOOKED_AT)
    return tuple(int(number * frames / count) for number in range(count))


def box_of(
    labels: NDArray[np.integer], scheme: LabelScheme, patch: tuple[int, int], multiple: int
) -> CropBox:
    """A box of a patch's size around what was found, or a larger one if that is larger.

    Args:
        labels: Class of each voxel, ``[T, Z, Y, X]``.
        scheme: Of their classes. Where its structures are one piece, the box is laid around the
            piece that holds most of all of them; else around the largest piece of each.
        patch: Rows and columns of the patches in training.
        multiple: What divides the rows and columns of the box.
    """
    values = range(1, len(scheme.classes))
    if scheme.one_piece:
        piece = main_piece(labels, len(scheme.classes))
    else:
        parts = [largest_component(np.asarray((labels == v).any(axis=0))) for v in values]
        piece = np.logical_or.reduce(parts)
    size = []
    for axis, wanted in enumerate(patch, start=1):
        places = np.flatnonzero(piece.any(axis=tuple({0, 1, 2} - {axis})))
        extent = int(places[-1] - places[0] + 1) if len(places) else 0
        needed = max(wanted, int(extent + 2 * MARGIN * wanted)) if extent else wanted
        size.append(-(-needed // multiple) * multiple)
    return box_around(piece.astype(np.int8), (None, size[0], size[1]))


def only_within(
    box: CropBox, probabilities: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Class probabilities of a box in their place in a frame; background all around.

    Args:
        box: Of all slices.
        probabilities: ``[C, Z, Y', X']``.
        shape: ``(Z, Y, X)`` of the frame.

    Returns:
        ``[C, Z, Y, X]``.
    """
    slices, rows, columns = shape
    whole = box.put_back(probabilities, (slices, rows, columns), 0)
    outside = whole.sum(axis=0) == 0
    whole[BACKGROUND][outside] = 1
    return whole.astype(np.float32, copy=False)


def subsets(axes: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All subsets of axes, the empty one first."""
    return list(chain.from_iterable(combinations(axes, n) for n in range(len(axes) + 1)))

"""What no segmentation of a heart looks like, whatever an estimator makes of it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from semiqc.schemes import LabelScheme
from semiqc.study import Voxels

MOST_PARTS = 20
"""Pieces of a structure; references have one, poor ones a handful."""

MUCH = 0.1
"""Share of a structure's largest slice that counts as being there."""

STRAY = 0.05
"""Share of the heart's largest slice from which on a piece apart counts; no reference of ACDC has
one of any size."""

APART = 0.2
"""By which slices on both sides are nearer to each other, in Dice, than the one between to either.

Of 1,005 slices that experts segmented in ACDC the most is .18, the next .11.
"""

Mask = NDArray[np.bool_]


def misshapen(labels: Voxels, scheme: LabelScheme) -> list[str]:
    """What is broken in the shapes, in words: the first frame of each kind, and in how many.

    Slices that are empty or do not fit between their neighbours, large pieces apart from the
    heart, and structures in many pieces; of schemes whose structures touch each other, for a
    tumour may have any shape.

    Args:
        labels: Classes, ``[T, Z, Y, X]``.
        scheme: Whose structures they are.
    """
    if not scheme.one_piece:
        return []
    found: dict[str, list[str]] = {}
    for frame in range(labels.shape[0]):
        for kind, said in _of_frame(np.asarray(labels[frame]), scheme):
            found.setdefault(kind, []).append(f"{said} in frame {frame}")
    frames = labels.shape[0]
    return [
        said[0] + (f", and in {len(said) - 1} more of {frames} frames" if len(said) > 1 else "")
        for said in found.values()
    ]


def _of_frame(labels: NDArray[np.integer], scheme: LabelScheme) -> Iterator[tuple[str, str]]:
    """Kind and words of what is broken in one frame, ``[Z, Y, X]``."""
    box = find_objects((labels > 0).astype(np.int8))
    if not box or box[0] is None:
        return
    labels = labels[box[0]]
    bottom = box[0][0].start
    masks = {one.name: np.isin(labels, one.values) for one in scheme.structures}
    empty = _first_gap(labels > 0)
    if empty is not None:
        yield "empty", f"slice {bottom + empty} is empty between segmented slices"
    for name, mask in masks.items():
        if empty is None and (z := _first_gap(mask)) is not None:
            yield f"gap {name}", f"{name} is missing in slice {bottom + z}, between others,"
        parts = label(mask)[1]
        if parts > MOST_PARTS:
            yield f"parts {name}", f"{name} is in {parts} pieces"
    if (z := _first_moved(labels > 0)) is not None:
        yield "moved", f"slice {bottom + z} does not fit between its neighbours"
    if (z := _first_apart(labels > 0)) is not None:
        yield "apart", f"a piece in slice {bottom + z} lies apart from the heart"


def _first_gap(mask: Mask) -> int | None:
    """The first slice that is empty though the next ones with something have much."""
    sizes = mask.sum((1, 2))
    there = np.flatnonzero(sizes)
    much = sizes[there] >= MUCH * sizes.max(initial=0)
    gaps = (np.diff(there) > 1) & much[:-1] & much[1:]
    return int(there[:-1][gaps][0]) + 1 if gaps.any() else None


def _first_apart(mask: Mask) -> int | None:
    """The first slice of a large piece that is over or under no part of the largest piece."""
    pieces, count = label(mask)
    if count < 2:
        return None
    sizes = np.bincount(pieces.ravel())[1:]
    largest = (pieces == sizes.argmax() + 1).any(axis=0)
    least = STRAY * mask.sum((1, 2)).max()
    for number, (size, box) in enumerate(zip(sizes, find_objects(pieces), strict=True), start=1):
        if size >= least and not (largest[box[1:]] & (pieces[box] == number).any(axis=0)).any():
            return int(box[0].start)
    return None


def _first_moved(mask: Mask) -> int | None:
    """The first slice that does not fit between its neighbours."""
    most = float(mask.sum((1, 2)).max(initial=0))
    inner = range(1, len(mask) - 1)
    return next((z for z in inner if _is_moved(mask[z - 1 : z + 2], most)), None)


def _is_moved(three: Mask, most: float) -> bool:
    before, here, after = three
    if min(one.sum() for one in three) < MUCH * most:
        return False
    beside = max(_dice(before, here), _dice(here, after))
    return _dice(before, after) - beside >= APART


def _dice(first: Mask, second: Mask) -> float:
    return float(2 * (first & second).sum() / max(1, first.sum() + second.sum()))

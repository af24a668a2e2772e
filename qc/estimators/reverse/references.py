"""Which graded frames become references, and which are of one image."""

import hashlib
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from qc.frames import Frame, GradedFrame
from semiqc.schemes import BACKGROUND


def chosen_references(frames: Sequence[GradedFrame], most: int) -> list[Frame]:
    """Frames with their reference as labels, each once, that have a structure.

    Of each study comes the first, then of each the second, and so on, until there are enough.

    Raises:
        ValueError: If no reference has a structure.
    """
    by_study: dict[str, dict[str, GradedFrame]] = {}
    for one in frames:
        reference = one.reference()
        if (reference > BACKGROUND).any():
            by_study.setdefault(one.study, {}).setdefault(_digest(reference), one)
    rounds = zip_longest(*(found.values() for found in by_study.values()))
    chosen = [one for round_ in rounds for one in round_ if one is not None][:most]
    if not chosen:
        raise ValueError("reverse classification needs a reference with a structure, got none")
    return [_truth(one) for one in chosen]


def by_image(frames: Sequence[GradedFrame]) -> list[list[int]]:
    """Numbers of the frames that segment the same image of the same study, in order."""
    found: dict[tuple[str, str], list[int]] = {}
    for number, one in enumerate(frames):
        key = one.study, _digest(one.frame().image)
        found.setdefault(key, []).append(number)
    return list(found.values())


def _truth(one: GradedFrame) -> Frame:
    frame = one.frame()
    return Frame(frame.study, frame.image, one.reference(), frame.spacing)


def _digest(voxels: NDArray[np.generic]) -> str:
    return hashlib.sha256(np.ascontiguousarray(voxels).tobytes()).hexdigest()

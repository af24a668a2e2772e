"""Which graded frames become references."""

from collections.abc import Sequence
from itertools import zip_longest

from qc.frames import Frame, GradedFrame, digest
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
            by_study.setdefault(one.study, {}).setdefault(digest(reference), one)
    rounds = zip_longest(*(found.values() for found in by_study.values()))
    chosen = [one for round_ in rounds for one in round_ if one is not None][:most]
    if not chosen:
        raise ValueError("reverse classification needs a reference with a structure, got none")
    return [_truth(one) for one in chosen]


def _truth(one: GradedFrame) -> Frame:
    frame = one.frame()
    return Frame(frame.study, frame.image, one.reference(), frame.spacing)

"""What the rules of physiology say of a segmentation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.estimators.physiology.rules import FRAME_RULES, STUDY_RULES
from qc.estimators.physiology.shape import Shapes, course_of, shapes_of
from semiqc.measuring.masks import frame_dice, masks
from semiqc.schemes import LabelScheme
from semiqc.study import Voxels

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Findings:
    """What the rules say of a segmentation; ``R`` rules on frames, ``Q`` on their course.

    Args:
        frames: Values, ``[T, R, S]``; NaN where a rule is silent.
        slices: Which slice each is from, or -1.
        course: Values, ``[Q, S]``.
        times: Which frame each is from, or -1.
        present: Whether a structure is there, ``[T, S]``.
    """

    frames: Array
    slices: NDArray[np.intp]
    course: Array
    times: NDArray[np.intp]
    present: NDArray[np.bool_]


def findings(
    labels: Voxels,
    scheme: LabelScheme,
    spacing: tuple[float, float, float],
    numbers: Sequence[int] | None = None,
) -> Findings:
    """What the rules say of labels ``[T, Z, Y, X]``, read a frame at a time.

    Args:
        labels: To be looked at.
        scheme: Whose structures.
        spacing: In mm, ordered ``(z, y, x)``.
        numbers: Frames to look at, at least one; None for all. Where some are left out, rules
            that compare neighbours in time are silent.
    """
    chosen = range(labels.shape[0]) if numbers is None else numbers
    frames, overlaps = _shapes_and_overlaps(labels, scheme, spacing, chosen)
    of_frames = [[rule.worst(shapes) for rule in FRAME_RULES] for shapes in frames]
    course = course_of(frames, overlaps, scheme.structures)
    of_course = [rule.worst(course) for rule in STUDY_RULES]
    values = np.stack([value for value, _ in of_course])
    if len(chosen) < labels.shape[0]:
        values[[not rule.any_frames for rule in STUDY_RULES]] = np.nan
    return Findings(
        np.array([[value for value, _ in frame] for frame in of_frames]),
        np.array([[place for _, place in frame] for frame in of_frames]),
        values,
        np.stack([place for _, place in of_course]),
        np.stack([shapes.areas.any(axis=1) for shapes in frames]),
    )


def _shapes_and_overlaps(
    labels: Voxels,
    scheme: LabelScheme,
    spacing: tuple[float, float, float],
    chosen: Sequence[int],
) -> tuple[list[Shapes], Array]:
    """Shapes of each frame, and Dice with the frame before, ``[S, T]``; NaN of a single frame."""
    frames, overlaps = [], np.full((len(scheme.structures), len(chosen)), np.nan)
    before = masks(np.asarray(labels[chosen[-1]]), scheme) if len(chosen) > 1 else None
    for row, number in enumerate(chosen):
        frame = np.asarray(labels[number])
        if before is not None:
            now = masks(frame, scheme)
            overlaps[:, row], before = frame_dice(now, before), now
        frames.append(shapes_of(frame, scheme, spacing))
    return frames, overlaps

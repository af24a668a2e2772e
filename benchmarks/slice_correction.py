"""Slices that are damaged and corrected: a table of ``qc_suite.py``.

A middle slice of every frame is lost, shifted far away or grown to twice its size, by turns. What
estimators say of its slices decides which areas are replaced, see ``qc.correction``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from qc.base import Quality, QualityEstimator
from qc.correction import corrected_curves
from qc.evaluation import correction_effect, relative_volume_error
from segmenters import UNet, segment
from semiqc.images.frames import study_of_frame
from semiqc.measuring.statistics import compare
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction, Study

DAMAGES = ("lost", "shifted", "grown")
"""What happens to a middle slice, by turns."""


@dataclass(frozen=True, eq=False)
class Volumes:
    """Of a structure in a damaged study: true, before, damaged and corrected, ``[4, T]`` in ml."""

    judge: str
    structure: str
    damage: str
    subject: str
    volumes: NDArray[np.float64]

    def mean_error(self, row: int) -> float:
        """Relative, of one of the rows, over frames."""
        return float(np.nanmean(relative_volume_error(self.volumes[0], self.volumes[row])))


def volumes_of(
    study: Study, segmenter: UNet, judges: Mapping[str, QualityEstimator], kind: str
) -> Iterator[Volumes]:
    """Volumes of the labelled frames of a study, by judge and structure.

    Args:
        study: With labels.
        segmenter: Segments each frame.
        judges: Estimators that judge slices, by name.
        kind: Of damage, one of ``DAMAGES``.
    """
    frames = list(study.labelled_frames)
    segmented = [segment(segmenter, study_of_frame(study, t), clean=True) for t in frames]
    labels = np.stack([next(frame)[0] for frame in segmented])
    reference = np.asarray(study.labels[:])[frames]
    image = np.asarray(study.image[:])[:, frames]
    before = Prediction(study.name, image, labels, study.spacing)
    damaged = replace(before, labels=damaged_labels(labels, kind))
    scheme = segmenter.scheme
    for judge, quality in _said(damaged, judges, scheme).items():
        curves = corrected_curves(damaged, quality, scheme)
        for part in scheme.structures:
            true, undamaged = (
                np.array([_ml(part.mask(frame), study.spacing) for frame in voxels])
                for voxels in (reference, labels)
            )
            rows = (true, undamaged, curves.before[part.name], curves.after[part.name])
            yield Volumes(judge, part.name, kind, study.subject, np.stack(rows))


def _said(
    damaged: Prediction, judges: Mapping[str, QualityEstimator], scheme: LabelScheme
) -> dict[str, Quality]:
    """What each judge says, beside ``nobody``, who trusts every slice."""
    trusting = {part.name: np.ones(damaged.labels.shape[:2]) for part in scheme.structures}
    said = {"nobody": Quality(damaged.study, 1.0, slice_dice=trusting)}
    return said | {judge: one.predict([damaged])[0] for judge, one in judges.items()}


def damaged_labels(labels: NDArray[np.int8], kind: str) -> NDArray[np.int8]:
    """A copy of ``labels [T, Z, Y, X]`` with the middle slice of each frame damaged."""
    damaged = labels.copy()
    middle = labels.shape[1] // 2
    for frame in damaged:
        if kind == "lost":
            frame[middle] = 0
        elif kind == "shifted":
            frame[middle] = np.roll(frame[middle], 25, axis=1)
        else:
            size = frame[middle].shape
            grown = zoom(frame[middle], 2, order=0)
            top, left = (n // 2 for n in size)
            frame[middle] = grown[top : top + size[0], left : left + size[1]]
    return damaged


def _ml(mask: NDArray[np.bool_], spacing: tuple[float, float, float]) -> float:
    return float(mask.sum() * np.prod(spacing) / 1000)


def print_corrections(found: Sequence[Volumes]) -> None:
    """Errors before, damaged and corrected, and how much of the damage is left, by subject."""
    titles = ("before", "damaged", "corrected")
    head = "".join(f"{title:>15}" for title in titles)
    print(f"{'relative volume error':34}{'n':>5}{head}   corrected - before (95 % CI)")
    for kind in ("any", *DAMAGES):
        chosen = [one for one in found if kind in ("any", one.damage)]
        for judge, structure in dict.fromkeys((one.judge, one.structure) for one in chosen):
            mine = [o for o in chosen if (o.judge, o.structure) == (judge, structure)]
            effect = correction_effect(*np.concatenate([one.volumes for one in mine], axis=1))
            cells = "".join(
                f"{e.mean:8.2f} ({e.sd:.2f})"
                for e in (effect.before, effect.damaged, effect.corrected)
            )
            after, before = ({one.subject: one.mean_error(row) for one in mine} for row in (3, 1))
            left = compare(after, before)
            low, high = left.interval
            interval = f"{left.mean_difference:+.3f} ({low:+.3f} to {high:+.3f})"
            count = sum(one.volumes.shape[1] for one in mine)
            print(f"{kind:8}{judge:12}{structure:14}{count:5}{cells}   {interval}")

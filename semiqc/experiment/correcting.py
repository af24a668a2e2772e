"""Clinical measures with failed slices replaced, beside those without."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from qc import ESTIMATORS, Quality
from qc.correction import corrected_curves
from semiqc.files.tables import NAN, CorrectionRow
from semiqc.measuring.measures import ClinicalMeasure, clinical, clinical_of_curves
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction, Study

CORRECTORS = ("slicewise", "qcresunet")
"""Estimators that find failed slices best: the one that learns their Dice comes first."""


def corrector_of(estimators: Iterable[str]) -> str | None:
    """The estimator whose Dice of slices measures are corrected by; None without one.

    Args:
        estimators: Names; the consensus, a mean of all, corrects nothing.
    """
    able = [n for n in estimators if n in ESTIMATORS and ESTIMATORS[n].estimates_slices]
    return next((name for name in (*CORRECTORS, *able) if name in able), None)


def correction_rows(
    prediction: Prediction,
    quality: Quality,
    scheme: LabelScheme,
    *,
    scenario: str,
    seed: int = 0,
    study: Study | None = None,
) -> list[CorrectionRow]:
    """Clinical measures before and after correction; nothing where no slice was judged.

    Args:
        prediction: What was measured.
        quality: Of the prediction.
        scheme: Whose structures are measured.
        scenario: Whose prediction it is.
        seed: Of the run.
        study: With its reference, where there is one: the frames that it labels are measured.
    """
    if not quality.slice_dice:
        return []
    found = corrected_curves(prediction, quality, scheme)
    frames = list(study.labelled_frames) if study else list(range(prediction.frames))
    before, after = (_measures(one, frames, scheme) for one in (found.before, found.after))
    manual = _manual(study, scheme, frames) if study else {}
    return [
        CorrectionRow(
            seed,
            scenario,
            prediction.study,
            was.structure,
            was.measure,
            was.unit,
            was.value,
            corrected.value,
            manual=manual.get((was.structure, was.measure), NAN),
            replaced_slices=int(found.is_replaced[frames].sum()),
        )
        for was, corrected in zip(before, after, strict=True)
    ]


def _measures(
    curves: Mapping[str, NDArray[np.float64]], frames: list[int], scheme: LabelScheme
) -> list[ClinicalMeasure]:
    """Of the chosen frames of volume or area curves, ``[T]`` of each structure."""
    return clinical_of_curves({name: curve[frames] for name, curve in curves.items()}, scheme)


def _manual(study: Study, scheme: LabelScheme, frames: list[int]) -> dict[tuple[str, str], float]:
    """Measures of the reference, by structure and measure."""
    measured = clinical(study.labels, study.spacing, scheme, frames)
    return {(one.structure, one.measure): one.value for one in measured}

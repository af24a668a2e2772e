"""How well the Dice and the volume similarity of single slices are estimated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.base import Graded, Quality
from qc.evaluation.agreement import NAN, absolute_error, detection
from qc.evaluation.thresholds import THRESHOLD
from qc.frames import graded_frames
from qc.graded.truth import mvsf
from semiqc.measuring.masks import compared, slice_dice
from semiqc.measuring.statistics import pearson
from semiqc.schemes import LabelScheme

Array = NDArray[np.float64]

LOWER_THRESHOLDS: Mapping[str, float] = {
    **dict.fromkeys(("lvpm", "pm", "papillary", "papillary muscles"), 0.45),
    **dict.fromkeys(("lvt", "trabeculae", "trabeculations"), 0.35),
}
"""2-D Dice from which papillary muscles and trabeculae are good, which readers agree less on; all
others from ``THRESHOLD``. Fournel et al., Medical Image Analysis 2021, section 3.5.1."""


@dataclass(frozen=True)
class SliceJudgement:
    """One estimator's estimate of one structure in one slice; NaN where it gave none.

    Args:
        estimator: Its name.
        item: Number of the prediction in the graded set.
        study: Name of the study.
        subject: Whom it is of.
        source: What made the prediction.
        group: Of the study.
        structure: Name.
        frame: Of the prediction.
        slice: Of the frame.
        true_dice: 2-D Dice; slices that have the structure in neither are left out.
        dice: Estimated.
        true_mvsf: Mean volume similarity fraction, see ``qc.graded.truth``.
        mvsf: Estimated.
    """

    estimator: str
    item: int
    study: str
    subject: str
    source: str
    group: str
    structure: str
    frame: int
    slice: int
    true_dice: float
    dice: float
    true_mvsf: float
    mvsf: float


@dataclass(frozen=True)
class SliceRow:
    """How well one estimator estimates one structure in single slices.

    Args:
        estimator: Its name.
        structure: Name, or ``all`` for the slices of all of them.
        n: Slices with a true and an estimated Dice.
        missing: Slices with a true Dice and no estimate.
        subjects: Whom the ``n`` are of.
        mae: Mean absolute error of the 2-D Dice.
        mae_sd: Its standard deviation.
        pearson: Linear correlation.
        threshold: 2-D Dice from which a slice is good; NaN of ``all``, each structure has its own.
        accuracy: Of calling good what is estimated to reach the threshold.
        n_mvsf: Slices with an estimated MVSF.
        mvsf_mae: Mean absolute error of the MVSF.
        mvsf_sd: Its standard deviation.
        mvsf_pearson: Linear correlation.
    """

    estimator: str
    structure: str
    n: int
    missing: int
    subjects: int
    mae: float
    mae_sd: float
    pearson: float
    threshold: float
    accuracy: float
    n_mvsf: int
    mvsf_mae: float
    mvsf_sd: float
    mvsf_pearson: float


def slices_of(
    quality: Quality, one: Graded, scheme: LabelScheme, *, estimator: str, item: int
) -> Iterator[SliceJudgement]:
    """A row for each structure and slice that has it; none where no Dice of slices is estimated.

    Args:
        quality: What the estimator says.
        one: Of which graded prediction; frames without a reference are passed over.
        scheme: Whose structures are judged.
        estimator: Its name.
        item: Number of the prediction in the graded set.
    """
    if not quality.slice_dice or one.reference is None:
        return
    for graded in graded_frames([one]):
        t = graded.number
        true, fractions = _true_slices(one, t, scheme)
        for row, part in enumerate(scheme.structures):
            told = quality.slice_dice.get(part.name)
            fraction = quality.slice_mvsf.get(part.name)
            for z in np.flatnonzero(np.isfinite(true[row])).tolist():
                yield SliceJudgement(
                    estimator, item, one.prediction.study, one.whose, one.source, one.group,
                    part.name, t, z, float(true[row, z]),
                    NAN if told is None else float(told[t, z]), float(fractions[row, z]),
                    NAN if fraction is None else float(fraction[t, z]),
                )  # fmt: skip


def _true_slices(one: Graded, frame: int, scheme: LabelScheme) -> tuple[Array, Array]:
    """Dice and MVSF of each structure and slice of a frame, ``[S, Z]``; as stored, or worked out.

    NaN where a structure is in neither.
    """
    if one.slice_dice is not None and one.mvsf is not None:
        return one.slice_dice[frame], one.mvsf[frame]
    [graded] = [found for found in graded_frames([one]) if found.number == frame]
    pair = compared(graded.frame().labels, graded.reference(), scheme)
    return slice_dice(*pair), mvsf(*pair)


def slice_table(judgements: Sequence[SliceJudgement]) -> list[SliceRow]:
    """The figures of each estimator: of all structures' slices together, then of each structure.

    Reference:
        Fournel et al., "Medical image segmentation automatic quality control: a
        multi-dimensional approach", Medical Image Analysis 2021, section 3.5.1 and table 2.
        https://doi.org/10.1016/j.media.2021.102213
    """
    rows = []
    for name in dict.fromkeys(one.estimator for one in judgements):
        own = [one for one in judgements if one.estimator == name]
        rows.append(_row(own, "all"))
        for structure in dict.fromkeys(one.structure for one in own):
            rows.append(_row([one for one in own if one.structure == structure], structure))
    return rows


def threshold_of(structure: str) -> float:
    """The 2-D Dice from which a structure is good in a slice."""
    return LOWER_THRESHOLDS.get(structure.casefold(), THRESHOLD)


def _row(rows: Sequence[SliceJudgement], structure: str) -> SliceRow:
    """The figures of one estimator over these slices."""
    true, told = (np.array([getattr(r, name) for r in rows]) for name in ("true_dice", "dice"))
    fractions, said = (np.array([getattr(r, n) for r in rows]) for n in ("true_mvsf", "mvsf"))
    error, of_fraction = absolute_error(true, told), absolute_error(fractions, said)
    threshold = threshold_of(structure) if structure != "all" else NAN
    known = np.isfinite(told)
    # Every slice is good or poor by its own structure's threshold, so these are shifted to one.
    least = np.array([threshold_of(row.structure) for row in rows])
    return SliceRow(
        estimator=rows[0].estimator,
        structure=structure,
        n=error.n,
        missing=int((~known).sum()),
        subjects=len({row.subject for row, is_known in zip(rows, known, strict=True) if is_known}),
        mae=error.mean,
        mae_sd=error.sd,
        pearson=pearson(true, told).coefficient,
        threshold=threshold,
        accuracy=detection(true - least, told - least, 0.0).accuracy,
        n_mvsf=of_fraction.n,
        mvsf_mae=of_fraction.mean,
        mvsf_sd=of_fraction.sd,
        mvsf_pearson=pearson(fractions, said).coefficient,
    )

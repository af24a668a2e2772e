"""What one estimator says of one structure of one prediction, beside what is true of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qc.base import ALL_CLASSES, BESIDE, OVERALL, Graded, Quality
from qc.evaluation.agreement import NAN
from qc.evaluation.truth import TrueQuality, overall_dice
from semiqc.measuring.means import mean_of_known
from semiqc.schemes import LabelScheme

Array = NDArray[np.float64]

ALL = "all"
"""Stands for the mean over structures, in place of a structure's name."""

OF_STRUCTURES = (
    "true_dice",
    "dice",
    "true_nsd",
    "nsd",
    "true_multi_class",
    "error_map_dice",
    "covered",
    "length",
)
"""Columns of a judgement that differ between the structures of a prediction."""


@dataclass(frozen=True)
class Judgement:
    """One estimator's estimate of one structure of one prediction; NaN where it gave none.

    Where ``structure`` is ``"all"``, qualities are means over the structures of which both the
    true and the estimated one are known; true ones without any estimate, over all that are.

    Args:
        estimator: Its name.
        item: Number of the prediction in the graded set.
        study: Name of the study.
        subject: Whom the study is of; its name where that is unknown.
        source: What made the prediction.
        group: Of the study.
        structure: Name, or ``"all"``; of estimators that tell it, also what ``qc.base.BESIDE``
            names, unless a structure is called so.
        verdict: A reader's, ``good`` or ``erroneous``; empty where nobody gave one.
        score: The estimator's, of the whole prediction.
        true_dice: Mean over the frames that have a reference.
        dice: Estimated.
        true_nsd: As ``true_dice``, of the normalised surface Dice; NaN also where no estimator
            of the evaluation estimates it and nobody had worked it out.
        nsd: Estimated.
        true_multi_class: Dice of all classes at once, mean over those frames; NaN of single
            structures.
        error_map_dice: Agreement of the error map with the true errors, mean over those frames.
        covered: Whether the true Dice lies in the interval, 0 or 1, and of ``"all"`` the share of
            structures; NaN where no interval or no true Dice is known.
        length: Of that interval, or the mean of them.
        ms: Time the estimator took for the whole prediction, reading included; NaN where it had
            judged another segmentation of the same image, for some remember images.
    """

    estimator: str
    item: int
    study: str
    subject: str
    source: str
    group: str
    structure: str
    verdict: str
    score: float
    true_dice: float
    dice: float
    true_nsd: float
    nsd: float
    true_multi_class: float
    error_map_dice: float
    covered: float
    length: float
    ms: float


def judgements_of(
    quality: Quality,
    one: Graded,
    true: TrueQuality,
    scheme: LabelScheme,
    *,
    estimator: str,
    item: int,
    ms: float,
) -> list[Judgement]:
    """One row for all structures, one for each, and what the estimator tells beside them.

    Args:
        quality: What the estimator says.
        one: Of which graded prediction.
        true: What is true of it.
        scheme: Whose structures are judged.
        estimator: Its name.
        item: Number of the prediction in the graded set.
        ms: Time the estimator took.
    """
    names = [structure.name for structure in scheme.structures]
    dice = np.array([quality.dice.get(name, NAN) for name in names])
    nsd = np.array([quality.nsd.get(name, NAN) for name in names])
    maps = true.error_map_dice(quality, scheme)
    covered, lengths = _intervals(quality, true.dice, names)
    about = _about(estimator, item, one, quality.score, ms)
    means = (*_paired_means(true.dice, dice), *_paired_means(true.nsd, nsd))
    of_all = _with_numbers(about, ALL, [*means, *map(mean_of_known, (maps, covered, lengths))])
    columns = (true.dice, dice, true.nsd, nsd, maps, covered, lengths)
    return [
        replace(of_all, true_multi_class=true.multi_class),
        *(
            _with_numbers(about, name, numbers)
            for name, *numbers in zip(names, *columns, strict=True)
        ),
        *_overall_rows(quality, true, about, names),
    ]


def _overall_rows(
    quality: Quality, true: TrueQuality, about: Judgement, names: Sequence[str]
) -> list[Judgement]:
    """Of background, foreground and all classes at once, where told and the truth is known."""
    told = [name for name in BESIDE if name in quality.overall and name not in names]
    dice = {ALL_CLASSES: true.multi_class}
    if set(told) & set(OVERALL):
        dice |= dict(zip(OVERALL, overall_dice(true.frames).tolist(), strict=True))
    rows = [
        replace(about, structure=name, true_dice=dice[name], dice=quality.overall[name])
        for name in told
        if np.isfinite(dice[name])
    ]
    return [
        replace(row, true_nsd=true.multi_class_nsd, nsd=quality.overall_nsd[ALL_CLASSES])
        if row.structure in quality.overall_nsd
        else row
        for row in rows
    ]


def is_part(row: Judgement) -> bool:
    """Whether a row is of a structure of the scheme: its Dice counts in the mean."""
    return row.structure not in (ALL, *BESIDE)


def _about(name: str, item: int, one: Graded, score: float, ms: float) -> Judgement:
    """All that does not depend on the structure; the rest is NaN."""
    verdict = "" if one.is_good is None else "good" if one.is_good else "erroneous"
    return Judgement(
        estimator=name,
        item=item,
        study=one.prediction.study,
        subject=one.whose,
        source=one.source,
        group=one.group,
        structure=ALL,
        verdict=verdict,
        score=score,
        ms=ms,
        **dict.fromkeys(OF_STRUCTURES, NAN),
    )


def _intervals(quality: Quality, true_dice: Array, names: Sequence[str]) -> tuple[Array, Array]:
    """Whether the true Dice of each structure lies in its interval, and its length; ``[S]``."""
    ends = np.array([quality.interval.get(name, (NAN, NAN)) for name in names], dtype=np.float64)
    is_known = np.isfinite(true_dice) & np.isfinite(ends).all(axis=1)
    is_within = (ends[:, 0] <= true_dice) & (true_dice <= ends[:, 1])
    covered = np.where(is_known, is_within.astype(np.float64), NAN)
    return covered, np.where(is_known, ends[:, 1] - ends[:, 0], NAN)


def _with_numbers(about: Judgement, structure: str, numbers: Sequence[float]) -> Judgement:
    """The row of one structure, or of all.

    ``numbers`` are, in order: true and estimated Dice, true and estimated NSD, Dice of the error
    map, whether the interval holds the truth, its length.
    """
    true_dice, dice, true_nsd, nsd, maps, covered, length = map(float, numbers)
    return replace(
        about,
        structure=structure,
        true_dice=true_dice,
        dice=dice,
        true_nsd=true_nsd,
        nsd=nsd,
        error_map_dice=maps,
        covered=covered,
        length=length,
    )


def _paired_means(true: Array, estimated: Array) -> tuple[float, float]:
    """Mean true and mean estimated quality over structures, of arrays ``[S]``.

    Over the structures of which both are known; where none is estimated, the true mean is over all
    that are known and the other is NaN.
    """
    known = np.isfinite(true)
    if np.isfinite(estimated).any():
        known &= np.isfinite(estimated)
    return mean_of_known(true[known]), mean_of_known(estimated[known])

"""The figures of all estimators side by side, by structure, disease group and source."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.base import BESIDE
from qc.evaluation.agreement import (
    NAN,
    absolute_error,
    detection,
    errors_around_half,
    failure_auroc,
    mean_error,
    r_squared,
    share_within,
)
from qc.evaluation.distributions import kolmogorov_smirnov
from qc.evaluation.figures import FigureRow
from qc.evaluation.intervals import bootstrap
from qc.evaluation.judgement import ALL, Judgement
from qc.evaluation.risk import aurc, excess_aurc
from semiqc.measuring.means import mean_of_known
from semiqc.measuring.statistics import pearson, spearman

COMPARED = {
    "dice": ("true_dice", "dice"),
    "nsd": ("true_nsd", "nsd"),
    "multi_class": ("true_multi_class", "dice"),
    "score": ("true_dice", "score"),
}
"""Columns of the true and of the estimated quality.

``multi_class`` compares the mean of structures with the true Dice of all classes; estimators that
learn the latter are judged by it as ``qc.base.ALL_CLASSES``."""


def table_of(judgements: Sequence[Judgement], thresholds: Mapping[str, float]) -> list[FigureRow]:
    """Rows of all estimators: over all predictions first, then by group and by source.

    Args:
        judgements: Of any estimators.
        thresholds: By structure, ``all`` included.
    """
    return [
        row
        for (by, stratum), members in _strata(judgements).items()
        for row in rows_of(members, thresholds, by, stratum)
    ]


def rows_of(
    judgements: Sequence[Judgement],
    thresholds: Mapping[str, float],
    by: str = "all",
    stratum: str = "",
) -> list[FigureRow]:
    """Rows of all estimators over all the predictions given, which are of the stratum."""
    rows = []
    for estimator, own in _parted(judgements, lambda row: row.estimator).items():
        given = qualities_of(own, estimator)
        parts = _parted(own, lambda row: row.structure)
        has_several = sum(part not in (ALL, *BESIDE) for part in parts) > 1
        of_all = [*given, "multi_class"] if "dice" in given and has_several else given
        for structure, part in parts.items():
            qualities = given if structure != ALL else of_all or ["score"]
            threshold = thresholds.get(structure, thresholds[ALL])
            rows += [_row(part, q, by, stratum, threshold) for q in qualities]
    return rows


def estimators_of(judgements: Iterable[Judgement]) -> list[str]:
    """Names of the estimators, in order."""
    return list(dict.fromkeys(row.estimator for row in judgements))


def qualities_of(judgements: Iterable[Judgement], estimator: str) -> list[str]:
    """Out of ``dice`` and ``nsd``, what the estimator gave of any prediction."""
    own = [row for row in judgements if row.estimator == estimator]
    given = ("dice", "nsd")
    return [name for name in given if any(math.isfinite(getattr(row, name)) for row in own)]


def values_of(
    judgements: Iterable[Judgement], quality: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The true and the estimated quality of each, ``[N]``, as ``FigureRow`` tells them."""
    true, estimated = COMPARED[quality]
    values = [(getattr(row, true), getattr(row, estimated)) for row in judgements]
    pairs = np.array(values, dtype=np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _strata(judgements: Sequence[Judgement]) -> dict[tuple[str, str], list[Judgement]]:
    """Judgements by (``all`` | ``group`` | ``source``, its name), in the order of the table."""
    found = {("all", ""): list(judgements)}
    groups = _parted([row for row in judgements if row.group], lambda row: row.group)
    found |= {("group", group): groups[group] for group in sorted(groups)}
    sources = _parted([row for row in judgements if row.source], source_of)
    return found | {("source", source): sources[source] for source in sorted(sources)}


def source_of(row: Judgement) -> str:
    """Name of the source, without its settings."""
    return row.source.partition("-")[0]


def _parted(
    rows: Iterable[Judgement], key: Callable[[Judgement], Any]
) -> dict[Any, list[Judgement]]:
    """Rows by their key, in the order in which keys come."""
    parts: dict[Any, list[Judgement]] = {}
    for row in rows:
        parts.setdefault(key(row), []).append(row)
    return parts


def _row(
    rows: Sequence[Judgement], quality: str, by: str, stratum: str, threshold: float
) -> FigureRow:
    """All figures of one estimator, quality and structure over the rows of a stratum."""
    true, predicted = values_of(rows, quality)
    paired = np.isfinite(true) & np.isfinite(predicted)
    maps = np.array([row.error_map_dice for row in rows])
    map_figures = absolute_error(np.zeros_like(maps), maps)
    verdicts = np.array([row.verdict for row in rows])
    verdict = kolmogorov_smirnov(predicted[verdicts == "good"], predicted[verdicts == "erroneous"])
    figures = _rank_figures(true, predicted, threshold)
    if quality != "score":
        figures |= _error_figures(true, predicted, [row.subject or row.study for row in rows])
        figures |= asdict(detection(true, predicted, threshold))
    return FigureRow(
        estimator=rows[0].estimator,
        quality=quality,
        structure=rows[0].structure,
        by=by,
        stratum=stratum,
        n=int(paired.sum()),
        missing=int((np.isfinite(true) & ~paired).sum()),
        studies=len({row.study for row, known in zip(rows, paired, strict=True) if known}),
        threshold=threshold,
        error_map_dice=map_figures.mean,
        error_map_sd=map_figures.sd,
        n_maps=map_figures.n,
        covered=mean_of_known(row.covered for row in rows) if quality == "dice" else NAN,
        length=mean_of_known(row.length for row in rows) if quality == "dice" else NAN,
        verdict_ks=verdict.statistic,
        verdict_p=verdict.p,
        ms=_median([row.ms for row in rows]),
        **figures,
    )


def _median(values: Sequence[float]) -> float:
    """Of what is a number; NaN where nothing is."""
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else NAN


def _rank_figures(
    true: NDArray[np.float64], predicted: NDArray[np.float64], threshold: float
) -> dict[str, Any]:
    """Figures of the order alone: ranks, detection of failures, risk and coverage."""
    return {
        "spearman": spearman(true, predicted).coefficient,
        "auroc": failure_auroc(true, predicted, threshold),
        "aurc": aurc(true, predicted),
        "excess_aurc": excess_aurc(true, predicted),
    }


def _error_figures(
    true: NDArray[np.float64], predicted: NDArray[np.float64], subjects: Sequence[str]
) -> dict[str, Any]:
    """Figures that need estimates on the scale of the truth."""
    error = absolute_error(true, predicted)
    below, above = errors_around_half(true, predicted)
    intervals = bootstrap(true, predicted, subjects)
    return {
        "mae": error.mean,
        "mae_low": intervals.mae[0],
        "mae_high": intervals.mae[1],
        "mae_sd": error.sd,
        "bias": mean_error(true, predicted),
        "n_below": below.n,
        "mae_below": below.mean,
        "mae_below_sd": below.sd,
        "mae_above": above.mean,
        "mae_above_sd": above.sd,
        "pearson": pearson(true, predicted).coefficient,
        "pearson_low": intervals.pearson[0],
        "pearson_high": intervals.pearson[1],
        "r2": r_squared(true, predicted),
        "within": share_within(true, predicted),
    }

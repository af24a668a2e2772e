"""What was said of each segmentation, and which are to be looked at."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qc.base import CONSENSUS, Quality
from qc.suites.domain import TrainingDomain
from semiqc.images.raw import Refusal
from semiqc.measuring.means import means_of_known
from semiqc.schemes import LabelScheme


@dataclass(frozen=True, eq=False)
class StudyScore:
    """What a suite says of one segmentation; error maps are in files.

    Args:
        study: Its name.
        score: Of the consensus; without one, the mean of the estimators'.
        flagged: Whether somebody should look at it.
        qualities: By estimator's name, without error maps.
        warnings: Where the data is unlike what the suite learned from, or its file is odd.
        error_maps: File of each structure, within the output folder.
    """

    study: str
    score: float
    flagged: bool
    qualities: Mapping[str, Quality]
    warnings: tuple[str, ...] = ()
    error_maps: Mapping[str, str] | None = None

    @property
    def verdict(self) -> str:
        """``erroneous`` if any estimator says so, else ``good`` if any does, else nothing."""
        return verdict_of(self.qualities)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Of all estimators, each once and with the name of who told it first."""
        told: dict[str, str] = {}
        for name, found in self.qualities.items():
            for reason in found.reasons:
                told.setdefault(reason, name)
        return tuple(f"{name}: {reason}" for reason, name in told.items())


@dataclass(frozen=True, eq=False)
class ScoreReport:
    """All that was judged, and what could not be.

    Args:
        studies: Flagged first, the worst score first among both.
        left_out: Why; a line each.
        scheme: Of the suite.
        training: What the suite learned from; None where no suite judged but a run.
        estimators: Names of those who judged, in the suite's order.
        flag_below: Score below which a study is flagged.
        silent: Names of those who could not, for files have no uncertainty maps.
        interval_level: Of the consensus's intervals; None where there is no consensus.
        whole: Gives one of ``studies`` with what is said of its slices, which may stand in a file.
    """

    studies: Sequence[StudyScore]
    left_out: Sequence[Refusal]
    scheme: LabelScheme
    training: TrainingDomain | None
    estimators: Sequence[str]
    flag_below: float
    silent: Sequence[str] = ()
    interval_level: float | None = None
    whole: Callable[[StudyScore], StudyScore] = lambda one: one

    @property
    def flagged(self) -> Sequence[StudyScore]:
        """Studies that somebody should look at, the worst score first."""
        return [one for one in self.studies if one.flagged]


def in_order(studies: Iterable[StudyScore]) -> list[StudyScore]:
    """Flagged studies first, the lowest score first among both; those without a score last."""

    def place(one: StudyScore) -> tuple[bool, bool, float, str]:
        unknown = isnan(one.score)
        return not one.flagged, unknown, 0.0 if unknown else one.score, one.study

    return sorted(studies, key=place)


def verdict_of(qualities: Mapping[str, Quality]) -> str:
    """``erroneous`` if any estimator says so, else ``good`` if any does, else nothing."""
    verdicts = {quality.is_good for quality in qualities.values()}
    return "erroneous" if False in verdicts else "good" if True in verdicts else ""


def is_flagged(score: float, qualities: Mapping[str, Quality], flag_below: float) -> bool:
    """Whether the score is too low, or an estimator calls the segmentation erroneous.

    A NaN score alone flags nothing.
    """
    return score < flag_below or verdict_of(qualities) == "erroneous"


def mean_slice_dice(qualities: Mapping[str, Quality]) -> dict[str, NDArray[np.float64]]:
    """Dice of each structure, ``[T, Z]``: the consensus's, or the mean of those who give it.

    NaN where nobody gives a number for the slice; empty where no estimator judges slices.
    """
    found: dict[str, list[NDArray[np.float64]]] = {}
    for quality in those_who_count(qualities, "slice_dice"):
        for structure, dice in quality.slice_dice.items():
            found.setdefault(structure, []).append(dice)
    return {structure: means_of_known(np.stack(dice)) for structure, dice in found.items()}


def those_who_count(
    qualities: Mapping[str, Quality], what: Literal["dice", "slice_dice", "error_maps"]
) -> list[Quality]:
    """The consensus alone where it tells ``what``, for it has weighed the others; else all."""
    together = qualities.get(CONSENSUS)
    if together is not None and getattr(together, what):
        return [together]
    return list(qualities.values())

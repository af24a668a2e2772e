"""Verdicts on predictions: a reader's, or a simulated reader's who looks at the reference."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qc.base import Graded
from semiqc.doors.csv_table import read_table
from semiqc.doors.regular import in_short
from semiqc.measuring.measures import curves, ejection_fraction
from semiqc.measuring.metrics import dice
from semiqc.schemes import UNLABELLED, LabelScheme, Measure
from semiqc.study import Voxels
from semiqc.work.bounds import Factor, OpenShare

VERDICTS: Mapping[str, bool] = {"good": True, "erroneous": False}
"""What a reader may say of a prediction, and whether it is good then."""


@dataclass(frozen=True)
class Verdict:
    """What a reader says of one prediction.

    Args:
        is_good: Whether it can be used as it is.
        reason: What speaks against it; empty where nothing does.
    """

    is_good: bool
    reason: str = ""


MIN_SHARE = 0.3
"""Share of good, and of erroneous, predictions that a classifier can learn from."""


@dataclass(frozen=True)
class SimulatedReader:
    """Decides from the labelled frames of the reference, in place of a clinician.

    A prediction is erroneous where, in any labelled frame, the Dice of any structure is below
    ``min_dice``, so that one lost frame is not averaged away; or where an ejection fraction,
    measured in the labelled frames of both, is off by more than ``max_ef_error``. A structure
    that is missed, or found where the reference has none, has Dice 0 and is erroneous whatever
    the bounds; one that is in neither says nothing. The ejection fraction is left out where the
    reference tells none: with fewer than two labelled frames, or without the cavity.

    Ours: the paper's reader was a clinician with the curves and an animation of the
    segmentation (Ruijsink, Puyol-Antón et al., STACOM 2020, section 3.1).

    Args:
        scheme: Structures to look at.
        min_dice: In [0, 1).
        max_ef_error: In percentage points.

    Raises:
        ValueError: If a bound is out of range.
    """

    scheme: LabelScheme
    min_dice: OpenShare = 0.7
    max_ef_error: Factor = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_dice < 1:
            raise ValueError(f"min_dice must lie in [0, 1), got {self.min_dice}")
        if not self.max_ef_error > 0:
            raise ValueError(f"max_ef_error must be positive, got {self.max_ef_error}")

    def __call__(self, graded: Graded) -> Verdict:
        """The verdict on one prediction; whatever verdict it has already is not looked at.

        Raises:
            ValueError: If there is no reference, or it has no label.
        """
        complaints = [fault.words for fault in self._faults(graded) if fault.severity > 1]
        return Verdict(not complaints, "; ".join(complaints))

    def severity(self, graded: Graded) -> float:
        """How far the worst fault goes, in multiples of what its bound allows.

        A missing Dice of ``1 - min_dice`` and an error of ``max_ef_error`` are 1; above 1 a
        prediction is erroneous.

        Raises:
            ValueError: If there is no reference, or it has no label.
        """
        return max((fault.severity for fault in self._faults(graded)), default=0.0)

    def scaled(self, factor: float) -> "SimulatedReader":
        """A reader who allows ``factor`` times as much."""
        return replace(
            self,
            min_dice=max(0.0, 1 - factor * (1 - self.min_dice)),
            max_ef_error=factor * self.max_ef_error,
        )

    def _faults(self, graded: Graded) -> list["_Fault"]:
        name = graded.prediction.study
        if graded.reference is None:
            raise ValueError(f"{name}: a simulated reader needs a reference")
        pairs = dict(_labelled_pairs(graded.prediction.labels, graded.reference))
        if not pairs:
            raise ValueError(f"{name}: the reference has no labelled frame")
        return [
            *self._missing_dice(pairs),
            *self._wrong_ejection(list(pairs.values()), graded.prediction.spacing),
        ]

    def _missing_dice(self, pairs: Mapping[int, "_Pair"]) -> Iterator["_Fault"]:
        for structure in self.scheme.structures:
            found = {
                frame: dice(pair.predicted, pair.reference, structure)
                for frame, pair in pairs.items()
            }
            told = {frame: value for frame, value in found.items() if not math.isnan(value)}
            if told:
                worst = min(told, key=lambda frame: told[frame])
                shortfall = _ratio(1 - told[worst], 1 - self.min_dice)
                yield _Fault(
                    f"Dice of {structure.name} is {told[worst]:.2f} in frame {worst}",
                    shortfall if told[worst] else math.inf,
                )

    def _wrong_ejection(
        self, pairs: Sequence["_Pair"], spacing: tuple[float, float, float]
    ) -> Iterator["_Fault"]:
        cavities = [s for s in self.scheme.structures if s.measure is Measure.CAVITY]
        predicted = curves(
            np.stack([p.predicted_where_labelled for p in pairs]), spacing, cavities
        )
        reference = curves(np.stack([p.reference for p in pairs]), spacing, cavities)
        for cavity in cavities:
            true, found = _ejection(reference[cavity.name]), _ejection(predicted[cavity.name])
            if math.isnan(true):
                continue
            if math.isnan(found):
                yield _Fault(f"{cavity.name} was not found, its EF is {true:.0f} %", math.inf)
            else:
                yield _Fault(
                    f"EF of {cavity.name} is {found:.0f} %, not {true:.0f} %",
                    _ratio(abs(found - true), self.max_ef_error),
                )


def balanced(
    reader: SimulatedReader, graded: Sequence[Graded], min_share: float
) -> SimulatedReader:
    """A reader who finds at least ``min_share`` of the predictions good, and as many erroneous.

    A classifier cannot learn from one kind of verdict, and best in class is relative: where a
    segmenter of few labels never reaches the reader's bounds, all bounds are widened by one
    factor until the share is reached; where it hardly ever misses them, they are narrowed. What
    misses a structure altogether stays erroneous, even if the share is then not reached, and
    what is perfect stays good.

    Args:
        reader: With the bounds to start from.
        graded: With references.
        min_share: In [0, .5].

    Raises:
        ValueError: If the share is out of range.
    """
    if not 0 <= min_share <= 0.5:
        raise ValueError(f"min_share must lie in [0, .5], got {min_share}")
    severities = sorted(reader.severity(one) for one in graded)
    wanted = min(math.ceil(min_share * len(severities)), len(severities) // 2)
    good = sum(severity <= 1 for severity in severities)
    can_be_good = sum(map(math.isfinite, severities))
    least_good = min(max(good, wanted), len(severities) - wanted, can_be_good)
    if least_good == good:
        return reader
    last_good, first_erroneous = severities[least_good - 1], severities[least_good]
    halfway = (last_good + first_erroneous) / 2
    factor = halfway if math.isfinite(halfway) else last_good
    return reader.scaled(factor) if factor else reader


class _Fault(NamedTuple):
    """What speaks against a prediction, and how much; above 1 it is erroneous."""

    words: str
    severity: float


@dataclass(frozen=True, eq=False)
class _Pair:
    """Predicted and reference labels of one frame, ``[Z, Y, X]`` each."""

    predicted: NDArray[np.int8]
    reference: NDArray[np.int8]

    @property
    def predicted_where_labelled(self) -> NDArray[np.int8]:
        """Prediction without what the reference cannot judge, so that both measure the same."""
        return np.where(self.reference == UNLABELLED, np.int8(UNLABELLED), self.predicted)


def _labelled_pairs(predicted: Voxels, reference: Voxels) -> Iterator[tuple[int, _Pair]]:
    for frame in range(reference.shape[0]):
        labels = np.asarray(reference[frame])
        if (labels != UNLABELLED).any():
            yield frame, _Pair(np.asarray(predicted[frame]), labels)


def _ratio(found: float, allowed: float) -> float:
    # A Dice of single precision that is exactly at its bound must not lie beyond it.
    return round(found / allowed, 6)


def _ejection(volumes: NDArray[np.float64]) -> float:
    if len(volumes) < 2:
        return math.nan
    return ejection_fraction(float(volumes.max()), float(volumes.min()))


def with_verdict(graded: Graded, verdict: Verdict) -> Graded:
    """A copy that carries the verdict."""
    return replace(graded, is_good=verdict.is_good)


def read_verdicts(path: Path) -> dict[str, bool]:
    """A reader's verdicts: whether the prediction of each study is good.

    Args:
        path: CSV with the columns ``study`` and ``verdict``, which is ``good`` or
            ``erroneous``; other columns are left alone.

    Raises:
        ValueError: If the file is not such a table, is empty, has an unknown verdict, or names
            a study twice.
    """
    verdicts: dict[str, bool] = {}
    table = read_table(path)
    table.require(path, ("study", "verdict"))
    for line, row in zip(table.lines, table.rows, strict=True):
        study, is_good = _verdict_of(row, f"{path}, line {line}")
        if study in verdicts:
            raise ValueError(f"{path}, line {line}: a second verdict on {in_short(study)}")
        verdicts[study] = is_good
    if not verdicts:
        raise ValueError(f"{path}: holds no verdict")
    return verdicts


def _verdict_of(row: Mapping[str, str], place: str) -> tuple[str, bool]:
    study = row["study"].strip()
    said = row["verdict"].strip().lower()
    if not study:
        raise ValueError(f"{place}: names no study")
    if said not in VERDICTS:
        raise ValueError(
            f"{place}: verdict on {in_short(study)} must be good or erroneous, got"
            f" '{in_short(said)}'"
        )
    return study, VERDICTS[said]

"""Quality from what anatomy and physiology allow: rules on shape and curve, and what they cost."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from qc.absence import reasons_of, rightly_absent, score_of
from qc.base import Graded, ProgressCallback, Quality, QualityEstimator, unobserved
from qc.estimators.physiology.bounds import (
    Bounds,
    learned_costs,
    prior_costs,
    seen_by_structure,
    segments,
)
from qc.estimators.physiology.findings import Findings, findings
from qc.estimators.physiology.rules import FRAME_RULES, STUDY_RULES, Rule
from qc.frames import GradedFrame, graded_frames
from semiqc.measuring.means import means_of_known
from semiqc.schemes import UNLABELLED
from semiqc.study import Prediction

Array = NDArray[np.float64]

KINDS = ("frames", "course")
LEAST_COST = 0.01
"""Dice that a broken rule must cost to be named."""
MOST_REASONS = 6
"""Broken rules that are named, those that cost most."""


class Physiology(QualityEstimator):
    """What a segmentation costs in Dice that breaks the rules of ``rules.py``.

    What is usual is learned from the references, their quantiles giving the bounds; without any,
    the rules' own bounds stand. What it costs to lie beyond is learned from the Dice of the
    predictions: a sum over rules, each a piecewise linear function that can only rise with the
    distance from what is usual, fitted by ridge regression with no negative coefficient. A first
    sum judges each frame by its shapes, of the structure itself and of the others. A second one
    takes from a study's mean what its curves and jumps cost. Rules on which the training is
    silent, such as those on curves where it is of single frames, have a small cost each.

    A structure that is not predicted has Dice 0, as has a study in which nothing is.

    Equation:
        dice_s = 1 - base_s - Σ_rules cost(distance of the rule's measure from what is usual)

    Fails:
        On a segmentation that is plausible and in the wrong place, for it sees no image; on hearts
        that are ill in a way that looks like an error.

    Reference:
        Bai et al., "Automated cardiovascular magnetic resonance image analysis with fully
        convolutional networks", Journal of Cardiovascular Magnetic Resonance 2018; the check
        ``sa_pass_quality_control`` of its code: every structure there, enough slices, none
        missing between others. https://doi.org/10.1186/s12968-018-0471-x
        Ours: the other rules; bounds and costs that are learned.

    Args:
        scheme: Label values and structures of the predictions it judges.

    Attributes:
        bounds_: Of the rules on frames, and of those on the course.
        costs_: Of frames ``[S, F]``, and of the course ``[S, G]``.
        base_: Dice that a frame breaking no rule lacks, ``[S]``.
        rightly_absent_: How often a structure was rightly not segmented; see ``qc.absence``.
    """

    def fit(self, graded: Sequence[Graded], *, observe: ProgressCallback = unobserved) -> Self:
        frames = graded_frames(graded)
        whole = {id(one.graded): one.graded for one in frames}
        found: dict[int, Findings] = {}
        for done, (key, one) in enumerate(whole.items(), 1):
            found[key] = self._findings(one.prediction)
            observe(done, len(whole) + 1)
        references = list(self._references(frames))
        self.bounds_ = (
            Bounds.of(FRAME_RULES, _joined([one.frames for one in references], FRAME_RULES, self)),
            Bounds.of(
                STUDY_RULES, _joined([one.course[None] for one in references], STUDY_RULES, self)
            ),
        )
        dice = np.stack([one.dice(self.scheme) for one in frames])
        self._learn_frames(frames, [found[id(one.graded)] for one in frames], dice)
        self._learn_course(frames, found, dice)
        present = np.stack([found[id(one.graded)].present[one.number] for one in frames])
        self.rightly_absent_ = rightly_absent(dice, ~present)
        observe(len(whole) + 1, len(whole) + 1)
        return self

    def predict(self, predictions: Sequence[Prediction]) -> list[Quality]:
        check_is_fitted(self)
        return [self._judge(prediction) for prediction in predictions]

    def _findings(self, prediction: Prediction) -> Findings:
        return findings(prediction.labels, self.scheme, prediction.spacing)

    def _references(self, frames: Sequence[GradedFrame]) -> Iterator[Findings]:
        """Of each reference once, however many predictions it has graded; of none, none."""
        numbers: dict[int, list[int]] = {}
        for frame in frames:
            numbers.setdefault(id(frame.graded), []).append(frame.number)
        owners = {id(frame.graded): frame.graded for frame in frames}
        seen: set[tuple[str, bytes]] = set()
        for key, chosen in numbers.items():
            one = owners[key]
            if one.reference is None:
                continue
            labels = [np.asarray(one.reference[number]) for number in chosen]
            complete = [n for n, frame in zip(chosen, labels, strict=True) if _is_whole(frame)]
            digest = hashlib.sha256(b"".join(frame.tobytes() for frame in labels)).digest()
            if complete and (one.prediction.study, digest) not in seen:
                seen.add((one.prediction.study, digest))
                yield findings(one.reference, self.scheme, one.prediction.spacing, complete)

    def _learn_frames(
        self, frames: Sequence[GradedFrame], found: Sequence[Findings], dice: Array
    ) -> None:
        numbers = [frame.number for frame in frames]
        values = np.stack([one.frames[n] for one, n in zip(found, numbers, strict=True)])
        present = np.stack([one.present[n] for one, n in zip(found, numbers, strict=True)])
        given = seen_by_structure(self.bounds_[0].excess(values))
        prior = np.append(prior_costs(len(FRAME_RULES)), 0.0)
        learned = []
        for part, columns in enumerate(given):
            known = present[:, part] & np.isfinite(dice[:, part])
            with_base = np.column_stack([columns[known], np.ones(known.sum())])
            learned.append(learned_costs(with_base, 1 - dice[known, part], prior))
        costs = np.stack(learned)
        self.base_ = costs[:, -1]
        self.costs_ = (costs[:, :-1], np.zeros((len(costs), 0)))

    def _learn_course(
        self, frames: Sequence[GradedFrame], found: Mapping[int, Findings], dice: Array
    ) -> None:
        rows: dict[int, list[int]] = {}
        for row, frame in enumerate(frames):
            if frame.graded.prediction.frames > 1:
                rows.setdefault(id(frame.graded), []).append(row)
        shape = (0, len(STUDY_RULES), len(self.scheme.structures))
        values = np.stack([found[key].course for key in rows]) if rows else np.zeros(shape)
        given = seen_by_structure(self.bounds_[1].excess(values))
        lacking = [
            self._frame_dice(found[key])[[frames[row].number for row in mine]] - dice[mine]
            for key, mine in rows.items()
        ]
        self.costs_ = (self.costs_[0], _course_costs(given, lacking))

    def _frame_dice(self, found: Findings) -> Array:
        """Of each frame and structure, ``[T, S]``, by its shapes alone."""
        given = seen_by_structure(self.bounds_[0].excess(found.frames))
        costs = np.einsum("stf,sf->ts", given, self.costs_[0])
        return np.where(found.present, np.clip(1 - self.base_ - costs, 0, 1), 0.0)

    def _judge(self, prediction: Prediction) -> Quality:
        found = self._findings(prediction)
        given = seen_by_structure(self.bounds_[1].excess(found.course[None]))[:, 0]
        cost = (given * self.costs_[1]).sum(axis=-1)
        dice = np.clip(self._frame_dice(found).mean(axis=0) - cost, 0, 1)
        names = [structure.name for structure in self.scheme.structures]
        return Quality(
            prediction.study,
            score_of(dice, found.present.sum(axis=0) == 0, self.rightly_absent_),
            dice=dict(zip(names, dice.tolist(), strict=True)),
            reasons=tuple(self._reasons(found)),
        )

    def _reasons(self, found: Findings) -> Iterator[str]:
        names = [structure.name for structure in self.scheme.structures]
        frames, count = len(found.present), found.present.sum(axis=0)
        if not count.any():
            yield "nothing is segmented"
            return
        yield from reasons_of(self.scheme, count == 0, self.rightly_absent_)
        for name, present in zip(names, count, strict=True):
            if not present and not self.rightly_absent_[names.index(name)]:
                yield f"{name} is absent"
            elif 0 < present < frames:
                yield f"{name} is absent in {frames - present} of {frames} frames"
        broken = [*self._broken_in_frames(found), *self._broken_in_course(found)]
        costly = [one for one in broken if one.cost >= LEAST_COST]
        for one in sorted(costly, key=lambda one: -one.cost)[:MOST_REASONS]:
            yield one.words

    def _broken_in_frames(self, found: Findings) -> Iterator["_Broken"]:
        """Every rule once for each structure that breaks it, in the frame where it does most."""
        excess = self.bounds_[0].excess(found.frames)
        worst = excess.max(axis=-1).argmax(axis=0)
        for row, part in np.ndindex(worst.shape):
            time = int(worst[row, part])
            place = found.slices[time, row, part]
            where = [f"slice {place}"] * bool(place >= 0) + [f"frame {time}"] * (len(excess) > 1)
            value = float(found.frames[time, row, part])
            yield from self._broken(0, FRAME_RULES, (row, part), value, " of ".join(where))

    def _broken_in_course(self, found: Findings) -> Iterator["_Broken"]:
        for row, part in np.ndindex(found.course.shape):
            time = found.times[row, part]
            where = f"frame {time}" if time >= 0 else ""
            value = float(found.course[row, part])
            yield from self._broken(1, STUDY_RULES, (row, part), value, where)

    def _broken(
        self, kind: int, rules: Sequence[Rule[Any]], at: tuple[int, int], value: float, where: str
    ) -> Iterator["_Broken"]:
        bounds = self.bounds_[kind]
        low, high = bounds.low[at], bounds.high[at]
        if not (value < low or value > high):
            return
        row, part = at
        values = np.full_like(low, np.nan, shape=bounds.low.shape)
        values[at] = value
        own = segments(bounds.excess(values)[at]).ravel()
        width = len(own)
        costs = self.costs_[kind][part, row * width : (row + 1) * width]
        words = f"{self.scheme.structures[part].name} {rules[row].words.format(value=value)}"
        words += f" in {where}" if where else ""
        yield _Broken(float(own @ costs), f"{words} ({rules[row].allowed(low, high)})")

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        check_is_fitted(self)
        stored: dict[str, NDArray[np.generic]] = {
            "base": self.base_,
            "rightly_absent": self.rightly_absent_,
        }
        for kind, bounds, costs in zip(KINDS, self.bounds_, self.costs_, strict=True):
            stored |= {f"{kind}/{key}": array for key, array in vars(bounds).items()}
            stored[f"{kind}/costs"] = costs
        return stored

    def with_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        def array(name: str) -> Array:
            return np.asarray(arrays[name], dtype=np.float64)

        self.base_ = array("base")
        self.rightly_absent_ = array("rightly_absent")
        frames, course = (
            Bounds(*(array(f"{kind}/{key}") for key in ("low", "middle", "high")))
            for kind in KINDS
        )
        self.bounds_ = (frames, course)
        self.costs_ = (array("frames/costs"), array("course/costs"))
        return self


class _Broken(NamedTuple):
    cost: float
    words: str


def _joined(found: Sequence[Array], rules: Sequence[Rule[Any]], of: Physiology) -> Array:
    none = np.zeros((0, len(rules), len(of.scheme.structures)))
    return np.concatenate([none, *found])


def _course_costs(given: Array, lacking: Sequence[Array]) -> Array:
    """Costs of breaking each rule on the course, ``[S, G]``.

    Args:
        given: What the rules found, ``[S, N, G]``.
        lacking: Of each study, Dice by shapes alone less the true one, ``[T, S]``.
    """
    prior = prior_costs(len(STUDY_RULES))
    learned = []
    for part, columns in enumerate(given):
        losses = np.array([means_of_known(one[:, part]) for one in lacking])
        known = np.isfinite(losses)
        learned.append(learned_costs(columns[known], losses[known], prior))
    return np.stack(learned)


def _is_whole(labels: NDArray[np.int8]) -> bool:
    return bool((labels != UNLABELLED).all())

"""Several estimators as one, which weighs them by how they judge what they did not learn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from qc.base import CONSENSUS, Graded, ProgressCallback, Quality, QualityEstimator, unobserved
from qc.consensus.blend import Blend, below
from qc.consensus.panel import Panel
from qc.consensus.stacking import folds_of
from qc.estimators.registry import ESTIMATORS, make_estimator
from semiqc.study import Prediction


@dataclass(kw_only=True, eq=False, repr=False)
class Consensus(QualityEstimator):
    """Members that judge together; see ``qc.consensus.blend`` for how they are weighed.

    With several folds (cross-fitting), members learn from all folds but one and judge that one;
    their weights are learned from these judgements, in which no member judges a study it learned
    from, and then the members learn anew from everything. With one fold a share of the studies
    is held out to fit the weights alone, and the members are fitted once. Of a single study
    nobody can tell how members do on others: they count alike, and intervals are [0, 1].

    A member that cannot learn from the graded predictions of a fold is left out of that fold.

    Reference:
        Wolpert, "Stacked generalization", Neural Networks 1992.
        https://doi.org/10.1016/S0893-6080(05)80023-1

    Args:
        scheme: Label values and structures of the predictions it judges.
        members: Names of estimators of ``qc.ESTIMATORS``.
        arguments: Of members that shall have other than their defaults.
        folds: Into which the studies are divided; 1 for a hold-out.
        holdout: Share of the studies that is held out where there is one fold.
        level: Of the intervals.
        modalities: Of the images.
        seed: Of the division, and of all members that take one.

    Attributes:
        members_: Fitted, by name.
        blend_: Weighs them.
    """

    takes_modalities = True
    takes_seed = True

    members: tuple[str, ...] = ("svr", "physiology")
    arguments: dict[str, dict[str, Any]] | None = None
    folds: int = 3
    holdout: float = 0.3
    level: float = 0.9
    modalities: int = 1
    seed: int = 0

    @property
    def panel(self) -> Panel:
        """The fitted members with their blend."""
        check_is_fitted(self)
        return Panel(self.members_, self.blend_)

    def fit(self, graded: Sequence[Graded], *, observe: ProgressCallback = unobserved) -> Self:
        if not len(graded):
            raise ValueError("fit needs at least one graded prediction, got none")
        everything = [graded[number] for number in range(len(graded))]
        subjects = np.array([one.whose for one in everything])
        held_out = self._held_out(subjects)
        work = _Progress(observe, len(self.members) * (len(held_out) + (self.folds > 1)))
        said: dict[int, dict[str, Quality]] = {}
        fitted = {}
        for held in held_out:
            others = [everything[row] for row in _rows(~held)]
            fitted = self._fitted(others, work, skip=self.folds > 1)
            panel = Panel(fitted)
            said |= {row: panel.ask(everything[row].prediction) for row in _rows(held)}
        self.blend_ = Blend(self.scheme, level=self.level).fit(
            {name: [said[row].get(name) for row in sorted(said)] for name in self.members},
            [everything[row] for row in sorted(said)],
        )
        is_final = self.folds == 1 and bool(held_out)
        self.members_ = fitted if is_final else self._fitted(everything, work)
        return self

    def predict(self, predictions: Sequence[Prediction]) -> list[Quality]:
        panel = self.panel
        return [panel.judge(CONSENSUS, prediction) for prediction in predictions]

    def _held_out(self, subjects: NDArray[np.str_]) -> list[NDArray[np.bool_]]:
        """Which predictions each fold holds out; no fold of a single subject."""
        names = np.unique(subjects)
        if len(names) < 2:
            return []
        if self.folds > 1:
            return list(folds_of(subjects, self.folds, self.seed))
        count = min(max(1, round(self.holdout * len(names))), len(names) - 1)
        drawn = np.random.default_rng(self.seed).permutation(names)[:count]
        return [np.isin(subjects, drawn)]

    def _fitted(
        self, graded: Sequence[Graded], work: "_Progress", *, skip: bool = False
    ) -> dict[str, QualityEstimator]:
        """Members fitted; ``skip`` leaves out those who cannot learn from ``graded``."""
        found = {}
        for name in self.members:
            try:
                found[name] = self._blank(name).fit(graded)
            except ValueError:
                if not skip:
                    raise
            work.step()
        return found

    def _blank(self, name: str) -> QualityEstimator:
        if name not in ESTIMATORS:
            raise ValueError(f"unknown member '{name}'; known: {', '.join(ESTIMATORS)}")
        arguments = dict((self.arguments or {}).get(name, {}))
        seed = arguments.pop("seed", self.seed)
        return make_estimator(name, self.scheme, self.modalities, seed, **arguments)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        check_is_fitted(self)
        parts = {f"members/{name}": member.arrays() for name, member in self.members_.items()}
        parts["blend"] = self.blend_.arrays()
        return {f"{part}/{key}": array for part, a in parts.items() for key, array in a.items()}

    def with_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        blend = Blend(self.scheme, level=self.level)
        self.blend_ = blend.with_arrays(below("blend", arrays))
        self.members_ = {
            name: self._blank(name).with_arrays(below(f"members/{name}", arrays))
            for name in self.members
        }
        return self


def _rows(chosen: NDArray[np.bool_]) -> list[int]:
    return [int(row) for row in np.flatnonzero(chosen)]


class _Progress:
    """Counts steps of work for an observer."""

    def __init__(self, observe: ProgressCallback, total: int) -> None:
        self.observe = observe
        self.total = total
        self.done = 0

    def step(self) -> None:
        self.done += 1
        self.observe(self.done, max(self.total, self.done))

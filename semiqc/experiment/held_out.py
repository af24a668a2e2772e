"""What estimators say of graded predictions of subjects that they did not learn from.

The weights of the consensus and the promise on the mean Dice are fitted to these. To fit them to
what estimators say of their own training data would favour those that learn it by heart.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import TypeVar

from qc import Blend, Graded, Quality
from qc.consensus.calibration import true_dice
from qc.gates import Calibration
from semiqc.experiment.fitting import EstimatorStages
from semiqc.files.tables import GradedRow
from semiqc.measuring.means import mean_of_known
from semiqc.schemes import LabelScheme
from semiqc.study import Study

T = TypeVar("T")
Judged = list[Quality | None]
"""One for each graded prediction; None where nobody judged it."""


class HeldOut:
    """Judges each fold of the graded predictions by estimators fitted to the other folds.

    Args:
        stages: Fit and ask the estimators.
        graded: All that the run's estimators are fitted to.
        folds: Studies of each fold; none where there is a single subject.
    """

    def __init__(
        self,
        stages: EstimatorStages,
        graded: Sequence[Graded],
        folds: Sequence[Sequence[Study]],
    ) -> None:
        self.stages = stages
        self.graded = graded
        self.folds = folds
        self._said: dict[str, Judged] = {}

    @property
    def _each(self) -> Callable[[Sequence[Callable[[], T]]], list[T]]:
        return self.stages.trainer.folder.each

    @property
    def scheme(self) -> LabelScheme:
        """Label values and structures of the predictions."""
        return self.stages.trainer.store.scheme

    @property
    def key(self) -> str:
        """Tells one dealing of folds from another."""
        return "/".join(",".join(sorted(one.name for one in fold)) for fold in self.folds)

    def qualities(self, name: str) -> Judged:
        """What an estimator says that was fitted to the other folds.

        None where it cannot learn from the others or cannot judge, or where there is one subject.
        """
        if name not in self._said:
            folds = enumerate(self._indices())
            tasks = [partial(self._of_fold, name, number, fold) for number, fold in folds]
            found = dict(chain.from_iterable(one.items() for one in self._each(tasks)))
            self._said[name] = [found.get(index) for index in range(len(self.graded))]
        return self._said[name]

    def consensus(self, names: Iterable[str]) -> Judged:
        """What estimators say together, weighed by a blend that was fitted to the other folds."""
        found: Judged = [None] * len(self.graded)
        said = {name: self.qualities(name) for name in names}
        for fold in self._indices():
            blend = self.blend(said, [i for i in range(len(self.graded)) if i not in fold])
            for index in fold:
                of_one = {name: judged[index] for name, judged in said.items()}
                found[index] = blend.judge(of_one, self.graded[index].prediction)
        return found

    def blend(self, names: Iterable[str], chosen: Sequence[int] | None = None) -> Blend:
        """Weights fitted to what estimators say of the chosen graded predictions, or of all."""
        indices = range(len(self.graded)) if chosen is None else chosen
        names = list(names)
        judged = self._each([partial(self.qualities, name) for name in names])
        said = {
            name: [of_one[index] for index in indices]
            for name, of_one in zip(names, judged, strict=True)
        }
        return Blend(self.scheme).fit(said, [self.graded[index] for index in indices])

    def calibration(self, qualities: Judged, source: str) -> Calibration:
        """Scores and true Dice of the predictions of one source.

        Args:
            qualities: Of all graded predictions.
            source: What made the predictions that count.
        """
        pairs = zip(self.graded, qualities, strict=True)
        counted = [pair for pair in pairs if pair[0].source == source]
        return calibration_of([g for g, _ in counted], [q for _, q in counted], self.scheme)

    def rows(self, seed: int) -> list[GradedRow]:
        """True Dice of each structure, and what was said of it by estimators of other folds.

        Nobody is asked anew: estimators are told of that judged already, for the consensus.
        """
        structures = [structure.name for structure in self.scheme.structures]
        return [
            GradedRow(
                seed,
                one.prediction.study,
                one.source,
                structure,
                float(dice),
                self._estimated(index, structure),
            )
            for index, (one, known) in enumerate(
                zip(self.graded, true_dice(self.graded, self.scheme), strict=True)
            )
            for structure, dice in zip(structures, known, strict=True)
        ]

    def _estimated(self, index: int, structure: str) -> dict[str, float]:
        said = {name: judged[index] for name, judged in self._said.items()}
        return {
            name: quality.dice[structure]
            for name, quality in said.items()
            if quality is not None and structure in quality.dice
        }

    def _of_fold(self, name: str, number: int, fold: set[int]) -> dict[int, Quality]:
        """Qualities of one fold's predictions, by index among the graded ones.

        Empty, with a note to the user, where the estimator cannot learn from the others alone.
        """
        others = [one for index, one in enumerate(self.graded) if index not in fold]
        try:
            fitted = self.stages.fit(name, others, f"-fold{number}")
        except ValueError as error:
            monitor = self.stages.trainer.monitor
            monitor.note(f"{name} cannot learn without a fold: {error}")
            return {}
        predictions = {index: self.graded[index].prediction for index in fold}
        able = [i for i, one in predictions.items() if fitted.estimator.can_judge(one)]
        judged = [predictions[index] for index in able]
        qualities = self.stages.judge(f"{name}-fold{number}", fitted, judged)
        return dict(zip(able, qualities, strict=True))

    def _indices(self) -> list[set[int]]:
        """Which of the graded predictions are of each fold."""
        names = [{study.name for study in fold} for fold in self.folds]
        return [
            {i for i, one in enumerate(self.graded) if one.prediction.study in fold}
            for fold in names
        ]


def calibration_of(
    graded: Sequence[Graded], qualities: Judged, scheme: LabelScheme
) -> Calibration:
    """Scores and true mean Dice of predictions, as far as both are known.

    Args:
        graded: Predictions with their references.
        qualities: Of these, by estimators that did not learn from them.
        scheme: Whose structures count.
    """
    true = true_dice(graded, scheme)
    chosen = [
        (quality.score, mean_dice, one.whose)
        for one, quality, dice in zip(graded, qualities, true, strict=True)
        if quality is not None and math.isfinite(mean_dice := mean_of_known(dice))
    ]
    scores, dices, subjects = zip(*chosen, strict=True) if chosen else ((), (), ())
    return Calibration(list(scores), list(dices), list(subjects))

"""Settings of one quality estimator, tried on validation subjects.

The estimator is fitted to segmentations of the subjects that a run would fit it to, and judges
segmentations of the validation subjects, which taught neither it nor the segmenters. Shorter fits
come first, each with its learning rate falling to its end, so that ASHA stops what is worse early.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from qc import ESTIMATORS, Graded, Quality
from qc.evaluation.truth import TrueQuality
from semiqc.experiment.cohort import Cohort
from semiqc.experiment.fitting import EstimatorStages
from semiqc.experiment.ladder import Ladder, deal, parts_of
from semiqc.experiment.own_panel import graded_of
from semiqc.experiment.readers import Readers
from semiqc.experiment.settings import Settings
from semiqc.experiment.split_studies import SplitStudies
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.schemes import LabelScheme
from semiqc.work.monitor import Monitor
from semiqc.work.search import FailedTrialError, Tell
from semiqc.work.stages import RunFolder

ARGUMENTS = "qc.arguments"
RUNGS = 3
"""Fits of a trial at most: of so many steps that the last is the whole one."""


def estimator_of(keys: Sequence[str]) -> str | None:
    """Name of the estimator whose arguments are searched; None where the training's settings are.

    Args:
        keys: Of the settings that are searched over.

    Raises:
        ValueError: If they are of several, or of the training as well.
    """
    names = {key.split(".")[2] if key.startswith(f"{ARGUMENTS}.") else None for key in keys}
    if len(names) > 1:
        raise ValueError(
            f"--over: expected settings of the training or of one estimator ({ARGUMENTS}.NAME.),"
            f" got {', '.join(sorted(keys))}"
        )
    return names.pop()


@dataclass(frozen=True)
class EstimatorTrial:
    """Fits an estimator as settings say, and tells how well it judges.

    Args:
        name: Of the estimator.
        folder: Of the stages.
        monitor: Told how it goes on.
        reduction: Steps of a fit over those of the one before.
    """

    name: str
    folder: RunFolder
    monitor: Monitor
    reduction: int

    def steps(self, settings: Settings) -> list[int]:
        """Of each fit, ascending; a single 1 where the estimator takes no steps."""
        own = settings.qc.arguments.get(self.name, {})
        whole = own.get("steps", getattr(ESTIMATORS[self.name], "steps", None))
        if not isinstance(whole, int):
            return [1]
        return sorted({max(1, whole // self.reduction**power) for power in range(RUNGS)})

    def __call__(self, settings: Settings, cohort: Cohort, tell: Tell) -> None:
        """Tell the value of each fit; see ``value_of``.

        Raises:
            FailedTrialError: If the fit diverges.
        """
        studies = SplitStudies(cohort.data, cohort.split, settings)
        trainer = StagedTrainer(
            settings, cohort.data.store, self.folder, self.monitor,
            seed=settings.seeds[0], validation=studies.validation,
        )  # fmt: skip
        ladder = Ladder(settings, trainer, Readers(settings, trainer.store.path, trainer.seed))
        folds = deal(studies.spared or studies.experts, settings.qc.folds, trainer.seed)
        parts = parts_of(studies.experts, studies.spared, folds)
        graded = graded_of(parts, ladder)
        judged = ladder.segmented(studies.experts, studies.validation)
        steps = self.steps(settings)
        for count in steps:
            changed = settings if steps == [1] else with_steps(settings, self.name, count)
            stages = EstimatorStages(changed, trainer)
            try:
                fitted = stages.fit(self.name, graded, f"-{count}-steps")
            except FloatingPointError as error:
                raise FailedTrialError(str(error)) from error
            predictions = [one.prediction for one in judged]
            found = stages.judge(f"{self.name}-tuned", fitted, predictions)
            tell(count, value_of(found, judged, cohort.data.store.scheme))


def with_steps(settings: Settings, name: str, steps: int) -> Settings:
    """The settings with another number of steps for an estimator."""
    arguments = settings.qc.arguments
    changed = arguments | {name: arguments.get(name, {}) | {"steps": steps}}
    return settings.model_copy(
        update={"qc": settings.qc.model_copy(update={"arguments": changed})}
    )


def value_of(qualities: Sequence[Quality], graded: Sequence[Graded], scheme: LabelScheme) -> float:
    """How well qualities agree with the truth; more is better.

    One minus the mean absolute error of the Dice of structures. Of an estimator that gives no
    Dice, the rank correlation of its scores with the mean Dice. NaN where nothing is known.
    """
    names = [structure.name for structure in scheme.structures]
    true = np.array([TrueQuality.of(one, scheme, with_nsd=False).dice for one in graded])
    told = np.array([[one.dice.get(name, np.nan) for name in names] for one in qualities])
    known = np.isfinite(true) & np.isfinite(told)
    if known.any():
        return float(1 - np.abs(true - told)[known].mean())
    has_truth = np.isfinite(true).any(axis=1)
    if has_truth.sum() < 3:
        return float("nan")
    scores = np.array([one.score for one in qualities])
    return float(spearmanr(scores[has_truth], np.nanmean(true[has_truth], axis=1)).statistic)

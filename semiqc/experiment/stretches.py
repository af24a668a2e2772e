"""Online trainings of a run, done stretch by stretch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from segmenters.fitting import CONTINUED
from segmenters.method import Method, Part
from semiqc.experiment.rungs import WHOLE
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import Trained
from semiqc.study import Study


@dataclass(frozen=True, eq=False)
class Stretch:
    """A part of an online training during which its data stay the same.

    Args:
        method: Of the training.
        first: Whose weights it starts from.
        number: Of the stretch, from 1.
        of: Number of stretches, which are of equal length.
        before: What the stretch before left; None for the first.
    """

    method: Method
    first: Trained
    number: int
    of: int
    before: Trained | None = None

    def part(self, steps: int) -> Part:
        """The stretch of a training of so many steps."""
        before = self.before.stage.folder / CONTINUED if self.before else None
        return Part(steps * self.number // self.of, before)

    def identity(self, steps: int) -> dict[str, Any]:
        """All that a training depends on by being this stretch."""
        return {
            "method": self.method.identity(),
            "start": [self.first.stage.key, self.first.weights],
            "last": self.part(steps).last,
            "before": self.before.stage.key if self.before else "",
        }


def advance(
    trainer: StagedTrainer,
    name: str,
    experts: Sequence[Study],
    bank: Sequence[Study],
    stretch: Stretch,
) -> Trained:
    """The segmenter after a stretch of an online training.

    Args:
        trainer: In whose run folder the stretch is kept.
        name: Of the stretch.
        experts: Studies with an expert's labels.
        bank: The label bank.
        stretch: Which one, and how it is trained.
    """
    blank = trainer.blank(WHOLE, **_changes(trainer, stretch.first))
    steps = blank.training.steps
    fit = partial(
        blank.fit,
        experts,
        (),
        trainer.validation,
        unlabelled=bank,
        method=stretch.method,
        part=stretch.part(steps),
    )
    depends = trainer.depends(blank, experts) | stretch.identity(steps)
    depends["bank"] = [trainer.identity_of(study) for study in bank]
    stage = trainer.trained(name, blank, fit, depends)
    return Trained(
        stage, trainer.used_weights, lambda: trainer.blank(WHOLE), experts, stretch.before
    )


def _changes(trainer: StagedTrainer, first: Trained) -> dict[str, Any]:
    """Settings of an online training that are others than those of the rest."""
    online = trainer.settings.online
    changes: dict[str, Any] = {
        "steps": online.steps,
        "batch_size": online.batch_size,
        "start": str(first.path),
        # Online methods have losses of their own, on whole slices.
        "deep_supervision": False,
    }
    return changes | ({"learning_rate": online.learning_rate} if online.learning_rate else {})

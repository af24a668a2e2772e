"""Segmentations of known quality within a run: a ladder of segmenters, and a reader's verdicts.

A rung is a training with a share of labels, filters and steps; snapshots on its way give worse
segmentations. A curve classifier also needs verdicts, good or erroneous, as in Ruijsink,
Puyol-Antón et al., STACOM 2020: those of people, or of a simulated reader.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from qc import Graded, SimulatedReader, balanced, with_verdict
from qc.graded import subject_folds
from semiqc.experiment.qc_settings import Rung
from semiqc.experiment.readers import Readers
from semiqc.experiment.rungs import Snapshot
from semiqc.experiment.settings import Settings
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import TrainedEnsemble
from semiqc.study import Study


def deal(studies: Sequence[Study], folds: int, seed: int) -> list[list[Study]]:
    """Folds that share no subject, each with its share of every group; none of one subject."""
    if len({study.subject for study in studies}) < 2:
        return []
    return subject_folds(studies, folds, seed)


Part = tuple[str, Sequence[Study], Sequence[Study]]
"""What the names of its stages begin with, studies to learn from, and studies to segment."""


def parts_of(
    experts: Sequence[Study], spared: Sequence[Study], folds: Sequence[Sequence[Study]]
) -> list[Part]:
    """What is segmented by segmenters that learned from which studies.

    Args:
        experts: The labelled studies.
        spared: Studies that train no segmenter. Where there are none, each fold is segmented by
            those that learned from the others.
        folds: Of the experts, where none is spared.

    Raises:
        ValueError: If there is nobody to segment, for want of a second subject.
    """
    if spared:
        return [("", experts, spared)]
    if not folds:
        raise ValueError(
            "quality control needs subjects to learn from: set split.qc above 0, or"
            " split.labelled to at least 2, got 1"
        )
    parts: list[Part] = []
    for number, fold in enumerate(folds):
        judged = {study.name for study in fold}
        others = [study for study in experts if study.name not in judged]
        parts.append((f"fold{number}-", others, fold))
    return parts


class Ladder:
    """Segmenters of differing width, share of the labels and number of steps.

    Args:
        settings: Of the run.
        trainer: Trains the segmenters.
        readers: People, where they give verdicts.
    """

    def __init__(self, settings: Settings, trainer: StagedTrainer, readers: Readers) -> None:
        self.settings = settings
        self.trainer = trainer
        self.readers = readers

    @property
    def whole(self) -> str:
        """Source of what the whole first segmenter made; without one, the first rung's end."""
        qc = self.settings.qc
        rung = [*qc.whole, *qc.ladder][0]
        return self.trainer.steps(rung).end.source

    def graded(self, parts: Sequence[Part]) -> list[Graded]:
        """Segmentations by segmenters that did not see the subject, with verdicts.

        Raises:
            ValueError: If the verdicts are of none of these.
        """
        tasks = [partial(self._made, *part) for part in parts]
        return self._with_verdicts(list(chain.from_iterable(self.trainer.folder.each(tasks))))

    def segmented(self, experts: Sequence[Study], judged: Sequence[Study]) -> list[Graded]:
        """Segmentations of studies by the ladder that all experts train, without verdicts."""
        return self._made("", experts, judged)

    def _made(
        self, prefix: str, experts: Sequence[Study], judged: Sequence[Study]
    ) -> list[Graded]:
        """Segmentations of ``judged`` by each snapshot of each rung; ``prefix`` is the stages'."""
        ladder = self.settings.qc.ladder
        tasks = [partial(self._made_by, prefix, rung, experts, judged) for rung in ladder]
        return list(chain.from_iterable(self.trainer.folder.each(tasks)))

    def _made_by(
        self, prefix: str, rung: Rung, experts: Sequence[Study], judged: Sequence[Study]
    ) -> list[Graded]:
        """Segmentations by each snapshot of one rung."""
        few = experts[: max(1, round(len(experts) * rung.labelled))]
        ensemble = self._train(prefix, rung, few, has_all=len(few) == len(experts))
        snapshots = self.trainer.snapshots(ensemble, rung).items()
        tasks = [partial(self._predicted, prefix, *snapshot, judged) for snapshot in snapshots]
        return list(chain.from_iterable(self.trainer.folder.each(tasks)))

    def _predicted(
        self,
        prefix: str,
        snapshot: Snapshot,
        segmenters: TrainedEnsemble,
        judged: Sequence[Study],
    ) -> list[Graded]:
        source = snapshot.source
        hidden = [study.without_labels() for study in judged]
        predictions = self.trainer.predict(f"{prefix}qc-{source}", segmenters, hidden)
        return [
            Graded(p, study.labels, None, source, study.group, subject=study.subject)
            for p, study in zip(predictions, judged, strict=True)
        ]

    def _train(
        self, prefix: str, rung: Rung, experts: Sequence[Study], *, has_all: bool
    ) -> TrainedEnsemble:
        """A rung; one that holds nothing back is the first segmenter of the scenarios."""
        if has_all and rung.is_full_size:
            return self.trainer.train_ensemble(f"{prefix}few", rung, experts)
        return self.trainer.train_ensemble(f"{prefix}ladder-{rung.name}", rung, experts, members=1)

    def _with_verdicts(self, graded: Sequence[Graded]) -> list[Graded]:
        """The same predictions with the verdicts of people, or of a simulated reader.

        People's are of what the whole first segmenter made; all others keep none.

        Raises:
            ValueError: If no verdict is of a graded prediction.
            WaitingError: If some are still to be judged.
        """
        if not self.readers.are_people:
            return self._simulated(graded)
        seen = [one.prediction for one in graded if one.source == self.whole]
        verdicts = self.readers.verdicts(seen)
        return [
            replace(one, is_good=verdicts[one.prediction.study])
            if one.source == self.whole and one.prediction.study in verdicts
            else one
            for one in graded
        ]

    def _simulated(self, graded: Sequence[Graded]) -> list[Graded]:
        """With verdicts of a reader whose bounds are moved until both verdicts occur enough."""
        given = self.settings.qc.reader
        bounds = given.model_dump(exclude={"kind", "min_share"})
        strict = SimulatedReader(self.trainer.store.scheme, **bounds)
        reader = balanced(strict, graded, given.min_share)
        self.trainer.monitor.note(
            f"simulated reader: erroneous below Dice {reader.min_dice:.2f} or where EF is off"
            f" by more than {reader.max_ef_error:.1f} points"
        )
        return [with_verdict(one, reader(one)) for one in graded]

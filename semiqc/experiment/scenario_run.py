"""The rounds of one scenario."""

from collections.abc import Iterator

from loops import LOOPS, Round
from semiqc.experiment.bench import ScenarioBench
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.propagating import propagated_experts
from semiqc.experiment.results import Results
from semiqc.experiment.round_rows import RoundRows
from semiqc.experiment.rungs import WHOLE
from semiqc.experiment.split_studies import SplitStudies
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import TrainedEnsemble


class ScenarioRun:
    """Trains what a scenario ends with, and adds what its rounds did to the results.

    Args:
        name: Of the scenario.
        trainer: Trains and predicts.
        panel: Estimates quality; fitted, where the scenario has a gate.
        studies: Of each role.
        first: Learned from the few labels alone.
    """

    def __init__(
        self,
        name: str,
        trainer: StagedTrainer,
        panel: RunPanel,
        studies: SplitStudies,
        first: TrainedEnsemble,
    ) -> None:
        self.name = name
        self.trainer = trainer
        self.settings = trainer.settings
        self.scenario = self.settings.compared()[name]
        self.studies = studies
        self.first = first
        self.bench = ScenarioBench(name, trainer, panel, studies, first)
        propagates = self.bench.gate.propagate
        self.propagated = propagated_experts(trainer, studies.experts) if propagates else []

    def work(self, results: Results) -> TrainedEnsemble:
        """The segmenters that the scenario ends with."""
        rows = RoundRows(
            self.trainer.seed,
            self.name,
            self.bench.gate,
            self.trainer.store.scheme,
            self.bench.candidates,
        )
        kept, number, pseudo = self.first, 0, self.propagated
        for record in self._rounds():
            results.judgements += rows.judgements(record)
            if record.is_kept:
                kept, number = record.model, record.number
                pseudo = [*record.pseudo, *self.propagated]
        if kept is self.first and self.propagated:
            kept = self._propagated_alone()
        results.pseudo += rows.pseudo(number, pseudo, self.settings.output)
        return kept

    def _rounds(self) -> Iterator[Round[TrainedEnsemble]]:
        """The records of the scenario's loop, one a round, each made when it is asked for."""
        studies = self.studies
        labelled = studies.experts_of(self.scenario.experts)
        return LOOPS[self.scenario.loop](
            self.bench,
            self.first,
            self.propagated or labelled,
            studies.candidates,
            rounds=self.settings.rounds_of(self.name),
            **self.settings.loop_arguments(self.name),
        )

    def _propagated_alone(self) -> TrainedEnsemble:
        """What learned from the experts' propagated labels, where nothing was admitted."""
        return self.trainer.train_ensemble(
            f"{self.name}-propagated", WHOLE, self.propagated, members=1
        )

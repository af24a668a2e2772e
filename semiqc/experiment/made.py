"""Segmentations of known quality that sources of ``qc.graded`` make within a run."""

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from qc import Graded
from qc.graded import SOURCES, GradedSet
from qc.graded.registry import make_source
from qc.graded.writer import GradedWriter
from semiqc.experiment.ladder import Part
from semiqc.experiment.qc_settings import LADDER
from semiqc.experiment.settings import Settings
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.study import Study
from semiqc.work.arguments import checked_arguments
from semiqc.work.diverging import named_if_diverged

MADE = "made.h5"


class MadeBySources:
    """Lets the sources of the settings segment studies, each in a stage of its own.

    Args:
        settings: Of the run.
        trainer: Has the store, the run folder and the seed.
    """

    def __init__(self, settings: Settings, trainer: StagedTrainer) -> None:
        self.settings = settings
        self.trainer = trainer

    def graded(self, parts: Sequence[Part]) -> list[Graded]:
        """Segmentations of each part's studies by sources that learned from its experts.

        They have references and no verdicts, each of one frame.
        """
        names = [name for name in self.settings.qc.sources if name != LADDER]
        tasks = [partial(self._made, name, *part) for name in names for part in parts]
        return list(chain.from_iterable(self.trainer.folder.each(tasks)))

    def _made(
        self, name: str, prefix: str, experts: Sequence[Study], judged: Sequence[Study]
    ) -> list[Graded]:
        trainer = self.trainer
        arguments = checked_arguments(SOURCES[name], self.settings.qc.arguments.get(name, {}))
        depends = {
            "source": name,
            "arguments": {name: _plain(value) for name, value in arguments.items()},
            "store": trainer.store.fingerprint(),
            "experts": [trainer.identity_of(study) for study in experts],
            "judged": [trainer.identity_of(study) for study in judged],
        }

        def make(unfinished: Path) -> None:
            source = make_source(name, trainer.store.scheme, seed=trainer.seed, **arguments)
            count = max(1, sum(len(study.labelled_frames) for study in judged))
            with (
                GradedWriter(unfinished / MADE, trainer.store) as writer,
                trainer.monitor.progress(f"segment by {name}", count) as tick,
                named_if_diverged(f"of the source {name}", f"change qc.arguments.{name}"),
            ):
                seen: set[tuple[str, int]] = set()
                for made in source.make(experts, judged):
                    writer.add(made)
                    seen.add((made.study.name, made.frame))
                    tick(len(seen), {})

        stage = trainer.folder.stage(f"qc-{prefix}{name}-seed{trainer.seed}", depends, make)
        return list(GradedSet(stage.folder / MADE, trainer.store))


def _plain(value: object) -> object:
    """An argument as JSON can hold it, such as the settings of a training."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value

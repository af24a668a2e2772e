"""The rungs of the ladder of segmenters, and how their snapshots are told apart."""

from dataclasses import dataclass

from semiqc.experiment.qc_settings import Rung

WHOLE = Rung(name="whole")
"""The segmenter of the scenarios: nothing held back, no snapshots."""


@dataclass(frozen=True)
class Snapshot:
    """A rung's training at one of its steps.

    Args:
        rung: Its name.
        step: From 1.
    """

    rung: str
    step: int

    @property
    def source(self) -> str:
        """As graded predictions and the names of stages tell it."""
        return f"{self.rung}@{self.step}"


@dataclass(frozen=True)
class RungSteps:
    """The steps of a rung's training.

    Args:
        rung: What is held back, and when snapshots are taken.
        whole: Steps of a training that holds nothing back.
    """

    rung: Rung
    whole: int

    @property
    def count(self) -> int:
        """Number of steps."""
        return max(1, round(self.whole * self.rung.steps))

    @property
    def before_end(self) -> tuple[int, ...]:
        """Steps, before the last, at which the training leaves a snapshot."""
        wanted = {max(1, round(share * self.count)) for share in self.rung.snapshots if share < 1}
        return tuple(sorted(step for step in wanted if step < self.count))

    @property
    def end(self) -> Snapshot:
        """What the training ends with."""
        return self.at(self.count)

    def at(self, step: int) -> Snapshot:
        """The training at a step."""
        return Snapshot(self.rung.name, step)

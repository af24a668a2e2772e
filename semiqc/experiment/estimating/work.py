"""What a run does, counted from its settings and the extent of its data."""

from dataclasses import dataclass

from loops.online.registry import METHODS
from qc import CONSENSUS
from semiqc.experiment.qc_settings import LADDER, Rung
from semiqc.experiment.rungs import RungSteps
from semiqc.experiment.scenarios import Scenario
from semiqc.experiment.settings import Settings
from semiqc.experiment.steps import FIRST, JUDGE, steps_of_seed

NETWORKS_OF_ONLINE = 2
"""Networks that a step of an online method trains, or lets teach, on each slice."""


@dataclass(frozen=True)
class Extent:
    """How much data a run works on.

    Args:
        labelled: Studies whose labels train the segmenter.
        qc: To whose labels the estimators are fitted.
        test: That are evaluated.
        unlabelled: That may become pseudo-labels.
        frames: Of a study, the mean.
        labelled_frames: Of a labelled study, the mean.
        size: Slices, rows and columns on the grid that the segmenters work on.
        store_bytes: Of the store.
    """

    labelled: int
    qc: int
    test: int
    unlabelled: int
    frames: float
    labelled_frames: float
    size: tuple[int, int, int]
    store_bytes: float


@dataclass(frozen=True)
class Work:
    """What a run does, or a part of it.

    Args:
        trainings: Of a network, in trainings of ``training.steps``.
        weights: Files with a network's weights.
        frames: Segmented by one network.
        kept_frames: Whose segmentation is kept.
        uncertain_frames: Those among them with uncertainty maps.
        refined_frames: Refined by a dense CRF.
        fits: How often each estimator is fitted.
        graded_frames: From which it learns in each fit.
        judged_frames: That it judges.
        source_parts: How often the sources beside the ladder learn.
        made_frames: That each of them segments, once or several times.
        graded_made: Those of which estimators learn in each fit.
        judged_made: Those of which they judge.
        measured_frames: Compared with their reference.
    """

    trainings: float = 0
    weights: float = 0
    frames: float = 0
    kept_frames: float = 0
    uncertain_frames: float = 0
    refined_frames: float = 0
    fits: float = 0
    graded_frames: float = 0
    judged_frames: float = 0
    source_parts: float = 0
    made_frames: float = 0
    graded_made: float = 0
    judged_made: float = 0
    measured_frames: float = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def times(self, count: float) -> "Work":
        """So often the same, but that estimators learn from as much."""
        many = {name: value * count for name, value in vars(self).items()}
        kept = {"graded_frames": self.graded_frames, "graded_made": self.graded_made}
        return Work(**many | kept)


def work_of(settings: Settings, extent: Extent) -> Work:
    """All that a run does for one seed."""
    return sum(work_by_step(settings, extent).values(), Work())


def work_by_step(settings: Settings, extent: Extent) -> dict[str, Work]:
    """What each step of a run does for one seed, by the step's name."""
    counter = _Counter(settings, extent)
    return {step: counter.of(step, name) for step, name in steps_of_seed(settings)}


class _Counter:
    """Counts what a run does for one seed, part by part.

    Args:
        settings: Of the run.
        extent: Of its data.
    """

    def __init__(self, settings: Settings, extent: Extent) -> None:
        self.settings = settings
        self.extent = extent
        training = settings.training
        self.kinds = len(training.checkpoints(is_validated=settings.split.validation > 0))
        # Where there are several kinds, what is used stands in a file of its own besides.
        self.files = self.kinds + (self.kinds > 1)
        self.candidates = self._seen(extent.unlabelled, settings.segmenter.members)

    def of(self, step: str, name: str | None) -> Work:
        """What a step does; only estimators that a run fits itself are counted.

        Args:
            step: Its name.
            name: Of the scenario that it makes.
        """
        if name is not None:
            return self._scenario(name, self.settings.compared()[name]) + self._tested()
        if step == FIRST:
            return self._trained(self.settings.segmenter.members)
        if step == JUDGE:
            return self.candidates + Work(judged_frames=self.candidates.kept_frames)
        return (
            Work() if self.settings.qc.suite else self._ladder() + self._sources() + self._fits()
        )

    def _trained(self, trainings: float) -> Work:
        """Trainings, each of which leaves all kinds of weights."""
        return Work(trainings=trainings, weights=trainings * self.files)

    def _seen(self, studies: float, members: int) -> Work:
        """Studies segmented by so many networks, with their uncertainty where there is some."""
        network, frames = self.settings.segmenter, studies * self.extent.frames
        looks = members if members > 1 else max(1, network.samples, network.tta)
        return Work(
            frames=looks * frames,
            kept_frames=frames,
            uncertain_frames=frames if looks > 1 else 0,
        )

    def _tested(self) -> Work:
        """The test studies, segmented with each kind of weights, and those in use measured."""
        frames = self.kinds * self.extent.test * self.extent.frames
        measured = self.extent.test * self.extent.labelled_frames
        return Work(frames=frames, kept_frames=frames, measured_frames=measured)

    @property
    def _graded_studies(self) -> int:
        """Those to whose labels the estimators are fitted."""
        return self.extent.qc or self.extent.labelled

    @property
    def _folds(self) -> int:
        """Among which they are dealt."""
        return min(self.settings.qc.folds, self._graded_studies)

    def _ladder(self) -> Work:
        """Trainings of its rungs, and what their snapshots segment; nothing without one."""
        if LADDER not in self.settings.qc.sources:
            return Work()
        rungs = sum(map(self._rung, self.settings.qc.ladder), Work())
        # Without spared subjects each fold has a ladder of its own.
        trained = rungs.times(1 if self.extent.qc else self._folds)
        seen = (
            self._seen(self._graded_studies * self._snapshots(rung), self._networks(rung))
            for rung in self.settings.qc.ladder
        )
        return trained + sum(seen, Work())

    @property
    def _made(self) -> float:
        """Frames that each source beside the ladder segments."""
        beside = set(self.settings.qc.sources) - {LADDER}
        return self._graded_studies * self.extent.labelled_frames if beside else 0

    def _sources(self) -> Work:
        """What the sources beside the ladder learn and make."""
        parts = 1 if self.extent.qc else self._folds
        return Work(source_parts=parts if self._made else 0, made_frames=self._made)

    def _networks(self, rung: Rung) -> int:
        return self.settings.segmenter.members if rung.is_whole else 1

    def _snapshots(self, rung: Rung) -> int:
        """How many of its states segment."""
        return len(self._before_end(rung)) + rung.reaches_end

    def _before_end(self, rung: Rung) -> tuple[int, ...]:
        return RungSteps(rung, self.settings.training.steps).before_end

    def _rung(self, rung: Rung) -> Work:
        """The training of a rung; the first segmenter is one, trained already."""
        networks = self._networks(rung)
        kept = Work(weights=networks * len(self._before_end(rung)))
        if rung.is_whole and self.extent.qc:
            return kept
        share = rung.steps * rung.width
        return kept + Work(trainings=networks * share, weights=networks * self.files)

    def _fits(self) -> Work:
        """What estimators learn from and, to weigh them, judge by folds."""
        qc = self.settings.qc
        snapshots = sum(map(self._snapshots, qc.ladder)) if LADDER in qc.sources else 0
        graded = self._graded_studies * snapshots
        gates = (self.settings.gate, *self.settings.gates)
        is_blended = len(self.settings.estimators) > 1 or any(g.by == CONSENSUS for g in gates)
        return Work(
            fits=1 + (self._folds if is_blended else 0),
            graded_frames=graded * self.extent.labelled_frames,
            judged_frames=graded * self.extent.frames if is_blended else 0,
            graded_made=self._made,
            judged_made=self._made if is_blended else 0,
        )

    def _scenario(self, name: str, scenario: Scenario) -> Work:
        """The trainings of a scenario; with several rounds, what they segment and judge."""
        rounds = self.settings.rounds_of(name) if scenario.gate != "none" else 1
        again = self.candidates + Work(judged_frames=self.candidates.kept_frames)
        found = again.times(rounds - 1)
        if scenario.refine:
            found += self.candidates + Work(refined_frames=rounds * self.candidates.kept_frames)
        if scenario.loop in METHODS:
            online, training = self.settings.online, self.settings.training
            share = online.steps / training.steps * online.batch_size / training.batch_size
            weights = NETWORKS_OF_ONLINE * rounds * self.files
            return found + Work(trainings=NETWORKS_OF_ONLINE * share, weights=weights)
        if scenario.gate == "none":
            return found + self._trained(0 if scenario.experts == "few" else 1)
        return found + self._trained((rounds - 1) * self.settings.segmenter.members + 1)

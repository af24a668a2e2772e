"""Settings of trainings chosen on validation subjects, never on test subjects.

Each trial trains the segmenter of few labels with settings of its own. What it is told of is the
mean Dice of the validation studies, at each validation, of the weights that the settings choose;
trials that are worse than others at the same step are stopped (ASHA). Arguments of an estimator
are tried by ``semiqc.experiment.tuning_estimator``.

Reference:
    Qiu et al., "QCResUNet", Medical Image Analysis 2025, tune likewise, with Ray Tune.
    Ours: Optuna, which keeps lines of JSON and no pickled objects.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg

from segmenters.validation import dice_term
from semiqc.experiment.cohort import Cohort
from semiqc.experiment.rungs import WHOLE
from semiqc.experiment.settings import Settings
from semiqc.experiment.settings_file import read_settings, with_whole_paths
from semiqc.experiment.split_studies import SplitStudies
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.training_log import FILE, read_log
from semiqc.experiment.tuning_estimator import EstimatorTrial, estimator_of
from semiqc.files.atomic import whole_file, write_text
from semiqc.files.checksums import refuse_sealed
from semiqc.files.interrupts import stop_if_interrupted
from semiqc.pages.drawing import INK, blank
from semiqc.pages.table import Cell, Table
from semiqc.work.dimensions import Dimension
from semiqc.work.folder import claim
from semiqc.work.monitor import Monitor, Tick
from semiqc.work.search import FailedTrialError, Search, Searched, Tell, Tried, search
from semiqc.work.stages import RunFolder

WORK = "work"
"""Folder of the trainings, in that of the search."""

SETTINGS = "settings.yaml"
CURVES = "curves.png"
RUN = "run"
"""Where the best settings run: relative to their file, so in the folder of the search."""

NO_VALIDATION = (
    "tuning needs validation studies with a label: set split.validation, or the role 'validation'"
    " in split.file"
)
"""Why a search cannot begin."""

BEST = "#0077bb"


@dataclass(frozen=True)
class Tuning:
    """What is tuned.

    Args:
        file: Settings; None for those that ``changes`` ask for alone.
        changes: Of the settings, for all trials, such as ``data=a.h5``.
        over: What is searched, such as ``training.learning_rate=log(1e-4,1e-2)``.
        output: Folder of trials and result.
        trials: How many, with those of earlier calls in this folder.
        seed: Of what is drawn.
        reduction: Of the trials at a rung one of so many goes on.
    """

    file: Path | None
    changes: Sequence[str]
    over: Sequence[str]
    output: Path
    trials: int
    seed: int = 0
    reduction: int = 3

    def settings(self, found: Mapping[str, str] | None = None) -> Settings:
        """The settings with those of a trial."""
        own = [f"{key}={value}" for key, value in (found or {}).items()]
        return read_settings(self.file, [*self.changes, *own])


def tune(asked: Tuning, monitor: Monitor) -> Searched:
    """Try settings, and leave the best as ``settings.yaml``, all as ``trials.csv`` and a figure.

    Raises:
        ValueError: If a setting does not exist, no study is there to validate on, or the folder
            holds another search.
    """
    dimensions = [Dimension.of(text) for text in asked.over]
    if not dimensions:
        raise ValueError("nothing to search over; say --over KEY=log(LOW,HIGH)")
    base = with_whole_paths(asked.settings())
    if not (base.split.validation or base.split.file):
        raise ValueError(f"{asked.file or 'settings'}: {NO_VALIDATION}")
    refuse_sealed(asked.output)
    with claim(asked.output / WORK, base.model_dump(mode="json")):
        objective = _Objective.of(asked, [one.key for one in dimensions], monitor)
        cohort = objective.checked(base)
        how = Search(
            asked.output,
            dimensions,
            {
                "settings": base.model_dump(mode="json", exclude={"output"}),
                "data": cohort.data.store.fingerprint(),
            },
            asked.seed,
            objective.first_rung(base),
            asked.reduction,
        )
        found = search(how, objective, asked.trials, objective.last_step)
    found.measure = objective.measure
    _write(asked, found)
    return found


@dataclass(frozen=True)
class _Objective:
    asked: Tuning
    folder: RunFolder
    monitor: Monitor
    estimator: EstimatorTrial | None
    """None where the training of the segmenter is tuned."""

    @classmethod
    def of(cls, asked: Tuning, keys: Sequence[str], monitor: Monitor) -> "_Objective":
        folder = RunFolder(asked.output / WORK, monitor.stage, monitor.note)
        name = estimator_of(keys)
        trial = name and EstimatorTrial(name, folder, monitor, asked.reduction)
        return cls(asked, folder, monitor, trial or None)

    @property
    def measure(self) -> str:
        """What is to be large, in words."""
        if self.estimator is None:
            return "validation Dice"
        return f"agreement of {self.estimator.name}"

    def first_rung(self, settings: Settings) -> int:
        """Steps before which no trial is stopped."""
        if self.estimator is None:
            return settings.training.validate_every
        return self.estimator.steps(settings)[0]

    def last_step(self, changes: Mapping[str, str]) -> int:
        """Steps of a trial that is not stopped."""
        settings = self.asked.settings(changes)
        if self.estimator is None:
            return settings.training.steps
        return self.estimator.steps(settings)[-1]

    def checked(self, settings: Settings) -> Cohort:
        """The studies of the settings.

        Raises:
            ValueError: If none of them is there to validate on.
        """
        cohort = Cohort.of(settings, self.folder, self.monitor)
        if not any(one.labelled_frames for one in self._studies(settings, cohort).validation):
            raise ValueError(NO_VALIDATION)
        return cohort

    def _studies(self, settings: Settings, cohort: Cohort) -> SplitStudies:
        return SplitStudies(cohort.data, cohort.split, settings)

    def __call__(self, changes: Mapping[str, str], tell: Tell) -> None:
        settings = with_whole_paths(self.asked.settings(changes))
        cohort = Cohort.of(settings, self.folder, self.monitor)
        if self.estimator is not None:
            self.estimator(settings, cohort, tell)
            return
        studies = self._studies(settings, cohort)
        term = dice_term(settings.training.chosen)
        trainer = StagedTrainer(
            settings, cohort.data.store, self.folder, _Telling(self.monitor, term, tell),
            seed=settings.seeds[0], validation=studies.validation,
        )  # fmt: skip
        try:
            trained = trainer.train("trial", WHOLE, studies.experts)
        except Exception as error:
            # One that is interrupted stays, to be gone on with.
            stop_if_interrupted()
            for left in (self.folder.path / "stages").glob(".train-trial-*.part"):
                shutil.rmtree(left)
            if isinstance(error, FloatingPointError):
                raise FailedTrialError(str(error)) from error
            raise
        # A training that was found finished has told nothing yet.
        for row in read_log(trained.stage.folder / FILE):
            if row.term == term:
                tell(row.step, row.value)


class _Telling:
    """Tells of the validations of a training, beside what another monitor is told.

    Args:
        monitor: The other.
        term: That is told.
        tell: Gets it.
    """

    def __init__(self, monitor: Monitor, term: str, tell: Tell) -> None:
        self.monitor = monitor
        self.term = term
        self.tell = tell

    def plan(self, steps: Mapping[str, float]) -> None:
        self.monitor.plan(steps)

    def begin_step(self, name: str) -> None:
        self.monitor.begin_step(name)

    def end_step(self, name: str, is_made: bool | None = None) -> None:
        self.monitor.end_step(name, is_made)

    def stage(self, name: str, found: bool) -> None:
        self.monitor.stage(name, found)

    def note(self, message: str) -> None:
        self.monitor.note(message)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Tick]:
        with self.monitor.progress(title, total) as tick:

            def told(step: int, terms: Mapping[str, float]) -> None:
                tick(step, terms)
                if self.term in terms:
                    self.tell(step, terms[self.term])

            yield told


def _write(asked: Tuning, found: Searched) -> None:
    column = found.measure.replace(" ", "_").lower()
    rows = [_row(one, column) for one in found.trials]
    Table("trials", "", rows, ()).write(asked.output)
    if found.best is not None:
        best = with_whole_paths(asked.settings(found.best.changes)).model_dump(mode="json")
        best["output"] = RUN
        write_text(asked.output / SETTINGS, yaml.safe_dump(best, sort_keys=False))
    draw(found, asked.output / CURVES)


def _row(one: Tried, column: str) -> dict[str, Cell]:
    return {
        "trial": one.number,
        "state": one.state,
        column: one.value,
        "step": one.step,
        **{key: json.loads(value) if value else "" for key, value in one.changes.items()},
        "why": one.why,
    }


def draw(found: Searched, path: Path) -> None:
    """What all trials told over their steps; the best is drawn boldly."""
    figure, axes = blank(6.4, 4)
    for one in found.trials:
        is_best = found.best is not None and one.number == found.best.number
        style = "-" if one.state == "complete" else ":"
        axes.plot(
            list(one.values), list(one.values.values()), style, marker=".",
            color=BEST if is_best else INK, linewidth=2.5 if is_best else 1,
            alpha=1 if is_best else 0.5, zorder=3 if is_best else 2,
        )  # fmt: skip
    axes.set_xlabel("Step")
    axes.set_ylabel(found.measure[0].upper() + found.measure[1:])
    axes.set_title("Trials: the best bold, those that were stopped dotted", fontsize=9)
    FigureCanvasAgg(figure)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)

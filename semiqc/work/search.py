"""A search over settings that goes on where it was stopped: Optuna, with ASHA.

Optuna's ``SuccessiveHalvingPruner`` is ASHA (Li et al., "A system for massively parallel
hyperparameter tuning", MLSys 2020): of the trials that came to a rung, the better of a share go
on. What was tried is kept as lines of JSON in one file, in which several processes may write.
"""

import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semiqc.doors.json_file import read_object
from semiqc.doors.regular import UnusableError, in_short
from semiqc.files.atomic import make_folder, write_text
from semiqc.work.dimensions import Dimension

if TYPE_CHECKING:
    import optuna

JOURNAL = "trials.journal"
DESCRIBED = "search.json"
FORMAT = 1
TOLD = "told"
"""Of a trial that is done again, what it told before it was cut short."""


class FailedTrialError(Exception):
    """A trial has no result; the search goes on."""


@dataclass(frozen=True)
class Search:
    """What is searched, and how.

    Args:
        folder: Keeps what was tried.
        dimensions: Settings that are searched over.
        about: All else that a result depends on, as JSON can write it.
        seed: Of what is drawn.
        first_rung: Steps before which no trial is stopped.
        reduction: Of the trials at a rung one of so many goes on; each rung is as many times as
            far as the one before.
    """

    folder: Path
    dimensions: Sequence[Dimension]
    about: Mapping[str, Any]
    seed: int = 0
    first_rung: int = 1
    reduction: int = 3


@dataclass(frozen=True)
class Tried:
    """What came of one trial.

    Args:
        number: From 0.
        state: ``complete``, ``pruned`` or ``failed``.
        value: The last that was told; NaN where none was.
        step: Of the last value.
        values: By step.
        changes: JSON text of each setting, by its key.
        why: What failed.
    """

    number: int
    state: str
    value: float
    step: int
    values: Mapping[int, float]
    changes: Mapping[str, str]
    why: str = ""


Tell = Callable[[int, float], None]
"""Told a value that is to be large, and its step; raises where the trial is to stop."""

Objective = Callable[[Mapping[str, str], Tell], None]


@dataclass
class Searched:
    """All trials of a search, of which the best is the one to take.

    Args:
        trials: By number.
        measure: What their values are, in words.
    """

    trials: list[Tried] = field(default_factory=list)
    measure: str = "value"

    @property
    def best(self) -> Tried | None:
        """Of the trials that ended, the one of the largest value; the first of equal ones."""
        ended = [one for one in self.trials if one.state == "complete"]
        return max(ended, key=lambda one: (one.value, -one.number), default=None)


def never(changes: Mapping[str, str]) -> float:
    """The last step of what ends by itself."""
    return math.inf


def search(
    how: Search,
    objective: Objective,
    count: int,
    last_step: Callable[[Mapping[str, str]], float] = never,
) -> Searched:
    """Try settings until there are so many trials; goes on where an earlier call stopped.

    No other process may search in the folder meanwhile.

    Args:
        how: What is searched.
        objective: Given changes and whom to tell; it may raise ``FailedTrialError``.
        count: Trials, with those of earlier calls. One that failed counts.
        last_step: Of a trial with such changes; who has come there is not stopped any more.

    Raises:
        ValueError: If the folder holds another search, or Optuna is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError:
        raise ValueError("tuning needs optuna: `pip install 'semiqc[tune]'`") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _claim(how)
    study = _study(how)
    _repeat_what_was_cut_short(study)
    while len(_counted(study)) < count:
        _try(how, study, objective, last_step)
    return Searched([_tried(trial) for trial in _counted(study)])


def _claim(how: Search) -> None:
    """Keep what is searched, or make sure that it is what the folder holds.

    Raises:
        UnusableError: If it is something else.
    """
    dimensions = [asdict(one) for one in how.dimensions]
    described: dict[str, Any] = json.loads(
        json.dumps({"format": FORMAT, "over": dimensions, "seed": how.seed, "about": how.about,
                    "first_rung": how.first_rung, "reduction": how.reduction})
    )  # fmt: skip
    path = how.folder / DESCRIBED
    if not path.exists():
        make_folder(how.folder)
        write_text(path, json.dumps(described, indent=1) + "\n")
        return
    known = read_object(path)
    if differs := [key for key in described if known.get(key) != described[key]]:
        what = ", ".join(differs)
        raise UnusableError(f"{how.folder}: holds a search with another {what}; choose another")


def _study(how: Search) -> "optuna.Study":
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    path = how.folder / JOURNAL
    # Optuna would wait half a minute for a process that was killed.
    for left in how.folder.glob(f"{JOURNAL}.lock*"):
        left.unlink()
    lock = JournalFileOpenLock(str(path))
    try:
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(path), lock_obj=lock)),
            pruner=optuna.pruners.SuccessiveHalvingPruner(
                min_resource=how.first_rung, reduction_factor=how.reduction
            ),
            study_name="search",
            direction="maximize",
            load_if_exists=True,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableError(f"{path}: not a journal of trials ({in_short(str(error))})") from None


def _repeat_what_was_cut_short(study: "optuna.Study") -> None:
    """Trials that a killed process left are done again, first and with the same changes."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        told = {str(step): value for step, value in trial.intermediate_values.items()}
        study.enqueue_trial(trial.params, user_attrs={TOLD: told})
        study.tell(trial.number, state=TrialState.FAIL)


def _counted(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """Trials that ended by themselves."""
    from optuna.trial import TrialState

    wanted = (TrialState.COMPLETE, TrialState.PRUNED)
    return [t for t in study.trials if t.state in wanted or "why" in t.user_attrs]


def _try(
    how: Search,
    study: "optuna.Study",
    objective: Objective,
    last_step: Callable[[Mapping[str, str]], float],
) -> None:
    import optuna
    from optuna.trial import TrialState

    # Drawn by the trials that ended, so that a search that was stopped draws on.
    study.sampler = optuna.samplers.TPESampler(seed=how.seed + len(_counted(study)))
    with warnings.catch_warnings():
        # JSON texts as choices, and numbers of another search in the queue, are meant so.
        warnings.simplefilter("ignore")
        trial = study.ask()
        changes = {one.key: one.suggested(trial) for one in how.dimensions}
    told: dict[int, float] = {}
    last = last_step(changes)

    def tell(step: int, value: float) -> None:
        if step in told:
            return
        told[step] = value
        trial.report(value, step)
        if step < last and trial.should_prune():
            raise optuna.TrialPruned

    for step, value in trial.user_attrs.get(TOLD, {}).items():
        told[int(step)] = value
        trial.report(value, int(step))
    try:
        objective(changes, tell)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except FailedTrialError as error:
        trial.set_user_attr("why", str(error))
        study.tell(trial, state=TrialState.FAIL)
    else:
        _end(study, trial, told[max(told)] if told else math.nan)


def _end(study: "optuna.Study", trial: "optuna.Trial", last: float) -> None:
    from optuna.trial import TrialState

    if math.isfinite(last):
        study.tell(trial, last)
    else:
        trial.set_user_attr("why", "no value was told")
        study.tell(trial, state=TrialState.FAIL)


def _tried(trial: "optuna.trial.FrozenTrial") -> Tried:
    values = dict(sorted(trial.intermediate_values.items()))
    step, value = next(reversed(values.items()), (0, math.nan))
    state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
    changes = {key: v if isinstance(v, str) else repr(v) for key, v in trial.params.items()}
    return Tried(
        trial.number, state, value, step, values, changes, str(trial.user_attrs.get("why", ""))
    )

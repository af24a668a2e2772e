"""Whether there are studies enough for what a run is asked to do, seen before any training."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from semiqc.experiment.estimating.extents import split_of
from semiqc.experiment.settings import Settings
from semiqc.files.hdf5 import is_hdf5
from semiqc.files.store.reader import Store
from semiqc.files.tables import SplitRow
from semiqc.work.split import ROLES

LEAST = 2
"""Subjects that are parted into those that are learned from and those that are held out."""


def check_phantoms(settings: Settings) -> None:
    """Refuse a split of more phantoms than are made.

    Raises:
        ValueError: With both numbers.
    """
    split, made = settings.split, settings.phantom.studies
    if settings.data is not None or split.file is not None:
        return
    counts = {role: getattr(split, role) or 0 for role in ROLES}
    if sum(counts.values()) > made:
        asked = ", ".join(f"{count} as {role}" for role, count in counts.items() if count)
        raise ValueError(
            f"split: asks for {sum(counts.values())} subjects ({asked}), phantom.studies makes"
            f" {made}"
        )


def check_enough(settings: Settings, split: Sequence[SplitRow]) -> list[str]:
    """Make sure that each part of a run has subjects enough.

    Args:
        settings: Of the run.
        split: Who is used for what.

    Returns:
        What will be other than it was asked for, a line each.

    Raises:
        ValueError: Naming the setting, how many subjects it needs and how many there are.
    """
    subjects = defaultdict(set)
    for row in split:
        subjects[row.role].add(row.subject)
    needy = [name for name, one in settings.compared().items() if one.needs_unlabelled]
    if needy and not subjects["unlabelled"]:
        raise ValueError(f"scenario {needy[0]}: the split leaves no study as unlabelled")
    graded = len(subjects["qc"] or subjects["labelled"])
    is_fitted = settings.qc.suite is None and any(map(settings.gate_of, settings.compared()))
    if is_fitted and not subjects["qc"] and graded < LEAST:
        raise ValueError(
            "quality control needs subjects to learn from: set split.qc above 0, or"
            f" split.labelled to at least {LEAST}, got {graded}"
        )
    if is_fitted:
        _check_held_out(settings, graded)
    candidates = sum(row.role == "unlabelled" for row in split)
    return [*_of_gates(settings, candidates), *(_of_folds(settings, graded) if is_fitted else ())]


def foreseen(settings: Settings) -> list[str]:
    """What ``check_enough`` says of the store that settings name; nothing without one.

    Raises:
        ValueError: As ``check_enough``, or if there are too few studies for the split.
    """
    if settings.data is None or not is_hdf5(settings.data):
        return []
    return check_enough(settings, split_of(settings, list(Store(settings.data))))


def _check_held_out(settings: Settings, graded: int) -> None:
    """Refuse estimators that hold subjects out of the few that there are.

    Raises:
        ValueError: With the estimator's name.
    """
    for name in settings.estimators:
        holds_out = settings.qc.arguments.get(name, {}).get("hold_out")
        if holds_out and graded < LEAST:
            raise ValueError(
                f"qc.arguments.{name}.hold_out: needs {LEAST} subjects that the estimators are"
                f" fitted to, the split has {graded}"
            )


def _of_gates(settings: Settings, candidates: int) -> Iterator[str]:
    """Gates that are to choose as many studies as there are, or more, and so choose none."""
    gates = {name: gate for name in settings.compared() if (gate := settings.gate_of(name))}
    for name, gate in gates.items():
        if isinstance(gate.count, int) and gate.count >= candidates:
            yield (
                f"scenario {name}: k is {gate.count} and the split leaves {candidates} studies as"
                " unlabelled, so the gate admits them all; set a smaller k to choose among them"
            )


def _of_folds(settings: Settings, graded: int) -> Iterator[str]:
    """More folds than there are subjects to part."""
    if "folds" in settings.qc.model_fields_set and settings.qc.folds > graded:
        yield f"qc.folds: {settings.qc.folds} of {graded} subjects, so there are {graded} folds"

"""Whether the suite that a run is given can judge in it; looked at before anything is trained."""

from collections.abc import Sequence
from pathlib import Path

from qc.suites.card import card_of_suite
from qc.suites.suite import Suite
from semiqc.experiment.data import Data
from semiqc.experiment.settings import Settings
from semiqc.files.tables import SplitRow
from semiqc.suites.suiting import refuse_other_data

SEALED = ("test", "unlabelled", "qc")
"""Roles of studies whose labels taught nobody who judges."""
NAMED = 3
"""Studies that a message names."""


def given_suite(settings: Settings) -> Suite | None:
    """The suite that the settings name, which has what the run's gates ask for; None without one.

    Raises:
        ValueError: If there is none, it is damaged, or a gate asks for what it lacks.
    """
    folder = settings.qc.suite
    if folder is None:
        return None
    try:
        suite = Suite.load(folder)
        _check_gates(settings, suite, folder)
    except ValueError as error:
        raise ValueError(f"qc.suite: {error}") from error
    return suite


def _check_gates(settings: Settings, suite: Suite, folder: Path) -> None:
    """Make sure that the suite has who the gates go by.

    Raises:
        ValueError: If not, or if nobody in it can judge the run's segmentations.
    """
    found = [settings.gate_of(name) for name in settings.compared()]
    gates = [gate for gate in found if gate is not None]
    lacking = sorted({gate.by for gate in gates} - set(suite.names))
    if lacking:
        remedy = "; `semiqc qc fit --calibrate` gives a consensus" if not suite.blend else ""
        raise ValueError(
            f"{folder}: gate.by asks for {lacking[0]}, the suite has {', '.join(suite.names)}"
            f"{remedy}"
        )
    kinds = {name: type(estimator) for name, estimator in suite.estimators.items()}
    alone = {name: kind for name, kind in kinds.items() if name in {gate.by for gate in gates}}
    is_blind = all(kind.needs_uncertainty for kind in kinds.values())
    settings.segmenter.check_has_uncertainty(kinds if is_blind else alone)
    settings.check_gates(gates, kinds)


def refuse_unfit(suite: Suite, folder: Path, data: Data, split: Sequence[SplitRow]) -> None:
    """Make sure that a suite was made for such data, and learned from nobody it is to judge.

    Raises:
        ValueError: If not.
    """
    try:
        refuse_other_data(suite, data.store, "or fit a suite to such images")
    except ValueError as error:
        raise ValueError(f"qc.suite: {folder}: {error}") from error
    sealed = [row for row in split if row.role in SEALED]
    seen = [row for row in sealed if suite.training.has_seen(data.store.study(row.study))]
    if seen:
        first = ", ".join(f"{row.study} ({row.role})" for row in seen[:NAMED])
        more = f" and {len(seen) - NAMED} more" if len(seen) > NAMED else ""
        raise ValueError(
            f"qc.suite: {folder} learned from studies that it is to judge: {first}{more}; let"
            " split.file make them labelled, validation or unused, or fit the suite to others"
        )


def described_suite(suite: Suite, folder: Path) -> dict[str, str]:
    """What the report says of the suite that judged, by title."""
    return {"Folder": str(folder), **card_of_suite(suite, folder)}

"""Finished runs, compared on one page."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semiqc.experiment.finished import Finished
from semiqc.experiment.settings import Settings
from semiqc.files.atomic import whole_folder
from semiqc.files.places import require_empty
from semiqc.pages.table import Table
from semiqc.report.compared import ComparedRun, build_comparison

PAGE = "report.html"


def compare_runs(runs: Sequence[Path], output: Path) -> list[Table]:
    """Write ``report.html`` and ``tables/`` of several runs, which stay as they are.

    Args:
        runs: Their folders, the first being the one that others are compared with.
        output: Folder to write.

    Returns:
        The tables of the page.

    Raises:
        ValueError: If a run is given twice.
        FileExistsError: If the output folder holds something.
        RunError: If a folder is not that of a finished run.
    """
    folders = [run.resolve() for run in runs]
    for run, folder in zip(runs, folders, strict=True):
        if folders.count(folder) > 1:
            raise ValueError(f"{run}: given twice; name each run once")
    require_empty(output)
    found = _read(runs)
    with whole_folder(output, replaces=False) as unfinished:
        tables = build_comparison(found, unfinished / PAGE)
        for table in tables:
            table.write(unfinished / "tables")
    return tables


def _read(runs: Sequence[Path]) -> list[ComparedRun]:
    """The runs, by the names of their folders where these tell them apart."""
    names = [run.resolve().name for run in runs]
    found = []
    for run, name in zip(runs, names, strict=True):
        finished = Finished.read(run)
        found.append(
            ComparedRun(
                name if names.count(name) == 1 else str(run),
                finished.report_data(),
                flat_settings(finished.settings),
                str(finished.data.get("fingerprint", "")),
            )
        )
    return found


def flat_settings(settings: Settings) -> dict[str, str]:
    """Each setting as text, by its dotted name; those of a gate by its scenario's."""
    written = settings.model_dump(mode="json")
    gates = {name: gate for name in settings.compared() if (gate := settings.gate_of(name))}
    written["gates"] = {name: gate.model_dump(mode="json") for name, gate in gates.items()}
    return dict(_flat(written))


def _flat(settings: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Dotted names with values as text."""
    found = []
    for name, value in settings.items():
        full = f"{above}{name}"
        if isinstance(value, Mapping):
            found += _flat(value, f"{full}.")
        else:
            found.append((full, "none" if value is None else json.dumps(value).replace('"', "")))
    return found

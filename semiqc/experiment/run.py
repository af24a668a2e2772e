"""The staged run: from a few labelled studies to compared, reported results."""

from collections.abc import Sequence
from pathlib import Path

from qc.suites.suite import Suite
from semiqc.experiment.data import Data, open_data
from semiqc.experiment.dirty import with_dirty_pool
from semiqc.experiment.finished import Finished, build_pages
from semiqc.experiment.given_suite import described_suite, refuse_unfit
from semiqc.experiment.ready import check_ready
from semiqc.experiment.results import Results, write_results
from semiqc.experiment.seed_run import SeedRun
from semiqc.experiment.settings import Settings
from semiqc.experiment.settings_file import with_whole_paths
from semiqc.files.tables import SplitRow
from semiqc.work.folder import claim, write_provenance
from semiqc.work.monitor import Monitor
from semiqc.work.publishing import REPORT, publish
from semiqc.work.split import check_split, draw_split, read_split
from semiqc.work.stages import RunFolder


def run(settings: Settings, monitor: Monitor) -> Path:
    """Do all that the settings ask and is not done yet; the report's path.

    Raises:
        ValueError: If the data or the split do not allow what the settings ask.
    """
    settings = with_whole_paths(settings)
    suite = check_ready(settings)
    with claim(settings.output, settings.model_dump(mode="json")):
        folder = RunFolder(settings.output, monitor.stage, monitor.note)
        data = open_data(settings, folder, monitor)
        for line in data.left_out:
            monitor.note(f"left out: {line}")
        for line in data.notes:
            monitor.note(line)
        split = make_split(settings, data)
        judge = _fitting(suite, settings, data, split)
        data = with_dirty_pool(settings, data, split, folder, monitor)
        results = Results(data, split, judge)
        for seed in settings.seeds:
            SeedRun(settings, data, split, folder, monitor, seed, results).work()
        publish(settings.output, lambda unfinished: _write(results, settings, unfinished))
    return settings.output / REPORT


def _write(results: Results, settings: Settings, folder: Path) -> None:
    """Everything that a run leaves, and its report."""
    write_provenance(folder, settings.model_dump(mode="json"))
    write_results(results, folder)
    build_pages(Finished.in_folder(folder))


def _fitting(
    suite: Suite | None, settings: Settings, data: Data, split: Sequence[SplitRow]
) -> dict[str, str]:
    """What the report says of the suite that judges; nothing where the run fits its own.

    Raises:
        ValueError: If the suite does not suit the data.
    """
    if suite is None or settings.qc.suite is None:
        return {}
    refuse_unfit(suite, settings.qc.suite, data, split)
    return described_suite(suite, settings.qc.suite)


def make_split(settings: Settings, data: Data) -> list[SplitRow]:
    """The split that the settings ask for, checked.

    Raises:
        ValueError: If it cannot be had, or a subject has two roles.
    """
    studies = list(data.store)
    if settings.split.file:
        return read_split(settings.split.file, studies)
    counts = settings.split.model_dump(include={"labelled", "qc", "validation", "test"})
    counts["unlabelled"] = settings.split.unlabelled
    rows = draw_split(studies, counts, settings.split.seed)
    check_split(rows, studies, "split")
    return rows

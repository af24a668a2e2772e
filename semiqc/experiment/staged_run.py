"""The staged run: from a few labelled studies to compared, reported results."""

from pathlib import Path

from qc.suites.suite import Suite
from semiqc import together
from semiqc.experiment.cohort import Cohort
from semiqc.experiment.enough import check_enough
from semiqc.experiment.estimating import expected_steps, extent_of
from semiqc.experiment.fan_out import fan_out
from semiqc.experiment.finished import Finished, build_pages
from semiqc.experiment.given_suite import described_suite, refuse_unfit
from semiqc.experiment.joint_run import make_stages_together
from semiqc.experiment.ready import check_ready
from semiqc.experiment.results import Results, write_results
from semiqc.experiment.seed_run import SeedRun
from semiqc.experiment.settings import Settings
from semiqc.experiment.settings_file import with_whole_paths
from semiqc.experiment.steps import REPORT as REPORT_STEP
from semiqc.files.atomic import write_text
from semiqc.review.run_queue import remove_queue, write_queue
from semiqc.work.engines.side import Side
from semiqc.work.folder import claim, read_environment, write_provenance
from semiqc.work.monitor import Monitor, step
from semiqc.work.publishing import CARD, REPORT, publish
from semiqc.work.stages import RunFolder


def run(settings: Settings, monitor: Monitor, side: Side | None = None) -> Path:
    """Do all that the settings ask and is not done yet; the report's path.

    Processes that ``torchrun`` began do it together, and the first writes.

    Args:
        settings: Of the run.
        monitor: Told how it goes on.
        side: Processes that make stages side by side; None for this one alone.

    Raises:
        ValueError: If the data or the split do not allow what the settings ask.
    """
    settings = with_whole_paths(settings)
    with together.group() as rank:
        if rank == 0:
            return _lead(settings, monitor, side)
        make_stages_together(settings, monitor)
        return settings.output / REPORT


def _lead(settings: Settings, monitor: Monitor, side: Side | None) -> Path:
    """As the first process, or the only one."""
    suite = check_ready(settings)
    with claim(settings.output, settings.model_dump(mode="json")):
        folder = RunFolder(settings.output, monitor.stage, monitor.note)
        cohort = Cohort.of(settings, folder, monitor)
        for line in check_enough(settings, cohort.split):
            monitor.note(line)
        judge = _fitting(suite, settings, cohort)
        monitor.plan(expected_steps(settings, extent_of(cohort.split, cohort.data.store)))
        if together.world() > 1:
            make_stages_together(settings, monitor)
        elif side is not None:
            fan_out(settings, monitor, side)
        results = Results(cohort.data, cohort.split, judge)
        for seed in settings.seeds:
            SeedRun(settings, cohort.data, cohort.split, folder, monitor, seed, results).work()
        if results.queue:
            write_queue(settings.output, cohort.data.store.path, results.queue)
        else:
            remove_queue(settings.output)
        with step(monitor, REPORT_STEP):
            publish(settings.output, lambda unfinished: _write(results, settings, unfinished))
    return settings.output / REPORT


def _write(results: Results, settings: Settings, folder: Path) -> None:
    """Everything that a run leaves, and its report."""
    from semiqc.experiment.card import card_of_run

    write_provenance(folder, settings.model_dump(mode="json"))
    write_results(results, folder)
    finished = Finished.in_folder(folder)
    build_pages(finished)
    card = card_of_run(settings, finished.report_data(), read_environment(folder))
    write_text(folder / CARD, card)


def _fitting(suite: Suite | None, settings: Settings, cohort: Cohort) -> dict[str, str]:
    """What the report says of the suite that judges; nothing where the run fits its own.

    Raises:
        ValueError: If the suite does not suit the data.
    """
    if suite is None or settings.qc.suite is None:
        return {}
    refuse_unfit(suite, settings.qc.suite, cohort.data, cohort.split)
    return described_suite(suite, settings.qc.suite)

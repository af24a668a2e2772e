"""A process that makes stages of a run for the one that gathers the results.

It reads the settings from the first line of its input, tells of its work on its output, and ends
when its input does: with the process that began it, however that ends.
"""

from contextlib import suppress
from functools import partial

from semiqc.experiment.cohort import Cohort
from semiqc.experiment.results import Results
from semiqc.experiment.seed_run import SeedRun
from semiqc.experiment.settings import Settings
from semiqc.work.engines.working import as_worker
from semiqc.work.events import Events
from semiqc.work.monitor import Monitor, Silent
from semiqc.work.sharing import Worker, refuse_unless_held
from semiqc.work.stages import RunFolder
from semiqc.work.waiting import WaitingError


def make_stages(settings: Settings, monitor: Monitor, number: int) -> None:
    """Make the stages of a run that nobody else makes, until there are none.

    Args:
        settings: Of the run, with whole paths.
        monitor: Told of the stages that are made.
        number: Of the worker, from 0.

    Raises:
        ValueError: If the run folder is not shared with who began this process, or the data or
            the split do not allow what the settings ask.
    """
    refuse_unless_held(settings.output)
    sharing = Worker(settings.output, number)
    folder = RunFolder(settings.output, monitor.stage, monitor.note, sharing)
    # What there is to say of the data has been said by whoever began this process.
    cohort = Cohort.of(settings, folder, Silent())
    folder.each(
        [partial(_prepare, settings, cohort, folder, monitor, seed) for seed in settings.seeds]
    )


def _prepare(
    settings: Settings, cohort: Cohort, folder: RunFolder, monitor: Monitor, seed: int
) -> None:
    results = Results(cohort.data, cohort.split)
    SeedRun(settings, cohort.data, cohort.split, folder, monitor, seed, results).prepare()


def main() -> None:
    """Work as ``python -m semiqc.experiment.worker NUMBER THREADS``."""
    # Whoever began this process tells what it waits for.
    with suppress(WaitingError):
        as_worker(lambda given, number: make_stages(_settings(given), Events(), number))


def _settings(given: str) -> Settings:
    return Settings.model_validate_json(given)


if __name__ == "__main__":
    main()

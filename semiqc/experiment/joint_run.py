"""The trainings of a run shared by the processes that ``torchrun`` began."""

from semiqc import together
from semiqc.experiment.cohort import Cohort
from semiqc.experiment.results import Results
from semiqc.experiment.seed_run import SeedRun
from semiqc.experiment.settings import Settings
from semiqc.work.joining import FollowingFolder, LeadingFolder
from semiqc.work.monitor import Monitor, Silent
from semiqc.work.stages import RunFolder


def make_stages_together(settings: Settings, monitor: Monitor) -> None:
    """Make the stages of a run with all processes; each calls this.

    Args:
        settings: Of the run, with whole paths.
        monitor: Told by the first process how it goes on.

    Raises:
        ValueError: If a process does not see the run folder, or the data or the split do not allow
            what the settings ask.
    """
    folder: RunFolder
    if together.rank():
        monitor = Silent()
        folder = FollowingFolder(settings.output)
    else:
        folder = LeadingFolder(settings.output, monitor.stage, monitor.note)
        _tell(settings, monitor)
    cohort = Cohort.of(settings, folder, monitor)
    for seed in settings.seeds:
        results = Results(cohort.data, cohort.split)
        SeedRun(settings, cohort.data, cohort.split, folder, monitor, seed, results).prepare()


def _tell(settings: Settings, monitor: Monitor) -> None:
    count, size = together.world(), settings.training.batch_size
    monitor.note(f"{count} processes share each training")
    if size % count:
        monitor.note(
            f"training.batch_size: {size} slices cannot be shared by {count} processes, each"
            f" computes all of them; say a multiple of {2 * count}"
        )

"""The stages of a run made by several processes side by side, on one machine or many."""

from semiqc.experiment.settings import Settings
from semiqc.work.engines.side import Side, side_by_side
from semiqc.work.monitor import Monitor

WORKER = "semiqc.experiment.worker"


def fan_out(settings: Settings, monitor: Monitor, side: Side) -> None:
    """Make the stages of a run in several processes; those that are there are left.

    By default there are as many as there is room for and independent scenarios.

    Args:
        settings: Of the run, with whole paths.
        monitor: Told how it goes on.
        side: How many processes, and where.

    Raises:
        ValueError: If the place cannot be had.
    """
    scenarios = len(settings.seeds) * len(settings.compared())
    given = settings.model_dump_json()
    side_by_side(WORKER, given, settings.output, side, most=scenarios, monitor=monitor)

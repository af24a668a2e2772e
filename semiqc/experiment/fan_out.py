"""The stages of a run made by several processes side by side, on one machine or many."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from semiqc.experiment.settings import Settings
from semiqc.work.engines.base import MEMORY, PROCESSES, Engine, Program
from semiqc.work.engines.registry import engine_of
from semiqc.work.engines.working import work_side_by_side
from semiqc.work.events import tell
from semiqc.work.monitor import Monitor
from semiqc.work.sharing import LOCKS, held_for_all

WORKER = "semiqc.experiment.worker"


@dataclass(frozen=True)
class Side:
    """How many processes make stages side by side, and where.

    Args:
        jobs: Processes; None for as many as there is room and there are independent scenarios.
        engine: Name of the place; see ``semiqc.work.engines``.
        address: Of a cluster.
    """

    jobs: int | None = None
    engine: str = PROCESSES
    address: str | None = None

    @contextmanager
    def place(self) -> Iterator[Engine]:
        """The place, which is left at the end of the block."""
        engine = engine_of(self.engine, self.address)
        try:
            yield engine
        finally:
            engine.close()


def usual_jobs(settings: Settings, engine: Engine) -> int:
    """As many processes as there is room for and independent scenarios."""
    return max(1, min(engine.slots, len(settings.seeds) * len(settings.compared())))


def fan_out(settings: Settings, monitor: Monitor, side: Side) -> None:
    """Make the stages of a run in several processes; those that are there are left.

    What a worker leaves undone, because it failed or was killed, is left to the others and to who
    called this. One process on this machine is left to who called this, too.

    Args:
        settings: Of the run, with whole paths.
        monitor: Told of workers that ended early.
        side: How many processes, and where.

    Raises:
        ValueError: If the place cannot be had.
    """
    with side.place() as engine:
        jobs = side.jobs or usual_jobs(settings, engine)
        if jobs == 1 and side.engine == PROCESSES:
            return
        threads = engine.threads(jobs)
        monitor.note(
            f"{jobs} workers, {threads} {'threads' if threads > 1 else 'thread'} each, in"
            f" {jobs * MEMORY / 2**30:.0f} GiB of memory at most"
        )
        given = settings.model_dump_json()
        with held_for_all(settings.output):
            said = [settings.output / LOCKS / f"worker-{number}.jsonl" for number in range(jobs)]
            programs = [
                Program(WORKER, (str(number), str(threads)), given, threads, path)
                for number, path in enumerate(said)
            ]
            work_side_by_side(engine, programs, monitor.note, partial(_heard, monitor))


def _heard(monitor: Monitor, number: int, line: str) -> None:
    tell(line, monitor, f"worker {number}")

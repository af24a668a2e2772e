"""How many workers there are side by side, where, and how they are begun."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from semiqc.work.engines.base import MEMORY, PROCESSES, Engine, Program
from semiqc.work.engines.registry import engine_of
from semiqc.work.engines.working import work_side_by_side
from semiqc.work.events import tell
from semiqc.work.monitor import Monitor
from semiqc.work.sharing import LOCKS, held_for_all


def nobody_counts() -> None:
    """What is called where nobody counts."""


@dataclass(frozen=True)
class Side:
    """How many processes work side by side, and where.

    Args:
        jobs: Processes; None for as many as there is room and work for.
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


def side_by_side(
    module: str,
    given: str,
    folder: Path,
    side: Side,
    *,
    most: int,
    monitor: Monitor,
    on_done: Callable[[], None] = nobody_counts,
) -> None:
    """Let workers do their work in a folder until all have ended.

    What a worker leaves undone is left to the others and to who called this; so is all where
    there would be one process on this machine, or no locks.

    Args:
        module: What they run; see ``as_worker``.
        given: Line that each reads.
        folder: That they share, with their locks in it.
        side: How many processes, and where.
        most: Workers that there is work for.
        monitor: Told what they tell, and of those that ended early.
        on_done: Called after each piece of work.

    Raises:
        ValueError: If the place cannot be had.
    """
    with side.place() as engine:
        jobs = side.jobs or max(1, min(engine.slots, most))
        if jobs == 1 and side.engine == PROCESSES:
            return
        threads, said = engine.threads(jobs), folder.absolute() / LOCKS
        monitor.note(_described(jobs, threads))
        crew = [
            Program(module, (str(n), str(threads)), given, threads, said / f"worker-{n}.jsonl")
            for n in range(jobs)
        ]
        with _held(folder, monitor) as is_held:
            if is_held:
                work_side_by_side(engine, crew, monitor.note, partial(_heard, monitor, on_done))


@contextmanager
def _held(folder: Path, monitor: Monitor) -> Iterator[bool]:
    """Hold the lock of a folder for its workers; whether it can be had."""
    with ExitStack() as block:
        try:
            block.enter_context(held_for_all(folder))
        except NotImplementedError:
            monitor.note(f"{folder}: no locks (flock) there, so one process does everything")
            yield False
            return
        yield True


def _described(jobs: int, threads: int) -> str:
    each = f"{threads} {'threads' if threads > 1 else 'thread'} each"
    return f"{jobs} workers, {each}, in {jobs * MEMORY / 2**30:.0f} GiB of memory at most"


def _heard(monitor: Monitor, on_done: Callable[[], None], number: int, line: str) -> None:
    tell(line, monitor, f"worker {number}", on_done)

"""How several processes share the work of one run folder.

Each goes through the whole run and makes what nobody has made yet. A stage is made by whoever has
its lock, and found by the others. Where parts are independent of each other, a worker turns to
another part while somebody else makes what the first one waits for. A worker that is killed loses
its locks with its process, and another goes on with the stage from where it stood.

On several machines the run folder and its locks must reach all of them; ``refuse_unless_held``
finds out.
"""

import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol, TypeVar

from filelock import FileLock, Timeout

from semiqc.doors.regular import UnusableError
from semiqc.files.atomic import make_folder

LOCKS = "locks"
"""Folder of a run for the locks of its stages, while several processes work in it."""

HELD = "held.lock"
"""Lock of who began the workers, held as long as they may work."""

T = TypeVar("T")


@contextmanager
def held_for_all(run: Path) -> Iterator[None]:
    """Hold the lock by which workers tell that they share a run folder with who began them.

    What an earlier call left of the folder of locks is removed, and so is the folder at the end.
    """
    shutil.rmtree(run / LOCKS, ignore_errors=True)
    make_folder(run / LOCKS)
    try:
        with FileLock(run / LOCKS / HELD, is_singleton=False):
            yield
    finally:
        shutil.rmtree(run / LOCKS, ignore_errors=True)


def refuse_unless_held(run: Path) -> None:
    """Make sure that this process sees the locks of who began it.

    Raises:
        UnusableError: If the folder is not shared with that process, or its locks are not, so that
            two workers would make the same stage.
    """
    try:
        with FileLock(run / LOCKS / HELD, is_singleton=False).acquire(blocking=False):
            pass
    except Timeout:
        return
    except (OSError, NotImplementedError):
        pass
    raise UnusableError(
        f"{run}: expected a folder that all machines share, with locks (flock), on"
        f" {platform.node()} it is not; see docs/run.md"
    )


class Sharing(Protocol):
    """What a process does on its own, and what it leaves to others.

    Attributes:
        repeats: Whether tasks may be begun several times.
    """

    repeats: bool

    def each(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """What independent tasks give, in their order, whatever they are worked on in.

        Where it ``repeats``, what a task leaves beside stages must not count twice.
        """
        ...

    def claim(self, stage: str) -> AbstractContextManager[object]:
        """Keep the others from making a stage, by the name of its folder, within the block."""
        ...


class Alone:
    """The only process of a run: everything in its order."""

    repeats = False

    def each(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        return [task() for task in tasks]

    def claim(self, stage: str) -> AbstractContextManager[object]:
        return nullcontext()


class Busy(Exception):  # noqa: N818
    """Another worker makes the stage that is needed next.

    Args:
        lock: Of the stage.
    """

    def __init__(self, lock: FileLock) -> None:
        super().__init__(lock.lock_file)
        self.lock = lock


class Worker:
    """One of several processes in a run folder.

    Args:
        run: The run folder.
        number: Of the worker, from 0; each begins with another of independent tasks.
        poll: Seconds between two looks at a lock that another worker has.
    """

    repeats = True

    def __init__(self, run: Path, number: int, *, poll: float = 0.1) -> None:
        self.folder = run / LOCKS
        self.number = number
        self.poll = poll
        self._depth = 0

    def each(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        done: dict[int, T] = {}
        while len(done) < len(tasks):
            count = len(done)
            busy = self._try_all(tasks, done)
            if busy and len(done) == count:
                self._leave_or_wait(busy)
        return [done[index] for index in range(len(tasks))]

    def _try_all(self, tasks: Sequence[Callable[[], T]], done: dict[int, T]) -> Busy | None:
        """Do those tasks that wait for nobody; the last thing that one waited for."""
        busy = None
        self._depth += 1
        try:
            for turn in range(len(tasks)):
                index = (turn + self.number) % len(tasks)
                if index in done:
                    continue
                try:
                    done[index] = tasks[index]()
                except Busy as met:
                    busy = met
        finally:
            self._depth -= 1
        return busy

    def _leave_or_wait(self, busy: Busy) -> None:
        """Turn to other tasks where there may be some, else wait.

        Raises:
            Busy: If these tasks are part of another.
        """
        if self._depth:
            raise busy
        with busy.lock.acquire(poll_interval=self.poll):
            pass

    @contextmanager
    def claim(self, stage: str) -> Iterator[None]:
        """See ``Sharing``; outside of independent tasks it waits.

        Raises:
            Busy: If another worker has the stage, and there are other tasks.
        """
        make_folder(self.folder)
        lock = FileLock(self.folder / f"{stage}.lock", is_singleton=False)
        try:
            lock.acquire(blocking=not self._depth, poll_interval=self.poll)
        except Timeout:
            raise Busy(lock) from None
        try:
            yield
        finally:
            lock.release()

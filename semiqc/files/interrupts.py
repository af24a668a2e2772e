"""Ctrl-C that gets lost.

An interrupt that falls where an object is cleaned up, such as one of h5py or a weak reference of
torch, goes to ``sys.unraisablehook`` and nowhere else: the program goes on as if nobody had asked
it to end, and what was cleaned up may have lost its content. One that falls into a function which
a library calls from C or Rust may come back as an error of that library, so that a sound file
seems to be damaged, or end the process.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import CodeType, FrameType
from typing import Any, TypeVar

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

SOON_S = 0.01
"""After which an interrupt is sent again; by then the clean-up is over."""

Called = TypeVar("Called", bound=Callable[..., Any])
_undisturbed: set[CodeType] = set()


class _Listener:
    """Hears of interrupts from its entry to its exit.

    Attributes:
        has_heard: Whether there was one, whatever became of it.
    """

    def __init__(self) -> None:
        self.is_listening = False
        self.has_heard = False
        self._told: Callable[[Any], object] = sys.unraisablehook
        self._handler: Any = None
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        self.is_listening = True
        self._told, sys.unraisablehook = sys.unraisablehook, self._ignored
        self._handler = signal.getsignal(signal.SIGINT)
        # Others have their own, and where a shell began us in the background there is none.
        if self._handler is signal.default_int_handler and _is_main_thread():
            signal.signal(signal.SIGINT, self._raised)

    def end(self) -> None:
        self.is_listening = self.has_heard = False
        sys.unraisablehook = self._told
        if self._timer:
            self._timer.cancel()
        if _is_main_thread() and signal.getsignal(signal.SIGINT) == self._raised:
            signal.signal(signal.SIGINT, self._handler)

    def _raised(self, number: int, frame: FrameType | None) -> None:
        """Raise ``KeyboardInterrupt`` as Python does, but not where none may be raised."""
        self.has_heard = True
        if _is_undisturbed(frame):
            self._send()
        else:
            signal.default_int_handler(number, frame)

    def _ignored(self, unraisable: Any) -> None:  # noqa: ANN401
        """Send an interrupt again that was ignored; tell of all else as before."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            self.has_heard = True
            self._send()
        else:
            self._told(unraisable)

    def _send(self) -> None:
        """Interrupt the main thread soon."""
        self._timer = threading.Timer(SOON_S, _interrupt)
        self._timer.daemon = True
        # As the interpreter ends there are no new threads.
        with suppress(RuntimeError):
            self._timer.start()


_listener = _Listener()


def _is_main_thread() -> bool:
    """Whether this is the thread that interrupts reach."""
    return threading.current_thread() is threading.main_thread()


def _interrupt() -> None:
    """Interrupt the main thread, also where it waits."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


def _is_undisturbed(frame: FrameType | None) -> bool:
    """Whether a function that ``undisturbed`` knows is at work."""
    while frame is not None:
        if frame.f_code in _undisturbed:
            return True
        frame = frame.f_back
    return False


def undisturbed(function: Called) -> Called:
    """Mark a function in which no interrupt is raised within ``heard``, but soon afterwards."""
    _undisturbed.add(function.__code__)
    return function


@contextmanager
def heard() -> Iterator[None]:
    """Within the block no interrupt is lost.

    One that is ignored, or falls into an ``undisturbed`` function, is sent again; of one that
    became another error, ``was_interrupted`` tells. A block within another changes nothing.
    """
    if _listener.is_listening:
        yield
        return
    _listener.begin()
    try:
        yield
    finally:
        _listener.end()


def was_interrupted() -> bool:
    """Whether there was an interrupt within the block of ``heard``, whatever became of it."""
    return _listener.has_heard


def stop_if_interrupted() -> None:
    """End what goes on although it was interrupted, before it changes what stands on the disk.

    Raises:
        KeyboardInterrupt: If there was an interrupt within the block of ``heard``.
    """
    if _listener.has_heard:
        raise KeyboardInterrupt

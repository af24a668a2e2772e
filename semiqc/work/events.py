"""What a process tells the one that began it of its work: JSON, a line each."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from semiqc.work.monitor import Monitor, Silent

BEGIN, END, STAGE, NOTE, DONE = "begin", "end", "stage", "note", "done"


class Events(Silent):
    """Writes steps and the stages that are made.

    Args:
        out: Where to write; by default to standard output.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self._is_made = False

    def begin_step(self, name: str) -> None:
        self._is_made = False
        self._write(BEGIN, name)

    def end_step(self, name: str, is_made: bool | None = None) -> None:
        self._write(END, name, is_made=self._is_made if is_made is None else is_made)

    def stage(self, name: str, found: bool) -> None:
        if not found:
            self._is_made = True
            self._write(STAGE, name)

    def note(self, message: str) -> None:
        self._write(NOTE, message)

    def done(self, name: str) -> None:
        """A piece of work is done, which whoever listens counts."""
        self._write(DONE, name)

    def _write(self, event: str, name: str, **more: bool) -> None:
        print(json.dumps({"event": event, "name": name, **more}), file=self.out, flush=True)


def tell(
    line: str, monitor: Monitor, who: str, on_done: Callable[[], None] = lambda: None
) -> None:
    """Tell a monitor what ``Events`` wrote; what a library printed in between is passed over.

    Args:
        line: One line.
        monitor: That is told.
        who: The process that wrote it, in words.
        on_done: Called where a piece of work is done.
    """
    try:
        event: Mapping[str, object] = json.loads(line)
        kind, name = event["event"], str(event["name"])
    except (ValueError, TypeError, KeyError):
        return
    if kind == BEGIN:
        monitor.begin_step(name)
    elif kind == END:
        monitor.end_step(name, bool(event.get("is_made")))
    elif kind == STAGE:
        monitor.stage(f"{name} ({who})", False)
    elif kind == NOTE:
        monitor.note(name)
    elif kind == DONE:
        on_done()

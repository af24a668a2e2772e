"""Reads a case, and says in words what is wrong with how it was answered."""

import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from semiqc.cli.mistakes import can_be_mended

from .cases import Case

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
LONGEST_S = 10.0
"""Of the processor: beside other work a second of the clock says little."""
LONGEST_WAIT_S = 60.0
"""By the clock, whatever the processor does."""
LONGEST_MESSAGE = 3000
LARGEST_BYTES = 2**31
"""Memory that an input may take while it is read, beside what the program has already."""


@dataclass(frozen=True)
class Answer:
    """How a bad input was answered.

    Args:
        case: The input.
        said: The message; empty where it was found sound.
        fault: What is wrong with the answer; empty where nothing is.
        taken_bytes: Memory at the peak, beyond what was taken before; 0 where it is not known.
    """

    case: Case
    said: str
    fault: str
    taken_bytes: int


def answered(case: Case, folder: Path) -> Answer:
    """Read a case in a folder of its own."""
    target = case.make(folder)
    start, began, said, fault = time.process_time(), time.monotonic(), "", ""
    before = _peak_from_now()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            case.read(target)
        except Exception as error:
            said = str(error)
            if not can_be_mended(error):
                fault = f"traceback: {type(error).__name__}: {said[:200]}"
            elif target.name not in said and target.parent.name not in said:
                fault = f"names no file: {said[:200]}"
            elif "\n" in said or len(said) > LONGEST_MESSAGE:
                fault = "not one short line"
    for took, most in (
        (time.process_time() - start, LONGEST_S),
        (time.monotonic() - began, LONGEST_WAIT_S),
    ):
        if took > most:
            fault = f"took more than {most:g} s"
    taken = max(0, _peak_bytes() - before)
    if taken > LARGEST_BYTES:
        fault = f"took {taken >> 20} MiB"
    return Answer(case, said, fault, taken)


def _peak_from_now() -> int:
    """Begin to look for the peak of memory anew; what is taken now."""
    if CLEAR_REFS.exists():
        CLEAR_REFS.write_text("5")
    return _peak_bytes()


def _peak_bytes() -> int:
    """Most memory that this process had resident, on Linux; elsewhere 0."""
    if not STATUS.exists():
        return 0
    [line] = [one for one in STATUS.read_text().splitlines() if one.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024

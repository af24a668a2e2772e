"""Reads a case, and says in words what is wrong with how it was answered."""

import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from semiqc.cli.mistakes import can_be_mended

from .cases import Case

LONGEST_S = 10.0
LONGEST_MESSAGE = 3000


@dataclass(frozen=True)
class Answer:
    """How a bad input was answered.

    Args:
        case: The input.
        said: The message; empty where it was found sound.
        fault: What is wrong with the answer; empty where nothing is.
    """

    case: Case
    said: str
    fault: str


def answered(case: Case, folder: Path) -> Answer:
    """Read a case in a folder of its own."""
    target = case.make(folder)
    start, said, fault = time.monotonic(), "", ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            case.read(target)
        except Exception as error:
            said = str(error)
            if not can_be_mended(error):
                fault = f"traceback: {type(error).__name__}: {said[:200]}"
            elif target.name not in said and target.parent.name not in said:
                fault = "names no file"
            elif "\n" in said or len(said) > LONGEST_MESSAGE:
                fault = "not one short line"
    if time.monotonic() - start > LONGEST_S:
        fault = f"took more than {LONGEST_S:g} s"
    return Answer(case, said, fault)

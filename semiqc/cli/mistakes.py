"""Which failures are the user's to mend, and how they are told.

The first kind ends in one line and exit code 2, every other in a traceback.
"""

import io
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from semiqc.doors.regular import in_short, is_text

LONGEST = 2000
"""Characters of a message; some repeat what was given."""

PACKAGES = ("semiqc", "segmenters", "qc", "loops")


def can_be_mended(error: Exception) -> bool:
    """Whether the user can mend it: what a system call or one of our own checks refuses.

    A ``ValueError`` that comes out of a library was checked by nobody: that is a bug of ours.
    """
    # Typer carries a click of its own in some versions; a usage error knows how to format itself.
    if isinstance(error, OSError) or hasattr(error, "format_message"):
        return True
    raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    ours = Path(__file__).resolve().parents[2]
    is_ours = any(raised_in.is_relative_to(ours / package) for package in PACKAGES)
    return isinstance(error, ValueError | FloatingPointError) and is_ours


def of_output(error: Exception) -> Exception:
    """The same error; one that names the standard output, if that is what takes no more."""
    is_unnamed = isinstance(error, OSError) and error.filename is None
    try:
        # What was refused at once waits in no buffer.
        print(end="\n" if is_unnamed else "", flush=True)
    except OSError as refused:
        # What is left in its buffer would fail again as Python ends.
        sys.stdout = io.StringIO()
        return OSError(refused.errno, refused.strerror, "standard output")
    return error


def refuse_lost() -> None:
    """Make sure that there is a working folder, which libraries ask for in the midst of work.

    Raises:
        FileNotFoundError: If it was removed.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        raise FileNotFoundError("the working folder was removed; change into another") from None


def refuse_odd(words: Sequence[str]) -> None:
    """Refuse a word without a letter, and one that cannot be written down.

    As a path the one would be the working folder; of the other no result could tell.

    Raises:
        ValueError: With the word, or that before it.
    """
    for number, word in enumerate(words):
        if not is_text(word):
            raise ValueError(f"{in_short(word, 200)}: an argument that is not UTF-8; rename it")
        if not word.strip():
            before = f" after {in_short(words[number - 1], 60)}" if number else ""
            raise ValueError(f"an empty argument{before}; is a variable of the shell not set?")


def is_help(error: Exception) -> bool:
    """Whether a command was called without any words, which asks for its help."""
    return type(error).__name__ == "NoArgsIsHelpError"


def in_one_line(error: Exception) -> str:
    """The message of an error, without line breaks, and not longer than ``LONGEST``.

    A usage error of click names the option itself (``format_message``); of all others it is
    ``str``.
    """
    format_message = getattr(error, "format_message", None)
    message = format_message() if format_message else str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        message = f"{error.filename}: {error.strerror}"
    return in_short(message, LONGEST)

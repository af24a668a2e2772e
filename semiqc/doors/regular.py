"""The door of all files: regular ones only, of a bounded size."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

LARGEST = 2**36
"""Bytes of a file that is read piece by piece."""

LONGEST_MESSAGE = 240
"""Characters of what a library says; some repeat their whole input."""

OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that move a terminal's cursor, colour it or turn its text, and what is no letter."""

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class UnusableError(ValueError):
    """A file or a study that cannot be used; the message names the file and says why."""


def printable(text: str) -> str:
    r"""A text with the characters that a terminal obeys as what they are called, as ``\x1b``.

    Names and cells come from anybody's files. Line breaks and tabs stay.
    """
    return OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def is_text(name: str) -> bool:
    """Whether a name can be written in UTF-8; what other systems left on a disk may not."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def in_short(said: object, most: int = LONGEST_MESSAGE) -> str:
    """What something says in one line of so many characters at most."""
    # Of a text of megabytes only the beginning is looked at.
    line = printable(" ".join(str(said)[: 8 * most].split()))
    return line if len(line) <= most else f"{line[: most - 3]}..."


@contextmanager
def refusing(called: object, expected: str) -> Iterator[None]:
    """Turn whatever a library answers a file with into one ``UnusableError``.

    Args:
        called: How messages name the file.
        expected: What the file should have been, such as ``a readable HDF5 file``.
    """
    try:
        yield
    except UnusableError:
        raise
    except FileNotFoundError:
        raise UnusableError(f"{called}: no such file") from None
    except PermissionError:
        raise UnusableError(f"{called}: no permission to read it") from None
    except MemoryError:
        raise UnusableError(f"{called}: needs more memory than there is") from None
    except RecursionError:
        raise UnusableError(f"{called}: not {expected} (nested too deeply)") from None
    except Exception as error:
        reason = in_short(error) or type(error).__name__
        raise UnusableError(f"{called}: not {expected} ({reason})") from error


@contextmanager
def one_study(name: str) -> Iterator[None]:
    """Let what is wrong with one study leave out that study alone.

    Args:
        name: Of the study; messages that do not name a file begin with it.

    Raises:
        UnusableError: In place of an error in its numbers, or of too little memory.
    """
    try:
        yield
    except UnusableError:
        raise
    except (ValueError, ArithmeticError, MemoryError) as error:
        reason = in_short(error) or type(error).__name__
        raise UnusableError(f"{name}: cannot be used ({reason})") from error


def check_regular(path: Path, *, most: int = LARGEST, called: str = "") -> os.stat_result:
    """Refuse what is no regular file of ``most`` bytes, before it is opened.

    Args:
        path: Of the file; links are followed.
        most: Bytes that it may have.
        called: How messages name it; by default its path.

    Raises:
        UnusableError: If it is missing, a folder, pipe, socket or device, or too large, or has a
            name that cannot be written down.
    """
    called = printable(called or str(path))
    if not is_text(str(path)):
        raise UnusableError(f"{called}: its name is not UTF-8; rename it")
    with refusing(called, "a readable file"):
        return _checked(path.stat(), most, called)


def open_regular(path: Path, *, most: int = LARGEST, called: str = "") -> BufferedReader:
    """A regular file, open for reading; a pipe that nobody writes to is refused at once.

    Raises:
        UnusableError: As ``check_regular``, or if it cannot be opened.
    """
    called = called or str(path)
    check_regular(path, most=most, called=called)
    with refusing(called, "a readable file"):
        # Between check and opening the file may become another one.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            _checked(os.fstat(descriptor), most, called)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise


def read_bytes(path: Path, *, most: int, called: str = "") -> bytes:
    """All of a file.

    Raises:
        UnusableError: As ``open_regular``, or if it cannot be read.
    """
    called = called or str(path)
    with open_regular(path, most=most, called=called) as file, refusing(called, "readable"):
        return file.read(most)


def _checked(state: os.stat_result, most: int, called: str) -> os.stat_result:
    """The state of a regular file of a bounded size.

    Raises:
        UnusableError: If it is none.
    """
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "no file")
        raise UnusableError(f"{called}: {kind}, expected a file")
    if state.st_size > most:
        raise UnusableError(f"{called}: {state.st_size} bytes, expected {most} at most")
    return state

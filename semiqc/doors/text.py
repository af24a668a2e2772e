"""The door of text files: UTF-8, or what a byte order mark announces."""

import codecs
from pathlib import Path

from semiqc.doors.regular import UnusableError, read_bytes

LONGEST_TEXT = 2**24
"""Bytes of a text that a person may have written."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""In an order in which the mark of UTF-32 is not taken for that of UTF-16."""


def read_text(path: Path, *, most: int = LONGEST_TEXT, called: str = "") -> str:
    """A text file, without its byte order mark.

    Args:
        path: The file. Excel writes a mark before UTF-8 and UTF-16.
        most: Bytes that it may have.
        called: How messages name it; by default its path.

    Raises:
        UnusableError: If it cannot be read, or is no text.
    """
    called = called or str(path)
    content = read_bytes(path, most=most, called=called)
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnusableError(
            f"{called}: expected text in UTF-8, found the byte {content[error.start]:#04x} at"
            f" {error.start}; save it as UTF-8"
        ) from None
    if "\0" in text:
        raise UnusableError(f"{called}: expected text in UTF-8, found zero bytes")
    return text

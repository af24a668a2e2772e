"""The door of JSON files and of JSON in the headers of other files."""

import json
from pathlib import Path
from typing import Any

from semiqc.doors.regular import UnusableError, in_short, refusing
from semiqc.doors.text import read_text

LONGEST_JSON = 2**28
"""Bytes; what is judged of thousands of studies is kept as JSON."""


def read_json(path: Path, *, most: int = LONGEST_JSON, called: str = "") -> Any:  # noqa: ANN401
    """What a JSON file holds.

    Raises:
        UnusableError: If it cannot be read, or is not JSON.
    """
    called = called or str(path)
    return parse_json(read_text(path, most=most, called=called), called)


def parse_json(text: object, called: str) -> Any:  # noqa: ANN401
    """What a text in JSON says.

    Raises:
        UnusableError: If it is not JSON, is nested too deeply, or holds halves of letters, which
            no file can hold.
    """
    if not isinstance(text, str | bytes):
        raise UnusableError(f"{called}: expected JSON, found {type(text).__name__}")
    with refusing(called, "JSON"):
        said = text if isinstance(text, str) else text.decode(errors="replace")
        said.encode()
        found = json.loads(text)
        if "\\ud" in said or "\\uD" in said:
            json.dumps(found, ensure_ascii=False).encode()
        return found


def read_object(path: Path, *, most: int = LONGEST_JSON, called: str = "") -> dict[str, Any]:
    """The JSON object that a file holds.

    Raises:
        UnusableError: If it cannot be read, or holds anything else.
    """
    called = called or str(path)
    found = read_json(path, most=most, called=called)
    if not isinstance(found, dict):
        raise UnusableError(f"{called}: expected a JSON object, found {type(found).__name__}")
    return found


def whole_number(value: object) -> int:
    """A whole number in JSON or YAML, which may stand there as a text or with a point.

    Raises:
        ValueError: If it is anything else, also true or false, or has a fraction.
    """
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        number = int(value)
        if not isinstance(value, float) or number == value:
            return number
    raise ValueError(f"expected a whole number, got {in_short(repr(value), 40)}")

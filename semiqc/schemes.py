"""Label schemes as a command names them: by a known name, or by a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from semiqc.study import SCHEMES, LabelScheme, Measure, Structure

KEYS = {"name", "classes", "structures", "mirror_axes"}
STRUCTURE_KEYS = {"name", "values", "measure"}
MOST_CLASSES = 127
"""Labels are kept as int8."""


def read_scheme(text: str) -> LabelScheme:
    """A known scheme, or the one that a YAML or JSON file describes.

    The file gives ``classes``, the name of each label value from 0, the background; and may give
    ``structures``, each with ``name``, ``values`` and, where it is measured, ``measure``;
    ``mirror_axes``; and ``name``. Without structures every class but the background is one.

    Args:
        text: Name of a scheme in ``SCHEMES``, or path of a file.

    Raises:
        ValueError: If it is neither, or the file does not describe a scheme.
    """
    if text in SCHEMES:
        return SCHEMES[text]
    path = Path(text)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(SCHEMES)
        raise ValueError(f"unknown label scheme '{text}'; known: {known}, or a file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: not a readable YAML or JSON file ({reason})") from error
    try:
        return _scheme(path, content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _scheme(path: Path, content: object) -> LabelScheme:
    described = _mapping(content, KEYS, "a label scheme")
    classes = described.get("classes")
    if not isinstance(classes, list) or not 2 <= len(classes) <= MOST_CLASSES:
        raise ValueError(f"expected 'classes', a list of 2 to {MOST_CLASSES} names")
    names = tuple(str(name) for name in classes)
    structures = described.get("structures")
    if structures is None:
        found = tuple(Structure(name, (value,)) for value, name in enumerate(names) if value)
    elif isinstance(structures, list):
        found = tuple(_structure(one) for one in structures)
    else:
        raise ValueError(f"expected 'structures' to be a list, got {structures!r}")
    axes = described.get("mirror_axes") or ()
    if not isinstance(axes, list | tuple) or not set(axes) <= {"y", "x"}:
        raise ValueError(f"mirror_axes may hold y and x, got {axes!r}")
    return LabelScheme(str(described.get("name") or path.stem), names, found, tuple(axes))


def _structure(content: object) -> Structure:
    described = _mapping(content, STRUCTURE_KEYS, "a structure")
    values = described.get("values")
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise ValueError(f"a structure's 'values' must be a list of integers, got {values!r}")
    measure = described.get("measure")
    if measure is not None and measure not in list(Measure):
        raise ValueError(f"unknown measure '{measure}'; known: {', '.join(Measure)}")
    if not described.get("name"):
        raise ValueError(f"structure with values {values} has no name")
    return Structure(str(described["name"]), tuple(values), measure and Measure(measure))


def _mapping(content: object, keys: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"expected {what} with {', '.join(sorted(keys))}, got {content!r:.60}")
    unknown = {str(key) for key in content} - keys
    if unknown:
        raise ValueError(
            f"{what} has unknown keys {', '.join(sorted(unknown))};"
            f" known: {', '.join(sorted(keys))}"
        )
    return content

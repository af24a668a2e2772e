"""Settings as text: a YAML file, and ``key=value`` changes to what it says."""

from pathlib import Path
from typing import Any

from semiqc.doors.regular import UnusableError, in_short
from semiqc.doors.yaml_file import parse_yaml, read_yaml


class SettingsError(ValueError):
    """The settings are at fault, not the program."""


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; empty where the file is.

    Raises:
        SettingsError: If it cannot be read, or holds something else.
    """
    try:
        table = read_yaml(path)
    except UnusableError as error:
        raise SettingsError(str(error)) from error
    if not isinstance(table, dict | None):
        raise SettingsError(
            f"{path}: expected settings as 'key: value', got {type(table).__name__}"
        )
    return table or {}


def apply_change(table: dict[str, Any], change: str) -> None:
    """Put ``key=value`` into a table, sections parted by dots.

    Raises:
        SettingsError: If it is not such, or a section of the key is a plain value.
    """
    key, equals, value = change.partition("=")
    if not equals:
        raise SettingsError(f"--set {change}: expected key=value, such as gate.k=5")
    if not value.strip():
        raise SettingsError(f"--set {in_short(change, 60)}: no value; say {key}=null for none")
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = table.setdefault(section, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"--set {change}: '{section}' is not a section")
        table = inner
    try:
        table[last] = parse_yaml(value, f"--set {in_short(change, 60)}")
    except UnusableError as error:
        raise SettingsError(str(error)) from error

"""Settings that had other names before."""

from collections.abc import Callable, Mapping
from typing import Any

RENAMED = {
    "segmenter.views": "segmenter.tta",
    "gate.doubt_below": "gate.min_slice_dice",
    "gates.doubt_below": "gates.min_slice_dice",
}
"""Old name and new one, which are of the same section; ``gates`` stands for each of its items."""

BEFORE: dict[str, dict[str, Any]] = {
    "segmenter": {"focus": False, "mirror": False, "standardise": False},
    "training": {"start": "scratch", "dice_background": True},
}
"""Settings that earlier versions had not, by section, with what these versions did."""


def current_key(key: str, notice: Callable[[str], None]) -> str:
    """The name of today of a setting such as ``segmenter.tta``.

    Args:
        key: Sections and setting, parted by dots.
        notice: Told in a line if the name is an old one.
    """
    if key not in RENAMED:
        return key
    notice(f"the setting {key} is now called {RENAMED[key]}")
    return RENAMED[key]


def with_current_names(
    table: Mapping[str, Any], notice: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Settings under their names of today.

    Args:
        table: As a settings file has them.
        notice: Told in a line of each old name, once.

    Raises:
        ValueError: If a setting is given by both its names.
    """
    found = dict(table)
    for old, new in RENAMED.items():
        section, _, key = old.partition(".")
        parts = found.get(section)
        several = isinstance(parts, list | tuple)
        items = parts if isinstance(parts, list | tuple) else [parts]
        if not any(isinstance(item, Mapping) and key in item for item in items):
            continue
        changed = [_renamed(item, old, new) for item in items]
        found[section] = changed if several else changed[0]
        notice(f"the setting {old} is now called {new}")
    return found


def as_written_before(table: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a run was made with, which may have been when some did not exist.

    What they do was not done then, whatever the default is today.
    """
    found = dict(table)
    for section, absent in BEFORE.items():
        given = found.get(section)
        found[section] = {**absent, **given} if isinstance(given, Mapping) else absent
    return found


def _renamed(section: Any, old: str, new: str) -> Any:  # noqa: ANN401
    before, after = old.partition(".")[2], new.partition(".")[2]
    if not isinstance(section, Mapping) or before not in section:
        return section
    if after in section:
        raise ValueError(f"{new}: is given twice, also by its old name {before}")
    return {after if key == before else key: value for key, value in section.items()}

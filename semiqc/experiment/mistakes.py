"""Mistakes in settings, told as setting, what was expected and what came."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from semiqc.doors.regular import in_short
from semiqc.work.arguments import nearest, unknown

MOST_MISTAKES = 20
"""That a message names."""

MOST_KEYS = 5
"""Unknown keys of a section that a message names."""

MOST_OWNERS = 3
"""Sections that have a key for it to be told where it belongs."""

LONGEST_VALUE = 80
"""Characters of a value that a message shows."""

UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""What pydantic calls keys that a section does not have."""

Schema = Mapping[str, Any]


def told(found: Sequence[Mapping[str, Any]], schema: Schema) -> str:
    """Mistakes that pydantic found, in one line.

    Unknown keys of a section are told together: a section's line that is lost gives its settings
    to the section before.

    Args:
        found: Its errors.
        schema: JSON schema of the settings.
    """
    strange = _strange(found, schema)
    said: list[str] = []
    for mistake in found:
        *section, key = (str(part) for part in mistake["loc"] or ("",))
        if mistake["type"] not in UNKNOWN or key not in strange[tuple(section)]:
            said.append(_explain(mistake, schema))
        elif key == strange[tuple(section)][0]:
            said += _astray(section, strange[tuple(section)], schema)
    more = [f"and {len(said) - MOST_MISTAKES} more"] if said[MOST_MISTAKES:] else []
    return "; ".join(said[:MOST_MISTAKES] + more)


def _strange(
    found: Sequence[Mapping[str, Any]], schema: Schema
) -> dict[tuple[str, ...], list[str]]:
    """Unknown keys by section, without those that only resemble one which the section has."""
    strange: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for mistake in found:
        if mistake["type"] in UNKNOWN:
            *section, key = (str(part) for part in mistake["loc"])
            if _owners([key], schema)[1] or not nearest(key, _keys(schema, section)):
                strange[tuple(section)].append(key)
    return strange


def _astray(section: Sequence[str], keys: Sequence[str], schema: Schema) -> list[str]:
    """What is said of a section's unknown keys: where they belong, or which there are."""
    owners, owned = _owners(keys, schema)
    rest = [key for key in keys if key not in owned]
    said = []
    if owned:
        said.append(f"{_named(section, owned)}; did you mean {_places(owners, owned)}?")
    if rest:
        known = ", ".join(sorted(_keys(schema, section)))
        said.append(f"{_named(section, rest)}; known: {known}")
    return said


def _owners(keys: Sequence[str], schema: Schema) -> tuple[list[str], list[str]]:
    """The sections at the top that have most of these keys, and which those are."""
    held = {
        name: [key for key in keys if key in _keys(schema, [name])]
        for name in schema.get("properties", {})
    }
    most = max(held.values(), key=len, default=[])
    owners = [name for name, has in held.items() if has == most]
    return (owners, most) if most and len(owners) <= MOST_OWNERS else ([], [])


def _places(owners: Sequence[str], keys: Sequence[str]) -> str:
    if len(keys) == 1:
        return " or ".join(f"'{owner}.{keys[0]}'" for owner in owners)
    return "them under " + " or ".join(f"'{owner}'" for owner in owners)


def _named(section: Sequence[str], keys: Sequence[str]) -> str:
    """Unknown keys after the setting that they are part of."""
    where = ".".join([*section, keys[0]] if len(keys) == 1 else section)
    names = ", ".join(f"'{in_short(key, LONGEST_VALUE)}'" for key in keys[:MOST_KEYS])
    more = f" and {len(keys) - MOST_KEYS} more" if keys[MOST_KEYS:] else ""
    return f"{where}: unknown {names}{more}" if where else f"unknown {names}{more}"


def _explain(error: Mapping[str, Any], schema: Schema) -> str:
    where = [str(part) for part in error["loc"]]
    setting = ".".join(where)
    if error["type"] in UNKNOWN:
        return f"{setting}: {unknown(where[-1], _keys(schema, where[:-1]))}"
    message = in_short(str(error["msg"]).removeprefix("Value error, "))
    if error["type"] == "value_error":
        return f"{setting}: {message}" if setting else message
    given = error["input"]
    shown = in_short(repr(given) if isinstance(given, str) else given, LONGEST_VALUE)
    return f"{setting}: {message[0].lower()}{message[1:]}, got {shown}"


def _keys(schema: Schema, where: Sequence[str]) -> list[str]:
    """Keys that the section at ``where`` has in a JSON schema."""
    node = schema
    for part in where:
        node = (
            node.get("items", {}) if part.isdigit() else node.get("properties", {}).get(part, {})
        )
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return list(node.get("properties", {}))

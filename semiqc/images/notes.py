"""What is odd about many studies, told once for all that share it."""

from collections.abc import Iterable

NAMED = 3
"""Studies that a line names."""


def summed_up(noted: Iterable[tuple[str, Iterable[str]]]) -> tuple[str, ...]:
    """Each note once, after the names of the first few studies that have it.

    Args:
        noted: Names of studies with their notes.
    """
    named: dict[str, list[str]] = {}
    for study, notes in noted:
        for note in notes:
            named.setdefault(note, []).append(study)
    return tuple(_line(note, names) for note, names in named.items())


def _line(note: str, names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}: {note}"

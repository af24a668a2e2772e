"""What is odd about many studies, told once for all that share it."""

from collections.abc import Iterable

NAMED = 3
"""Studies that a line names."""


OF_FILE = " (file "
"""Before the file that a note ends with; notes that differ in it alone are the same."""


def summed_up(noted: Iterable[tuple[str, Iterable[str]]]) -> tuple[str, ...]:
    """Each note once, after the names of the first few studies that have it, with its first file.

    Args:
        noted: Names of studies with their notes.
    """
    named: dict[str, dict[str, str]] = {}
    for study, notes in noted:
        for note in notes:
            named.setdefault(note.partition(OF_FILE)[0], {}).setdefault(study, note)
    return tuple(_line(next(iter(of.values())), list(of)) for of in named.values())


def _line(note: str, names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}: {note}"

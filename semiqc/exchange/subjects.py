"""Whom studies are of, where no header and no table says so.

Splits are by subject, so two studies of one person must not count as two. Names tell: what stands
before an ending such as ``_ED``, ``_frame01``, ``_visit2`` or ``_ses-1`` is the subject's. A study
whose name has no such ending is of a subject of its own.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from semiqc.doors.csv_table import read_table
from semiqc.images.raw import RawStudy

_WORDS = (
    "ed|es|end[-_]?(?:diastol|systol)(?:e|ic)|dia(?:stole)?|sys(?:tole)?|cine|sax?|lax?|[234]ch"
    "|baseline|follow[-_]?up|fu|pre|post|rest|stress|repeat"
)
_COUNTED = (
    "frame|phase|fr|time[-_]?point|tp|visit|session|ses|slice|month|week|year|day|follow[-_]?up|fu"
)
_AMBIGUOUS = "t|time|v|scan|exam|series|study|run|rep|acq|part|ph|sl|image|img"
"""Words before a number that count cases of a data set as well as studies of a patient."""

_ENDING = re.compile(
    rf"^(?P<stem>.*[^_.\-])[_.\-]+(?:(?:{_WORDS})|(?:{_COUNTED})[-_]?\d+[a-z]?)$", re.IGNORECASE
)
_AFTER_NUMBER = re.compile(
    rf"^(?P<stem>.*\d(?:.*[^_.\-])?)[_.\-]+(?:{_AMBIGUOUS})[-_]?\d+[a-z]?$", re.IGNORECASE
)
_GLUED = re.compile(r"^(?P<stem>.*\d)(?:ED|ES)$")
_BIDS = re.compile(r"^(?P<stem>sub-[A-Za-z0-9]+)_.+$")
_COPY = re.compile(r"^(?P<stem>.+)_0\d{3}$")


def stem_of(name: str) -> str:
    """A study's name without all endings that tell apart what is of one subject."""
    while found := next(filter(None, (end.match(name) for end in _ENDINGS)), None):
        name = found["stem"]
    return name


_ENDINGS = (_ENDING, _AFTER_NUMBER, _GLUED, _BIDS)


def subjects_by_name(names: Iterable[str]) -> dict[str, str]:
    """The subject of each study, as far as the names tell; its own name where they don't.

    Endings ``_0000``, ``_0001`` ... count only where each of several stems has a ``_0000``:
    elsewhere such a number is that of the patient.
    """
    stems = {name: stem_of(name) for name in names}
    copies: dict[str, set[str]] = defaultdict(set)
    for stem in stems.values():
        if named := _COPY.match(stem):
            copies[named["stem"]].add(stem)
    is_count = len(copies) > 1 and all(f"{stem}_0000" in of for stem, of in copies.items())
    if not is_count:
        return stems
    return {name: _COPY.sub(r"\g<stem>", stem) for name, stem in stems.items()}


@dataclass(frozen=True)
class Subjects:
    """Knows whom each study of a listing is of: by a table, its reader, or its name.

    Args:
        by_name: What ``subjects_by_name`` finds.
        table: What the user says.
    """

    by_name: Mapping[str, str]
    table: Mapping[str, str] = field(default_factory=dict)

    def assigned(self, raw: RawStudy) -> RawStudy:
        """The study with its subject."""
        told = self.table.get(raw.name) or raw.subject
        return replace(raw, subject=told or self.by_name.get(raw.name, raw.name))

    def notes(self, subjects: Mapping[str, str]) -> list[str]:
        """What a user must know of the subjects of the studies that came in."""
        told_by_name = {
            name: subject
            for name, subject in subjects.items()
            if name not in self.table and subject == self.by_name.get(name) != name
        }
        notes = []
        if told_by_name:
            count = len(set(told_by_name.values()))
            example = ", ".join(f"{n} is of {s}" for n, s in list(told_by_name.items())[:2])
            notes.append(
                f"subjects are told by the names of {len(told_by_name)} studies, {count} subjects"
                f" ({example}); a table given as --subjects says otherwise"
            )
        if self.table and set(subjects) - set(self.table):
            missing = sorted(set(subjects) - set(self.table))
            notes.append(f"{_some(missing)}: not in the table of subjects, told by other means")
        if len(subjects) > MOST_OF_ONE and len(set(subjects.values())) == 1:
            notes.append(
                f"all {len(subjects)} studies are of one subject, {next(iter(subjects.values()))};"
                " if that is an anonymiser's, give a table as --subjects"
            )
        return notes


MOST_OF_ONE = 2
"""Studies of one subject that are no reason to ask whether it is one."""


def find_subjects(names: Sequence[str], path: Path | None) -> Subjects:
    """What tells the subjects of studies.

    Args:
        names: Of the studies.
        path: A table of ``study`` and ``subject``, if there is one.

    Raises:
        ValueError: If the table cannot be read, or names studies that are not there.
    """
    table = read_subjects(path) if path else {}
    unknown = sorted(set(table) - set(names))
    if unknown:
        raise ValueError(
            f"{path}: no study {_some(unknown)} in the data; there are {_some(sorted(names))}"
        )
    return Subjects(subjects_by_name(names), table)


def read_subjects(path: Path) -> dict[str, str]:
    """The subject of each study that a CSV with the columns ``study`` and ``subject`` names.

    Raises:
        ValueError: If it is no such table, or gives a study two subjects.
    """
    found: dict[str, str] = {}
    for number, (study, subject) in enumerate(_pairs(path), start=2):
        if not study or not subject:
            raise ValueError(f"{path}: line {number} lacks its study or its subject")
        if found.setdefault(study, subject) != subject:
            raise ValueError(f"{path}: {study} is of both {found[study]} and {subject}")
    return found


def _pairs(path: Path) -> list[tuple[str, str]]:
    """Study and subject of each line.

    Raises:
        ValueError: If the file cannot be read, or lacks one of the columns.
    """
    table = read_table(path)
    table.require(path, ("study", "subject"))
    return [(row["study"].strip(), row["subject"].strip()) for row in table.rows]


def _some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    listed = ", ".join(names[:3])
    return f"{listed} and {len(names) - 3} more" if len(names) > 3 else listed

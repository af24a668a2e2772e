"""What readers said, in one SQLite file to which verdicts are only ever added.

A verdict that is undone, or that a later one takes the place of, stays in the file, so that two
windows on one study lose nothing. Each is on disk before the call returns.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Self

from semiqc.doors.regular import UnusableError, check_regular, in_short
from semiqc.files.atomic import make_folder

APPLICATION = 0x73657169
"""Marks the file as ours, in SQLite's header."""

VERSION = 1
PATIENCE_S = 10.0

_TABLES = (
    """CREATE TABLE places (
    reader TEXT NOT NULL, study TEXT NOT NULL, of TEXT NOT NULL, showing INTEGER NOT NULL,
    position INTEGER NOT NULL, put_off INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (reader, study, of, showing)) STRICT""",
    """CREATE TABLE verdicts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reader TEXT NOT NULL, study TEXT NOT NULL, of TEXT NOT NULL, showing INTEGER NOT NULL,
    verdict TEXT NOT NULL, reasons TEXT NOT NULL, note TEXT NOT NULL, seconds REAL NOT NULL,
    at TEXT NOT NULL, undone INTEGER NOT NULL DEFAULT 0) STRICT""",
    """CREATE TABLE grades (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reader TEXT NOT NULL, study TEXT NOT NULL, of TEXT NOT NULL, frame INTEGER NOT NULL,
    slice INTEGER NOT NULL, structure TEXT NOT NULL, grade INTEGER NOT NULL, at TEXT NOT NULL
    ) STRICT""",
)


@dataclass(frozen=True, order=True)
class Place:
    """One showing of a study to a reader.

    Args:
        study: Its name.
        of: Which segmentation of it; see ``Item``.
        showing: 1, or 2 where it is shown again.
    """

    study: str
    of: str
    showing: int = 1


@dataclass(frozen=True)
class Reading:
    """What a reader said of a study.

    Args:
        reader: Their name.
        place: What they saw.
        verdict: ``good`` or ``erroneous``.
        reasons: From the page's list.
        note: In their own words.
        seconds: For which they looked.
        at: Time in UTC, ISO 8601.
        number: Of the row; later ones are larger.
    """

    reader: str
    place: Place
    verdict: str
    reasons: tuple[str, ...] = ()
    note: str = ""
    seconds: float = 0.0
    at: str = ""
    number: int = 0


@dataclass(frozen=True)
class Grade:
    """A reader's grade of one structure in one slice; frames and slices count from 0."""

    reader: str
    study: str
    of: str
    frame: int
    slice: int
    structure: str
    grade: int


class Records:
    """The file of a review; may be used from several threads, and by several processes at once.

    Args:
        path: Created where it is not there.

    Raises:
        UnusableError: If it is another file, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        make_folder(path.parent)
        if path.exists():
            check_regular(path)
        self._lock = Lock()
        with self._named():
            self._file = sqlite3.connect(
                path, PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            self._prepare()

    def _prepare(self) -> None:
        """Make the tables where they are missing.

        Raises:
            UnusableError: If the file is of another program, or a later version.
        """
        # Who opens the file next finds all or nothing, also after a kill.
        self._file.execute("BEGIN IMMEDIATE")
        try:
            self._check_or_make()
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")
        # Who opens the file at the same time may keep us from it, and does it; some shares can't.
        with suppress(sqlite3.OperationalError):
            self._file.execute("PRAGMA journal_mode=WAL")
        # A verdict is on disk before the next study is shown.
        self._file.execute("PRAGMA synchronous=FULL")

    def _check_or_make(self) -> None:
        """Make the tables in a new file, and refuse another one."""
        ours, version = (
            self._file.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )
        if self._file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            if (ours, version) != (APPLICATION, VERSION):
                raise UnusableError(f"{self.path}: not verdicts of `semiqc review`")
            return
        for table in _TABLES:
            self._file.execute(table)
        self._file.execute(f"PRAGMA application_id={APPLICATION}")
        self._file.execute(f"PRAGMA user_version={VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Let messages of SQLite name the file."""
        try:
            yield
        except sqlite3.Error as error:
            raise UnusableError(f"{self.path}: verdicts: {in_short(error)}") from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._named():
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield self._file
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")

    def _rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._lock, self._named():
            return self._file.execute(query, values).fetchall()

    def line_up(self, reader: str, places: Sequence[Place]) -> None:
        """Put what the reader has no place for at the end of their queue, in this order."""
        with self._writing() as file:
            query = "SELECT coalesce(max(position), -1) FROM places WHERE reader=?"
            last = file.execute(query, (reader,)).fetchone()[0]
            file.executemany(
                "INSERT OR IGNORE INTO places VALUES (?, ?, ?, ?, ?, 0)",
                [
                    (reader, one.study, one.of, one.showing, last + rank)
                    for rank, one in enumerate(places, start=1)
                ],
            )

    def queue(self, reader: str) -> list[Place]:
        """What the reader is to see, in order; what was put off comes last."""
        rows = self._rows(
            "SELECT study, of, showing FROM places WHERE reader=? ORDER BY put_off, position",
            reader,
        )
        return [Place(str(study), str(of), int(str(n))) for study, of, n in rows]

    def put_off(self, reader: str, place: Place) -> None:
        """Move a place to the end of the reader's queue."""
        with self._writing() as file:
            file.execute(
                "UPDATE places SET put_off = 1 + (SELECT max(put_off) FROM places WHERE reader=?)"
                " WHERE reader=? AND study=? AND of=? AND showing=?",
                (reader, reader, place.study, place.of, place.showing),
            )

    def give(self, said: Reading) -> int:
        """Keep a verdict; those before stay. Its number."""
        with self._writing() as file:
            place = said.place
            done = file.execute(
                "INSERT INTO verdicts (reader, study, of, showing, verdict, reasons, note,"
                " seconds, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    said.reader, place.study, place.of, place.showing, said.verdict,
                    json.dumps(said.reasons), said.note, said.seconds, said.at or _now(),
                ),
            )  # fmt: skip
            return int(done.lastrowid or 0)

    def undo(self, reader: str) -> Reading | None:
        """Take back the reader's last verdict that was not; None where there is none."""
        with self._writing() as file:
            rows = file.execute(
                f"{_READINGS} WHERE reader=? AND NOT undone ORDER BY id DESC LIMIT 1", (reader,)
            ).fetchall()
            found = _reading(rows[0]) if rows else None
            if found:
                file.execute("UPDATE verdicts SET undone=1 WHERE id=?", (found.number,))
            return found

    def readings(self, reader: str | None = None) -> list[Reading]:
        """The last verdict of each reader on each showing, in the order of their giving."""
        rows = self._rows(f"{_READINGS} WHERE NOT undone AND (?1 IS NULL OR reader=?1)", reader)
        last = {(one.reader, one.place): one for one in map(_reading, rows)}
        return sorted(last.values(), key=lambda one: one.number)

    def grade(self, given: Grade) -> None:
        """Keep a grade, which takes the place of one before; 0 takes it back."""
        with self._writing() as file:
            file.execute(
                "INSERT INTO grades (reader, study, of, frame, slice, structure, grade, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    given.reader, given.study, given.of, given.frame, given.slice,
                    given.structure, given.grade, _now(),
                ),
            )  # fmt: skip

    def grades(self) -> list[Grade]:
        """The last grade of each reader on each structure of each slice."""
        rows = self._rows(
            "SELECT reader, study, of, frame, slice, structure, grade, max(id) FROM grades"
            " GROUP BY reader, study, of, frame, slice, structure ORDER BY max(id)"
        )
        found = [
            Grade(str(r), str(s), str(o), int(str(t)), int(str(z)), str(c), int(str(g)))
            for r, s, o, t, z, c, g, _ in rows
        ]
        return [one for one in found if one.grade]


_READINGS = (
    "SELECT reader, study, of, showing, verdict, reasons, note, seconds, at, id FROM verdicts"
)


def _reading(row: tuple[object, ...]) -> Reading:
    reader, study, of, showing, verdict, reasons, note, seconds, at, number = row
    return Reading(
        str(reader),
        Place(str(study), str(of), int(str(showing))),
        str(verdict),
        tuple(map(str, json.loads(str(reasons)))),
        str(note),
        float(str(seconds)),
        str(at),
        int(str(number)),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

"""Verdicts and grades as CSV, out and in."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from qc.verdicts import read_verdicts
from semiqc.doors.csv_table import read_table
from semiqc.doors.regular import UnusableError
from semiqc.files.atomic import whole_folder
from semiqc.files.checksums import refuse_sealed
from semiqc.files.places import require_empty
from semiqc.pages.table import Table
from semiqc.review.agreed import agreed
from semiqc.review.agreement import Agreement, agreements
from semiqc.review.items import Item
from semiqc.review.records import Place, Reading, Records

TABLES = ("verdicts", "readings", "grades", "agreement")


def write_tables(
    records: Records, items: Sequence[Item], folder: Path, *, overwrite: bool = False
) -> list[Agreement]:
    """Write what was said of these items, and how far readers agree.

    ``verdicts.csv`` has one verdict a study, that of most readers, as ``qc.verdicts`` of a run
    takes it; ``readings.csv`` each reader's; ``grades.csv`` and ``agreement.csv`` the rest.

    Args:
        records: What was said.
        items: Of which it was said.
        folder: To write, whole or not at all.
        overwrite: Replace what was exported before.

    Returns:
        The rows of ``agreement.csv``.

    Raises:
        FileExistsError: If the folder holds something that may not be replaced.
    """
    _check_folder(folder, overwrite=overwrite)
    known = {(one.study, one.of) for one in items}
    readings = [one for one in records.readings() if (one.place.study, one.place.of) in known]
    found = agreements(readings)
    with whole_folder(folder, replaces=overwrite) as unfinished:
        for name, rows in _tables(records, readings, found, known).items():
            Table(name, "", rows, ()).write(unfinished)
    return found


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    """Make sure that a folder is free, or holds nothing but what was exported before.

    Raises:
        FileExistsError: Naming what it holds.
    """
    refuse_sealed(folder)
    if overwrite and folder.is_dir():
        others = {path.name for path in folder.iterdir()} - {f"{name}.csv" for name in TABLES}
        if others:
            raise FileExistsError(
                f"{folder}: holds {min(others)}, which no review wrote; name another folder"
            )
        return
    require_empty(folder)


def _tables(
    records: Records,
    readings: Sequence[Reading],
    found: Sequence[Agreement],
    known: Collection[tuple[str, str]],
) -> dict[str, list[dict[str, str | int | float]]]:
    """Rows of each table, by its name in ``TABLES``."""
    return {
        "verdicts": [
            {
                "study": one.study,
                "verdict": "good" if one.is_good else "erroneous",
                "readers": one.readers,
                "unanimous": int(one.unanimous),
            }
            for one in agreed(readings)
        ],
        "readings": [_row(one) for one in readings],
        "grades": [
            {name: cell for name, cell in asdict(one).items() if name != "of"}
            for one in records.grades()
            if (one.study, one.of) in known
        ],
        "agreement": [asdict(one) for one in found],
    }


def read_into(records: Records, items: Sequence[Item], path: Path, reader: str) -> int:
    """Keep the verdicts of a CSV file as those of a reader; how many there were.

    Args:
        records: That get them.
        items: Of which they are.
        path: With ``study`` and ``verdict``, and perhaps ``reasons`` and ``note``.
        reader: Whose they are.

    Raises:
        UnusableError: If the file is not such a table.
        ValueError: If it judges a study that is not among the items.
    """
    said = read_verdicts(path)
    places = {one.study: Place(one.study, one.of) for one in items}
    _check_known(path, said, places)
    table = read_table(path)
    more = {row["study"].strip(): row for row in table.rows}
    for study, is_good in said.items():
        reasons = [one.strip() for one in more[study].get("reasons", "").split(";")]
        records.give(
            Reading(
                reader,
                places[study],
                "good" if is_good else "erroneous",
                tuple(one for one in reasons if one),
                more[study].get("note", ""),
            )
        )
    return len(said)


def _check_known(path: Path, said: Collection[str], places: Collection[str]) -> None:
    unknown = sorted(set(said) - set(places))
    if unknown:
        raise UnusableError(f"{path}: a verdict on {unknown[0]}, which is not under review")


def _row(one: Reading) -> dict[str, str | int | float]:
    return {
        "study": one.place.study,
        "verdict": one.verdict,
        "reader": one.reader,
        "showing": one.place.showing,
        "reasons": "; ".join(one.reasons),
        "note": one.note,
        "seconds": round(one.seconds, 1),
        "at": one.at,
    }

"""Verdicts and grades as CSV, out and in."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from qc.verdicts import read_verdicts
from semiqc.doors.csv_table import read_table
from semiqc.doors.regular import UnusableError
from semiqc.files.atomic import make_folder
from semiqc.files.checksums import refuse_sealed
from semiqc.pages.table import Table
from semiqc.review.agreed import agreed
from semiqc.review.agreement import Agreement, agreements
from semiqc.review.items import Item
from semiqc.review.records import Place, Reading, Records


def write_tables(records: Records, items: Sequence[Item], folder: Path) -> list[Agreement]:
    """Write what was said of these items, and how far readers agree.

    ``verdicts.csv`` has one verdict a study, that of most readers, as ``qc.verdicts`` of a run
    takes it; ``readings.csv`` each reader's; ``grades.csv`` and ``agreement.csv`` the rest.

    Returns:
        The rows of ``agreement.csv``.
    """
    refuse_sealed(folder)
    make_folder(folder)
    known = {(one.study, one.of) for one in items}
    readings = [one for one in records.readings() if (one.place.study, one.place.of) in known]
    found = agreements(readings)
    rows: dict[str, list[dict[str, str | int | float]]] = {
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
    for name, cells in rows.items():
        Table(name, "", cells, ()).write(folder)
    return found


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

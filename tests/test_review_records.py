import sqlite3
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from semiqc.doors.regular import UnusableError
from semiqc.review import records as records_module
from semiqc.review.records import Grade, Place, Reading, Records

A, B, C = (Place(name, "x") for name in "abc")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kept" / "verdicts.sqlite"


def verdicts(records, reader=None):
    return {one.place.study: one.verdict for one in records.readings(reader)}


def test_verdicts_are_on_disk_once_given(path):
    records = Records(path)
    records.give(Reading("ann", A, "good", ("leaks out",), "at the apex", 4.5))

    # The first is not closed: as if the server had been killed.
    [found] = Records(path).readings()

    assert (found.reader, found.place, found.verdict) == ("ann", A, "good")
    assert (found.reasons, found.note, found.seconds) == (("leaks out",), "at the apex", 4.5)
    assert found.at.endswith("+00:00")


def test_a_later_verdict_counts_and_undo_brings_the_one_before_back(path):
    records = Records(path)
    records.give(Reading("ann", A, "good"))
    records.give(Reading("ann", A, "erroneous"))
    later = verdicts(records)
    undone = records.undo("ann")

    assert later == {"a": "erroneous"}
    assert undone.verdict == "erroneous"
    assert verdicts(records) == {"a": "good"}


def test_undo_takes_back_the_readers_own_last_verdict(path):
    records = Records(path)
    for reader, place in (("ann", A), ("ann", B), ("bob", C)):
        records.give(Reading(reader, place, "good"))
    records.undo("ann")

    assert verdicts(records) == {"a": "good", "c": "good"}
    assert records.undo("cleo") is None


def test_processes_that_make_the_file_at_the_same_time_share_it(tmp_path):
    for number in range(20):
        begin = Barrier(4)

        def opened(reader, path=tmp_path / f"{number}.sqlite", begin=begin):
            begin.wait()
            Records(path).give(Reading(reader, A, "good"))
            return path

        with ThreadPoolExecutor(4) as pool:
            path, *_ = pool.map(opened, "abcd")
        assert {one.reader for one in Records(path).readings()} == set("abcd")


def test_what_is_killed_while_it_makes_the_file_leaves_nothing_in_it(path, monkeypatch):
    monkeypatch.setattr(records_module, "_TABLES", (*records_module._TABLES, "CREATE KILLED"))
    with pytest.raises(UnusableError, match="verdicts: near"):
        Records(path)
    monkeypatch.undo()

    Records(path).give(Reading("ann", A, "good"))
    assert verdicts(Records(path)) == {"a": "good"}


def test_a_file_of_another_program_stays_as_it_is(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE theirs (a)")
    file.close()
    before = path.read_bytes()

    with pytest.raises(UnusableError, match="not verdicts of `semiqc review`"):
        Records(path)
    assert path.read_bytes() == before


def test_two_windows_on_one_study_lose_no_verdict(path):
    first, second = Records(path), Records(path)
    first.give(Reading("ann", A, "good"))
    second.give(Reading("ann", A, "erroneous"))

    with sqlite3.connect(path) as file:
        kept = [verdict for (verdict,) in file.execute("SELECT verdict FROM verdicts")]
    assert kept == ["good", "erroneous"]
    assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_queue_stays_as_it_was_and_what_is_new_comes_last(path):
    records = Records(path)
    records.line_up("ann", [B, A])
    records.line_up("ann", [A, C, B])
    records.line_up("bob", [C])

    assert records.queue("ann") == [B, A, C]
    assert records.queue("bob") == [C]


def test_what_is_put_off_comes_last_in_the_order_of_putting_off(path):
    records = Records(path)
    records.line_up("ann", [A, B, C])
    records.put_off("ann", A)
    records.put_off("ann", B)

    assert Records(path).queue("ann") == [C, A, B]


def test_a_verdict_is_of_one_segmentation(path):
    records = Records(path)
    other = Place("a", "another model's")
    records.give(Reading("ann", A, "good"))
    records.give(Reading("ann", other, "erroneous"))

    assert {one.place: one.verdict for one in records.readings()} == {
        A: "good",
        other: "erroneous",
    }


def test_the_last_grade_counts_and_none_takes_it_back(path):
    records = Records(path)
    for grade in (1, 3):
        records.grade(Grade("ann", "a", "x", 0, 2, "LV", grade))
    records.grade(Grade("ann", "a", "x", 0, 2, "RV", 2))
    records.grade(Grade("ann", "a", "x", 0, 2, "RV", 0))

    assert records.grades() == [Grade("ann", "a", "x", 0, 2, "LV", 3)]


@pytest.mark.parametrize("content", [b"no database at all, but long enough" * 40, b"SQLite"])
def test_another_file_is_refused_with_its_name(path, content):
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(UnusableError, match=str(path)):
        Records(path)


def test_the_database_of_another_program_is_left_alone(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()

    with pytest.raises(UnusableError, match="not verdicts of `semiqc review`"):
        Records(path)
    assert path.read_bytes() == before

"""Workers note what became of studies; what nobody noted is left to who began them."""

import pytest

from semiqc.work import shares
from semiqc.work.engines.side import Side
from semiqc.work.monitor import Silent
from semiqc.work.shares import Outcome, Shares, dealt_with
from semiqc.work.sharing import Alone, Worker

NAMES = list("abcdefg")


class Dealer:
    """Deals with studies; leaves ``b`` out, and is killed at a study."""

    def __init__(self, killed_at=None):
        self.dealt, self.killed_at = [], killed_at

    def __call__(self, number):
        name = NAMES[number]
        if name == self.killed_at:
            raise KeyboardInterrupt
        self.dealt.append(name)
        return Outcome(name, "broken" if name == "b" else "")


@pytest.fixture
def parted(tmp_path, monkeypatch):
    """Parts of two studies."""
    monkeypatch.setattr(shares, "PARTS", 3)
    with Shares(tmp_path, NAMES) as found:
        yield found


def noted(found):
    return [None if one is None else (one.name, one.left_out) for one in found.outcomes()]


def test_what_a_killed_worker_noted_is_not_dealt_with_again(parted, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        parted.work(Worker(tmp_path, 0), killed := Dealer("d"))
    parted.work(Worker(tmp_path, 1), other := Dealer())

    assert killed.dealt == list("abc")
    assert sorted(other.dealt) == list("cdefg")
    assert noted(parted) == [(name, "broken" if name == "b" else "") for name in NAMES]


def test_studies_that_nobody_dealt_with_are_none(parted):
    with pytest.raises(KeyboardInterrupt):
        parted.work(Alone(), Dealer("d"))

    assert noted(parted) == [("a", ""), ("b", "broken"), *[None] * 5]


@pytest.mark.parametrize("text", ["[", "[1]", '[{"name": "c"}, {"name": "x"}]', '[{"name": "c"}]'])
def test_notes_of_other_studies_count_for_nothing(parted, text):
    parted.work(Alone(), Dealer())
    (parted.folder / "1.json").write_text(text)

    assert noted(parted)[2:4] == [None, None]
    assert noted(parted)[4:] == [(name, "") for name in "efg"]


@pytest.mark.parametrize(("count", "parts"), [(0, 0), (3, 3), (9, 5), (40, 10), (41, 11)])
def test_there_are_more_parts_only_where_they_would_be_too_large(
    tmp_path, monkeypatch, count, parts
):
    monkeypatch.setattr(shares, "PARTS", 4)
    monkeypatch.setattr(shares, "LARGEST", 4)
    asked = []
    with Shares(tmp_path, range(count)) as found:
        found.work(Alone(), lambda number: asked.append(number) or Outcome("x"))
        assert len(list(found.folder.iterdir())) == parts

    assert asked == list(range(count))
    assert not found.folder.exists()


@pytest.mark.parametrize(("count", "most"), [(3, 0), (8, 2), (400, 100)])
def test_there_are_workers_for_four_studies_each(tmp_path, monkeypatch, count, most):
    told = {}
    monkeypatch.setattr(shares, "side_by_side", lambda *_, **how: told.update(how))
    names, silent = ["x"] * count, Silent()
    with dealt_with(names, tmp_path, Side(), silent, print, module="m", given="") as outcomes:
        assert list(outcomes) == [None] * count

    assert told["most"] == most


def test_what_was_noted_before_a_kill_is_not_believed(parted, tmp_path, monkeypatch):
    parted.work(Alone(), Dealer())
    monkeypatch.setattr(shares, "side_by_side", lambda *_, **__: None)
    with dealt_with(NAMES, tmp_path, Side(), Silent(), print, module="m", given="") as outcomes:
        assert list(outcomes) == [None] * len(NAMES)

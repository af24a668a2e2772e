"""A run folder is one consistent run whenever the process that writes it is killed."""

import shutil

import pytest

from semiqc.files.checksums import damages
from semiqc.work import publishing
from semiqc.work.folder import claim
from semiqc.work.publishing import publish, settle


class Killed(BaseException):
    pass


def result(text, *, qc):
    def make(folder):
        (folder / "settings.yaml").write_text(text)
        for part in ("results", "models", *(["qc"] if qc else [])):
            (folder / part).mkdir()
            (folder / part / f"{text}.csv").write_text(text)

    return make


def content(run):
    found = {p.relative_to(run).as_posix(): p.read_text() for p in run.rglob("*") if p.is_file()}
    return {name: text for name, text in found.items() if name not in ("manifest.json", ".lock")}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    publish(folder, result("old", qc=True))
    return folder


def test_a_result_is_replaced_as_a_whole(run):
    publish(run, result("new", qc=False))

    assert content(run) == {
        "settings.yaml": "new", "results/new.csv": "new", "models/new.csv": "new",
    }  # fmt: skip
    assert damages(run) == []


@pytest.mark.parametrize("renames", range(9))
def test_a_kill_at_any_rename_leaves_the_old_result_or_the_new(run, renames, monkeypatch):
    done = []

    def move(source, target):
        if len(done) == renames:
            raise Killed
        done.append(source)
        source.replace(target)

    monkeypatch.setattr(publishing, "move", move)
    with pytest.raises(Killed):
        publish(run, result("new", qc=False))
    monkeypatch.undo()
    settle(run)

    left = {name: text for name, text in content(run).items() if not name.startswith(".next.part")}
    assert set(left.values()) == {"new" if renames else "old"}
    assert damages(run) == []
    publish(run, result("third", qc=True))
    assert set(content(run).values()) == {"third"}


def test_a_result_that_was_never_settled_is_replaced_all_the_same(run, monkeypatch):
    monkeypatch.setattr(publishing, "carry_on", stop_at_next)
    with pytest.raises(Killed):
        publish(run, result("new", qc=False))
    monkeypatch.undo()
    assert (run / ".next").is_dir()
    publish(run, result("third", qc=False))

    assert set(content(run).values()) == {"third"}


def stop_at_next(run):
    if (run / ".next").exists():
        raise Killed


def test_what_an_earlier_kill_left_aside_is_in_nobodys_way(run):
    (run / ".before" / "results").mkdir(parents=True)
    (run / ".before" / "results" / "older.csv").write_text("older")
    publish(run, result("new", qc=False))

    assert set(content(run).values()) == {"new"}


def test_what_is_left_when_all_was_renamed_is_removed(run):
    for left in (".next", ".before"):
        (run / left / "results").mkdir(parents=True)
    settle(run)

    assert set(content(run).values()) == {"old"}
    assert not (run / ".next").exists()
    assert not (run / ".before").exists()


def test_the_next_claim_carries_on_too(run, tmp_path):
    shutil.copytree(run, tmp_path / "kept")
    publish(run, result("new", qc=True))
    (tmp_path / "next").mkdir()
    for part in ("settings.yaml", "manifest.json", "results", "models", "qc"):
        (run / part).replace(tmp_path / "next" / part)
        (tmp_path / "kept" / part).replace(run / part)
    (tmp_path / "next").replace(run / ".next")
    with claim(run, {}):
        pass

    assert (run / "models" / "new.csv").exists()
    assert damages(run) == []


def test_settings_of_a_finished_run_stay_while_another_is_tried(tmp_path):
    with claim(tmp_path, {"steps": 1}):
        (tmp_path / "results").mkdir()
        (tmp_path / "results" / "data.json").write_text("{}")
    before = (tmp_path / "settings.yaml").read_bytes()
    with claim(tmp_path, {"steps": 2}):
        pass

    assert (tmp_path / "settings.yaml").read_bytes() == before

import os

import pytest

from semiqc.files import atomic
from semiqc.files.atomic import unfinished_folder
from semiqc.files.checksums import damages, entries_of
from semiqc.work.stages import RunFolder


class Maker:
    """Counts how often it is called."""

    def __init__(self, text="made"):
        self.calls = 0
        self.text = text

    def __call__(self, folder):
        self.calls += 1
        (folder / "result").write_text(self.text)


def test_a_finished_stage_is_found_again(tmp_path):
    make = Maker()
    first = RunFolder(tmp_path).stage("train", {"seed": 1}, make)
    again = RunFolder(tmp_path).stage("train", {"seed": 1}, make)

    assert make.calls == 1
    assert (again.folder / "result").read_text() == "made"
    assert again == first


@pytest.mark.parametrize(
    ("name", "depends"), [("train", {"seed": 2}), ("judge", {"seed": 1}), ("train", {})]
)
def test_anything_it_depends_on_makes_it_another_stage(tmp_path, name, depends):
    make = Maker()
    first = RunFolder(tmp_path).stage("train", {"seed": 1}, make)
    other = RunFolder(tmp_path).stage(name, depends, make)

    assert make.calls == 2
    assert other.key != first.key


def test_the_order_of_what_it_depends_on_does_not_matter(tmp_path):
    make = Maker()
    for depends in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        RunFolder(tmp_path).stage("train", depends, make)

    assert make.calls == 1


def test_a_failed_stage_is_not_there_and_goes_on_with_what_it_left(tmp_path):
    def fail(folder):
        (folder / "half").write_text("done")
        raise RuntimeError("power cut")

    folder = RunFolder(tmp_path)
    with pytest.raises(RuntimeError, match="power cut"):
        folder.stage("train", {}, fail)
    left = []
    stage = folder.stage("train", {}, lambda f: left.extend(p.name for p in f.iterdir()))

    assert left == ["half"]
    assert (stage.folder / "half").read_text() == "done"


def test_stages_are_announced(tmp_path):
    heard = []
    for _ in range(2):
        RunFolder(tmp_path, lambda name, found: heard.append((name, found))).stage(
            "train", {}, Maker()
        )

    assert heard == [("train", False), ("train", True)]


@pytest.mark.parametrize("damage", ["removed", "emptied", "flipped", "without manifest"])
def test_a_damaged_stage_is_put_aside_and_made_anew(tmp_path, damage):
    heard = []
    folder = RunFolder(tmp_path, note=heard.append)
    stage = folder.stage("train", {}, Maker())
    path = stage.folder / ("manifest.json" if damage == "without manifest" else "result")
    path.write_text({"flipped": "nade"}.get(damage, ""))
    if damage in ("removed", "without manifest"):
        path.unlink()
    again = folder.stage("train", {}, Maker())

    assert (again.folder / "result").read_text() == "made"
    assert (tmp_path / "damaged" / stage.folder.name).is_dir()
    assert [f"{path}: damaged" in said for said in heard] == [True]


def test_what_no_command_reads_makes_no_stage_anew(tmp_path):
    def make(folder):
        (folder / "tensorboard").mkdir()
        (folder / "tensorboard" / "events").write_text("drawn")

    stage = RunFolder(tmp_path).stage("train", {}, make)
    for left in ("events", "more"):
        (stage.folder / "tensorboard" / left).write_text("other")

    assert RunFolder(tmp_path).stage("train", {}, lambda _: pytest.fail("made anew")) == stage


def test_a_stage_of_another_version_is_made_anew(tmp_path, monkeypatch):
    make = Maker()
    first = RunFolder(tmp_path).stage("train", {}, make)
    monkeypatch.setattr("semiqc.work.stages.__version__", "0.0.1")

    assert RunFolder(tmp_path).stage("train", {}, make).key != first.key
    assert make.calls == 2


def test_an_attempt_that_cannot_be_gone_on_from_is_put_aside(tmp_path):
    left, heard = [], []

    def stopped(folder):
        (folder / "state.safetensors").write_text("half")
        raise RuntimeError("killed")

    folder = RunFolder(tmp_path, note=heard.append)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            folder.stage("train", {}, stopped)
        folder.stage("train", {}, lambda f: left.extend(f.iterdir()))
        (folder.used[-1] / "manifest.json").unlink()

    assert left == []
    assert len(list((tmp_path / "damaged").iterdir())) == 3
    assert "state.safetensors: damaged, cannot be read" in heard[0]


@pytest.mark.parametrize("name", ["../../out", "a/b", "..", "x" * 300])
def test_a_stage_stays_in_its_run_folder_whatever_it_is_called(tmp_path, name):
    stage = RunFolder(tmp_path / "run").stage(name, {}, Maker())

    assert stage.folder.resolve().parent == tmp_path / "run" / "stages"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_stage_that_was_killed_before_it_had_its_name_is_not_made_again(tmp_path, monkeypatch):
    folder, made = RunFolder(tmp_path), []

    def make(unfinished):
        made.append(1)
        (unfinished / "weights").write_text("done")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "take_place", killed)
        with pytest.raises(KeyboardInterrupt):
            folder.stage("train", {}, make)
    stage = folder.stage("train", {}, make)

    assert made == [1]
    assert damages(stage.folder) == []


def test_a_stage_whose_name_is_missing_and_that_is_damaged_is_made_again(tmp_path):
    folder, made = RunFolder(tmp_path), []

    def make(unfinished):
        made.append(sorted(path.name for path in unfinished.iterdir()))
        (unfinished / "weights").write_text("done")

    stage = folder.stage("train", {}, make)
    left = unfinished_folder(stage.folder)
    stage.folder.rename(left)
    (left / "weights").write_text("cut")

    folder.stage("train", {}, make)

    assert made == [[], ["weights"]]
    assert damages(stage.folder) == []


def test_what_a_killed_process_half_wrote_is_no_part_of_a_stage(tmp_path):
    folder = RunFolder(tmp_path)

    def killed(unfinished):
        (unfinished / f".weights.{os.getpid()}.tmp").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.stage("train", {}, killed)
    stage = folder.stage("train", {}, lambda unfinished: (unfinished / "weights").touch())

    assert set(entries_of(stage.folder)) == {"weights"}
    assert sorted(path.name for path in stage.folder.iterdir()) == ["manifest.json", "weights"]

"""What was written outlives a power cut: all that was not synced is dropped here."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from semiqc.files.atomic import move, sync_folder, whole_folder, write_text
from semiqc.loop_state import LoopState
from semiqc.work.publishing import publish
from semiqc.work.stages import RunFolder


class Disk:
    """Knows what is on disk: contents and names at the last sync of each file and folder."""

    def __init__(self, root):
        self.root = root
        self.names = {root.stat().st_ino: {}}
        self.contents = {}

    def sync(self, descriptor):
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        number = path.stat().st_ino
        # The number of a file that is gone may be another's by now.
        self.names.pop(number, None)
        if path.is_dir():
            self.names[number] = {one.name: one.stat().st_ino for one in path.iterdir()}
        else:
            self.contents[number] = path.read_bytes()

    def after_a_power_cut(self, folder=None):
        """Contents by path; a folder whose names were never synced is empty, a file lost."""
        number = self.root.stat().st_ino if folder is None else folder
        found = {}
        for name, inner in self.names.get(number, {}).items():
            if inner in self.names:
                deeper = self.after_a_power_cut(inner)
                found |= {f"{name}/{below}": content for below, content in deeper.items()}
            else:
                found[name] = self.contents.get(inner)
        return found


@pytest.fixture
def disk(tmp_path, monkeypatch):
    disk = Disk(tmp_path)
    monkeypatch.setattr(os, "fsync", disk.sync)
    return disk


def standing(root):
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def fill(folder, text="text"):
    (folder / "results").mkdir(exist_ok=True)
    (folder / "results" / "a.csv").write_text(text)
    (folder / "settings.yaml").write_text(text)


def write_folder(root):
    for text in ("old", "new"):
        with whole_folder(root / "deep" / "folder") as unfinished:
            fill(unfinished, text)


def publish_twice(root):
    for text in ("old", "new"):
        (root / "run").mkdir(exist_ok=True)
        # As `claim` leaves it.
        write_text(root / "run" / "lock", "")
        os.fsync(descriptor := os.open(root, os.O_RDONLY))
        os.close(descriptor)
        publish(root / "run", lambda folder, text=text: fill(folder, text))


def save_state(root):
    module = nn.Linear(2, 3)
    (root / "training.csv").write_text("1\n")
    LoopState(root, "a", {"network": module}, torch.optim.AdamW(module.parameters())).save(1)


@pytest.mark.parametrize(
    "write",
    [
        save_state,
        lambda root: write_text(root / "deep" / "er" / "a.txt", "text"),
        write_folder,
        lambda root: RunFolder(root).stage("train", {}, fill),
        publish_twice,
    ],
)
def test_what_was_not_synced_is_nothing_that_is_missed(disk, tmp_path, write):
    write(tmp_path)

    assert standing(tmp_path)
    left = disk.after_a_power_cut()
    assert {name: left.get(name) for name in standing(tmp_path)} == standing(tmp_path)
    # What was to be removed may still stand aside.
    assert all("/." in name for name in left.keys() - standing(tmp_path).keys())


def test_what_was_moved_is_not_where_it_was(disk, tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        write_text(tmp_path / name / "a.txt", name)
    sync_folder(tmp_path)
    move(tmp_path / "here" / "a.txt", tmp_path / "there" / "b.txt")

    assert disk.after_a_power_cut() == {"there/a.txt": b"there", "there/b.txt": b"here"}


def test_a_write_without_syncs_would_be_noticed(disk, tmp_path):
    (tmp_path / "a").write_text("text")

    assert disk.after_a_power_cut() == {}

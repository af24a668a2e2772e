"""What was changed since it was written is noticed; what was not is passed."""

import json
import os

import pytest

from semiqc.files.checksums import (
    DamagedError,
    damages,
    entries_of,
    refuse_damaged,
    sha256_of,
    write_manifest,
)
from semiqc.files.names import as_file_name


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "weights").write_bytes(bytes(range(100)))
    (tmp_path / "inner" / "log").write_text("a line\n")
    write_manifest(tmp_path)
    return tmp_path


def flip(path, at=-1):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "removed": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "flipped": flip,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


def test_a_sound_folder_has_no_damage(folder):
    assert damages(folder) == []


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("name", ["weights", "inner/log", "manifest.json"])
def test_a_changed_file_is_named(folder, name, kind):
    DAMAGES[kind](folder / name)
    found = damages(folder)

    # A flipped manifest may speak of another file than itself; it never passes.
    assert found
    assert name == "manifest.json" or [one.path for one in found] == [folder / name]


def test_every_bit_of_a_manifest_that_says_something_else_is_noticed(folder):
    path = folder / "manifest.json"
    whole, told = path.read_bytes(), json.loads(path.read_text())
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            is_same = json.loads(path.read_text()) == told
        except ValueError:
            is_same = False
        assert is_same or damages(folder), at


@pytest.mark.parametrize("name", ["weights", "inner/log"])
def test_a_damaged_manifest_is_noticed_whatever_file_is_looked_at(folder, name):
    path = folder / "manifest.json"
    told = json.loads(path.read_text())
    told["files"]["inner/log" if name == "weights" else "weights"]["size"] += 1
    path.write_text(json.dumps(told))

    assert [one.path for one in damages(folder, only=[name])] == [path]
    # As it was written before.
    del told["sha256"]
    told["version"] = 1
    path.write_text(json.dumps(told))
    assert damages(folder, only=[name]) == []


def test_a_single_file_is_refused_by_name(folder):
    refuse_damaged(folder / "weights")
    flip(folder / "weights")

    with pytest.raises(DamagedError, match="weights: damaged, its SHA-256"):
        refuse_damaged(folder / "weights")
    (folder / "other").write_text("x")
    with pytest.raises(DamagedError, match="other: damaged, its manifest does not list it"):
        refuse_damaged(folder / "other")


def test_a_file_that_stays_is_hashed_once(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("a")
    monkeypatch.setattr("semiqc.files.checksums.SETTLED_S", -1.0)
    first = sha256_of(path)
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("hashed again"))

    assert sha256_of(path) == first


def test_a_file_written_over_at_once_is_hashed_again(tmp_path):
    path = tmp_path / "a"
    path.write_text("a")
    first, state = sha256_of(path), path.stat()
    path.write_text("b")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert sha256_of(path) != first


@pytest.mark.parametrize("name", ["../../up", "a/b", "..", "", "a\\b", "x" * 400, "ä\0:*"])
def test_a_name_stays_in_its_folder(tmp_path, name):
    path = tmp_path / as_file_name(name)

    path.touch()
    assert path.resolve().parent == tmp_path


def test_what_another_process_writes_is_in_no_manifest(tmp_path):
    (tmp_path / "a").touch()
    (tmp_path / ".b.1.tmp").touch()

    write_manifest(tmp_path)

    assert set(entries_of(tmp_path)) == {"a"}

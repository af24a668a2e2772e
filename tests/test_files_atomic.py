import errno
import os
from pathlib import Path

import pytest
import torch

from segmenters.weights import write_weights
from semiqc.files.atomic import (
    filled_folder,
    unfinished_folder,
    whole_file,
    whole_folder,
    write_text,
)


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "before")

    def fail():
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        fail()

    assert path.read_text() == "before"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o007, 0o660)])
def test_others_may_read_what_is_written_as_far_as_the_user_says(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with whole_file(tmp_path / "a") as temporary:
            temporary.touch(mode=0o600)
    finally:
        os.umask(before)

    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_a_folder_takes_its_name_only_when_the_block_ends_well(tmp_path):
    path = tmp_path / "stage"
    with whole_folder(path) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "file").write_text("x")
        assert not path.exists()

    assert (path / "inner" / "file").read_text() == "x"
    assert [p.name for p in tmp_path.iterdir()] == ["stage"]


def test_a_folder_replaces_the_one_before(tmp_path):
    path = tmp_path / "stage"
    for name in ("old", "new"):
        with whole_folder(path) as temporary:
            (temporary / name).touch()

    assert [p.name for p in path.iterdir()] == ["new"]


def fill_and_fail(folder, error):
    with folder as place:
        (place / "half").touch()
        raise error


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), ValueError("x"), KeyboardInterrupt()]
)
def test_a_folder_that_fails_leaves_nothing_but_the_one_before(tmp_path, error):
    path = tmp_path / "data"
    with pytest.raises(type(error)):
        fill_and_fail(whole_folder(path), error)
    assert not list(tmp_path.iterdir())

    with whole_folder(path) as temporary:
        (temporary / "old").touch()
    with pytest.raises(type(error)):
        fill_and_fail(whole_folder(path), error)

    assert [one.relative_to(tmp_path).as_posix() for one in tmp_path.rglob("*")] == [
        "data", "data/old",
    ]  # fmt: skip


def test_what_a_killed_process_left_is_in_no_folder(tmp_path):
    unfinished = unfinished_folder(tmp_path / "data")
    (unfinished / "deep").mkdir(parents=True)
    with whole_folder(tmp_path / "data") as temporary:
        (temporary / "new").touch()

    assert [path.name for path in (tmp_path / "data").iterdir()] == ["new"]
    assert not unfinished.exists()


def test_what_was_put_aside_before_a_kill_is_put_back(tmp_path):
    (tmp_path / ".data.old").mkdir()
    (tmp_path / ".data.old" / "old").touch()
    with pytest.raises(ValueError, match="x"):
        fill_and_fail(whole_folder(tmp_path / "data"), ValueError("x"))

    assert [path.name for path in (tmp_path / "data").iterdir()] == ["old"]


def test_work_that_goes_on_finds_what_it_left(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill_and_fail(whole_folder(tmp_path / "stage", goes_on=True), KeyboardInterrupt())

    with whole_folder(tmp_path / "stage", goes_on=True) as temporary:
        assert [path.name for path in temporary.iterdir()] == ["half"]


def test_a_folder_that_a_link_leads_to_stays_where_it_is(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far")
    with whole_folder(tmp_path / "link") as temporary:
        (temporary / "new").touch()

    assert (tmp_path / "link").is_symlink()
    assert [path.name for path in (tmp_path / "far").iterdir()] == ["new"]


def test_the_working_folder_can_be_filled(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with whole_folder(Path()) as temporary:
        (temporary / "new").touch()

    assert [path.name for path in (tmp_path / "here").iterdir()] == ["new"]


def test_a_folder_that_holds_something_is_written_into(tmp_path):
    (tmp_path / "kept").touch()
    with filled_folder(tmp_path, overwrite=True) as place:
        assert place == tmp_path
    with pytest.raises(OSError, match="full"):
        fill_and_fail(filled_folder(tmp_path / "new", overwrite=False), OSError("full"))

    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), errno.ENOSPC),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), errno.EDQUOT),
    ],
)
def test_a_full_disk_is_told_with_what_was_to_be_written(tmp_path, whole, error, number):
    with pytest.raises(OSError, match=os.strerror(number)) as raised, whole(tmp_path / "a"):
        raise error

    assert raised.value.errno == number
    assert raised.value.filename == str(tmp_path / "a")


def test_another_error_stays_what_it_is(tmp_path):
    for error in (FileNotFoundError(errno.ENOENT, "x", "elsewhere"), OSError("words"), KeyError()):
        with pytest.raises(type(error)) as raised, whole_file(tmp_path / "a"):
            raise error
        assert raised.value is error


def test_weights_that_cannot_be_written_leave_no_file_of_another_name(tmp_path, monkeypatch):
    names = []

    def full(path, content):
        names.extend(one.name for one in path.parent.iterdir())
        path.touch()
        names.extend(one.name for one in path.parent.iterdir())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space") as raised:
        write_weights(torch.nn.Linear(2, 2), tmp_path / "a.safetensors", {})

    assert raised.value.filename == str(tmp_path / "a.safetensors")
    assert names == [f".a.safetensors.{os.getpid()}.tmp"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["semiqc", "segmenters", "qc", "loops"])
def test_nothing_is_written_by_safetensors_itself(package):
    """It would write into a file of another name first; see ``write_bytes``."""
    texts = [path.read_text() for path in (Path(__file__).parents[1] / package).rglob("*.py")]

    assert texts
    assert not [text for text in texts if "save_file" in text]

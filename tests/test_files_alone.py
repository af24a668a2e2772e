"""Two processes that write to one place: neither destroys what the other makes."""

import errno
import fcntl

import pytest
from builders import study_of

from semiqc.files import alone as module
from semiqc.files.alone import alone
from semiqc.files.atomic import filled_folder, whole_file, whole_folder
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS

MEANWHILE = "out: another command wrote it meanwhile"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_written_by_one_at_a_time(out):
    with whole_folder(out) as first:
        (first / "a").touch()
        with pytest.raises(BlockingIOError, match="out: another process writes it"):
            whole_folder(out).__enter__()
        assert names(first) == ["a"]

    assert names(out) == ["a"]
    assert names(out.parent) == ["out"]
    with whole_folder(out) as second:
        (second / "b").touch()
    assert names(out) == ["b"]


def test_a_folder_beside_whose_files_others_are_written_is_written_by_one_at_a_time(out):
    out.mkdir()
    (out / "own").touch()
    with (
        filled_folder(out, overwrite=True),
        pytest.raises(BlockingIOError, match="out: another process writes it"),
    ):
        filled_folder(out, overwrite=True).__enter__()
    with filled_folder(out, overwrite=True) as found:
        assert found == out
    with pytest.raises(FileExistsError, match=MEANWHILE):
        filled_folder(out, overwrite=False).__enter__()
    assert names(out) == ["own"]


def test_what_came_meanwhile_is_not_replaced_unasked(out):
    def write():
        with whole_folder(out, replaces=False):
            out.mkdir()
            (out / "theirs").touch()

    with pytest.raises(FileExistsError, match=MEANWHILE):
        write()
    assert names(out) == ["theirs"]
    with pytest.raises(FileExistsError, match=MEANWHILE):
        whole_folder(out, replaces=False).__enter__()
    assert names(out.parent) == ["out"]

    with whole_folder(out, replaces=True) as own:
        (own / "ours").touch()
    assert names(out) == ["ours"]


def test_a_file_that_came_meanwhile_is_not_replaced_unasked(out):
    def write():
        with whole_file(out, replaces=False) as own:
            own.write_text("ours")
            out.write_text("theirs")

    with pytest.raises(FileExistsError, match=MEANWHILE):
        write()
    assert out.read_text() == "theirs"
    assert names(out.parent) == ["out"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_store_that_came_meanwhile_is_replaced_where_that_is_asked(out, overwrite):
    first, second = (StoreWriter(out, SHORT_AXIS, overwrite=overwrite) for _ in range(2))
    with second:
        second.add(study_of("theirs"))

    def write():
        with first:
            first.add(study_of("ours"))

    if overwrite:
        write()
    else:
        with pytest.raises(FileExistsError, match=MEANWHILE):
            write()
    assert Store(out).names == ("ours" if overwrite else "theirs",)


def test_the_folder_that_is_locked_is_the_one_that_stands_there(out, monkeypatch):
    locked = []

    def lock(descriptor, called):
        # The process that had it before comes to its end between the opening and the lock.
        if not locked:
            out.rename(out.with_name("done"))
        locked.append(descriptor)

    monkeypatch.setattr(module, "_lock", lock)
    with alone(out, out):
        assert len(locked) == 2
        assert out.is_dir()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EBADF, errno.ENOTSUP])
def test_where_folders_know_no_locks_nobody_is_kept(out, monkeypatch, number):
    def refused(descriptor, how):
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", refused)
    with whole_folder(out) as own:
        (own / "a").touch()
    assert names(out) == ["a"]

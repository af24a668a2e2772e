"""Folders that cannot be renamed, such as mount points, are filled; files that cannot are told."""

import errno
import os
from pathlib import Path

import pytest

from semiqc.files import staying
from semiqc.files.atomic import (
    filled_folder,
    move,
    sync_file,
    unfinished_folder,
    whole_file,
    whole_folder,
    write_text,
)
from semiqc.files.places import require_empty
from semiqc.files.staying import is_mount, stays
from semiqc.work.folder import claim


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Makes a folder or file a mount point, as far as the system tells."""
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(staying, "MOUNTS", mounts)

    def mount(path):
        name = str(path).replace(" ", "\\040")
        mounts.write_text(f"22 26 0:21 /a {name} rw,relatime - tmpfs none rw\n")
        return path

    return mount


def refusing(error, *paths):
    """``Path.replace`` of a system that cannot rename these paths."""
    replace = Path.replace

    def refused(self, target):
        if self in paths or Path(target) in paths:
            raise OSError(error, os.strerror(error), str(self), None, str(target))
        return replace(self, target)

    return refused


def a_volume(path, mounted, monkeypatch):
    mounted(path)


def not_the_users(path, mounted, monkeypatch):
    monkeypatch.setattr(os, "access", lambda asked, mode: asked != path.parent)


def busy(path, mounted, monkeypatch):
    monkeypatch.setattr(Path, "replace", refusing(errno.EBUSY, path))


def standing(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


@pytest.mark.parametrize("why", [a_volume, not_the_users, busy])
def test_a_folder_that_stays_is_filled(tmp_path, mounted, monkeypatch, why):
    path = tmp_path / "in here" / "out"
    (path / "old").mkdir(parents=True)
    why(path, mounted, monkeypatch)
    number = path.stat().st_ino

    with whole_folder(path) as unfinished:
        (unfinished / "deep").mkdir()
        (unfinished / "deep" / "new").touch()
        (unfinished / "said").touch()
        assert (path / "old").exists()

    assert path.stat().st_ino == number
    assert standing(path.parent) == ["out", "out/deep", "out/deep/new", "out/said"]


def test_only_what_stays_is_worked_at_from_within(tmp_path, mounted):
    volume = mounted(tmp_path / "out")
    assert not stays(volume)
    volume.mkdir()

    assert unfinished_folder(volume) == volume / ".part"
    assert unfinished_folder(tmp_path / "other") == tmp_path / ".other.part"
    assert not stays(tmp_path)


def test_an_attempt_that_was_killed_in_a_volume_is_in_nobodys_way(tmp_path, mounted):
    path = mounted(tmp_path / "out")
    (path / ".part" / "half").mkdir(parents=True)
    (path / "lost+found").mkdir()

    require_empty(path)
    with filled_folder(path, overwrite=True) as place:
        (place / "new").touch()

    assert standing(path) == ["lost+found", "new"]


def test_what_others_hide_in_a_folder_is_no_attempt(tmp_path):
    (tmp_path / ".git").mkdir()
    with pytest.raises(FileExistsError, match="not empty"):
        require_empty(tmp_path)


def test_a_file_that_is_a_volume_is_told_before_the_work(tmp_path, mounted):
    path = mounted(tmp_path / "a.csv")
    write_text(tmp_path / "b.csv", "b")
    path.touch()

    with pytest.raises(OSError, match=r"a\.csv: is a mount point"), whole_file(path):
        pytest.fail("began to work")


def test_a_volume_is_also_found_where_a_link_leads_through(tmp_path, mounted):
    path = mounted(tmp_path / "real" / "out")
    path.mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "straight").symlink_to("real/out")

    assert is_mount(tmp_path / "link" / "out")
    assert stays(tmp_path / "straight")
    assert not is_mount(tmp_path / "straight")


@pytest.mark.parametrize("part", ["results", "settings.yaml"])
def test_a_run_whose_results_cannot_be_replaced_does_not_begin(tmp_path, mounted, part):
    (tmp_path / "run" / part).mkdir(parents=True)
    (tmp_path / "run" / "settings.yaml").mkdir(exist_ok=True)
    mounted(tmp_path / "run" / part)

    with pytest.raises(FileExistsError, match=f"{part}: is a mount point"):
        claim(tmp_path / "run", {}).__enter__()


def test_what_lies_on_another_disk_is_copied(tmp_path, monkeypatch):
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "a").write_text("x")
    far = tmp_path / "far"
    monkeypatch.setattr(os, "rename", refusing(errno.EXDEV, far))
    monkeypatch.setattr(Path, "replace", refusing(errno.EXDEV, far))
    move(tmp_path / "stage", far)

    assert standing(tmp_path) == ["far", "far/a"]


def test_a_share_that_cannot_wait_for_folders_is_written_to(tmp_path, monkeypatch):
    def fsync(descriptor):
        if Path(os.readlink(f"/proc/self/fd/{descriptor}")).is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")

    def chmod(self, mode):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "chmod", chmod)
    with whole_folder(tmp_path / "out") as unfinished:
        write_text(unfinished / "a", "x")

    assert standing(tmp_path) == ["out", "out/a"]


@pytest.mark.parametrize("error", [errno.EINVAL, errno.EIO])
def test_a_disk_that_loses_files_is_not_trusted(tmp_path, monkeypatch, error):
    def fsync(_):
        raise OSError(error, "x")

    (tmp_path / "a").touch()
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="x"):
        sync_file(tmp_path / "a")
    if error == errno.EIO:
        with pytest.raises(OSError, match="x"):
            sync_file(tmp_path)


def test_a_lock_that_a_refused_command_left_is_no_result(tmp_path):
    (tmp_path / ".lock").touch()
    require_empty(tmp_path)

    (tmp_path / "result.csv").touch()
    with pytest.raises(FileExistsError):
        require_empty(tmp_path)

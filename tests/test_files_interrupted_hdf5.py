"""An interrupt that Python ignores, because it fell where h5py cleans up, ends the writing."""

import sys
from types import SimpleNamespace

import pytest

from semiqc.files.atomic import whole_file
from semiqc.files.sink import hdf5_written


def ignored(where):
    """As Python tells of an exception that nobody can catch."""
    error = KeyboardInterrupt()
    sys.unraisablehook(
        SimpleNamespace(
            exc_type=KeyboardInterrupt, exc_value=error, exc_traceback=None, err_msg=None,
            object=where,
        )
    )  # fmt: skip


def interrupted(path):
    with whole_file(path) as part, hdf5_written(part) as file:
        file["x"] = [1, 2]
        ignored("h5py._objects.ObjectID.__dealloc__")
        file["y"] = [3]


def test_a_file_in_which_an_interrupt_was_ignored_takes_no_place(tmp_path):
    path = tmp_path / "a.h5"

    with pytest.raises(KeyboardInterrupt):
        interrupted(path)
    assert list(tmp_path.iterdir()) == []

    with whole_file(path) as part, hdf5_written(part) as file:
        file["x"] = [1, 2]
    assert path.exists()


def test_other_ignored_exceptions_are_told_as_before(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    with hdf5_written(tmp_path / "a.h5") as file:
        file["x"] = [1]
        ignored("another")

    assert [one.object for one in told] == ["another"]

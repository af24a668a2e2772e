"""A disk that takes no more: HDF5 closes its file, and one line tells the file and the reason."""

import errno
import os

import h5py
import numpy as np
import pytest

from semiqc.files import sink
from semiqc.files.hdf5 import is_own
from semiqc.files.sink import Sink, hdf5_written
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Study


@pytest.fixture
def quota(monkeypatch):
    """Lets so many bytes of a file be written."""
    pwrite = os.pwrite

    def limit(most):
        def limited(descriptor, content, place):
            if place >= most:
                raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
            return pwrite(descriptor, bytes(content)[: most - place], place)

        monkeypatch.setattr(sink.os, "pwrite", limited)

    return limit


def write_store(path, studies):
    """Write so many studies; how many were begun stands in ``studies``."""
    labels = np.ones((2, 3, 32, 32), np.int8)
    with StoreWriter(path, SHORT_AXIS) as writer:
        for number in range(studies.pop()):
            studies.append(number)
            image = np.random.default_rng(number).random((1, 2, 3, 32, 32), np.float32)
            writer.add(Study(f"a{number}", image, labels, (8.0, 1.4, 1.4)))


def write_numbers(path):
    with hdf5_written(path) as file:
        file["numbers"] = np.random.default_rng(0).random(10_000)
        file.create_group("more").attrs["text"] = "x" * 5_000


@pytest.mark.parametrize("most", [0, 100, 3_000, 30_000, 60_000])
def test_a_store_that_exceeds_a_quota_is_told_at_once_and_leaves_nothing(
    tmp_path, quota, recwarn, most
):
    quota(most)
    begun = [9]
    with pytest.raises(OSError, match="quota") as raised:
        write_store(tmp_path / "a.h5", begun)

    assert (raised.value.errno, raised.value.filename) == (errno.EDQUOT, str(tmp_path / "a.h5"))
    # It is not written on to the end.
    assert len(begun) < 6
    assert not list(tmp_path.iterdir())
    # Exceptions that nobody can catch are warnings here.
    assert not recwarn.list


def test_what_fits_is_written_as_h5py_writes_it(tmp_path, quota):
    quota(10**9)
    write_store(tmp_path / "a.h5", [1])
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["studies/a0/image"].shape == (1, 2, 3, 32, 32)
        assert file.userblock_size == 512
    assert is_own(tmp_path / "a.h5")


def test_a_full_disk_is_told_of_a_file_without_a_check_between(tmp_path, quota):
    quota(2_000)
    with pytest.raises(OSError, match="quota"):
        write_numbers(tmp_path / "a.h5")


def test_what_was_kept_is_read_back(tmp_path, quota):
    quota(6)
    kept = Sink(tmp_path / "a")
    kept.write(b"01234567")
    kept.seek(2)
    kept.write(b"ab")
    kept.seek(-7, os.SEEK_END)

    assert kept.read(9) == b"1ab4567\0\0"
    assert kept.failure is not None
    assert (tmp_path / "a").read_bytes() == b"012345"
    kept.close()

"""HDF5 files that other programs hold open or lock."""

import fcntl
import os

import numpy as np
import pytest
from builders import study_of

from semiqc.doors.hdf5_file import open_hdf5, reading_hdf5
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS


@pytest.fixture
def locked(tmp_path):
    """A store on which another program has an exclusive lock, as one that writes it takes."""
    path = tmp_path / "a.h5"
    with StoreWriter(path, SHORT_AXIS) as writer:
        writer.add(study_of("a"))
    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield path
    os.close(descriptor)


def test_a_locked_store_is_read(locked):
    [study] = Store(locked)

    np.testing.assert_allclose(study.image[:], study_of("a").image, atol=0.01)


def test_every_way_into_a_locked_file_is_open(locked):
    with reading_hdf5(locked) as first, open_hdf5(locked) as second:
        assert first.attrs["format"] == second.attrs["format"] == "semiqc-store"

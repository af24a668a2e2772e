"""A store tells by itself whether it is as it was written."""

import shutil

import h5py
import pytest

from semiqc.files.hdf5 import StoreError
from semiqc.files.store.reader import Store
from semiqc.phantom import write_phantoms


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("sealed") / "store.h5"
    write_phantoms(path, studies=1, size=32, slices=2, frames=2)
    return path


def test_a_sealed_store_is_read(whole):
    assert len(Store(whole)) == 1


@pytest.mark.parametrize("share", [0, 0.00002, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_flipped_bit_anywhere_is_noticed(whole, tmp_path, share):
    path = tmp_path / "store.h5"
    content = bytearray(whole.read_bytes())
    content[int(share * len(content))] ^= 4
    path.write_bytes(content)

    with pytest.raises(StoreError, match=r"store\.h5: "):
        Store(path)


def test_a_number_changed_by_another_program_is_noticed(whole, tmp_path):
    path = shutil.copy(whole, tmp_path / "store.h5")
    [name] = Store(whole).names
    with h5py.File(path, "r+") as file:
        file[f"studies/{name}/labels"][0] = 0

    with pytest.raises(StoreError, match="SHA-256 is not the one"):
        Store(path)


def test_a_longer_file_is_noticed(whole, tmp_path):
    path = tmp_path / "store.h5"
    path.write_bytes(whole.read_bytes() + b"more")

    with pytest.raises(StoreError, match="bytes behind the first 512"):
        Store(path)

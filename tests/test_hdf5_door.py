"""HDF5 files that HDF5 itself would read for ever, or beyond their end."""

import os

import h5py
import numpy as np
import pytest

from semiqc.doors.hdf5_bytes import HEAP, TEXT
from semiqc.doors.hdf5_file import MOST_CHUNKS, open_hdf5, sound_array
from semiqc.doors.regular import UnusableError
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS


def written(path, name="more", **how):
    with h5py.File(path, "w", **how) as file:
        file.attrs["text"] = "of any length"
        file.attrs[name] = "of another"
    return path.read_bytes()


def objects(content):
    """Places of the objects of the first global heap."""
    at = content.index(HEAP)
    end = at + int.from_bytes(content[at + 8 : at + 16], "little")
    at += 16
    while at + 16 <= end:
        yield at
        size = int.from_bytes(content[at + 8 : at + 16], "little")
        is_free = content[at : at + 2] == b"\0\0"
        at += size if is_free else 16 + (size + 7) // 8 * 8


@pytest.mark.parametrize("how", [{}, {"userblock_size": 512}, {"libver": "latest"}])
@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 2**64 - 16)])
def test_an_object_without_a_size_is_refused(tmp_path, how, index, size):
    path = tmp_path / "a.h5"
    content = bytearray(written(path, **how))
    *_, last = objects(content)
    content[last : last + 2] = index.to_bytes(2, "little")
    content[last + 8 : last + 16] = size.to_bytes(8, "little")
    path.write_bytes(content)

    with pytest.raises(UnusableError, match=r"a.h5: not a readable HDF5 file \(damaged at byte"):
        open_hdf5(path)


def test_a_store_without_a_seal_is_refused_so_too(tmp_path):
    path = tmp_path / "store.h5"
    with StoreWriter(path, SHORT_AXIS, ("cine",)):
        pass
    content = bytearray(path.read_bytes()[512:])
    *_, last = objects(content)
    content[last : last + 2] = content[last + 8 : last + 16] = b"\0" * 8
    path.write_bytes(content)

    with pytest.raises(UnusableError, match=r"store.h5"):
        Store(path)


@pytest.mark.parametrize(
    "how",
    [{}, {"name": "länge"}, {"userblock_size": 512}, {"libver": "latest"}],
)
def test_a_text_that_claims_to_be_longer_than_the_file_is_refused(tmp_path, how):
    path = tmp_path / "a.h5"
    content = bytearray(written(path, **how))
    heap = content.index(HEAP) - how.get("userblock_size", 0)
    reference = len("of another").to_bytes(4, "little") + heap.to_bytes(8, "little")
    at = content.index(reference, content.rindex(TEXT))
    content[at + 3] = 0xFF
    path.write_bytes(content)

    with pytest.raises(UnusableError, match=r"a.h5: not a readable HDF5 file \(damaged at byte"):
        open_hdf5(path)


def test_sound_texts_and_what_only_looks_like_a_heap_are_read(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["text"] = "of any length" * 100
        file["voxels"] = np.frombuffer(
            HEAP + b"\1\0\0\0" + (2**40).to_bytes(8, "little") + TEXT + b"\2\1\0\0", np.uint8
        )
        file["rest"] = np.full(64, 255, np.uint8)

    with open_hdf5(path) as file:
        assert file.attrs["text"].startswith("of any length")


@pytest.mark.parametrize("locking", [True, False])
def test_what_the_same_program_has_open_is_opened_again(tmp_path, locking):
    path = tmp_path / "a.h5"
    written(path)

    with h5py.File(path, "r", locking=locking), open_hdf5(path) as file:
        assert file.attrs["text"] == "of any length"


def a_link(file, where):
    file["deep/in"] = h5py.ExternalLink(str(where), "/x")


def a_link_that_a_name_leads_to(file, where):
    a_link(file, where)
    file["image"] = h5py.SoftLink("/deep/in")


def a_view(file, where):
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource(str(where), "x", (2,))
    file.create_virtual_dataset("deep/in", layout)


def a_view_of_any_length(file, where):
    layout = h5py.VirtualLayout((2,), "f4", maxshape=(None,))
    source = h5py.VirtualSource(str(where), "x", (2,), maxshape=(None,))
    unlimited = h5py.h5s.UNLIMITED
    layout[:unlimited] = source[:unlimited]
    file.create_virtual_dataset("deep/in", layout)


def raw_numbers(file, where):
    file.create_dataset("deep/in", (2,), "u1", external=[(str(where), 0, 2)])


@pytest.mark.parametrize(
    "lead", [a_link, a_link_that_a_name_leads_to, a_view, a_view_of_any_length, raw_numbers]
)
def test_a_file_does_not_make_another_be_opened(tmp_path, lead):
    # Who opens a pipe that nobody writes to waits for ever.
    with h5py.File(tmp_path / "a.h5", "w") as file:
        lead(file, tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UnusableError, match=r"a\.h5: 'in' lies in another file"):
        open_hdf5(tmp_path / "a.h5")


def test_groups_that_hold_each_other_are_walked_once(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        inner = file.create_group("one/two")
        inner["back"] = file["one"]
        inner["soft"] = h5py.SoftLink("/nowhere")
        inner["array"] = [1, 2]

    with open_hdf5(tmp_path / "a.h5") as file:
        assert list(file["one/two/back/two/array"]) == [1, 2]


def test_an_array_of_too_many_chunks_is_refused_before_it_is_read(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("most", (2, MOST_CHUNKS // 2, 8), "u1", chunks=(1, 1, 8))
        file.create_dataset("more", (2, MOST_CHUNKS // 2, 9), "u1", chunks=(1, 1, 8))

    with open_hdf5(tmp_path / "a.h5") as file:
        assert sound_array("a.h5", "most", file["most"]) == file["most"]
        with pytest.raises(UnusableError, match=r"a\.h5: 'more' claims shape .* 131072 chunks at"):
            sound_array("a.h5", "more", file["more"])

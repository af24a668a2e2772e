import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from builders import study_of

import semiqc.files.hdf5
from semiqc.files.hdf5 import StoreError, open_h5
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.files.seal import seal
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS, UNLABELLED
from semiqc.study import Geometry


def write(path, *studies, **options):
    with StoreWriter(path, SHORT_AXIS, **options) as store:
        for study in studies:
            store.add(study)
    return path


def first_voxel(study):
    return float(study.image[0, 1, 0, 0, 0])


def test_a_study_comes_back_as_it_was_written(tmp_path):
    geometry = Geometry(np.diag([1.25, 1.5, 8, 1]), (6, 5, 2), "a.nii", {"time_step": 40.0})
    study = replace(study_of("a", group="DCM", subject="s", split="test"), geometry=geometry)
    found = Store(write(tmp_path / "s.h5", study)).study("a")

    np.testing.assert_allclose(found.image[:], study.image, atol=2e-3)
    np.testing.assert_array_equal(found.labels[:], study.labels)
    assert found.labelled_frames == (1,)
    assert (found.group, found.subject, found.split) == ("DCM", "s", "test")
    assert found.spacing == study.spacing
    np.testing.assert_array_equal(found.geometry.affine, geometry.affine)
    assert found.geometry.shape == (6, 5, 2)
    assert found.geometry.to_source == {"time_step": 40.0}


def test_frames_nobody_labelled_are_unlabelled_without_being_written(tmp_path):
    path = write(tmp_path / "s.h5", study_of("a"))

    assert (Store(path).study("a").labels[0] == UNLABELLED).all()
    with h5py.File(path) as file:
        assert file["studies/a/labels"].id.get_num_chunks() == 2  # Two slices of one frame.


def test_a_study_of_more_slices_than_readers_take_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("semiqc.files.store.writer.MOST_CHUNKS", 5)
    study = study_of("a")  # Three frames of two slices.

    with pytest.raises(ValueError, match="a: 3 frames of 2 slices, expected 5 slices at most"):
        write(tmp_path / "s.h5", study)


def test_one_slice_is_one_chunk(tmp_path):
    with h5py.File(write(tmp_path / "s.h5", study_of("a"))) as file:
        assert file["studies/a/image"].chunks == (1, 1, 1, 5, 6)


def test_a_write_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="cannot name a file"):
        write(tmp_path / "s.h5", study_of("a"), study_of("a/b"))

    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_store_that_was_there(tmp_path):
    path = write(tmp_path / "s.h5", study_of("a"))
    with pytest.raises(ValueError, match="in the store already"):
        write(path, study_of("b"), study_of("b"), overwrite=True)

    assert Store(path).names == ("a",)
    assert os.listdir(tmp_path) == ["s.h5"]


def test_what_a_killed_write_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "s.h5"
    code = (
        "import os, signal; from pathlib import Path;"
        "from semiqc.files.store.writer import StoreWriter;"
        "from semiqc.schemes import SHORT_AXIS\n"
        f"with StoreWriter(Path({str(path)!r}), SHORT_AXIS): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert not path.exists()
    assert len(os.listdir(tmp_path)) == 1

    write(path, study_of("a"))
    assert os.listdir(tmp_path) == ["s.h5"]


def test_an_existing_store_is_replaced_only_when_asked(tmp_path):
    path = write(tmp_path / "s.h5", study_of("a"))
    with pytest.raises(FileExistsError, match="--overwrite"):
        StoreWriter(path, SHORT_AXIS)

    assert Store(write(path, study_of("b"), overwrite=True)).names == ("b",)


@pytest.mark.parametrize("name", ["", "a/b", ".."])
def test_a_name_that_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="cannot name a file"):
        write(tmp_path / "s.h5", study_of(name))


def test_a_study_of_other_modalities_is_refused(tmp_path):
    with pytest.raises(ValueError, match="1 modalities, the store has 2: t1, t2"):
        write(tmp_path / "s.h5", study_of("a"), modalities=("t1", "t2"))


def test_voxels_that_are_not_finite_are_refused(tmp_path):
    study = study_of("a")
    study.image[0, 2, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="a: frame 2 has voxels that are not finite"):
        write(tmp_path / "s.h5", study)


def test_a_file_that_is_no_store_is_named(tmp_path):
    missing, text, other = tmp_path / "no.h5", tmp_path / "text.h5", tmp_path / "other.h5"
    text.write_text("study,image\n")
    h5py.File(other, "w").close()
    with pytest.raises(StoreError, match=r"no\.h5: no such file"):
        Store(missing)
    with pytest.raises(StoreError, match=r"text\.h5: not a readable HDF5 file"):
        Store(text)
    with pytest.raises(StoreError, match="not one that `semiqc import` wrote"):
        Store(other)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("scheme", "{", "damaged store"),
        ("scheme", "{}", "damaged store"),
        ("version", 7, "store of version 7, expected 1"),
    ],
)
def test_a_damaged_store_or_one_of_another_version_is_refused(tmp_path, attribute, value, message):
    path = write(tmp_path / "s.h5", study_of("a"))
    with h5py.File(path, "r+") as file:
        file.attrs[attribute] = value
    seal(path)
    with pytest.raises(StoreError, match=message):
        Store(path)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_store_that_was_cut_short_is_named_and_never_a_traceback(tmp_path, share):
    path = write(tmp_path / "s.h5", study_of("a"))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(StoreError, match=r"s\.h5: not a readable HDF5 file"):
        Store(path)


def test_a_damaged_chunk_is_named(tmp_path):
    path = write(tmp_path / "s.h5", study_of("a"))
    with h5py.File(path) as file:
        chunk = file["studies/a/image"].id.get_chunk_info(0)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(bytes(chunk.size))
    seal(path)

    with pytest.raises(StoreError, match="'studies/a/image' is damaged"):
        Store(path).study("a").image[:]


def test_an_unknown_study_is_named(tmp_path):
    with pytest.raises(StoreError, match="no study 'b' among 1"):
        Store(write(tmp_path / "s.h5", study_of("a"))).study("b")


def test_a_study_of_a_file_that_was_replaced_is_refused(tmp_path):
    path = write(tmp_path / "s.h5", study_of("a"))
    old = Store(path)
    study = old.study("a")
    before = first_voxel(study)
    shifted = study_of("a")
    write(path, replace(shifted, image=shifted.image + 5), overwrite=True)

    new = first_voxel(Store(path).study("a"))
    assert new == pytest.approx(before + 5, abs=0.01)
    for read in (lambda: first_voxel(study), lambda: old.study("a")):
        with pytest.raises(StoreError, match="was replaced since it was opened"):
            read()


def open_files():
    return h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)


def test_few_of_many_files_stay_open(tmp_path, monkeypatch):
    monkeypatch.setattr("semiqc.files.hdf5.MOST_FILES", 3)
    path = write(tmp_path / "0.h5", study_of("a"))
    before = open_files()
    paths = [path, *(Path(shutil.copy(path, tmp_path / f"{n}.h5")) for n in range(1, 9))]
    studies = [Store(path).study("a") for path in paths]
    first = [first_voxel(study) for study in studies]

    assert open_files() - before <= 3
    assert [first_voxel(study) for study in studies] == first


def test_a_file_that_is_read_again_and_again_stays_open(tmp_path, monkeypatch):
    monkeypatch.setattr("semiqc.files.hdf5.MOST_FILES", 2)
    opened = []
    real = semiqc.files.hdf5.open_hdf5
    monkeypatch.setattr(
        "semiqc.files.hdf5.open_hdf5", lambda path: opened.append(path.name) or real(path)
    )
    paths = [write(tmp_path / f"{name}.h5", study_of("a")) for name in ("store", "b", "c", "d")]
    opened.clear()
    for other in paths[1:]:
        for path in (paths[0], other):
            first_voxel(Store(path).study("a"))

    assert sorted(opened) == ["b.h5", "c.h5", "d.h5", "store.h5"]


def test_a_pickled_study_reads_in_another_process(tmp_path):
    study = Store(write(tmp_path / "s.h5", study_of("a"))).study("a")
    expected = first_voxel(study)
    sent = pickle.loads(pickle.dumps(study))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(first_voxel, [sent]) == [expected]


def test_a_forked_process_reads_beside_its_parent(tmp_path):
    study = Store(write(tmp_path / "s.h5", study_of("a"))).study("a")
    expected = first_voxel(study)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        waiting = pool.map_async(first_voxel, [study] * 40)
        here = [first_voxel(study) for _ in range(40)]
        assert waiting.get() == here == [expected] * 40


def test_the_fingerprint_changes_with_a_voxel_and_with_nothing_else(tmp_path):
    changed = study_of("a")
    changed.image[0, 0, 0, 0, 0] += 1
    same, again, other = (
        Store(write(tmp_path / name, study)).fingerprint()
        for name, study in (("1.h5", study_of("a")), ("2.h5", study_of("a")), ("3.h5", changed))
    )

    assert same == again != other


def test_predictions_come_back(tmp_path):
    labels = np.random.default_rng(0).integers(4, size=(3, 2, 5, 6)).astype(np.int8)
    with PredictionWriter(tmp_path / "p.h5") as writer:
        writer.add(study_of("a"), ((frame, np.empty(0, np.float32)) for frame in labels))

    np.testing.assert_array_equal(predicted_labels(tmp_path / "p.h5", "a")[:], labels)
    with pytest.raises(StoreError, match="holds no 'b/labels'"):
        predicted_labels(tmp_path / "p.h5", "b")


@pytest.mark.parametrize("count", [2, 4])
def test_too_few_or_too_many_predicted_frames_leave_no_file(tmp_path, count):
    labels = np.zeros((2, 5, 6), np.int8)
    frames = ((labels, np.zeros((4, 2, 5, 6), np.float32)) for _ in range(count))
    with (
        pytest.raises(ValueError, match="predicted"),
        PredictionWriter(tmp_path / "p.h5") as writer,
    ):
        writer.add(study_of("a"), frames)

    assert list(tmp_path.iterdir()) == []


def test_hdf5_keeps_little_of_a_file_of_many_studies(tmp_path, monkeypatch):
    monkeypatch.setattr("semiqc.doors.hdf5_file.MOST_CACHED", 2**14)
    with StoreWriter(tmp_path / "s.h5", SHORT_AXIS) as writer:
        for number in range(20):
            writer.add(study_of(f"s{number}"))
        sizes = [writer._file.id.get_mdc_size()[0]]
    for study in Store(tmp_path / "s.h5"):
        np.asarray(study.image[:])
    sizes.append(open_h5(tmp_path / "s.h5").id.get_mdc_size()[0])

    assert max(sizes) <= 2**14


def test_a_full_disk_is_told_before_hdf5_trips_over_it(tmp_path, monkeypatch):
    path = tmp_path / "store.h5"
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2**20))

    with (
        pytest.raises(OSError, match="no space left on device: 1 MiB free"),
        StoreWriter(path, SHORT_AXIS) as writer,
    ):
        writer.add(study_of())

    assert list(tmp_path.iterdir()) == []

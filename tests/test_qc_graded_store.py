import os
import pickle
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
from builders import SPACING, study_of

from qc.frames import graded_frames
from qc.graded import (
    GradedSet,
    GradedWriter,
    Made,
    multi_class_dice,
    mvsf,
)
from qc.graded.store import store_of
from semiqc.files.seal import seal
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS, UNLABELLED
from semiqc.study import UncertaintyMaps

LV, MYO, RV = range(3)
"""Structures in the order of the scheme."""
PLACE = {"a": 1, "b": 2}
"""The labelled frame of each study."""


@pytest.fixture
def store(tmp_path):
    """Two studies; in the labelled frame of each an LV of 2 x 3 x 2 voxels."""
    with StoreWriter(tmp_path / "s.h5", SHORT_AXIS) as writer:
        writer.add(study_of("a", labelled=(1,), group="DCM"))
        writer.add(study_of("b", labelled=(2,), group="HCM"))
    return Store(tmp_path / "s.h5")


def made(store, study, source, *, rows=slice(1, 4), value=3, frame=None):
    """The LV, with other rows in the second slice."""
    frame = PLACE[study] if frame is None else frame
    labels = np.zeros((2, 5, 6), np.int8)
    labels[0, 1:4, 2:4] = value
    labels[1, rows, 2:4] = value
    return Made(store.study(study), frame, labels, source)


def write(path, store, *items, **options):
    with GradedWriter(path, store, **options) as writer:
        for item in items:
            writer.add(item)
    return path


@pytest.fixture
def graded(store, tmp_path):
    """A perfect LV in ``a``; in ``b`` one short by two rows, and one that is called RV."""
    path = write(
        tmp_path / "g.h5",
        store,
        made(store, "a", "forest-2"),
        made(store, "b", "forest-40", rows=slice(1, 2)),
        made(store, "b", "ladder-01", value=1),
    )
    return GradedSet(path, store)


def test_a_graded_segmentation_is_one_frame_beside_its_image_and_reference(graded, store):
    second = graded[1]

    assert second.prediction.study == "b"
    assert second.prediction.spacing == SPACING
    assert (second.source, second.group) == ("forest-40", "HCM")
    np.testing.assert_array_equal(
        second.prediction.labels[0], made(store, "b", "", rows=slice(1, 2)).labels
    )
    np.testing.assert_array_equal(second.prediction.image[:, 0], store.study("b").image[:, 2])
    np.testing.assert_array_equal(second.reference[0], store.study("b").labels[2])


def test_the_tables_tell_what_each_segmentation_is(graded):
    assert len(graded) == 3
    assert list(graded.studies) == ["a", "b", "b"]
    assert list(graded.groups) == ["DCM", "HCM", "HCM"]
    assert list(graded.sources) == ["forest-2", "forest-40", "ladder-01"]
    assert list(graded.frames) == [1, 2, 2]


def test_dice_is_known_by_structure_slice_and_all_classes(graded):
    # Second: 6 + 2 of the 6 + 6 voxels, so 2 * 8 / (8 + 12); its second slice 2 * 2 / (2 + 6).
    np.testing.assert_allclose(
        graded.dice, [[1, np.nan, np.nan], [0.8, np.nan, np.nan], [0, np.nan, 0]]
    )
    np.testing.assert_allclose(graded.slice_dice(1)[LV], [1, 0.5])
    np.testing.assert_allclose(graded.multi_class_dice, [1, 0.8, 0])
    np.testing.assert_allclose(graded.mean_dice, [1, 0.8, 0])


def test_mean_dice_counts_what_is_in_either_and_is_zero_where_nothing_is(tmp_path):
    empty = study_of("e")
    empty.labels[1] = 0
    with StoreWriter(tmp_path / "s.h5", SHORT_AXIS) as writer:
        writer.add(study_of("a"))
        writer.add(empty)
    store = Store(tmp_path / "s.h5")
    with_rv = made(store, "a", "x")
    with_rv.labels[:, 0, 0] = 1
    nothing = made(store, "e", "x", value=0, frame=1)
    found = GradedSet(write(tmp_path / "g.h5", store, with_rv, nothing), store)

    np.testing.assert_allclose(found.mean_dice, [(1 + 0) / 2, 0])


def test_volume_fractions_are_known_by_slice(graded):
    # 2 (6 - 2) / (6 + 2) in the short slice; an RV where there is none is 2 (0 - 6) / 6.
    np.testing.assert_allclose(graded.mvsf(1)[LV], [0, 1])
    np.testing.assert_allclose(graded.mvsf(2), [[2, 2], [np.nan] * 2, [-2, -2]])


def test_surface_dice_forgives_the_tolerance(graded, store, tmp_path):
    item = made(store, "b", "forest-40", rows=slice(1, 2))
    wider = GradedSet(write(tmp_path / "w.h5", store, item, tolerance_mm=3.1), store)

    # All 8 + 12 voxels are surface. Of the rows that are missing, two voxels each, the first is
    # 1.5 mm away and the second 3 mm; 2 mm are forgiven by default.
    np.testing.assert_allclose(graded.nsd[:, LV], [1, (8 + 10) / 20, 0])
    assert wider.nsd[0, LV] == 1
    np.testing.assert_allclose(graded[1].nsd, [[0.9, np.nan, np.nan]])
    assert (graded.tolerance_mm, wider.tolerance_mm) == (2.0, 3.1)


def test_a_selection_reads_what_it_selects(graded):
    assert list(graded.of_studies(["b"]).sources) == ["forest-40", "ladder-01"]
    chosen = graded.subset([2, 1])
    assert [one.source for one in chosen] == ["ladder-01", "forest-40"]
    np.testing.assert_allclose(chosen.mvsf(0)[LV], [2, 2])
    assert graded[1:].subset([0])[0].source == "forest-40"
    assert graded[-1].source == "ladder-01"


def test_a_selection_names_what_is_not_there(graded):
    with pytest.raises(ValueError, match=r"s.h5: holds no study c"):
        graded.of_studies(["a", "c"])


def test_every_item_is_a_frame_to_learn_from(graded):
    frames = graded_frames(graded)

    assert [frame.study for frame in frames] == ["a", "b", "b"]
    np.testing.assert_allclose([frame.dice(SHORT_AXIS)[LV] for frame in frames], [1, 0.8, 0])


def uncertainty(value, features):
    """Of one frame, all of whose voxels have one value."""
    return UncertaintyMaps(
        entropy=np.full((1, 2, 5, 6), value, np.float32),
        disagreement=np.full((1, 2, 5, 6), value / 2, np.float32),
        agreement=np.array([[value, np.nan, 0.1]]),
        confidence=np.array([[np.nan, value, 0.2]]),
        features=np.array([features], dtype=float),
    )


def test_a_segmentation_keeps_the_uncertainty_that_it_has(store, tmp_path):
    path = write(
        tmp_path / "g.h5",
        store,
        replace(made(store, "b", "ladder-01"), uncertainty=uncertainty(0.2, [1, 2, 3])),
        made(store, "b", "forest-2"),
        replace(made(store, "a", "ladder-01"), uncertainty=uncertainty(0.4, [])),
        replace(made(store, "b", "ladder-02"), uncertainty=uncertainty(0.6, [4, 5])),
    )
    found = GradedSet(path, store)
    bare, third, last = (found[index].prediction.uncertainty for index in (1, 2, 3))

    assert bare is None
    np.testing.assert_allclose(last.entropy[0], np.full((2, 5, 6), 0.6), atol=0.5 / 255)
    np.testing.assert_allclose(last.disagreement[0], np.full((2, 5, 6), 0.3), atol=0.5 / 255)
    np.testing.assert_array_equal(last.agreement, [[0.6, np.nan, 0.1]])
    np.testing.assert_array_equal(last.confidence, [[np.nan, 0.6, 0.2]])
    np.testing.assert_array_equal(last.features, [[4, 5]])
    assert third.features.shape == (1, 0)
    np.testing.assert_allclose(third.entropy[0, 0, 0, 0], 0.4, atol=0.5 / 255)
    chosen = pickle.loads(pickle.dumps(found.of_studies(["b"]).subset([2])))
    np.testing.assert_array_equal(chosen[0].prediction.uncertainty.features, [[4, 5]])


def test_a_set_without_uncertainty_holds_nothing_of_it(graded):
    assert graded[0].prediction.uncertainty is None
    with h5py.File(graded.path) as file:
        assert "evidence" not in file
        assert "evidence_row" not in file["items"]


def test_uncertainty_of_another_shape_is_refused(store, tmp_path):
    wrong = replace(uncertainty(0.2, []), disagreement=np.zeros((2, 2, 5, 6), np.float32))
    with pytest.raises(
        ValueError, match=r"a: 'x' gave uncertainty of shape \(2, 2, 5, 6\), expected"
    ):
        write(tmp_path / "g.h5", store, replace(made(store, "a", "x"), uncertainty=wrong))


def test_a_set_can_be_sent_to_another_process(graded):
    graded[0].prediction.labels[0]
    sent = pickle.loads(pickle.dumps(graded))

    np.testing.assert_array_equal(sent[0].reference[0], graded[0].reference[0])


def test_a_frame_without_a_reference_is_not_graded(store, tmp_path):
    with pytest.raises(ValueError, match="a: frame 0 has no reference"):
        write(tmp_path / "g.h5", store, made(store, "a", "x", frame=0))

    assert os.listdir(tmp_path) == ["s.h5"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 5, 5), np.int8), r"a: 'x' gave labels of shape \(2, 5, 5\)"),
        (np.full((2, 5, 6), 4, np.int8), "a: 'x' gave labels from 4 to 4, expected 0 to 3"),
        (np.full((2, 5, 6), UNLABELLED, np.int8), "gave labels from -1 to -1"),
    ],
)
def test_labels_that_do_not_suit_the_study_are_refused(store, tmp_path, labels, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "g.h5", store, replace(made(store, "a", "x"), labels=labels))


def test_a_set_of_nothing_is_not_written(store, tmp_path):
    with pytest.raises(ValueError, match=r"g.h5: there is no graded segmentation"):
        write(tmp_path / "g.h5", store)

    assert not (tmp_path / "g.h5").exists()


def test_a_set_is_overwritten_only_when_asked(store, tmp_path):
    path = write(tmp_path / "g.h5", store, made(store, "a", "x"))
    with pytest.raises(FileExistsError, match="say --overwrite"):
        write(path, store, made(store, "b", "x"))

    write(path, store, made(store, "b", "x"), overwrite=True)
    assert list(GradedSet(path, store).studies) == ["b"]


def test_a_set_is_refused_with_another_store(graded, tmp_path):
    with StoreWriter(tmp_path / "other.h5", SHORT_AXIS) as writer:
        writer.add(study_of("a"))

    with pytest.raises(
        ValueError, match=r"g.h5: was made for the store .*s.h5 as.*other.h5 is not"
    ):
        GradedSet(graded.path, Store(tmp_path / "other.h5"))


def test_a_set_knows_where_its_store_was(graded, store):
    assert store_of(graded.path) == store.path.resolve()
    with pytest.raises(ValueError, match=r"s.h5: an HDF5 file, but not one of graded"):
        store_of(store.path)


def test_a_file_of_another_kind_is_refused(store, tmp_path):
    with pytest.raises(ValueError, match=r"s.h5: an HDF5 file, but not one of graded"):
        GradedSet(store.path, store)
    (tmp_path / "text").write_text("no")
    with pytest.raises(ValueError, match="text: not a readable HDF5 file"):
        GradedSet(tmp_path / "text", store)


def test_every_byte_of_a_set_is_looked_at(graded, store):
    other = graded.path.with_name("other.h5")
    whole = graded.path.read_bytes()
    for at in range(0, len(whole), len(whole) // 40):
        other.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ValueError, match=r"other\.h5"):
            GradedSet(other, store)


def test_a_file_of_another_version_is_refused(graded, store):
    other = shutil.copy(graded.path, graded.path.with_name("other.h5"))
    with h5py.File(other, "r+") as file:
        file.attrs["version"] = 2
    seal(other)

    with pytest.raises(ValueError, match="of version 2, expected 1"):
        GradedSet(other, store)


def test_a_file_that_lacks_a_table_is_damaged(graded, store):
    other = shutil.copy(graded.path, graded.path.with_name("other.h5"))
    with h5py.File(other, "r+") as file:
        del file["items/dice"]
    seal(other)

    with pytest.raises(ValueError, match=r"other.h5: damaged graded segmentations"):
        GradedSet(other, store)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_refused_in_one_line(graded, store, share):
    content = graded.path.read_bytes()
    cut = graded.path.with_name("cut.h5")
    cut.write_bytes(content[: int(share * len(content))])

    with pytest.raises(ValueError, match=r"cut.h5") as refused:
        GradedSet(cut, store)
    assert "\n" not in str(refused.value)


def test_multi_class_dice_counts_a_confusion_as_two_errors():
    predicted = np.array([1, 1, 2, 2, 0, 0, 3])
    reference = np.array([1, 2, 2, 0, 1, 0, UNLABELLED])

    # TP: voxels 0 and 2. FP: voxel 3, and 1 as class 1. FN: voxel 4, and 1 as class 2.
    assert multi_class_dice(predicted, reference) == pytest.approx(2 * 2 / (2 * 2 + 2 + 2))
    assert np.isnan(multi_class_dice(np.zeros(3), np.zeros(3)))


def test_volume_fraction_is_positive_where_too_little_was_segmented():
    small, large, none = np.zeros((3, 1, 4), bool)
    small[0, :1] = large[0, :3] = True

    assert mvsf(small, large) == pytest.approx(2 * (3 - 1) / (3 + 1))
    assert mvsf(large, small) == pytest.approx(-1)
    assert mvsf(large, none) == -2
    assert np.isnan(mvsf(none, none))

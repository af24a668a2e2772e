import contextlib
import gzip
import os
import tracemalloc
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from builders import study_of
from source_builders import AFFINE, FRAMES, SHAPE, pixels, save

from semiqc.images.preparing import prepared
from semiqc.images.raw import RawStudy, UnusableError
from semiqc.nifti.files import difference, read_header, read_voxels
from semiqc.nifti.writing import write_labels, write_map
from semiqc.schemes import UNLABELLED
from semiqc.study import Geometry


def read(path):
    return read_voxels(read_header(path))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["u1", "i2", ">i2", "f4", ">f8", "u4"])
def test_voxels_are_those_nibabel_reads(tmp_path, ending, dtype):
    path = save(tmp_path / f"a{ending}", pixels().astype(dtype))
    expected = np.asanyarray(nib.load(path).dataobj)

    found = read(path)
    assert found.shape == (FRAMES, *SHAPE[::-1])
    np.testing.assert_array_equal(found, expected.T)
    assert found.dtype.isnative


def test_stored_values_are_scaled(tmp_path):
    image = nib.Nifti1Image(pixels(), AFFINE)
    image.header.set_slope_inter(0.5, -3)
    nib.save(image, tmp_path / "a.nii")

    np.testing.assert_array_equal(read(tmp_path / "a.nii"), pixels().T * 0.5 - 3)
    assert read(tmp_path / "a.nii").dtype == np.float32


def test_a_scaled_cine_is_read_and_resampled_without_copies_of_it(tmp_path):
    voxels = np.random.default_rng(0).integers(0, 999, (96, 96, 10, 60)).astype(np.int16)
    path, size = save(tmp_path / "a.nii", voxels, scl_slope=0.5, scl_inter=3), 4 * voxels.size
    labels = np.zeros(voxels.T.shape, np.int8)
    tracemalloc.start()
    image = read(path)
    peaks = [tracemalloc.get_traced_memory()[1] / size]
    tracemalloc.reset_peak()
    raw = RawStudy("a", image[None], labels, (8.0, 1.0, 1.0), AFFINE)
    study = prepared(raw, 1.0)
    peaks.append(tracemalloc.get_traced_memory()[1] / size)
    tracemalloc.stop()

    assert image.dtype == np.float32
    assert study.image.shape == (1, *image.shape)
    assert peaks[0] < 2.2  # What is stored, what is read, and whether it is finite.
    assert peaks[1] < 2.8  # What is read and what it becomes, with labels and a sample.


def test_place_and_spacing_are_those_of_the_header(tmp_path):
    header = read_header(save(tmp_path / "a.nii", pixels()))

    assert header.shape == (*SHAPE, FRAMES)
    assert header.spacing == (8, 1.5, 1.5)
    np.testing.assert_array_equal(header.affine, AFFINE)
    assert header.warnings == ()


@pytest.mark.parametrize(
    ("pixdim", "scale", "spacing", "taken"),
    [
        ((1, 1.25, 1.5, 10), (1, 1, 1), (10, 1.5, 1.25), "voxel size"),
        ((1, 1, 1, 1), (1.25, 1.5, 10), (10, 1.5, 1.25), "affine"),
    ],
)
def test_of_two_spacings_the_one_that_was_filled_in_is_taken(
    tmp_path, pixdim, scale, spacing, taken
):
    path = save(tmp_path / "a.nii", pixels(), np.diag([*scale, 1.0]))
    overwrite(path, 76, np.array(pixdim, "<f4").tobytes())

    header = read_header(path)
    assert header.spacing == spacing
    assert f"the {taken} is taken" in header.warnings[0]


def test_axes_of_length_one_at_the_end_are_left_out_and_missing_ones_added(tmp_path):
    long = save(tmp_path / "long.nii", pixels().reshape(*SHAPE, FRAMES, 1))
    flat = save(tmp_path / "flat.nii", pixels()[:, :, 0, 0])

    assert read_header(long).shape == (*SHAPE, FRAMES)
    assert read_header(flat).shape == (*SHAPE[:2], 1)
    assert read(flat).shape == (1, 1, *SHAPE[1::-1])


def overwrite(path, offset, content):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


@pytest.mark.parametrize(
    ("offset", "content", "message"),
    [
        (0, b"abcd", "not a NIfTI file"),
        (344, b"ni1\0", "not a NIfTI file of one part"),
        (40, np.array([4, 7, 6, 0, 4], "<i2").tobytes(), "unsound dimensions"),
        (40, np.array([9], "<i2").tobytes(), "unsound dimensions"),
        (40, np.array([1, 7, 6, 3, 4], "<i2").tobytes(), "one line of voxels"),
        (40, np.array([3, 1, 6, 1, 4], "<i2").tobytes(), "one line of voxels"),
        (40, np.array([5, 7, 6, 3, 4, 2], "<i2").tobytes(), "has 5 axes"),
        (40, np.array([4, 32767, 32767, 32767, 32767], "<i2").tobytes(), "more than 268435456"),
        (40, np.array([4, 700, 600, 3, 4], "<i2").tobytes(), "the file can hold"),
        (70, np.array([77], "<i2").tobytes(), "unsound NIfTI header"),
        (70, np.array([32], "<i2").tobytes(), "expected real numbers"),
        (80, np.array([0], "<f4").tobytes(), "spacing must be positive mm"),
        (80, np.array([-1.5], "<f4").tobytes(), "spacing must be positive mm"),
        (80, np.array([np.nan], "<f4").tobytes(), "spacing must be positive mm"),
        (108, np.array([1e30], "<f4").tobytes(), "cannot begin at byte 1e"),
        (108, np.array([np.nan], "<f4").tobytes(), "cannot begin at byte nan"),
        (123, bytes([1]), "lengths are in metres"),
        (280, np.zeros(12, "<f4").tobytes(), "affine cannot be inverted"),
        (280, np.full(12, np.nan, "<f4").tobytes(), "affine cannot be inverted"),
    ],
)
def test_an_unsound_header_is_refused_in_words(tmp_path, offset, content, message):
    path = save(tmp_path / "a.nii", pixels())
    overwrite(path, offset, content)

    with pytest.raises(UnusableError, match=rf"a\.nii: .*{message}"):
        read_header(path)


def test_an_axis_longer_than_nifti_1_can_name_is_refused(tmp_path):
    path = tmp_path / "a.nii.gz"
    for frames in (32767, 32768):
        nib.save(nib.Nifti2Image(np.zeros((2, 2, 1, frames), np.int8), AFFINE), path)
        with (
            contextlib.nullcontext()
            if frames == 32767
            else pytest.raises(
                UnusableError,
                match=r"claims shape \(2, 2, 1, 32768\), expected 32767 on each axis",
            )
        ):
            assert read_header(path).frames == frames


def test_a_small_packed_file_cannot_claim_much_memory(tmp_path):
    path = save(tmp_path / "a.nii", pixels())
    overwrite(path, 40, np.array([4, 500, 500, 100, 10], "<i2").tobytes())
    packed = tmp_path / "a.nii.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))

    with pytest.raises(UnusableError, match="cut short"):
        read_header(packed)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_file_that_was_cut_anywhere_is_refused(tmp_path, name):
    path = save(tmp_path / name, pixels())
    content = path.read_bytes()
    for length in np.random.default_rng(0).integers(1, len(content) - 1, 60):
        path.write_bytes(content[:length])
        with pytest.raises(UnusableError, match=rf"{name}: "):
            read(path)


def test_flipped_bytes_are_refused_or_read_but_never_a_traceback(tmp_path):
    content = save(tmp_path / "a.nii.gz", pixels()).read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(200):
        broken = bytearray(content)
        for place in rng.integers(0, len(content), 3):
            broken[place] ^= int(rng.integers(1, 256))
        (tmp_path / "b.nii.gz").write_bytes(bytes(broken))
        try:
            read(tmp_path / "b.nii.gz")
        except UnusableError:
            refused += 1
    assert refused > 190


def test_any_header_is_refused_or_read_but_never_a_traceback(tmp_path):
    path = save(tmp_path / "a.nii", pixels())
    content = path.read_bytes()
    rng = np.random.default_rng(2)
    for _ in range(400):
        broken = bytearray(content)
        for place in rng.integers(4, 344, 4):
            broken[place] = int(rng.integers(0, 256))
        path.write_bytes(bytes(broken))
        with contextlib.suppress(UnusableError):
            assert np.isfinite(read(path)).all()


def test_a_damaged_checksum_is_noticed(tmp_path):
    path = save(tmp_path / "a.nii.gz", pixels())
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(bytes(content))

    with pytest.raises(UnusableError, match=r"a\.nii\.gz: cut short or damaged \(CRC"):
        read(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_voxels_that_are_not_finite_are_refused(tmp_path, value):
    voxels = pixels().astype(np.float64)
    voxels[0, 0, 0, 0] = value

    with pytest.raises(UnusableError, match=r"a\.nii: 1 voxels are NaN, infinite or beyond"):
        read(save(tmp_path / "a.nii", voxels))


def test_no_file_an_empty_one_and_a_folder_are_told_apart(tmp_path):
    (tmp_path / "empty.nii.gz").touch()
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(UnusableError, match=r"none\.nii: no such file"):
        read_header(tmp_path / "none.nii")
    with pytest.raises(UnusableError, match=r"empty\.nii\.gz: empty file"):
        read_header(tmp_path / "empty.nii.gz")
    with pytest.raises(UnusableError, match=r"folder\.nii: a folder, expected a file"):
        read_header(tmp_path / "folder.nii")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_nobody_may_read_is_named(tmp_path):
    path = save(tmp_path / "a.nii", pixels())
    path.chmod(0)
    with pytest.raises(UnusableError, match=r"a\.nii: no permission"):
        read_header(path)


def test_grids_are_the_same_up_to_rounding(tmp_path):
    image = read_header(save(tmp_path / "a.nii", pixels()))
    rounded = read_header(save(tmp_path / "b.nii", pixels(), AFFINE + 1e-4))
    shifted = AFFINE.copy()
    shifted[0, 3] += 1.5

    assert difference(image, rounded) == ""
    assert "affine lies up to 1.5 mm" in difference(
        image, read_header(save(tmp_path / "c.nii", pixels(), shifted))
    )
    assert "shape (7, 6, 2), a.nii has (7, 6, 3)" in difference(
        image, read_header(save(tmp_path / "d.nii", pixels()[:, :, :2]))
    )


def test_labels_of_a_study_without_geometry_keep_their_grid(tmp_path):
    study = study_of("a")
    write_labels(tmp_path / "a.nii.gz", study, study.labels)

    written = nib.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(np.asanyarray(written.dataobj).T, study.labels)
    assert (np.asanyarray(written.dataobj) == UNLABELLED).any()
    np.testing.assert_allclose(written.header.get_zooms()[:3], study.spacing[::-1])


def test_a_still_study_is_written_in_three_axes(tmp_path):
    study = study_of("a")
    still = replace(study, image=study.image[:, 1:2], labels=study.labels[1:2])
    write_labels(tmp_path / "a.nii", still, still.labels)

    assert nib.load(tmp_path / "a.nii").shape == (6, 5, 2)
    assert read_header(tmp_path / "a.nii").shape == (6, 5, 2)


def test_labels_of_another_shape_are_refused_and_nothing_is_written(tmp_path):
    study = study_of("a")
    with pytest.raises(ValueError, match="a: labels have shape"):
        write_labels(tmp_path / "a.nii", study, study.labels[:2])

    assert list(tmp_path.iterdir()) == []


def test_the_same_labels_are_written_as_the_same_bytes(tmp_path):
    study = study_of("a")
    for name in ("a.nii.gz", "b.nii.gz"):
        write_labels(tmp_path / name, study, study.labels)

    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_a_map_is_written_on_the_source_grid_in_steps_of_a_128th(tmp_path):
    study = study_of("a")
    values = np.random.default_rng(0).random(study.labels.shape).astype(np.float16)
    values[0, 0, 0, :3] = 0, 0.5, 1
    affine = np.diag([-2.0, -1.5, 8, 1])
    study = replace(study, geometry=Geometry(affine, (6, 5, 2)))
    write_map(tmp_path / "a.nii.gz", study, values)

    written = nib.load(tmp_path / "a.nii.gz")
    found = written.get_fdata().T
    np.testing.assert_allclose(found, values, atol=1 / 256)
    np.testing.assert_array_equal(found[0, 0, 0, :3], [0, 0.5, 1])
    np.testing.assert_array_equal(written.affine, affine)
    assert written.get_data_dtype() == np.uint8


def test_a_map_stays_within_0_and_1(tmp_path):
    study = study_of("a")
    values = np.where(study.labels == UNLABELLED, -0.5, 1.5)
    write_map(tmp_path / "a.nii", study, values)

    assert set(np.unique(nib.load(tmp_path / "a.nii").get_fdata())) == {0, 1}


def test_a_map_of_another_shape_is_refused_and_nothing_is_written(tmp_path):
    study = study_of("a")
    with pytest.raises(ValueError, match="a: values have shape"):
        write_map(tmp_path / "a.nii", study, np.zeros((3, 2, 6, 5)))

    assert list(tmp_path.iterdir()) == []

"""The same heart stored in any orientation ends up at the same millimetres, in 3-D and in 4-D."""

import itertools

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from source_builders import pixels
from test_geometry import rotation

from semiqc.cli.app import main
from semiqc.exchange.exporting import export_cases
from semiqc.exchange.importing import import_data, read_images
from semiqc.exchange.lineage import ExportCase
from semiqc.exchange.origin import Origins
from semiqc.exchange.readers.nifti import LabelValues
from semiqc.exchange.readers.pairs import find_pairs
from semiqc.exchange.segmented import find_segmented, read_segmented
from semiqc.files.store.reader import Store
from semiqc.nifti.writing import write_labels
from semiqc.phantom.short_axis import short_axis_study
from semiqc.schemes import SHORT_AXIS

SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)

CODES = ("LAS", "RAS", "LPS", "RPS", "LPI", "RPI", "RAI", "ALS", "PRI")
"""In-plane flips with the slices up and down, and rows for columns."""

SHAPE, FRAMES, LV = (7, 6, 3), 4, 3
BRIGHT = 700


def straight():
    affine = np.diag([1.5, 1.5, 8, 1])
    affine[:3, 3] = 30, -20, 70
    return affine


def oblique():
    affine = straight()
    affine[:3, :3] = rotation() @ affine[:3, :3]
    return affine


PLACES = {"straight": straight(), "oblique": oblique()}


def save_as(path, code, voxels, affine):
    """The same image, its axes in another order and direction; both transforms say where."""
    usual, wanted = (nib.orientations.axcodes2ornt(c) for c in ("RAS", code))
    image = nib.Nifti1Image(voxels, affine)
    image = image.as_reoriented(nib.orientations.ornt_transform(usual, wanted))
    image.set_sform(image.affine, 1)
    image.set_qform(image.affine, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


def in_nibabel(path, above):
    """Millimetres in RAS+ of the voxels above a value, sorted, with the frame before each."""
    image = nib.load(path)
    return _sorted(np.argwhere(np.asanyarray(image.dataobj) > above), image.affine)


def in_itk(path, above):
    """The same as SimpleITK reads the file, whose millimetres are of LPS."""
    image = SimpleITK.ReadImage(str(path))
    places = np.argwhere(above < SimpleITK.GetArrayFromImage(image).T)
    axes = image.GetDimension()
    affine = np.eye(4)
    directions = np.reshape(image.GetDirection(), (axes, axes))[:3, :3]
    affine[:3, :3] = directions * image.GetSpacing()[:3]
    affine[:3, 3] = image.GetOrigin()[:3]
    return _sorted(places, np.diag([-1.0, -1, 1, 1]) @ affine)


def _sorted(places, affine):
    frames = places[:, 3:] if places.shape[1] == 4 else np.zeros((len(places), 1))
    mm = np.round(nib.affines.apply_affine(affine, places[:, :3]), 3) + 0.0
    return np.array(sorted(map(tuple, np.hstack([frames, mm]))))


def assert_lies_at(path, expected, above=0):
    for read in (in_nibabel, in_itk):
        np.testing.assert_allclose(read(path, above), expected, atol=2e-3)


def one_of(source, spacing=1.5):
    (study,) = read_images(source, spacing=spacing, modalities=1, scheme=SHORT_AXIS)
    return study


def bright(study, raw):
    """Labels of the left ventricle wherever the image that was read is bright."""
    return np.where(raw[0] > BRIGHT, LV, 0).astype(np.int8).reshape(study.labels.shape)


@pytest.fixture(params=[f"{place} {code}" for place in PLACES for code in CODES])
def cine(request, tmp_path):
    """A file of a cine in some orientation; where its bright voxels lie, frame and mm."""
    place, code = request.param.split()
    voxels = pixels(shape=(*SHAPE, FRAMES))
    path = save_as(tmp_path / "in" / "a.nii", code, voxels, PLACES[place])
    expected = _sorted(np.argwhere(voxels > BRIGHT), PLACES[place])
    assert len(expected) > 100
    return path, expected


def segmented(path):
    """A study as predict and import read it, and labels where it is bright."""
    study = one_of(path)
    voxels = np.asanyarray(nib.load(path).dataobj).T
    return study.with_labels(bright(study, voxels[None]))


def test_what_predict_writes_lies_on_what_it_saw(cine, tmp_path):
    path, expected = cine
    study = segmented(path)
    write_labels(tmp_path / "a.nii.gz", study, study.labels)

    assert_lies_at(tmp_path / "a.nii.gz", expected)


def test_score_takes_what_lies_on_its_image_from_every_program(cine, tmp_path):
    path, expected = cine
    study = segmented(path)
    (tmp_path / "out").mkdir()
    write_labels(tmp_path / "out" / "a.nii", study, study.labels)
    written = SimpleITK.ReadImage(str(tmp_path / "out" / "a.nii"))
    SimpleITK.WriteImage(written, str(tmp_path / "out" / "a.nii"))
    [entry] = find_pairs(tmp_path / "in", tmp_path / "out", SHORT_AXIS).entries
    raw = entry.read(True)

    frames, *places = np.nonzero(raw.labels)
    found = _sorted(np.stack([*places[::-1], frames], axis=1), raw.affine)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    np.testing.assert_array_equal(raw.labels == LV, raw.image[0] > BRIGHT)


@pytest.mark.parametrize("grid", ["store", "source"])
def test_exported_frames_lie_where_their_cine_does(cine, tmp_path, grid):
    path, expected = cine
    (tmp_path / "m.csv").write_text(f"study,image\na,{path}\n")
    import_data(tmp_path / "m.csv", tmp_path / "x.h5", spacing=1.5)
    [study] = [Store(tmp_path / "x.h5").study("a")]
    study = study.with_labels(segmented(path).labels)
    raw = Origins(SHORT_AXIS).read(study) if grid == "source" else None
    export_cases([ExportCase(study, raw=raw)], tmp_path / "D", SHORT_AXIS, ("cine",))

    for frame in range(FRAMES):
        of_frame = expected[expected[:, 0] == frame].copy()
        of_frame[:, 0] = 0
        [image] = (tmp_path / "D" / "imagesTr").glob(f"a_frame{frame:02d}*")
        above = BRIGHT if grid == "source" else np.sort(nib.load(image).get_fdata(), axis=None)[
            -len(of_frame) - 1
        ]  # fmt: skip
        assert_lies_at(tmp_path / "D" / "labelsTr" / f"a_frame{frame:02d}.nii.gz", of_frame)
        assert_lies_at(image, of_frame, above)


def test_a_reference_that_came_with_a_cine_grades_what_lies_on_it(cine, tmp_path):
    path, _ = cine
    study = segmented(path)
    write_labels(tmp_path / "a_gt.nii", study, study.labels)
    (tmp_path / "m.csv").write_text(f"study,image,labels\na,{path},a_gt.nii\n")
    import_data(tmp_path / "m.csv", tmp_path / "x.h5", spacing=1.5)
    (tmp_path / "out").mkdir()
    (tmp_path / "a_gt.nii").rename(tmp_path / "out" / "a.nii")
    store = Store(tmp_path / "x.h5")
    [[file], []] = find_segmented(tmp_path / "out", store)
    found = read_segmented(file, store.study("a"), LabelValues(SHORT_AXIS))

    for frame, labels in found.items():
        np.testing.assert_array_equal(labels, store.study("a").labels[frame])
    assert len(found) == FRAMES


@pytest.mark.parametrize("code", CODES)
def test_resampling_moves_nothing_in_any_orientation(tmp_path, code):
    voxels = np.zeros((20, 22, 3), np.int16)
    voxels[4:9, 12:19, 1:] = 900
    voxels[5, 5, 1] = 1
    path = save_as(tmp_path / "a.nii", code, voxels, PLACES["oblique"])
    study = one_of(path, spacing=0.9)
    labels = np.where(np.asarray(study.image[0]) > 0.5, LV, 0).astype(np.int8)
    write_labels(tmp_path / "out.nii", study, labels)

    assert_lies_at(tmp_path / "out.nii", _sorted(np.argwhere(voxels > 100), PLACES["oblique"]))


def test_a_heart_is_segmented_at_the_same_millimetres_however_it_is_stored(tmp_path):
    phantom = short_axis_study(3, size=48, slices=3, frames=1, spacing=(10, 2.5, 2.5))
    voxels = np.rint(np.asarray(phantom.image[0, :, 1:2]) * 1000).astype(np.int16).T
    affine = PLACES["oblique"].copy()
    affine[:3, :3] *= np.array(phantom.spacing[::-1]) / (1.5, 1.5, 8)
    for code in ("LAS", "RPS"):
        save_as(tmp_path / "in" / f"{code}.nii", code, voxels, affine)
    out = tmp_path / "out"
    assert main(["predict", "phantom", str(tmp_path / "in"), "--output", str(out)]) == 0

    found = {
        (code, read.__name__): read(out / f"{code}.nii.gz", 0)
        for code, read in itertools.product(("LAS", "RPS"), (in_nibabel, in_itk))
    }
    first, *others = found.values()
    assert len(first) > 20
    for other in others:
        np.testing.assert_allclose(other, first, atol=2e-3)

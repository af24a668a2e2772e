"""What is exported lies on the grid of the files that were imported, with their intensities."""

import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from source_builders import acdc, pixels, save

from semiqc.exchange.export_grids import Grids
from semiqc.exchange.exporting import export_cases
from semiqc.exchange.importing import import_data
from semiqc.exchange.lineage import PSEUDO, ExportCase, Lineage
from semiqc.exchange.origin import Origins
from semiqc.files.store.reader import Store
from semiqc.images.raw import UnusableError
from semiqc.schemes import SHORT_AXIS


@pytest.fixture
def source(tmp_path):
    acdc(tmp_path / "in", "patient001")
    acdc(tmp_path / "in", "patient002", seed=1)
    return tmp_path / "in"


def imported(tmp_path, spacing=1.0):
    path = tmp_path / "store.h5"
    import_data(tmp_path / "in", path, spacing=spacing, overwrite=True)
    return Store(path)


def exported(tmp_path, study, lineage=(), layout="decathlon", scheme=SHORT_AXIS):
    case = ExportCase(study, dict(lineage), Origins(scheme).read(study))
    folder = tmp_path / "out"
    rows = export_cases([case], folder, scheme, ("cine",), layout=layout)
    return folder, rows


def test_an_experts_frame_is_exported_as_it_was_imported(tmp_path, source):
    folder, rows = exported(tmp_path, imported(tmp_path).study("patient001"))

    assert [(row.case, row.grid) for row in rows] == [
        ("patient001_frame00", "source"), ("patient001_frame02", "source"),
    ]  # fmt: skip
    files = sorted(path.name for path in folder.glob("*Tr/*"))
    assert files == sorted(2 * [f"patient001_frame0{n}.nii.gz" for n in (0, 2)])
    for kind, name in (("imagesTr", "patient001_frame03"), ("labelsTr", "patient001_frame03_gt")):
        first = nib.load(source / "patient001" / f"{name}.nii.gz")
        written = nib.load(folder / kind / "patient001_frame02.nii.gz")
        np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(first.dataobj))
        assert written.get_data_dtype() == first.get_data_dtype()
        np.testing.assert_array_equal(written.affine, first.affine)
        np.testing.assert_allclose(written.header.get_zooms(), first.header.get_zooms())


def test_pseudo_labels_lie_on_the_grid_of_the_source(tmp_path, source):
    study = imported(tmp_path, spacing=0.75).study("patient001")
    pseudo = np.full(study.labels.shape, -1, np.int8)
    pseudo[1] = np.repeat(np.repeat(study.source_labels[0], 2, 1), 2, 2)
    folder, _ = exported(tmp_path, study.with_labels(pseudo), {1: Lineage(PSEUDO)})

    written = nib.load(folder / "labelsTr" / "patient001_frame01.nii.gz")
    first = nib.load(source / "patient001" / "patient001_frame01_gt.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(first.dataobj))
    cine = nib.load(source / "patient001" / "patient001_4d.nii.gz")
    image = nib.load(folder / "imagesTr" / "patient001_frame01.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj), np.asarray(cine.dataobj)[..., 1])


def test_slices_along_another_axis_are_turned_back(tmp_path):
    affine = np.diag([8, 1.5, 1.5, 1])
    description = '{"channel_names": {"0": "MRI"}, "labels": {"background": 0, "LV": 1}}'
    voxels = pixels(shape=(3, 7, 6))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "dataset.json").write_text(description)
    save(tmp_path / "in/imagesTr/a.nii.gz", voxels, affine)
    save(tmp_path / "in/labelsTr/a.nii.gz", (voxels > 500).astype(np.uint8), affine)
    store = imported(tmp_path)
    folder, _ = exported(tmp_path, store.study("a"), scheme=store.scheme)

    for kind, expected in (("imagesTr", voxels), ("labelsTr", voxels > 500)):
        written = nib.load(folder / kind / "a_frame00.nii.gz")
        np.testing.assert_array_equal(np.asarray(written.dataobj), expected)
        np.testing.assert_array_equal(written.affine, affine)


def replaced(source):
    shutil.rmtree(source / "patient001")
    acdc(source, "patient001", seed=7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced, "patient001: not the image that was imported"),
        (lambda source: shutil.rmtree(source / "patient001"), "gone, or without the study"),
        (shutil.rmtree, "gone, or without the study"),
    ],
)
def test_a_source_that_changed_is_not_taken(tmp_path, source, change, message):
    study = imported(tmp_path).study("patient001")
    change(source)

    with pytest.raises(UnusableError, match=message):
        Origins(SHORT_AXIS).read(study)


@pytest.mark.parametrize("found", [None, "there", {"source": "x"}, {"source": [], "layout": 3}])
def test_a_store_that_does_not_tell_where_it_is_from_is_no_mistake(tmp_path, source, found):
    study = imported(tmp_path).study("patient001")
    geometry = replace(study.geometry, to_source={**study.geometry.to_source, "found": found})

    with pytest.raises(UnusableError):
        Origins(SHORT_AXIS).read(replace(study, geometry=geometry))


def test_a_study_that_was_spoilt_since_is_not_its_source(tmp_path, source):
    study = imported(tmp_path).study("patient001")
    image = study.image[:]
    image[0, 2, 1, 3, 4] += 0.1

    with pytest.raises(UnusableError, match="not the image that was imported"):
        Origins(SHORT_AXIS).read(replace(study, image=image))


def test_studies_whose_source_is_gone_stay_on_the_store_and_that_is_said_once(tmp_path, source):
    studies = list(imported(tmp_path))
    shutil.rmtree(source / "patient001")
    grids = Grids(SHORT_AXIS, "source")
    found = {case.study.name: case.grid for case in grids.on(map(ExportCase, studies))}

    assert found == {"patient001": "store", "patient002": "source"}
    assert grids.told().startswith("1 of 2 studies have grid and intensities of the store")
    assert [case.grid for case in Grids(SHORT_AXIS, "store").on(map(ExportCase, studies))] == [
        "store", "store",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="grid must be source or store, got mine"):
        Grids(SHORT_AXIS, "mine")

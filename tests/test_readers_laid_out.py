"""Segmentations of whole studies belong to the studies of a layout, as to files of their name."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from source_builders import save
from test_layouts import LAYOUTS, MM, acdc, drawn, said, written

from semiqc.exchange.importing import list_images
from semiqc.exchange.readers.pairs import find_pairs
from semiqc.images.raw import UnusableError
from semiqc.nifti.writing import write_labels
from semiqc.review.files import of_files
from semiqc.schemes import SHORT_AXIS


def segmented(source: Path, folder: Path) -> dict[str, np.ndarray]:
    """Writes a segmentation for each study as `predict` does; what it holds, ``[T, Z, Y, X]``."""
    found = list_images(source, spacing=1.5, modalities=1, scheme=SHORT_AXIS)
    folder.mkdir(parents=True)
    written = {}
    for number in range(len(found.entries)):
        study = found.read(number)
        labels = np.zeros((study.frames, *study.labels.shape[1:]), np.int8)
        labels[:, 0, 1:9, 2:6] = 1 + number % 3
        write_labels(folder / f"{study.name}.nii.gz", study, labels)
        written[study.name] = labels
    return written


def found(images: Path, segmentations: Path, **how: object):
    return find_pairs(images, segmentations, SHORT_AXIS, **how)


@pytest.mark.parametrize("layout", [one for one in LAYOUTS if one != "ssl4mis"])
def test_each_study_has_the_segmentation_of_its_name(layout, tmp_path):
    source = written(layout, tmp_path / "in")
    expected = segmented(source, tmp_path / "out")

    listing = found(source, tmp_path / "out")

    assert {entry.name for entry in listing.entries} == set(expected)
    for entry in listing.entries:
        raw = entry.read(True)
        assert raw.labels.shape == raw.image.shape[1:]
        assert set(np.unique(raw.labels)) == set(np.unique(expected[entry.name]))
        assert entry.segmentation == tmp_path / "out" / f"{entry.name}.nii.gz"


def test_voxels_stay_where_they_were(tmp_path):
    acdc(tmp_path / "in", 1)
    _, labels = drawn(1)
    save(tmp_path / "out" / "patient001.nii.gz", labels, MM)

    [entry] = found(tmp_path / "in", tmp_path / "out").entries

    np.testing.assert_array_equal(entry.read(True).labels, labels.T)


def test_what_has_no_partner_is_told_and_the_rest_goes_on(tmp_path):
    for number in (1, 2, 3):
        acdc(tmp_path / "in", number)
    for name in ("patient001", "patient002_pred", "patient002_seg", "other"):
        save(tmp_path / "out" / f"{name}.nii.gz", drawn(1)[1], MM)

    listing = found(tmp_path / "in", tmp_path / "out")

    assert [entry.name for entry in listing.entries] == ["patient001"]
    assert {one.name: one.reason for one in listing.refusals} == {
        "patient003": "an image without a segmentation",
        "patient002": (
            "patient002_pred.nii.gz, patient002_seg.nii.gz: several segmentations of one image"
        ),
        "other": "other.nii.gz: a segmentation without an image",
    }


@pytest.mark.parametrize(
    ("voxels", "affine", "expected"),
    [
        pytest.param(
            drawn(1)[1][..., :1], MM, "patient001.nii.gz: 1 frames, expected 2", id="frames"
        ),
        pytest.param(drawn(1)[1][:-1], MM, "shape", id="size"),
        pytest.param(drawn(1)[1], np.diag([1.5, 1.5, 9, 1]), "affine lies up to", id="place"),
        pytest.param(drawn(1)[1] + 3, MM, "unknown label values", id="values"),
    ],
)
def test_a_segmentation_that_does_not_fit_is_told(tmp_path, voxels, affine, expected):
    acdc(tmp_path / "in", 1)
    save(tmp_path / "out" / "patient001.nii.gz", voxels, affine)

    [entry] = found(tmp_path / "in", tmp_path / "out").entries
    with pytest.raises(UnusableError, match=f"segmentation.*{expected}"):
        entry.read(True)


def test_an_image_of_other_modalities_is_told(tmp_path):
    acdc(tmp_path / "in", 1)
    save(tmp_path / "out" / "patient001.nii.gz", drawn(1)[1], MM)

    [entry] = found(tmp_path / "in", tmp_path / "out", modalities=2).entries
    with pytest.raises(UnusableError, match="1 modalities, expected 2"):
        entry.read(True)


def test_a_folder_that_is_left_out_holds_no_segmentation(tmp_path):
    acdc(tmp_path / "in", 1)
    for name in ("patient001", "error_maps/patient001_LV"):
        save(tmp_path / "out" / f"{name}.nii.gz", drawn(1)[1], MM)

    listing = found(tmp_path / "in", tmp_path / "out", without=tmp_path / "out" / "error_maps")

    assert (len(listing.entries), listing.refusals) == (1, ())


def test_studies_of_a_layout_are_reviewed(tmp_path):
    acdc(tmp_path / "in", 1)
    save(tmp_path / "out" / "patient001.nii.gz", drawn(1)[1], MM)

    [item], left_out = of_files(tmp_path / "in", tmp_path / "out", SHORT_AXIS)

    assert (item.study, left_out) == ("patient001", ())
    assert item.read().labels.shape[0] == 2


def test_a_source_of_no_layout_is_refused_as_before(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    save(tmp_path / "out" / "a.nii.gz", drawn(1)[1], MM)

    assert said("score", "phantom", tmp_path / "in", tmp_path / "out", "-o", tmp_path / "s") == 2
    assert "no NIfTI, NRRD or MetaImage file" in capsys.readouterr().err


def test_a_segmentation_lies_where_any_program_reads_its_image(tmp_path):
    acdc(tmp_path / "in", 1)
    path = tmp_path / "in" / "patient001" / "patient001_4d.nii.gz"
    image = nib.load(path)
    image.set_qform(np.diag([-1.5, -1.5, 8, 1]), 1)
    image.set_sform(MM, 1)
    nib.save(image, path)
    save(tmp_path / "out" / "patient001.nii.gz", drawn(1)[1], np.diag([-1.5, -1.5, 8, 1]))

    [entry] = found(tmp_path / "in", tmp_path / "out").entries

    assert entry.read(True).labels.any()

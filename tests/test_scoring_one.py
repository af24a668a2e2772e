"""One segmentation judged from Python: files, images of nibabel, arrays."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from source_builders import save

import semiqc
from qc import Suite


@pytest.fixture(scope="module")
def suite(fitted_suite):
    return Suite.load(fitted_suite)


@pytest.fixture(scope="module")
def shape():
    return (40, 36, 4)


@pytest.fixture(scope="module")
def drawn(shape):
    """An image and labels, (X, Y, Z)."""
    x, y = np.mgrid[: shape[0], : shape[1]]
    radius = np.hypot(x - 20, y - 18)
    labels = np.select([radius < 6, radius < 9], [1, 2], 0).astype(np.uint8)
    labels[(radius >= 9) & (radius < 13) & (x < 14)] = 3
    rng = np.random.default_rng(0)
    image = labels[..., None] * 100 + rng.normal(200, 20, shape)
    return image.astype(np.int16), np.repeat(labels[..., None], shape[2], axis=2)


SPACING = (8.0, 1.5, 1.5)


def test_files_images_and_arrays_are_judged_alike(suite, drawn, tmp_path):
    image, labels = drawn
    paths = [save(tmp_path / f"P1_{n}.nii.gz", v) for n, v in (("im", image), ("seg", labels))]
    of_files = semiqc.score(*paths, suite=suite)
    of_images = semiqc.score(*map(nib.load, paths), suite=suite, name="P1_im")
    of_arrays = semiqc.score(image.T, labels.T, spacing=SPACING, suite=suite)

    assert of_files.study == of_images.study == "P1_im"
    assert of_files.score == of_images.score
    assert of_files.to_frame().equals(of_images.to_frame())
    assert of_arrays.score == pytest.approx(of_files.score, abs=1e-6)


def test_values_that_mean_others_are_translated(suite, drawn):
    image, labels = drawn
    expected = semiqc.score(image.T, labels.T, spacing=SPACING, suite=suite)
    turned = np.array([0, 7, 5, 6])[labels]
    found = semiqc.score(
        image.T, turned.T, spacing=SPACING, suite=suite, meaning={7: 1, 5: 2, 6: 3}
    )

    assert found.score == expected.score
    with pytest.raises(ValueError, match=r"unknown label values \[-1\]"):
        semiqc.score(image.T, turned.T, spacing=SPACING, suite=suite, meaning={7: 1, 5: 2})


def test_a_table_has_a_row_for_each_estimator_and_structure(suite, drawn):
    image, labels = drawn
    found = semiqc.score(image.T, labels.T, spacing=SPACING, suite=suite, name="<b>")
    table = found.to_frame()

    assert list(table.columns) == [
        "estimator",
        "structure",
        "dice",
        "nsd",
        "dice_low",
        "dice_high",
    ]
    assert len(table) == sum(len(one.dice) for one in found.qualities.values())
    row = table[(table.estimator == "svr") & (table.structure == "LV")].iloc[0]
    assert row.dice == found.qualities["svr"].dice["LV"]
    assert "&lt;b&gt;: score" in found._repr_html_()
    assert "svr" in found._repr_html_()


def test_slices_on_the_last_axis_are_noticed(suite, drawn):
    image, labels = drawn
    found = semiqc.score(image, labels, spacing=SPACING, suite=suite)

    assert any("do its slices lie along another axis?" in line for line in found.warnings)


@pytest.mark.parametrize("spacing", [None, SPACING])
def test_arrays_need_their_spacing_and_files_have_one(suite, drawn, spacing, tmp_path):
    image, labels = drawn
    path = save(tmp_path / "a.nii.gz", image)
    given = (image.T, labels.T) if spacing is None else (path, path)

    with pytest.raises(ValueError, match="two arrays and their spacing"):
        semiqc.score(*given, suite=suite, spacing=spacing)
    with pytest.raises(ValueError, match="two arrays and their spacing"):
        semiqc.score(path, labels.T, suite=suite, spacing=spacing)


def test_what_does_not_fit_is_refused_in_a_line(suite, drawn, tmp_path):
    image, labels = drawn
    path = save(tmp_path / "im.nii.gz", image)
    other = save(tmp_path / "seg.nii.gz", labels[:-1])
    (tmp_path / "cut.nii.gz").write_bytes(path.read_bytes()[:400])

    with pytest.raises(ValueError, match=r"seg.nii.gz: shape \(39, 36, 4\)"):
        semiqc.score(path, other, suite=suite)
    with pytest.raises(ValueError, match=r"cut.nii.gz"):
        semiqc.score(tmp_path / "cut.nii.gz", other, suite=suite)
    with pytest.raises(ValueError, match="no such file"):
        semiqc.score(tmp_path / "none.nii.gz", other, suite=suite)


def test_the_documented_example_runs_as_it_stands(fitted_suite, drawn, tmp_path, monkeypatch):
    docs = (Path(__file__).parents[1] / "docs" / "score.md").read_text(encoding="utf-8")
    [example] = [part.split("```")[0] for part in docs.split("```python\n")[1:]]
    for name, voxels in zip(("image", "segmentation"), drawn, strict=True):
        save(tmp_path / f"{name}.nii.gz", voxels)
    (tmp_path / "suite").symlink_to(fitted_suite)
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    exec(example, known)

    assert known["found"].study == "image"

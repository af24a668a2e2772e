"""The commands that read images and write results: every voxel stays on its millimetre."""

import csv
import importlib

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from test_geometry import HEADERS, assert_same_place, itk_place, write
from test_predict_resumed import Bright, Doubtful, page_in_short

from qc.consensus.panel import Panel
from semiqc.cli.app import main
from semiqc.exchange.lineage import ExportCase
from semiqc.experiment import elsewhere, predicting
from semiqc.experiment.learned import Learned
from semiqc.files.store.reader import Store
from semiqc.schemes import SHORT_AXIS

SHAPE = (9, 8, 3)
CINES = ("oblique", "rotated", "sheared sform", "no codes")
BRIGHT = 1
"""Label of what is bright, as ``Bright`` segments it."""


def blocks(number, shape):
    """Bright blocks on a dark ground, others in each file and frame."""
    rng = np.random.default_rng(number)
    return np.where(rng.random(shape) < 0.4, 900, 100).astype(np.int16)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Images of every header, cines of some, in both byte orders; and what is bright in them."""
    folder = tmp_path_factory.mktemp("geometry")
    names = [(name, SHAPE) for name in HEADERS] + [(name, (*SHAPE, 2)) for name in CINES]
    for number, (name, shape) in enumerate(names):
        order, voxels = "<>"[number % 2], blocks(number, shape)
        file = f"s{number:02d}_{name.replace(' ', '_')}.nii"
        write(folder / "in" / file, name, voxels, order=order)
        write(folder / "seg" / file, name, (voxels > 500).astype(np.uint8), order=order)
    lines = [f"{p.stem},in/{p.name},seg/{p.name}" for p in sorted((folder / "in").iterdir())]
    (folder / "m.csv").write_text("\n".join(["study,image,labels", *lines]))
    return folder


@pytest.fixture(scope="module")
def store(images):
    """The images with what is bright in them as labels, on their own grid."""
    path = images / "store.h5"
    assert main(["import", str(images / "m.csv"), str(path), "--spacing", "1.5"]) == 0
    return path


def of_images(images):
    return sorted((images / "in").iterdir())


def by_itk(path):
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


def assert_bright(image, labels):
    """What is bright in the image, and nothing else, has the label: for nibabel and for ITK."""
    assert_same_place(image, labels)
    voxels, found = (np.asanyarray(nib.load(path).dataobj) for path in (image, labels))
    np.testing.assert_array_equal(found == BRIGHT, voxels > 500)
    if itk_place(image):
        np.testing.assert_array_equal(by_itk(labels) == BRIGHT, by_itk(image) > 500)


def test_predict(images, tmp_path, monkeypatch):
    found = Learned(
        Bright(), Panel({"slicewise": Doubtful()}), SHORT_AXIS, 1.5, 1, False, "slicewise", "few",
        0, "model",
    )  # fmt: skip
    monkeypatch.setattr(predicting, "find_learned", lambda *_: found)
    monkeypatch.setattr("semiqc.scoring.page.write_page", page_in_short)

    assert main(["predict", "run", str(images / "in"), "-o", str(tmp_path / "out")]) == 0
    for image in of_images(images):
        assert_bright(image, tmp_path / "out" / f"{image.stem}.nii.gz")


def frames_of(image, folder):
    """Each frame of an image as a file of its own, with the image's header."""
    whole = nib.load(image)
    voxels = np.asanyarray(whole.dataobj)
    for number in range(voxels.shape[3] if voxels.ndim == 4 else 1):
        frame = voxels[..., number] if voxels.ndim == 4 else voxels
        path = folder / f"{image.stem}_frame{number:02d}.nii"
        yield path.stem, write(path, image.stem.partition("_")[2].replace("_", " "), frame)


def test_export(images, store, tmp_path, monkeypatch):
    cases = (ExportCase(study) for study in Store(store))
    module = importlib.import_module("semiqc.experiment.export_run")
    monkeypatch.setattr(module, "_learned_from", lambda *_: (Store(store), cases))

    output = tmp_path / "Dataset501_A"
    assert main(["export", "run", str(output)]) == 0
    for image in of_images(images):
        for name, frame in frames_of(image, tmp_path):
            assert_bright(frame, output / "labelsTr" / f"{name}.nii.gz")
            exported = output / "imagesTr" / f"{name}_0000.nii.gz"
            assert_same_place(frame, exported)
            np.testing.assert_array_equal(nib.load(exported).dataobj, nib.load(frame).dataobj)


def test_score(images, fitted_suite, tmp_path, monkeypatch):
    monkeypatch.setattr("semiqc.scoring.page.write_page", lambda *_: None)

    words = ["score", str(fitted_suite), str(images / "in"), str(images / "seg")]
    assert main([*words, "-o", str(tmp_path / "out")]) == 0
    for image in of_images(images):
        maps = sorted((tmp_path / "out" / "error_maps").glob(f"{image.stem}_*"))
        assert maps
        assert_same_place(image, maps[0])


def test_evaluate(store, finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr(elsewhere, "load_segmenter", lambda *_: Bright())
    # The run's own spacing is coarser than the files'.
    monkeypatch.setattr(elsewhere, "suited", lambda study, *_: study)
    monkeypatch.setattr(elsewhere, "build_report", lambda *_: None)

    words = ["evaluate", str(finished_run), str(store), "-o", str(tmp_path / "out")]
    assert main(words) == 0
    with (tmp_path / "out" / "overlap.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["structure"] == "RV"]
    assert {row["study"] for row in rows} == set(Store(store).names)
    assert {float(row["dice"]) for row in rows} == {1.0}

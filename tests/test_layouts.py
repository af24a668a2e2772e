"""Every layout goes all the way: checked, imported, read again, learned from and segmented."""

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from source_builders import save
from test_readers_dicom import series
from test_readers_dicom_enhanced import enhanced
from test_readers_formats import as_itk, h5

from semiqc.cli.app import main
from semiqc.exchange.origin import Origins
from semiqc.experiment.settings_file import read_settings
from semiqc.files.store.reader import Store

STUDIES, SIDE, SLICES = 5, 32, 3
MM = np.diag([1.5, 1.5, 8.0, 1.0])
RV, MYO, LV = 1, 2, 3


def drawn(number, values=(RV, MYO, LV)):
    """ED, ES (X, Y, Z, 2), and their labels: rings about a centre of the study's own."""
    x, y = np.mgrid[:SIDE, :SIDE]
    away = np.hypot(x - 14 - number % 3, y - 15)
    labels = np.zeros((SIDE, SIDE, SLICES, 2), np.uint8)
    for frame, shrunk in enumerate((0, 1)):
        labels[away < 9 - shrunk, :, frame] = values[1]
        labels[away < 6 - shrunk, :, frame] = values[2]
        labels[(away >= 9 - shrunk) & (away < 13) & (x < 10), :, frame] = values[0]
    noise = np.random.default_rng(number).normal(0, 10, labels.shape)
    return (100 + 200.0 * (labels > 0) + noise).astype(np.int16), labels


def acdc(folder, number):
    name = f"patient{number:03d}"
    image, labels = drawn(number)
    save(folder / name / f"{name}_4d.nii.gz", image, MM)
    (folder / name / "Info.cfg").write_text("ED: 1\nES: 2\nGroup: NOR\nNbFrame: 2\n")
    for frame in (1, 2):
        stem = f"{name}_frame{frame:02d}"
        save(folder / name / f"{stem}.nii.gz", image[..., frame - 1], MM)
        save(folder / name / f"{stem}_gt.nii.gz", labels[..., frame - 1], MM)


def mnms(folder, number):
    image, labels = drawn(number, (LV, MYO, RV))
    code = f"A{number}B"
    save(folder / code / f"{code}_sa.nii.gz", image, MM)
    save(folder / code / f"{code}_sa_gt.nii.gz", labels, MM)


def ukbb(folder, number):
    image, labels = drawn(number, (LV, MYO, RV))
    save(folder / str(1000 + number) / "sa.nii.gz", image, MM)
    for frame, end in enumerate(("ED", "ES")):
        save(folder / str(1000 + number) / f"sa_{end}.nii.gz", image[..., frame], MM)
        save(folder / str(1000 + number) / f"label_sa_{end}.nii.gz", labels[..., frame], MM)


def described(folder):
    labels = {"background": 0, "RV": RV, "MYO": MYO, "LV": LV}
    content = {"channel_names": {"0": "MRI"}, "labels": labels, "file_ending": ".nii.gz"}
    folder.mkdir(exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(content))


def of_dataset(name):
    def write(folder, number):
        image, labels = drawn(number)
        described(folder / "Dataset001_X")
        for frame, end in enumerate(("ED", "ES")):
            case = f"P{number}_{end}"
            path = folder / "Dataset001_X" / "imagesTr" / name.format(case)
            save(path, image[..., frame], MM)
            save(folder / "Dataset001_X" / "labelsTr" / f"{case}.nii.gz", labels[..., frame], MM)

    return write


def ssl4mis(folder, number):
    image, labels = drawn(number)
    for frame in (0, 1):
        path = folder / f"patient{number:03d}_frame{frame + 1:02d}.h5"
        h5(path, image[..., frame].T, labels[..., frame].T)


def plain(folder, number, ending=".nii.gz"):
    image, labels = drawn(number)
    for voxels, name in ((image, ""), (labels, "_gt")):
        path = save(folder / f"case{number}_frame01{name}.nii.gz", voxels[..., 0], MM)
        if ending != ".nii.gz":
            as_itk(path, ending)
            path.unlink(missing_ok=True)


def manifest(folder, number):
    image, labels = drawn(number)
    save(folder / f"files/{number}.nii.gz", image, MM)
    save(folder / f"files/{number}_labels.nii.gz", labels, MM)
    table = folder / "table.csv"
    if not table.exists():
        table.write_text("study,image,labels\n")
    with table.open("a") as file:
        file.write(f"s{number},files/{number}.nii.gz,files/{number}_labels.nii.gz\n")


def dicom(folder, number):
    series(folder / f"P{number}", lambda z, t: {"SeriesInstanceUID": f"1.2.{number + 1}"})


def multi_frame(folder, number):
    enhanced(folder / f"P{number}", SeriesInstanceUID=f"1.2.{number + 1}")


LAYOUTS = {
    "acdc": acdc,
    "mnms": mnms,
    "ukbb": ukbb,
    "nnunet": of_dataset("{}_0000.nii.gz"),
    "decathlon": of_dataset("{}.nii.gz"),
    "ssl4mis": ssl4mis,
    "manifest": manifest,
    "nifti": plain,
    "nrrd": lambda folder, number: plain(folder, number, ".nrrd"),
    "mha": lambda folder, number: plain(folder, number, ".mha"),
    "dicom": dicom,
    "enhanced": multi_frame,
}
UNLABELLED = {"dicom", "enhanced"}


def written(layout: str, folder: Path) -> Path:
    """A folder in a layout; of a manifest its table."""
    folder.mkdir()
    for number in range(1 if layout in UNLABELLED else STUDIES):
        LAYOUTS[layout](folder, number)
    return folder / "table.csv" if layout == "manifest" else folder


def said(*arguments: object) -> int:
    return main([str(one) for one in arguments])


UNMEASURED = "ssl4mis"
"""Says nothing of the size of its pixels."""


def measured(*fast: str) -> list[object]:
    """Layouts that say the size of pixels, of which all but these are slow."""
    layouts = [name for name in LAYOUTS if name != UNMEASURED]
    return [n if n in fast else pytest.param(n, marks=pytest.mark.slow) for n in layouts]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_checked_imported_and_found_again(layout, tmp_path):
    source, store = written(layout, tmp_path / "in"), tmp_path / "store.h5"

    assert said("check", source, "-o", tmp_path / "draft", "--no-time") == 0
    drafted = read_settings(tmp_path / "draft" / "settings.yaml")
    assert said("import", drafted.data, store, "--layout", drafted.importing.layout) == 0
    studies = list(Store(store))
    assert len({study.subject for study in studies}) == (1 if layout in UNLABELLED else STUDIES)
    assert all(bool(study.labelled_frames) != (layout in UNLABELLED) for study in studies)
    for study in studies:
        again = Origins(Store(store).scheme).read(study)
        assert again.image.shape[1] == study.frames


@pytest.mark.parametrize("layout", measured("decathlon", "enhanced"))
def test_new_studies_of_a_layout_are_segmented_and_judged(layout, finished_run, tmp_path):
    source, out = written(layout, tmp_path / "in"), tmp_path / "out"

    assert said("predict", finished_run, source, "-o", out, "--scenario", "few") == 0
    found = list(out.glob("*.nii.gz"))
    assert found
    assert all(set(np.unique(nibabel.load(p).dataobj)) <= {0, RV, MYO, LV} for p in found)
    assert said("score", "phantom", source, out, "-o", tmp_path / "scores") == 0
    with (tmp_path / "scores" / "studies.csv").open() as table:
        assert {row["study"] for row in csv.DictReader(table)} == {
            path.name.removesuffix(".nii.gz") for path in found
        }


def test_pixels_of_unknown_size_are_not_taken_for_coarse_ones(finished_run, tmp_path, capsys):
    source = written(UNMEASURED, tmp_path / "in")

    assert said("predict", finished_run, source, "-o", tmp_path / "out", "--scenario", "few") == 2
    assert "is the spacing in mm?" in capsys.readouterr().err


RUN = (
    "scenarios=[few, random]", "gates=[]", "online={}", "dirty.share=0", "gate.k=1",
    "split.labelled=2", "split.unlabelled=1", "split.qc=0", "split.test=2", "split.validation=0",
    "qc.suite=null", "qc.estimators=[physiology]", "gate.by=physiology", "segmenter.kind=unet",
    "segmenter.channels=[4, 8]", "segmenter.mirror=false", "segmenter.members=1",
    "training.steps=4", "training.batch_size=2", "training.patch=[32, 32]",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in UNLABELLED])
def test_a_run_learns_from_a_layout_and_is_exported(layout, tmp_path):
    source, run = written(layout, tmp_path / "in"), tmp_path / "run"
    assert said("check", source, "-o", tmp_path / "draft", "--no-time") == 0
    settings = [part for one in RUN for part in ("--set", one)]

    assert said("run", tmp_path / "draft" / "settings.yaml", *settings, "-o", run) == 0
    assert said("export", run, tmp_path / "out", "--scenario", "random") == 0
    names = {path.name for path in (tmp_path / "out" / "imagesTr").iterdir()}
    assert names == {path.name for path in (tmp_path / "out" / "labelsTr").iterdir()}
    lineage = (tmp_path / "out" / "lineage.csv").read_text().splitlines()
    assert all(line.endswith(",source") for line in lineage[1:])

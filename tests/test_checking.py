import io
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from source_builders import AFFINE, acdc, heart, nnunet, pixels, save
from test_readers_dicom import series
from test_readers_formats import h5, ukbb

from qc.suites.shipped import shipped_mm
from semiqc.checking import check_folder
from semiqc.checking.drafting import draft
from semiqc.checking.survey import UNKNOWN_MM, Found, Survey
from semiqc.cli.app import main
from semiqc.cli.check import _print_studies
from semiqc.cli.output import print_table
from semiqc.doors.regular import UnusableError, check_regular
from semiqc.exchange.importing import import_data
from semiqc.experiment import estimating
from semiqc.experiment.estimating import Estimate
from semiqc.experiment.settings_file import read_settings
from semiqc.schemes import AORTA, SHORT_AXIS


def plain(folder):
    for number in (1, 2):
        save(folder / f"case{number}_frame01.nii.gz", pixels(number)[..., 0])
        save(folder / f"case{number}_frame01_gt.nii.gz", heart())


def mnms(folder):
    save(folder / "A1" / "A1_sa.nii.gz", pixels())


def dicom(folder):
    series(folder / "P1")


LAYOUTS = {
    "acdc": acdc,
    "mnms": mnms,
    "ukbb": lambda folder: ukbb(folder / "7"),
    "nnunet": lambda folder: nnunet(folder / "Dataset001_X", ["P1_ED", "P1_ES"]),
    "decathlon": lambda folder: nnunet(folder / "Task02_X", ["la_1"], image="{}.nii.gz"),
    "ssl4mis": lambda folder: h5(folder / "p1_frame01.h5", pixels()[..., 0].T, heart().T),
    "dicom": dicom,
    "a plain folder": plain,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_drafted_of_a_layout_can_be_imported(layout, tmp_path):
    (tmp_path / "data").mkdir()
    LAYOUTS[layout](tmp_path / "data")
    found = check_folder(tmp_path / "data", tmp_path / "out")
    settings = read_settings(tmp_path / "out" / "settings.yaml")

    assert found.layout.startswith(layout)
    assert found.survey.left_out == []
    report = import_data(
        settings.data, tmp_path / "x.h5",
        layout=settings.importing.layout, spacing=settings.importing.spacing,
    )  # fmt: skip
    assert {row.name for row in report.imported} == {one.name for one in found.survey.studies}


def test_a_plain_folder_gets_a_manifest_with_its_labels(tmp_path):
    plain(tmp_path / "data")
    found = check_folder(tmp_path / "data", tmp_path / "out")

    assert [one.labelled for one in found.survey.studies] == [1, 1]
    assert (tmp_path / "out" / "manifest.csv").read_text().splitlines()[:2] == [
        "study,image,labels",
        "case1_frame01,../data/case1_frame01.nii.gz,../data/case1_frame01_gt.nii.gz",
    ]


def test_oddities_duplicates_and_leaks_are_told(tmp_path):
    folder = nnunet(tmp_path / "Dataset001_X", ["P1_ED", "P2_ED", "P3_ED"])
    save(folder / "imagesTs" / "P1_ES_0000.nii.gz", pixels(8)[..., 0])
    save(folder / "imagesTs" / "copy_0000.nii.gz", pixels(1)[..., 0])
    save(folder / "imagesTr" / "P3_ED_0000.nii.gz", pixels(2)[..., 0], np.eye(4))
    save(folder / "labelsTr" / "P3_ED.nii.gz", heart((0, 2, 3)), np.eye(4))
    found = check_folder(folder, tmp_path / "out").survey

    assert "same pixels as a frame of P2_ED" in found.left_out[0].reason
    assert f"P3_ED: {UNKNOWN_MM}" in found.notes
    assert "leak: P1 is in test and train" in found.notes
    assert "no label 1 (RV) in 1 studies, such as P3_ED" in found.notes


def test_slices_along_another_axis_are_surveyed_as_they_are_imported(tmp_path):
    turned = AFFINE[:, [2, 0, 1, 3]]
    save(tmp_path / "data" / "a.nii", pixels(0, (3, 40, 48)), turned)
    found = check_folder(tmp_path / "data", tmp_path / "out")

    [one] = found.survey.studies
    assert (one.shape, one.spacing) == ((1, 3, 48, 40), (8, 1.5, 1.5))
    assert any("slices lie along the first axis" in note for note in found.survey.notes)
    assert found.draft.patch == (48, 48)


def test_what_an_import_would_refuse_or_call_odd_is_told_before(tmp_path):
    sizes_mm = {"a_cm": 0.15, "b": 1.5, "c": 1.5}
    for seed, (name, mm) in enumerate(sizes_mm.items()):
        affine = np.diag([mm, mm, 8, 1])
        save(tmp_path / "data" / f"{name}.nii", pixels(seed, (48, 48, 3)), affine)
    notes = check_folder(tmp_path / "data", tmp_path / "out").survey.notes

    assert "a_cm: the image measures 24 x 7.2 x 7.2 mm (slices x rows x columns)" in notes
    [refused] = [note for note in notes if note.startswith("import leaves out")]
    assert refused.startswith("import leaves out a_cm: 48 pixels of 0.15 mm would become 5 of 1.5")
    assert import_data(tmp_path / "out" / "manifest.csv", tmp_path / "x.h5").left_out[0].name == (
        "a_cm"
    )


def test_two_studies_of_one_name_are_told(tmp_path):
    for seed, part in enumerate(("training", "testing")):
        acdc(tmp_path / "data" / part, seed=seed)
    found = check_folder(tmp_path / "data", tmp_path / "out").survey

    assert len(found.studies) == 1
    assert "the name is taken by" in found.left_out[0].reason


def study(number, labelled=1, **changes):
    fields = {"shape": (10, 8, 200, 240), "spacing": (8.0, 1.5, 1.5), "volumes_ml": (0, 1, 1, 1)}
    fields |= {"extent_mm": (90.0, 120.0), "subject": f"s{number}", "name": f"s{number}"}
    return Found(**fields | changes, group="", split="", labelled=labelled)


def test_the_draft_follows_the_data():
    drafted = draft([*map(study, range(10)), *(study(n, 0) for n in range(10, 40))])

    assert (drafted.labelled, drafted.qc, drafted.test, drafted.unlabelled) == (5, 2, 3, 30)
    assert drafted.k == 10
    assert drafted.patch == (96, 128)
    assert (drafted.frames, drafted.labelled_frames, drafted.size) == (10, 1, (8, 200, 240))
    assert drafted.store_bytes == 40 * 10 * 8 * 200 * 240 * 1.75


@pytest.mark.parametrize(
    ("pixel", "judges", "spacing", "labelled", "qc"),
    [(1.5, None, 1.5, 5, 2), (1.3, 1.5, 1.5, 7, 0), (0.5, 1.5, 0.5, 5, 2), (2.5, 1.5, 2.5, 5, 2)],
)
def test_no_label_is_spared_where_shipped_judges_fit(pixel, judges, spacing, labelled, qc):
    studies = [study(n, n < 10, spacing=(8.0, pixel, pixel)) for n in range(40)]
    drafted = draft(studies, judges)

    assert drafted.is_judged == (qc == 0)
    assert drafted.spacing_mm == pytest.approx(spacing)
    assert (drafted.labelled, drafted.qc, drafted.test) == (labelled, qc, 3)


def test_drafted_settings_name_the_shipped_judges_where_they_fit(tmp_path):
    acdc(tmp_path / "heart" / "data")
    brain = nnunet(tmp_path / "brain" / "data" / "Dataset001_X", ["a_1"])
    text = (brain / "dataset.json").read_text()
    (brain / "dataset.json").write_text(text.replace("MYO", "edema"))
    for name in ("heart", "brain"):
        check_folder(tmp_path / name / "data", tmp_path / name / "out")
    heart, brain = (
        read_settings(tmp_path / name / "out" / "settings.yaml") for name in ("heart", "brain")
    )

    assert (str(heart.qc.suite), heart.importing.spacing) == ("phantom", 1.5)
    assert brain.qc.suite is None


LEFT, MUSCLE, RIGHT = SHORT_AXIS.structures
SWAPPED = (replace(LEFT, values=RIGHT.values), MUSCLE, replace(RIGHT, values=LEFT.values))


@pytest.mark.parametrize(
    ("scheme", "modalities", "mm"),
    [
        (SHORT_AXIS, 1, 1.5),
        (replace(SHORT_AXIS, name="hearts"), 1, 1.5),
        (SHORT_AXIS, 2, None),
        (replace(SHORT_AXIS, structures=SHORT_AXIS.structures[::-1]), 1, None),
        (replace(SHORT_AXIS, structures=SWAPPED), 1, None),
        (AORTA, 1, None),
    ],
)
def test_shipped_judges_fit_labels_images_and_the_order_of_structures(scheme, modalities, mm):
    assert shipped_mm(scheme, modalities) == mm


def test_drafts_are_not_replaced_unasked(tmp_path):
    plain(tmp_path / "data")
    check_folder(tmp_path / "data", tmp_path / "out")

    with pytest.raises(FileExistsError, match=r"settings\.yaml: is there"):
        check_folder(tmp_path / "data", tmp_path / "out")


def test_the_manifest_of_a_killed_check_is_no_obstacle_but_a_corrected_one_is(tmp_path):
    manifest, settings = tmp_path / "out" / "manifest.csv", tmp_path / "out" / "settings.yaml"
    plain(tmp_path / "data")
    check_folder(tmp_path / "data", tmp_path / "out")
    drafted = manifest.read_text()
    settings.unlink()
    check_folder(tmp_path / "data", tmp_path / "out")

    settings.unlink()
    manifest.write_text(drafted + "\n")
    with pytest.raises(FileExistsError, match=r"manifest\.csv: is there"):
        check_folder(tmp_path / "data", tmp_path / "out")
    assert manifest.read_text() == drafted + "\n"


def test_the_command_says_what_there_is(tmp_path, capsys):
    acdc(tmp_path / "data", labels=True)

    assert main(["check", str(tmp_path / "data"), "-o", str(tmp_path / "out"), "--no-time"]) == 0
    said = capsys.readouterr().out
    for expected in ("layout: acdc: folders with Info.cfg", "1 studies can be used", "RV"):
        assert expected in said
    assert "GB" not in said


def test_the_command_says_what_a_run_with_the_draft_takes(tmp_path, monkeypatch, capsys):
    asked = []

    def told(settings, extent):
        asked.append((settings.split.test, extent.unlabelled, extent.size))
        return Estimate({"training": 7200}, 3e9)

    monkeypatch.setattr(estimating, "estimate_run", told)
    acdc(tmp_path / "data", labels=True)

    assert main(["check", str(tmp_path / "data"), "-o", str(tmp_path / "out")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "takes about 2.0 h of one processor core and 3 GB of disk" in said
    assert asked == [(1, 0, (3, 6, 7))]


def test_a_study_takes_one_line_of_eighty_columns(tmp_path, monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr("semiqc.cli.output.console", Console(file=said, width=80, markup=False))
    names = [f"patient{number:03d}_ED" for number in (1, 2)]
    found = [
        Found(n, n[:-3], "DCM", "train", (30, 10, 256, 216), (10.0, 1.5625, 1.5625), 2, (), (0, 0))
        for n in names
    ]
    _print_studies(Survey(SHORT_AXIS, 1, found))

    lines = [line for line in said.getvalue().splitlines() if "patient" in line]
    assert len(lines) == 2
    for cell in ("patient001_ED", "patient001 ", "DCM", "2 of 30", "10 x 256 x 216", "10 x 1.56"):
        assert cell in lines[0]


def test_of_thousands_of_rows_the_first_are_printed(monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr("semiqc.cli.output.console", Console(file=said, width=80, markup=False))
    monkeypatch.setattr("semiqc.cli.output.MOST_PRINTED", 2)
    print_table("rows", ("a", "b"), [("first", 1), ("second", 2), ("third", 3)])

    assert "second" in said.getvalue()
    assert "third" not in said.getvalue()
    assert said.getvalue().endswith("and 1 more\n")


def test_too_few_labels_for_a_run_are_said(tmp_path):
    acdc(tmp_path / "data")

    notes = check_folder(tmp_path / "data", tmp_path / "out").survey.notes
    assert "a run needs 2 labelled subjects: to train and to test on" in notes


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "a.txt").touch()

    with pytest.raises(ValueError, match="no known layout, and no image file"):
        check_folder(tmp_path, tmp_path / "out")


def test_a_file_whose_name_is_no_text_is_left_out_alone(tmp_path):
    plain(tmp_path / "in")
    sound = tmp_path / "in" / "case1_frame01.nii.gz"
    odd = os.path.join(os.fsencode(tmp_path / "in"), b"\xff.nii.gz")
    shutil.copy(sound, odd)

    found = check_folder(tmp_path / "in", tmp_path / "out")
    assert [one.name for one in found.survey.studies] == ["case1_frame01", "case2_frame01"]
    with pytest.raises(UnusableError, match=r"\\udcff\.nii\.gz: its name is not UTF-8"):
        check_regular(Path(os.fsdecode(odd)))


def test_two_checks_do_not_mix_their_drafts(tmp_path):
    for folder, count in (("first", 2), ("second", 3)):
        for number in range(count):
            save(tmp_path / folder / f"p{number}.nii.gz", pixels(number))
    out = tmp_path / "out"

    def check_too(done, of):
        with pytest.raises(BlockingIOError, match="out: another process writes it"):
            check_folder(tmp_path / "second", out)

    check_folder(tmp_path / "first", out, on_progress=check_too)
    assert {path.name for path in out.iterdir()} == {"manifest.csv", "settings.yaml"}
    assert "first/" in (out / "manifest.csv").read_text()

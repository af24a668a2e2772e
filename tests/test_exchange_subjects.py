import os

import pytest
from source_builders import acdc, heart, nnunet, pixels, save

from semiqc.exchange.importing import import_data
from semiqc.exchange.subjects import read_subjects, stem_of, subjects_by_name
from semiqc.files.store.reader import Store
from semiqc.work.split import draw_split


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("patient07_ED", "patient07"),
        ("patient07ES", "patient07"),
        ("patient001_frame12", "patient001"),
        ("P3_visit2", "P3"),
        ("P3-baseline", "P3"),
        ("P3_2019_frame01", "P3_2019"),
        ("P3_visit2_ED", "P3"),
        ("P3_ses-1_time02", "P3"),
        ("sub-04_ses-1_acq-sa_bold", "sub-04"),
        ("case_t2", "case_t2"),
        ("case4_t2", "case4"),
        ("hospital_scan003", "hospital_scan003"),
        ("la_003", "la_003"),
        ("frame01", "frame01"),
        ("BRATS", "BRATS"),
        ("mercedes", "mercedes"),
    ],
)
def test_endings_of_one_subjects_studies_do_not_count(name, subject):
    assert stem_of(name) == subject


def test_numbers_count_copies_only_where_there_are_several_of_them():
    patients = ["heart_0000", "heart_0001", "heart_0002"]
    copies = ["a_0000", "a_0001", "b_0000", "b_0001"]

    assert list(subjects_by_name(patients).values()) == patients
    assert list(subjects_by_name(copies).values()) == ["a", "a", "b", "b"]


@pytest.fixture
def ends(tmp_path):
    """ED and ES of four patients as cases of nnU-Net."""
    names = [f"P{number}_{end}" for number in range(4) for end in ("ED", "ES")]
    return nnunet(tmp_path / "Dataset001_X", names)


def test_ed_and_es_of_a_patient_are_on_one_side_of_a_split(ends, tmp_path):
    report = import_data(ends, tmp_path / "x.h5")
    studies = list(Store(tmp_path / "x.h5"))
    counts = {"labelled": 1, "qc": 1, "test": 1, "unlabelled": None}

    assert {study.subject for study in studies} == {"P0", "P1", "P2", "P3"}
    assert "P0_ED is of P0" in report.warnings[0]
    for seed in range(5):
        roles = {}
        for row in draw_split(studies, counts, seed):
            roles.setdefault(row.study[:2], set()).add(row.role)
        assert all(len(found) == 1 for found in roles.values())


def test_a_table_says_otherwise(ends, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("study,subject\nP0_ED,Q\nP3_ES,Q\n", encoding="utf-8-sig")
    report = import_data(ends, tmp_path / "x.h5", subjects=table)
    subjects = {row.name: row.subject for row in report.imported}

    assert subjects["P0_ED"] == subjects["P3_ES"] == "Q"
    assert subjects["P0_ES"] == "P0"
    assert any("not in the table of subjects" in note for note in report.warnings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("study,person\nP0_ED,Q\n", "lacks the columns subject, has study, person"),
        ("study,subject\nP0_ED,\n", "line 2 lacks"),
        ("study,subject\na,b\na,c\n", "a is of both b and c"),
    ],
)
def test_a_table_that_is_none_is_refused(text, expected, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text(text)

    with pytest.raises(ValueError, match=expected):
        read_subjects(table)


def test_a_table_of_other_studies_is_refused(ends, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("study,subject\nP9_ED,Q\n")

    with pytest.raises(ValueError, match="no study P9_ED in the data; there are P0_ED"):
        import_data(ends, tmp_path / "x.h5", subjects=table)


def test_a_subject_on_both_sides_of_the_data_sets_split_is_said(tmp_path):
    folder = nnunet(tmp_path / "Dataset001_X", ["P1_ED", "P2_ED"])
    save(folder / "imagesTs" / "P1_ES_0000.nii.gz", pixels(9)[..., 0])
    report = import_data(folder, tmp_path / "x.h5")

    assert any("P1 in test and train" in note for note in report.warnings)


def test_a_linked_study_is_a_study(tmp_path):
    for number, folder in enumerate(("data", "away"), start=1):
        name = f"A{number}"
        save(tmp_path / folder / name / f"{name}_sa.nii.gz", pixels(number))
        save(tmp_path / folder / name / f"{name}_sa_gt.nii.gz", heart()[..., None].repeat(4, -1))
    os.symlink("../away/A2", tmp_path / "data" / "A2")
    report = import_data(tmp_path / "data", tmp_path / "x.h5")

    assert [row.name for row in report.imported] == ["A1", "A2"]


@pytest.mark.parametrize("place", ["training", "training/patient001", "."])
def test_the_split_is_known_wherever_one_stands(place, tmp_path, monkeypatch):
    acdc(tmp_path / "database" / "training", "patient001")
    monkeypatch.chdir(tmp_path / "database" / place)

    (row,) = import_data(".", tmp_path / "x.h5").imported
    assert (row.name, row.split) == ("patient001", "train")


def test_files_that_macos_leaves_take_no_studys_name(tmp_path):
    folder = nnunet(tmp_path / "Dataset001_X", ["heart_000", "heart_001"])
    for file in list(folder.rglob("*.nii.gz")):
        file.with_name(f"._{file.name}").write_bytes(bytes.fromhex("00051607") + bytes(80))
    report = import_data(folder, tmp_path / "x.h5")

    assert len(report.imported) == 2
    assert report.left_out == ()

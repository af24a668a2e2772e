"""What is odd about tables and labels, and would be taken without a word."""

import logging

import numpy as np
import pytest
from source_builders import heart, pixels, save

from semiqc.checking import check_folder
from semiqc.doors.csv_table import read_table
from semiqc.doors.regular import UnusableError
from semiqc.exchange.importing import import_data
from semiqc.experiment.data import open_data
from semiqc.experiment.settings_file import read_settings
from semiqc.files import walking
from semiqc.work.monitor import Silent
from semiqc.work.stages import RunFolder


@pytest.fixture
def notes(tmp_path):
    """Imports the studies of a table, and gives the notes of import and check."""

    def told(text):
        (tmp_path / "t.csv").write_text(text)
        imported = import_data(tmp_path / "t.csv", tmp_path / "s.h5", overwrite=True)
        checked = check_folder(tmp_path / "t.csv", tmp_path / "out", overwrite=True)
        return imported.warnings, checked.survey.notes

    for number in range(3):
        save(tmp_path / f"{number}.nii", pixels(number)[..., 0])
    save(tmp_path / "cine.nii", pixels(7))
    save(tmp_path / "heart.nii", heart())
    return told


def test_a_split_that_is_misspelt_is_told(notes):
    split = "image,split\n0.nii,tset\n1.nii,Training\n2.nii,\n"

    for told in notes(split):
        assert [note for note in told if "split" in note] == [
            "0: split: unknown 'tset'; did you mean 'test'?"
        ]


def test_labels_that_are_zero_everywhere_are_told_with_their_file(notes, tmp_path):
    save(tmp_path / "blank.nii", np.zeros((*heart().shape, 4), np.uint8))
    save(tmp_path / "none.nii", heart() * 0)
    table = "image,labels\ncine.nii,blank.nii\n0.nii,none.nii\n1.nii,heart.nii\n"

    for told in notes(table):
        assert [note for note in told if "background everywhere" in note] == [
            "0, cine: a file of labels is background everywhere and shows no structure"
            " (file none.nii)"
        ]


def test_a_class_that_no_study_has_is_told_once(notes, tmp_path):
    save(tmp_path / "no_rv.nii", np.where(heart() == 1, 0, heart()))

    for told in notes("image,labels\n0.nii,no_rv.nii\n1.nii,no_rv.nii\n2.nii,\n"):
        assert [note for note in told if "(RV)" in note] == [
            "none of 2 labelled studies has label 1 (RV)"
        ]


def test_labels_of_a_frame_without_an_image_are_told(notes, tmp_path):
    cine = pixels(7)
    cine[..., 1] = 5
    save(tmp_path / "cine.nii", cine)
    rows = [f"cine.nii,heart.nii,{frame}\n" for frame in (0, 1)]

    for told in notes("image,labels,frame\n" + "".join(rows)):
        assert sum("the same everywhere" in note for note in told) == 1
    assert not any(
        "the same everywhere" in note for note in notes(f"image,labels,frame\n{rows[0]}")[0]
    )


@pytest.mark.parametrize(
    "text", ["sep=;\na;b\n1;2,5\n", '"sep=;"\r\na;b\r\n1;2,5\r\n', "\nSEP=;\n\na;b\n1;2,5\n"]
)
def test_a_spreadsheets_word_on_what_parts_cells_is_no_header(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    table = read_table(tmp_path / "t.csv")

    assert table.columns == ("a", "b")
    assert table.rows == ({"a": "1", "b": "2,5"},)
    assert table.lines == (text.count("\n"),)


def test_a_tree_that_takes_a_while_is_told_and_a_computer_is_refused(
    tmp_path, monkeypatch, caplog
):
    for number in range(6):
        (tmp_path / f"{number}.txt").touch()
    monkeypatch.setattr(walking, "MANY", 6)
    walking.say_if_large(tmp_path)
    assert not caplog.records

    monkeypatch.setattr(walking, "MANY", 5)
    with caplog.at_level(logging.WARNING, "semiqc"):
        walking.say_if_large(tmp_path)
    assert f"{tmp_path}: more than 5 files" in caplog.text

    monkeypatch.setattr(walking, "MOST", 5)
    with pytest.raises(UnusableError, match=f"{tmp_path}: more than 5 files and folders; name"):
        walking.files_within(tmp_path)


def test_who_names_a_large_tree_as_data_is_told(tmp_path, monkeypatch, caplog):
    (tmp_path / "a.txt").touch()
    monkeypatch.setattr(walking, "MANY", 0)

    with caplog.at_level(logging.WARNING, "semiqc"), pytest.raises(ValueError, match="no known"):
        import_data(tmp_path, tmp_path / "s.h5")
    assert f"{tmp_path}: more than 0 files" in caplog.text


def test_no_file_of_a_folder_of_no_layout_is_read(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").touch()
    monkeypatch.setattr("semiqc.experiment.data.sha256_of", None)
    settings = read_settings(None, [f"data={tmp_path / 'data'}", f"output={tmp_path / 'run'}"])

    with pytest.raises(ValueError, match="data: no known layout"):
        open_data(settings, RunFolder(tmp_path / "run"), Silent())

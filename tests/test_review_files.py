"""Segmentations in files of any program on the page, with what a suite said of them."""

import json

import numpy as np
import pytest
from source_builders import FRAMES, SHAPE, heart, pixels, save

from qc.base import Quality
from semiqc.cli.app import main
from semiqc.doors.regular import UnusableError
from semiqc.review.desk import Desk
from semiqc.review.files import ScoredFolder, of_files
from semiqc.review.records import Records
from semiqc.review.sources import find_items
from semiqc.schemes import SHORT_AXIS
from semiqc.scoring.scores import ScoreReport, StudyScore
from semiqc.scoring.tables import write_tables

SLICES = SHAPE[2]


@pytest.fixture
def files(tmp_path):
    """Images and segmentations of two cines; a third image has no segmentation."""
    for number, name in enumerate("abc"):
        save(tmp_path / f"images/{name}_0000.nii.gz", pixels(number))
        if name != "c":
            labels = np.repeat(heart()[..., None], FRAMES, axis=3)
            save(tmp_path / f"labels/{name}.nii.gz", labels)
    return tmp_path / "images", tmp_path / "labels"


def scored(folder, error_map="error_maps/a_LV.nii.gz"):
    """What ``semiqc score`` writes of study a."""
    dice = np.full((FRAMES, SLICES), 0.5)
    dice[0, 0] = np.nan
    quality = Quality("a", 0.8, dice={"LV": 0.8}, slice_dice={"LV": dice})
    study = StudyScore("a", 0.8, False, {"svr": quality}, error_maps={"LV": error_map})
    report = ScoreReport([study], [], SHORT_AXIS, None, ["svr"], 0.7)
    write_tables(report, folder)
    values = np.zeros((*SHAPE, FRAMES), np.float32)
    values[3, 2, 1, 1] = 0.75
    save(folder / "error_maps/a_LV.nii.gz", values)
    return folder


def test_files_of_any_program_are_reviewed(files):
    items, left_out = of_files(*files, SHORT_AXIS)
    material = items[0].read()

    assert [item.study for item in items] == ["a", "b"]
    assert [one.name for one in left_out] == ["c"]
    assert material.image.shape == (1, *material.labels.shape)
    assert (material.labels[0, 1] == heart()[..., 1].T).all()
    assert not any(item.teaches or item.scores for item in items)


def test_a_segmentation_that_changed_is_another_one(files):
    before, _ = of_files(*files, SHORT_AXIS)
    labels = np.repeat(heart((1, 2, 2))[..., None], FRAMES, axis=3)
    save(files[1] / "a.nii.gz", labels)
    after, _ = of_files(*files, SHORT_AXIS)

    assert before[0].of != after[0].of
    assert before[1].of == after[1].of


def test_scores_slices_and_error_maps_of_a_suite_are_shown(files, tmp_path):
    folder = ScoredFolder.read(scored(tmp_path / "scores"))
    items, _ = of_files(*files, folder.scheme, scored=folder)
    desk = Desk(items, Records(tmp_path / "v.sqlite"), order="given")
    told = json.loads(desk.shown.revealed(0))

    assert items[0].scores == {"svr": 0.8}
    assert items[1].scores == {}
    assert told["heat"] == ["error of LV"]
    assert told["slice_dice"]["LV"][0][:2] == [None, 0.5]
    assert not desk.blind
    values = items[0].read().heat["error of LV"]
    assert values[1, 1, 2, 3] == 0.75
    assert np.count_nonzero(values) == 1


def test_an_error_map_elsewhere_is_not_read(tmp_path):
    with pytest.raises(UnusableError, match="lies elsewhere"):
        ScoredFolder.read(scored(tmp_path / "scores", "../../secret.nii.gz"))


def test_the_command_says_how_files_are_reviewed(files, tmp_path, capsys):
    assert main(["review", str(files[1])]) == 2
    assert f"semiqc review {files[1]} SEGMENTATIONS" in capsys.readouterr().err
    with pytest.raises(UnusableError, match="IMAGES SEGMENTATIONS --scores"):
        find_items(scored(tmp_path / "scores"))


def test_verdicts_on_files_go_where_they_are_asked_to(files, tmp_path):
    verdicts = tmp_path / "said.csv"
    verdicts.write_text("study,verdict\nb,good\n")
    kept = tmp_path / "kept.sqlite"
    command = ["review", *map(str, files), "--verdicts", str(kept)]

    assert main([*command, "--import", str(verdicts)]) == 0
    assert main([*command, "--export", str(tmp_path / "out")]) == 0
    assert main([*command, "--export", str(tmp_path / "out")]) == 2
    assert main([*command, "--export", str(tmp_path / "out"), "--overwrite"]) == 0
    assert kept.exists()
    assert "b," in next((tmp_path / "out").glob("verdicts*.csv")).read_text()
    assert [path.name for path in tmp_path.glob("*.sqlite")] == ["kept.sqlite"]


def test_an_export_replaces_nothing_but_an_export(files, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "verdicts.csv").touch()
    (tmp_path / "out" / "mine.txt").touch()
    words = ["review", *map(str, files), "--verdicts", str(tmp_path / "kept.sqlite")]

    assert main([*words, "--export", str(tmp_path / "out"), "--overwrite"]) == 2
    assert "out: holds mine.txt, which no review wrote" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"verdicts.csv", "mine.txt"}

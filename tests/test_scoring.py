import csv
import json
import re
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from source_builders import AFFINE, FRAMES, SHAPE, heart, pixels, save

from qc import CNNRegression
from qc.base import Graded, Quality, QualityEstimator
from qc.consensus.blend import Blend
from qc.suites.domain import TrainingDomain
from qc.suites.suite import Suite
from semiqc.schemes import SHORT_AXIS
from semiqc.scoring import score_images
from semiqc.scoring.scorer import mean_error_maps
from semiqc.scoring.scores import mean_slice_dice
from semiqc.scoring.worst import MOST_FILMED, WorstSlice, WorstSlices
from semiqc.study import Prediction

TRAINING = TrainingDomain(
    modalities=1,
    spacing_mm=1.0,
    slice_mm=(8.0, 8.0),
    brightness=(0.0, 1.0),
    names=("x", "y"),
    segmentations=40,
    sources={"forest": 30, "seggen": 10},
)
STRUCTURES = ("LV", "MYO", "RV")


class Told(QualityEstimator):
    """Says what it was told: a Dice by study, and where asked slices, errors and a verdict."""

    def __init__(
        self, scheme, dice, *, slices=False, error=None, erroneous=(), refused=(), interval=None
    ):
        self.scheme = scheme
        self.dice = dice
        self.interval = interval
        self.slices = slices
        self.error = error
        self.erroneous = erroneous
        self.refused = refused

    def fit(self, graded):
        return self

    def arrays(self):
        return {}

    def with_arrays(self, arrays):
        return self

    def predict(self, predictions):
        return [self._quality(prediction) for prediction in predictions]

    def _quality(self, prediction):
        name, dice = prediction.study, self.dice[prediction.study]
        if name in self.refused:
            raise ValueError("loss of nerve")
        # The last slice of the first frame is the worst; of RV nothing is known.
        of_slices = np.full(prediction.labels.shape[:2], dice)
        of_slices[0, -1] = dice / 2
        slice_dice = {"LV": of_slices, "RV": np.full_like(of_slices, np.nan)}
        error_map = (prediction.labels[:] == 3) * np.float16(self.error or 0)
        return Quality(
            name,
            dice,
            is_good=False if name in self.erroneous else None,
            dice=dict.fromkeys(STRUCTURES, dice),
            nsd={"LV": dice / 2},
            slice_dice=slice_dice if self.slices else {},
            error_maps={"LV": error_map} if self.error else {},
            interval={"LV": self.interval} if self.interval else {},
            reasons=("walls too thin",) if dice < 0.5 else (),
        )


def suite_of(**estimators):
    return Suite(SHORT_AXIS, estimators, TRAINING)


def cine(tmp_path, *names):
    for seed, name in enumerate(names):
        save(tmp_path / "i" / f"{name}_0000.nii.gz", pixels(seed))
        save(tmp_path / "s" / f"{name}.nii.gz", np.stack([heart()] * FRAMES, axis=-1))
    return tmp_path / "i", tmp_path / "s"


def still(tmp_path, *names):
    for seed, name in enumerate(names):
        save(tmp_path / "i" / f"{name}_0000.nii.gz", pixels(seed)[..., 0])
        save(tmp_path / "s" / f"{name}.nii.gz", heart())
    return tmp_path / "i", tmp_path / "s"


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_flagged_studies_stand_first_and_the_worst_on_top(tmp_path):
    suite = suite_of(
        first=Told(SHORT_AXIS, {"a": 0.9, "b": 0.6, "c": 0.95, "d": 0.2, "e": 0.7}),
        second=Told(SHORT_AXIS, {"a": 0.8, "b": 0.6, "c": 0.95, "d": 0.4, "e": 0.7}),
    )
    report = score_images(suite, *still(tmp_path, *"abcde"), tmp_path / "out")

    found = rows(tmp_path / "out" / "studies.csv")
    assert [row["study"] for row in found] == ["d", "b", "e", "a", "c"]
    assert [row["flagged"] for row in found] == ["True", "True", "False", "False", "False"]
    assert [float(row["score"]) for row in found] == pytest.approx([0.3, 0.6, 0.7, 0.85, 0.95])
    assert (found[0]["score_first"], found[0]["score_second"]) == ("0.2", "0.4")
    assert found[0]["reasons"] == "first: walls too thin"
    assert [one.study for one in report.flagged] == ["d", "b"]


def test_what_an_estimator_calls_erroneous_is_flagged_whatever_its_score(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.9, "b": 0.8}, erroneous=("a",)))
    score_images(suite, *still(tmp_path, "a", "b"), tmp_path / "out", flag_below=0.5)

    found = rows(tmp_path / "out" / "studies.csv")
    assert [(row["study"], row["flagged"], row["verdict"]) for row in found] == [
        ("a", "True", "erroneous"),
        ("b", "False", ""),
    ]


def test_structures_and_slices_have_a_row_each(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8}, slices=True))
    score_images(suite, *cine(tmp_path, "a"), tmp_path / "out")

    structures = rows(tmp_path / "out" / "structures.csv")
    assert [(row["structure"], row["dice"], row["nsd"]) for row in structures] == [
        ("LV", "0.8", "0.4"),
        ("MYO", "0.8", "nan"),
        ("RV", "0.8", "nan"),
    ]
    slices = rows(tmp_path / "out" / "slices.csv")
    assert len(slices) == 2 * FRAMES * SHAPE[2]
    worst = [row for row in slices if row["dice"] == "0.4"]
    assert [(row["structure"], row["frame"], row["slice"]) for row in worst] == [("LV", "0", "2")]


def test_intervals_stand_in_the_tables_and_on_the_page(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.3}, interval=(0.125, 0.5)))
    page = page_of(tmp_path, suite, still(tmp_path, "a"))

    lv, myo, _ = rows(tmp_path / "out" / "structures.csv")
    assert (lv["dice_low"], lv["dice_high"]) == ("0.125", "0.5")
    assert (myo["dice_low"], myo["dice_high"]) == ("nan", "nan")
    assert page.count("0.30 (0.12 to 0.50)") == 1
    assert 'style="left:12%;right:50%"' in page


def test_the_level_of_intervals_is_that_of_the_consensus(tmp_path):
    told = Told(SHORT_AXIS, {name: 0.3 for name in "abc"})
    predictions = [
        Prediction(n, np.zeros((1, 1, *SHAPE)), heart()[None], (8, 1, 1)) for n in "abc"
    ]
    graded = [Graded(one, one.labels) for one in predictions]
    blend = Blend(SHORT_AXIS, level=0.75).fit({"told": told.predict(predictions)}, graded)
    suite = replace(suite_of(told=told), blend=blend)
    page = page_of(tmp_path, suite, still(tmp_path, "a"), flag_below=1)

    described = json.loads((tmp_path / "out" / "quality.json").read_text(encoding="utf-8"))
    assert described["interval_level"] == 0.75
    assert "lies in about 75 of 100 studies" in page


def test_the_json_holds_everything_and_null_for_what_is_not_known(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.25, "b": 0.5}, slices=True, error=0.5))
    score_images(suite, *still(tmp_path, "a", "b"), tmp_path / "out")

    text = (tmp_path / "out" / "quality.json").read_text(encoding="utf-8")
    found = json.loads(text)
    assert text == json.dumps(found, indent=1) + "\n"
    study, other = found["studies"]
    assert (study["study"], other["study"]) == ("a", "b")
    told = study["estimators"]["told"]
    assert told["slice_dice"] == {"LV": [[0.25, 0.25, 0.125]], "RV": [[None, None, None]]}
    assert told["nsd"] == {"LV": 0.125}
    assert study["error_maps"] == {"LV": "error_maps/a_LV.nii.gz"}
    assert study["flagged"] is True
    assert found["flag_below"] == 0.7
    assert found["suite"]["training"]["sources"] == {"forest": 30, "seggen": 10}
    assert found["suite"]["scheme"]["name"] == "short-axis"


@pytest.mark.parametrize("kind", [still, cine])
def test_error_maps_lie_on_the_grid_of_the_segmentation(tmp_path, kind):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8}, error=1.0))
    _, segmentations = kind(tmp_path, "a")
    score_images(suite, tmp_path / "i", segmentations, tmp_path / "out")

    given = nib.load(segmentations / "a.nii.gz")
    written = nib.load(tmp_path / "out" / "error_maps" / "a_LV.nii.gz")
    values, labels = written.get_fdata(), given.get_fdata()
    assert written.shape == given.shape
    np.testing.assert_allclose(written.affine, AFFINE)
    assert values.min() == 0
    assert 0.5 < values.max() <= 1
    # The cavity is 2 x 2 pixels of 1.5 mm, judged at 1 mm: errors blur into its neighbours only.
    assert values[labels == 3].min() > 0.5 > values[labels != 3].max()


def test_error_maps_of_several_estimators_are_averaged(tmp_path):
    inside = []
    for errors in ((1.0,), (1.0, 0.5)):
        told = {
            f"told{n}": Told(SHORT_AXIS, {"a": 0.8}, error=error) for n, error in enumerate(errors)
        }
        output = tmp_path / f"out{len(errors)}"
        score_images(suite_of(**told), *still(tmp_path, "a"), output)
        inside.append(nib.load(output / "error_maps" / "a_LV.nii.gz").get_fdata().max())

    assert inside[1] == pytest.approx(0.75 * inside[0], abs=1 / 128)


def test_slices_are_averaged_over_the_estimators_that_know_them():
    first = Quality("a", 0.5, slice_dice={"LV": np.array([[0.5, 0.25, np.nan]])})
    second = Quality("a", 0.5, slice_dice={"LV": np.array([[1.0, np.nan, np.nan]])})
    found = mean_slice_dice({"first": first, "second": second, "third": Quality("a", 0.5)})

    np.testing.assert_array_equal(found["LV"], [[0.75, 0.25, np.nan]])


def test_the_consensus_stands_for_its_members_and_is_not_averaged_with_them():
    def quality(number, shape=(1, 1)):
        return Quality(
            "a",
            0.5,
            slice_dice={"LV": np.full(shape, number)},
            error_maps={"LV": np.full((*shape, 2, 2), number)},
        )

    members = {"first": quality(0.25), "second": quality(0.75)}
    silent = {**members, "consensus": Quality("a", 0.5)}
    both = {**members, "consensus": quality(0.375)}

    assert mean_slice_dice(both)["LV"] == mean_error_maps(both)["LV"][0, 0, 0, 0] == 0.375
    assert mean_slice_dice(silent)["LV"] == mean_error_maps(silent)["LV"][0, 0, 0, 0] == 0.5


def test_warnings_stand_in_every_output(tmp_path):
    thick = AFFINE.copy()
    thick[2, 2] = 30
    save(tmp_path / "i" / "a.nii", pixels()[..., 0], thick)
    save(tmp_path / "s" / "a.nii", heart(), thick)
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8}))
    report = score_images(suite, tmp_path / "i", tmp_path / "s", tmp_path / "out")

    expected = "slices 30 mm apart, the suite learned from 8 to 8"
    assert report.studies[0].warnings == (expected,)
    for file in ("studies.csv", "quality.json", "report.html"):
        assert expected in (tmp_path / "out" / file).read_text(encoding="utf-8")


class Choosy(Told):
    """Judges only what carries the uncertainty of several segmenters."""

    needs_uncertainty = True


def test_who_cannot_judge_files_is_named_and_the_others_judge(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.3}), choosy=Choosy(SHORT_AXIS, {"a": 0.9}))
    page = page_of(tmp_path, suite, still(tmp_path, "a"))

    assert "choosy of the suite judged nothing" in page
    [row] = rows(tmp_path / "out" / "studies.csv")
    assert row["score"] == row["score_told"] == "0.3"
    assert "score_choosy" not in row


def test_a_suite_that_can_judge_no_file_says_so(tmp_path):
    suite = suite_of(choosy=Choosy(SHORT_AXIS, {"a": 0.9}))

    with pytest.raises(ValueError, match="choosy need uncertainty maps"):
        score_images(suite, *still(tmp_path, "a"), tmp_path / "out")


def test_a_reason_that_two_tell_is_told_once(tmp_path):
    told = {name: Told(SHORT_AXIS, {"a": 0.3}) for name in ("first", "second")}
    score_images(suite_of(**told), *still(tmp_path, "a"), tmp_path / "out")

    [row] = rows(tmp_path / "out" / "studies.csv")
    assert row["reasons"] == "first: walls too thin"


def test_a_warning_of_the_reader_is_passed_on(tmp_path):
    save(tmp_path / "i" / "a.nii", pixels()[..., 0], pixdim=[1, 2, 2, 8, 1, 1, 1, 1])
    save(tmp_path / "s" / "a.nii", heart())
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8}))
    report = score_images(suite, tmp_path / "i", tmp_path / "s", tmp_path / "out")

    assert report.studies[0].warnings[0].startswith("header's voxel size and affine contradict")


def test_what_cannot_be_judged_is_told_and_the_rest_is_judged(tmp_path):
    still(tmp_path, "a", "b", "c", "d")
    (tmp_path / "s" / "b.nii.gz").write_bytes(b"")
    (tmp_path / "s" / "c.nii.gz").unlink()
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8, "d": 0.8}, refused=("d",)))
    ticks = []
    report = score_images(
        suite,
        tmp_path / "i",
        tmp_path / "s",
        tmp_path / "out",
        on_progress=lambda done, total: ticks.append((done, total)),
    )

    assert [one.study for one in report.studies] == ["a"]
    assert {refusal.name: refusal.reason for refusal in report.left_out} == {
        "b": "segmentation b.nii.gz: empty file",
        "c": "c_0000.nii.gz: an image without a segmentation",
        "d": "d: cannot be judged (loss of nerve)",
    }
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    listed = json.loads((tmp_path / "out" / "quality.json").read_text(encoding="utf-8"))
    for refusal in report.left_out:
        assert refusal.reason in page
        assert {"name": refusal.name, "reason": refusal.reason} in listed["left_out"]
    assert ticks == [(1, 3), (2, 3), (3, 3)]


def test_nothing_at_all_to_judge_is_an_error_that_says_why_and_writes_nothing(tmp_path):
    still(tmp_path, "a")
    save(tmp_path / "s" / "a.nii.gz", heart((1, 2, 9)))

    with pytest.raises(ValueError, match=r"nothing could be judged: a: .*unknown label values 9"):
        score_images(
            suite_of(told=Told(SHORT_AXIS, {})), tmp_path / "i", tmp_path / "s", tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_labels_are_understood_as_they_are_told(tmp_path):
    still(tmp_path, "a")
    save(tmp_path / "s" / "a.nii.gz", heart((7, 8, 9)))
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8}, error=1.0))
    score_images(
        suite, tmp_path / "i", tmp_path / "s", tmp_path / "out", meaning={7: 1, 8: 2, 9: 3}
    )

    values = nib.load(tmp_path / "out" / "error_maps" / "a_LV.nii.gz").get_fdata()
    assert values[heart() == 3].min() > 0.5


@pytest.mark.parametrize("place", ["file", "file/within", "/proc/scores"])
def test_where_nothing_can_be_written_nothing_is_judged(tmp_path, place):
    (tmp_path / "file").write_text("precious")
    judged = []

    with pytest.raises(OSError, match=r"is no folder|nothing can be written there"):
        score_images(
            suite_of(told=Told(SHORT_AXIS, {"a": 0.8})),
            *still(tmp_path, "a"),
            tmp_path / place,
            overwrite=True,
            on_progress=lambda done, total: judged.append(done),
        )
    assert not judged


def test_error_maps_are_not_taken_for_segmentations(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8}, error=1.0))
    images, segmentations = still(tmp_path, "a")
    output = segmentations / "scores"

    for _ in range(2):
        report = score_images(suite, images, segmentations, output, overwrite=True)

    assert (output / "error_maps" / "a_LV.nii.gz").exists()
    assert report.left_out == []


def test_the_page_tells_how_many_studies_the_weights_were_fitted_to(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8}))
    weighed = replace(suite, training=replace(TRAINING, weighing=("v", "w", "z")))
    page = page_of(tmp_path, weighed, still(tmp_path, "a"))

    assert re.search(r"Studies learned from</th><td[^>]*>2</td>", page)
    assert re.search(r"Studies that the weights were fitted to</th><td[^>]*>3</td>", page)


def test_a_folder_that_holds_something_is_left_alone_unless_told(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8}))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "studies.csv").write_text("precious")

    with pytest.raises(FileExistsError, match="out: not empty; say --overwrite"):
        score_images(suite, *still(tmp_path, "a"), tmp_path / "out")
    assert (tmp_path / "out" / "studies.csv").read_text() == "precious"

    score_images(suite, tmp_path / "i", tmp_path / "s", tmp_path / "out", overwrite=True)
    assert rows(tmp_path / "out" / "studies.csv")[0]["study"] == "a"


@pytest.mark.parametrize("flag_below", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_no_score_can_have_is_refused(tmp_path, flag_below):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8}))
    with pytest.raises(ValueError, match=r"flag_below must lie in \[0, 1\]"):
        score_images(suite, *still(tmp_path, "a"), tmp_path / "out", flag_below=flag_below)


def page_of(tmp_path, suite, paths, **settings):
    score_images(suite, *paths, tmp_path / "out", **settings)
    return (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_the_page_stands_alone_and_runs_no_other_script(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.3}, slices=True, error=0.9))
    page = page_of(tmp_path, suite, cine(tmp_path, "a"))

    assert page.count("<script") == 1
    assert "http" not in page.replace("http-equiv", "")
    sources = re.findall(r'src="([^"]{30})', page)
    # The worst slice and its film, and a strip for LV and one for RV.
    assert len(sources) == 4
    assert all(re.match("data:image/(png|webp);base64,", source) for source in sources)


def test_the_worst_slice_of_a_flagged_study_is_shown(tmp_path):
    dice = {"a": 0.3, "b": 0.9}
    with_slices = suite_of(told=Told(SHORT_AXIS, dice, slices=True))
    page = page_of(tmp_path, with_slices, cine(tmp_path, "a", "b"))

    assert "frame 1, slice 3" in page
    assert "a: slice 3 of frame 1 with the outlines of the segmentation." in page
    assert "lowest 0.15" in page

    # The other study unfolds, with a smaller picture.
    before, _, others = page.partition('id="others"')
    assert "b: slice" not in before
    assert "b: slice 3 of frame 1 with outlines." in others
    assert "<summary>b, score 0.90</summary>" in others
    assert "lowest 0.45" in others
    assert others.count("<td>LV</td>") == 2

    with_maps = suite_of(told=Told(SHORT_AXIS, dice, error=0.5))
    page = page_of(tmp_path, with_maps, cine(tmp_path, "a", "b"), overwrite=True)
    assert "with the outlines of the segmentation and, beside it, with the error map." in page


def test_the_longer_of_frames_and_slices_runs_across(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.3}, slices=True))
    for kind, expected in ((cine, "a row for each slice."), (still, "a row for each frame.")):
        assert expected in page_of(tmp_path, suite, kind(tmp_path, "a"), overwrite=True)


def test_a_suite_that_gives_neither_slices_nor_maps_has_a_page(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.3}))
    page = page_of(tmp_path, suite, still(tmp_path, "a"))

    assert "Dice of slices</th>" not in page
    assert not (tmp_path / "out" / "error_maps").exists()
    assert not (tmp_path / "out" / "slices.csv").exists()
    assert "forest 30, seggen 10" in page
    assert ">Verdict</th>" not in page


def test_an_empty_segmentation_is_shown_too(tmp_path):
    save(tmp_path / "i" / "a.nii", pixels()[..., 0])
    save(tmp_path / "s" / "a.nii", np.zeros(SHAPE, np.uint8))
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.0}, slices=True, error=0.5))
    page = page_of(tmp_path, suite, (tmp_path / "i", tmp_path / "s"))

    assert "nothing is segmented" in page
    assert "1 of 1 segmentation is flagged" in page


def test_of_many_flagged_studies_the_worst_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr("semiqc.scoring.page.MOST_LARGE", 2)
    monkeypatch.setattr("semiqc.scoring.worst.MOST_SHOWN", 3)
    dice = {"a": 0.5, "b": 0.4, "c": 0.3, "d": 0.2}
    page = page_of(tmp_path, suite_of(told=Told(SHORT_AXIS, dice)), still(tmp_path, *dice))
    large, _, others = page.partition('id="others"')

    assert "Shown are the 2 lowest scores of 4; the others unfold below." in large
    assert [name for name in dice if f"{name}: slice" in large] == ["c", "d"]
    # The first has the highest score.
    assert [name for name in dice if f"{name}: slice" in others] == ["b"]


def test_the_worst_studies_move_and_what_is_flagged_comes_first(tmp_path, monkeypatch):
    monkeypatch.setattr("semiqc.scoring.worst.MOST_FILMED", 2)
    dice = {"a": 0.9, "b": 0.8, "c": 0.3}
    page = page_of(tmp_path, suite_of(told=Told(SHORT_AXIS, dice)), cine(tmp_path, *dice))

    assert [name for name in dice if f"{name}: slice" in page] == ["a", "b", "c"]
    moving = [name for name in dice if re.search(rf"{name}: slice \d through all", page)]
    assert moving == ["b", "c"]
    assert page.count('prefers-reduced-motion: reduce)" srcset') == 2


def test_a_flagged_study_is_kept_before_one_that_scores_lower():
    kept = WorstSlices()
    film = np.zeros((2, 4, 4), np.float32)
    shown = WorstSlice(0, 0, film[0], film[0].astype(np.int8), None, film=film, film_labels=None)
    for number in range(MOST_FILMED):
        kept.add(f"s{number}", 0.1, shown, flagged=False)
    assert not kept.takes_film("odd", 0.9, flagged=False)
    assert kept.takes_film("odd", 0.9, flagged=True)
    kept.add("odd", 0.9, shown, flagged=True)

    assert kept.get("odd").film is not None
    assert sum(kept.get(f"s{n}").film is not None for n in range(MOST_FILMED)) == MOST_FILMED - 1


def test_of_many_studies_the_page_tells_the_structures_of_the_worst(tmp_path, monkeypatch):
    monkeypatch.setattr("semiqc.scoring.page.MOST_TOLD", 2)
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8, "b": 0.9, "c": 0.75}, slices=True))
    told = page_of(tmp_path, suite, still(tmp_path, "a", "b", "c"))

    assert re.findall(r"<summary>(\w), score", told) == ["c", "a"]
    assert "all studies, 2 of 3; <code>structures.csv</code>" in told
    assert {row["study"] for row in rows(tmp_path / "out" / "slices.csv")} == {"a", "b", "c"}


def test_names_and_reasons_are_escaped(tmp_path):
    told = Told(SHORT_AXIS, {"a": 0.8}, refused=("b",))
    still(tmp_path, "a")
    save(tmp_path / "s" / "<b>&.nii", heart())
    page = page_of(tmp_path, suite_of(told=told), (tmp_path / "i", tmp_path / "s"))

    assert "&lt;b&gt;&amp;.nii: a segmentation without an image" in page
    assert "<b>&" not in page


def suite_with_a_network():
    labels = np.zeros((1, 2, 16, 16), np.int8)
    labels[:, :, 4:12, 4:12], labels[:, :, 6:10, 6:10] = 2, 3
    image = np.random.default_rng(0).random((1, *labels.shape)).astype(np.float32)
    graded = [Graded(Prediction("s", image, labels, (8.0, 1.0, 1.0)), labels)]
    network = CNNRegression(SHORT_AXIS, width=4, size=(2, 16, 16), steps=2, batch_size=2)
    return Suite(SHORT_AXIS, {"cnn": network.fit(graded)}, TrainingDomain.of(graded))


def test_where_the_networks_looked_is_shown_where_asked(tmp_path):
    suite = suite_with_a_network()
    plain = page_of(tmp_path, suite, still(tmp_path, "a"), flag_below=1)
    page = page_of(
        tmp_path, suite, still(tmp_path, "a"), flag_below=1, explained=True, overwrite=True
    )

    assert "where the networks looked" not in plain
    assert re.search(r"beside it, where the networks looked for the Dice of (LV|MYO|RV)\.", page)

    save(tmp_path / "s" / "a.nii.gz", np.zeros(SHAPE, np.uint8))
    paths = tmp_path / "i", tmp_path / "s"
    empty = page_of(tmp_path, suite, paths, flag_below=1, explained=True, overwrite=True)
    assert "where the networks looked" not in empty


def test_a_suite_without_a_network_explains_nothing(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.5}))

    with pytest.raises(ValueError, match="of networks on images, and the suite has told"):
        score_images(suite, *still(tmp_path, "a"), tmp_path / "out", explained=True)


def test_a_suite_is_read_from_its_folder(tmp_path):
    suite = suite_with_a_network()
    suite.save(tmp_path / "suite")

    direct = score_images(suite, *still(tmp_path, "a"), tmp_path / "direct")
    loaded = score_images(tmp_path / "suite", tmp_path / "i", tmp_path / "s", tmp_path / "loaded")
    assert loaded.studies[0].score == pytest.approx(direct.studies[0].score, abs=1e-6)
    assert loaded.estimators == ["cnn"]

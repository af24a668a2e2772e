"""Suites: made from a store, kept in a folder, evaluated, and asked about plain arrays."""

import csv
import json
import shutil
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from killing import content
from run_settings import SUITE_OPTIONS

from qc.graded import GradedSet, SegGen, grade_held_out
from qc.suites.domain import TrainingDomain
from qc.suites.shipped import SUITE
from qc.suites.suite import Suite
from semiqc.cli.app import main
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.phantom import write_phantoms
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Geometry, Prediction
from semiqc.suites.evaluating import evaluate_suites


@pytest.fixture(scope="module")
def store(suite_store):
    return suite_store


@pytest.fixture(scope="module")
def suite(fitted_suite):
    return fitted_suite


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_suite_knows_what_it_learned_from_and_what_was_held_out(suite, store):
    split = {row["study"]: row["role"] for row in rows(suite / "split.csv")}
    training = Suite.load(suite).training

    assert sorted(split.values()) == ["labelled"] * 4 + ["test"] * 2
    assert set(training.names) == {name for name, role in split.items() if role == "labelled"}
    assert set(training.sources) == {"seggen", "failures"}
    assert training.spacing_mm == pytest.approx(Store(store).study("phantom-0001").spacing[1])


@pytest.mark.parametrize("missing", [[SUITE], [SUITE, "CARD.md"], [SUITE, "manifest.json"]])
def test_a_making_that_was_killed_while_it_saved_goes_on(suite, store, tmp_path, missing):
    cut = tmp_path / "suite"
    shutil.copytree(suite, cut)
    for name in missing:
        (cut / name).unlink()

    assert main(["qc", "fit", str(store), "--output", str(cut), *SUITE_OPTIONS]) == 0

    assert content(cut) == content(suite)


def test_plain_arrays_are_scored_by_every_estimator(suite, store):
    study = Store(store).study("phantom-0001")
    image, labels = np.asarray(study.image[0, 0]), np.asarray(study.labels[0])

    scored = Suite.load(suite).score(1000 * image - 20, labels, study.spacing, name="mine")

    assert set(scored.qualities) == {"svr", "cnn", "slicewise", "qcresunet"}
    for quality in scored.qualities.values():
        assert set(quality.dice) == {"LV", "MYO", "RV"}
        assert 0 <= quality.score <= 1
    assert scored.qualities["slicewise"].slice_dice["LV"].shape == (1, 3)
    assert scored.qualities["qcresunet"].error_maps["LV"].shape == (1, *labels.shape)
    assert scored.score == pytest.approx(np.mean([q.score for q in scored.qualities.values()]))


def test_an_image_may_be_a_mask_itself(suite, store):
    study = Store(store).study("phantom-0001")
    image, labels = np.asarray(study.image[0, 0]) > 0.5, np.asarray(study.labels[0])

    as_mask, as_numbers = (
        Suite.load(suite).score(one, labels, study.spacing) for one in (image, image.astype(int))
    )

    assert as_mask.score == as_numbers.score


def test_the_scale_of_intensities_does_not_matter(suite, store):
    study = Store(store).study("phantom-0002")
    image, labels = np.asarray(study.image[0, 0]), np.asarray(study.labels[0])
    suite = Suite.load(suite)

    plain = suite.score(image, labels, study.spacing)
    scaled = suite.score(7 * image + 3, labels, study.spacing)

    assert scaled.score == pytest.approx(plain.score, abs=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, s: (i, np.where(s == 3, 7, s)), "unknown label values.*7"),
        (lambda i, s: (np.stack([i[None], i[None]]), s), "2 modalities, the suite was made for 1"),
        (lambda i, s: (i, s[:-1]), "does not fit an image"),
        (lambda i, s: (i[0], s[0]), r"image must have axes \[Z, Y, X\].*got 2 axes"),
        (lambda i, s: (i[None, None, None], s), "image must have axes.*got 6 axes"),
        (lambda i, s: (i[:1], s[0]), r"segmentation must have axes \[Z, Y, X\].*got 2 axes"),
        (lambda i, s: (np.where(i > 0.5, np.nan, i), s), "not finite"),
        (lambda i, s: (np.zeros_like(i), s), "is 0 everywhere"),
        (lambda i, s: (i[:0], s[:0]), r"image must be an array of numbers, got shape \(0, 40"),
        (lambda i, s: (i.astype(object), s), "image must be an array of numbers.*object"),
        (lambda i, s: (i, s.astype(str)), "segmentation must be an array of numbers"),
    ],
)
def test_what_the_suite_was_not_made_for_is_refused(suite, store, change, message):
    study = Store(store).study("phantom-0001")
    image, labels = change(np.asarray(study.image[0, 0]), np.asarray(study.labels[0]))

    with pytest.raises(ValueError, match=message):
        Suite.load(suite).score(image, labels, study.spacing)


@pytest.mark.parametrize(
    ("spacing", "message"),
    [
        ((8.0, 1.5), "spacing must be three positive mm"),
        ((8.0, -1.5, 1.5), "spacing must be three positive mm"),
        ((8.0, float("nan"), 1.5), "spacing must be three positive mm"),
        ((8.0, 1500.0, 1500.0), "is the spacing in mm?"),
    ],
)
def test_a_spacing_that_cannot_be_is_refused(suite, store, spacing, message):
    study = Store(store).study("phantom-0001")

    with pytest.raises(ValueError, match=message):
        Suite.load(suite).score(study.image[0, 0], study.labels[0], spacing)


def turned(study, axes, degrees=0):
    """With a header whose axes point along or against those of the world, turned about z."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_z = [[cosine, -sine, 0, 0], [sine, cosine, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    affine = np.array(about_z) @ np.diag([*axes, 8, 1])
    return replace(study, geometry=Geometry(affine, (4, 4, 4), source="a.nii.gz"))


def test_a_suite_minds_images_whose_axes_point_elsewhere(suite, store):
    study, graded = (
        Store(store).study("phantom-0001"),
        GradedSet(suite / "graded.h5", Store(store)),
    )
    of_files = replace(
        Suite.load(suite), training=TrainingDomain.of(graded, [turned(study, (-1, -1))])
    )

    assert of_files.training.directions == ((-1, 0, 0, 0, -1, 0, 0, 0, 1),)
    assert TrainingDomain.from_json(asdict(of_files.training)) == of_files.training
    assert of_files.judge(turned(study, (-1, -1))).warnings == ()
    # No two short axes point alike, and at 46 degrees the letters of the axes change.
    assert of_files.judge(turned(study, (-1, -1), degrees=46)).warnings == ()
    for other in (turned(study, (1, 1)), turned(study, (1, -1))):
        [warning] = of_files.judge(other).warnings
        assert warning.startswith("voxel axes point 180 degrees away from where those point")
    assert "point 90 degrees" in of_files.judge(turned(study, (-1, -1), degrees=90)).warnings[0]
    # Of arrays nobody knows where their axes point.
    assert of_files.judge(replace(study, geometry=None)).warnings == ()
    unaware = replace(of_files, training=replace(of_files.training, directions=()))
    assert unaware.judge(turned(study, (1, 1))).warnings == ()


def test_unusual_data_is_judged_with_a_warning(suite, store):
    study = Store(store).study("phantom-0001")
    image, labels = np.asarray(study.image[0, 0]), np.asarray(study.labels[0])
    _, y, x = study.spacing
    dark = np.where(labels > 0, image.min(), image)

    far_apart = Suite.load(suite).score(image, labels, (60.0, y, x))
    in_the_dark = Suite.load(suite).score(dark, labels, study.spacing)
    empty = Suite.load(suite).score(image, np.zeros_like(labels), study.spacing)

    coarse = Suite.load(suite).score(image, labels, (study.spacing[0], 1.5 * y, 1.5 * x))

    assert "slices 60 mm apart" in far_apart.warnings[0]
    pixels = f"{1.5 * y:.3g} mm, the suite learned from {y:.3g} to {y:.3g}"
    assert coarse.warnings == (f"pixels of {pixels}",)
    assert "median intensity" in in_the_dark.warnings[0]
    assert empty.warnings == ("nothing is segmented",)
    assert Suite.load(suite).score(image, labels, study.spacing).warnings == ()


def test_empty_frames_and_unusual_numbers_of_slices_are_told(suite, store):
    study = Store(store).study("phantom-0001")
    suite = Suite.load(suite)
    image, labels = study.image[0, 0], study.labels[0]
    nothing = np.zeros_like(labels)

    cine = suite.score(np.stack([image] * 3), np.stack([labels, nothing, nothing]), study.spacing)
    one = suite.score(image[1:2], labels[1:2], study.spacing)

    assert [w for w in cine.warnings if "nothing is segmented in 2 of 3 frames" in w]
    assert "1 slices, the suite learned from 3 to 3" in one.warnings


def test_a_missing_modality_is_told(store):
    study = Store(store).study("phantom-0001")
    image = np.stack([study.image[0], 0 * study.image[0]])
    prediction = Prediction("a", image, study.labels[:], study.spacing)
    known = TrainingDomain(2, study.spacing[1], (1, 99), (0, 1), ("b",), 1)

    assert list(known.oddities(prediction, study)) == ["modality 1 of 0 to 1 is missing"]


@pytest.mark.parametrize(("factor", "is_odd"), [(0.45, True), (0.6, False), (2.2, True)])
def test_a_suite_of_old_minds_pixels_far_from_those_it_sees(suite, store, factor, is_odd):
    study = Store(store).study("phantom-0001")
    described = json.loads((suite / SUITE).read_text())["training"]
    del described["acquired_mm"]
    old = replace(Suite.load(suite), estimators={}, training=TrainingDomain.from_json(described))
    z, y, x = study.spacing

    scored = old.score(study.image[0, 0], study.labels[0], (z, factor * y, factor * x))

    expected = f"pixels of {factor * y:.3g} mm, the suite sees {y:.3g} mm"
    of_suite = [line for line in scored.warnings if "the suite sees" in line]
    assert of_suite == ([expected] if is_odd else [])


def test_the_range_of_pixels_is_that_in_which_studies_were_acquired(suite, store):
    known = [
        replace(
            Store(store).study(name),
            geometry=Geometry(np.eye(4), (4, 4, 4), to_source={"source_spacing": [8, *pixel]}),
        )
        for name, pixel in (("phantom-0001", (1.0, 1.2)), ("phantom-0002", (0.7, 0.7)))
    ]

    found = TrainingDomain.of(GradedSet(suite / "graded.h5", Store(store)), known)

    assert found.acquired_mm == pytest.approx((0.7, 1.1))


def test_a_suite_is_evaluated_on_those_held_out(suite, store, tmp_path, capsys, monkeypatch):
    output, ticks = tmp_path / "evaluation", []
    monkeypatch.setattr(
        "semiqc.cli.qc.bar",
        lambda title: nullcontext(lambda done, total: ticks.append((done, total))),
    )

    assert main(["qc", "evaluate", str(suite), str(suite / "test.h5"), "-o", str(output)]) == 0

    held_out = {row["study"] for row in rows(suite / "split.csv") if row["role"] == "test"}
    judged = rows(output / "judgements.csv")
    assert {row["study"] for row in judged} == held_out
    assert {row["estimator"] for row in judged} == {"svr", "cnn", "slicewise", "qcresunet"}
    count = len(GradedSet(suite / "test.h5", Store(store)))
    assert ticks == [(done, count) for done in range(1, count + 1)]
    shown = capsys.readouterr().out
    assert "left out" not in shown
    judges = {"svr", "cnn", "slicewise", "qcresunet"}
    table = [line for line in shown.splitlines() if line.partition(" ")[0] in judges]
    # Four estimators of Dice; two of them of surface Dice, too.
    assert len(table) == 6
    assert max(len(line) for line in table) <= 80


@pytest.mark.slow
def test_a_balanced_evaluation_draws_as_many_from_each_tenth_of_the_dice(suite, store, tmp_path):
    output = tmp_path / "evaluation"
    held_out = GradedSet(suite / "test.h5", Store(store))
    counts = np.bincount((held_out.mean_dice * 10).astype(int).clip(0, 9))

    command = ["qc", "evaluate", str(suite), str(suite / "test.h5"), "-o", str(output)]
    assert main([*command, "--balanced"]) == 0

    of_svr = [r for r in rows(output / "judgements.csv") if r["estimator"] == "svr"]
    drawn = {r["item"] for r in of_svr}
    assert len(held_out) > len(drawn) == counts[counts > 0].min() * (counts > 0).sum()


@pytest.mark.slow
def test_an_evaluation_needs_no_folder_and_overwrites_none(suite, tmp_path, capsys):
    command = ["qc", "evaluate", str(suite), str(suite / "test.h5")]
    mine = tmp_path / "figures.csv"
    mine.write_text("mine")

    assert main(command) == 0
    assert main([*command, "-o", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert mine.read_text() == "mine"
    assert main([*command, "-o", str(tmp_path), "--overwrite", "--threshold", "0.9"]) == 0
    assert {row["threshold"] for row in rows(mine)} == {"0.9"}


def test_a_label_value_that_is_given_two_meanings_is_refused(suite, tmp_path, capsys):
    output = str(tmp_path / "scores")

    command = ["score", str(suite), "images", "masks", "-o", output, "--labels", "1=3,1=2"]
    assert main(command) == 2

    assert "1 is given twice" in capsys.readouterr().err


@pytest.mark.parametrize("threshold", ["high", "LV=0.7", "LV=a,MYO=0.7,RV=0.7", "2"])
def test_a_threshold_that_is_none_is_refused(suite, threshold):
    command = ["qc", "evaluate", str(suite), str(suite / "test.h5"), "--threshold", threshold]

    assert main(command) == 2


def test_a_suite_is_not_evaluated_on_other_data(suite, tmp_path):
    def graded(name, **changes):
        with StoreWriter(
            tmp_path / f"{name}.h5",
            changes.get("scheme", SHORT_AXIS),
            changes.get("named", ("a",)),
        ) as writer:
            for study in Store(phantoms):
                pixels = changes.get("pixels", 1) * study.spacing[1]
                image = np.concatenate([study.image[:]] * len(changes.get("named", ("a",))))
                spacing = (study.spacing[0], pixels, pixels)
                writer.add(replace(study, image=image, spacing=spacing))
        store, path = Store(tmp_path / f"{name}.h5"), tmp_path / f"{name}-graded.h5"
        names = [study.name for study in store]
        options = {"tolerance_mm": changes.get("tolerance_mm", 2.0)}
        grade_held_out(store, path, {"seggen": SegGen(times=1)}, names[:1], names[1:], **options)
        return path

    phantoms = tmp_path / "phantoms.h5"
    write_phantoms(phantoms, studies=2, size=40, slices=3, frames=2, seed=7)
    named = replace(SHORT_AXIS, name="other")
    first, *others = SHORT_AXIS.structures
    swapped = replace(named, structures=(replace(first, values=others[0].values), *others))
    turned = replace(named, structures=SHORT_AXIS.structures[::-1])

    assert evaluate_suites([suite], graded("named", scheme=named)).evaluation.judgements
    with pytest.raises(ValueError, match=r"LV is label 2 in other, label 3 in short-axis"):
        evaluate_suites([suite], graded("scheme", scheme=swapped))
    with pytest.raises(ValueError, match=r"in the order RV, MYO, LV, the suite LV, MYO, RV"):
        evaluate_suites([suite], graded("turned", scheme=turned))
    with pytest.raises(ValueError, match=r"surface Dice forgives 8 mm, the suite's 2 mm"):
        evaluate_suites([suite], graded("tolerance", tolerance_mm=8.0))
    with pytest.raises(ValueError, match="2 modalities, the suite was made for 1"):
        evaluate_suites([suite], graded("modalities", named=("a", "b")))
    with pytest.raises(ValueError, match=r"has pixels of .* mm, the suite sees"):
        evaluate_suites([suite], graded("pixels", pixels=1.5))


def test_a_suite_is_not_evaluated_on_those_who_taught_it(suite, tmp_path, capsys):
    taught = str(suite / "graded.h5")

    assert main(["qc", "evaluate", str(suite), taught, "-o", str(tmp_path / "e")]) == 2

    assert "the suite learned from all 4 studies" in capsys.readouterr().err


def test_a_suite_is_not_evaluated_on_another_visit_of_a_subject_who_taught_it(
    suite, store, tmp_path
):
    taught = Suite.load(suite).training.subjects
    visits = tmp_path / "visits.h5"
    with StoreWriter(visits, Store(store).scheme, Store(store).modalities) as writer:
        for study in Store(store):
            writer.add(replace(study, name=f"second-{study.name}"))
    names = [f"second-{subject}" for subject in taught]
    path = tmp_path / "graded.h5"
    grade_held_out(Store(visits), path, {"seggen": SegGen(times=1)}, names[:2], names[2:])

    with pytest.raises(ValueError, match="the suite learned from all 2 studies"):
        evaluate_suites([suite], path)


def test_a_suite_is_not_overwritten(suite, store, capsys):
    before = (suite / SUITE).read_bytes()

    assert main(["qc", "fit", str(store), "-o", str(suite), *SUITE_OPTIONS]) == 2

    assert "holds a suite already" in capsys.readouterr().err
    assert (suite / SUITE).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--estimators", "ccn"], "did you mean 'cnn'?"),
        (["--estimators", "kurve"], "unknown 'kurve'; did you mean 'curve'"),
        (["--verdicts", "verdicts.csv"], "belong together; name all"),
        (["--sources", "forrest"], "did you mean 'forest'?"),
        (["--set", "cnn.stepz=3"], "cnn.stepz: unknown 'stepz'; did you mean 'steps'?"),
        (["--set", "cnn.steps=many"], "cnn.steps: input should be a valid integer"),
        (
            ["--set", "cnn.batch_size=0"],
            "cnn.batch_size: input should be greater than or equal to 1, got 0",
        ),
        (
            ["--set", "qcresunet.maps=false", "--set", "qcresunet.regression=false"],
            "qcresunet: regression and maps are both off",
        ),
        (
            ["--set", "cnn.backbone=unet-3d", "--set", "cnn.size=[4, 90, 90]"],
            "cnn: size (4, 90, 90) does not suit the network",
        ),
        (["--set", "forest.trees=3"], "--set: unknown 'forest'"),
        (
            ["--estimators", "svr,agreement", "--sources", "ladder,seggen"],
            "agreement: needs uncertainty maps, which none of the sources",
        ),
        (["--set", "cnn=3"], "expected name.argument=value"),
        (["--test", "6"], "6 to test and 0 to calibrate by leave fewer than 2"),
    ],
)
def test_a_mistake_is_named_before_anything_is_made(store, tmp_path, capsys, arguments, message):
    output = tmp_path / "suite"

    assert main(["qc", "fit", str(store), "-o", str(output), *arguments]) == 2

    assert message in " ".join(capsys.readouterr().err.split())
    assert not (output / SUITE).exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / SUITE).unlink(), "holds no suite"),
        (lambda folder: (folder / SUITE).write_text("{"), "not JSON"),
        (lambda folder: (folder / SUITE).write_text('{"version": 99}'), "not a suite of version"),
        (lambda folder: (folder / "cnn.safetensors").unlink(), "no such file"),
        (lambda folder: (folder / "svr.safetensors").write_bytes(b"x" * 99), "not a readable"),
        (lambda folder: drop(folder, "training"), "not the description of a suite"),
        (lambda folder: drop(folder, "scheme"), "not the description of a suite"),
    ],
)
def test_a_broken_suite_is_refused_in_words(suite, tmp_path, spoil, message):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in suite.iterdir():
        if file.is_file():
            (broken / file.name).write_bytes(file.read_bytes())
    spoil(broken)

    with pytest.raises(ValueError, match=message):
        Suite.load(broken)


def drop(folder, key):
    stored = json.loads((folder / SUITE).read_text())
    del stored[key]
    (folder / SUITE).write_text(json.dumps(stored))


def test_the_documented_example_runs_as_it_stands(suite, store, monkeypatch):
    docs = (Path(__file__).parents[1] / "docs" / "qc.md").read_text(encoding="utf-8")
    example = docs.split("From Python, on plain arrays")[1].split("```python\n")[1].split("```")[0]
    study = Store(store).study("phantom-0003")
    names = {"image": np.asarray(study.image[0, 1]), "segmentation": np.asarray(study.labels[1])}
    monkeypatch.chdir(suite.parent)

    exec(example, names)

    assert 0 <= names["scored"].score <= 1


@pytest.fixture(scope="module")
def weighed(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weighed") / "suite"
    command = ["qc", "fit", str(store), "-o", str(folder), "--estimators", "svr,physiology"]
    options = ["--sources", "seggen", "--folds", "2", "--set", "seggen.times=1"]
    assert main([*command, *options, "--calibrate", "2", "--test", "1"]) == 0
    return folder


def test_subjects_that_teach_the_weights_teach_no_estimator(weighed, store):
    split = {row["study"]: row["role"] for row in rows(weighed / "split.csv")}
    taught = set(GradedSet(weighed / "graded.h5", Store(store)).studies.tolist())
    weighs = set(GradedSet(weighed / "calibration.h5", Store(store)).studies.tolist())

    assert taught == {name for name, role in split.items() if role == "labelled"}
    assert weighs == {name for name, role in split.items() if role == "qc"}
    training = Suite.load(weighed).training
    assert (set(training.names), set(training.weighing)) == (taught, weighs)
    assert training.studies == len(taught)
    assert all(training.has_seen(Store(store).study(name)) for name in taught | weighs)
    [test] = [name for name, role in split.items() if role == "test"]
    assert not training.has_seen(Store(store).study(test))


def test_the_score_of_a_suite_with_weights_is_that_of_its_consensus(weighed, store):
    study = Store(store).study("phantom-0002")
    image, labels = np.asarray(study.image[0, 0]), np.asarray(study.labels[0])

    scored = Suite.load(weighed).score(image, labels, study.spacing)

    assert list(scored.qualities) == ["physiology", "svr", "consensus"]
    assert scored.score == scored.qualities["consensus"].score
    # Two subjects are too few for any interval but the whole range.
    assert scored.qualities["consensus"].interval["LV"] == (0.0, 1.0)


@pytest.mark.slow
def test_the_consensus_is_evaluated_beside_its_members(weighed, tmp_path):
    output = tmp_path / "evaluation"

    assert main(["qc", "evaluate", str(weighed), str(weighed / "test.h5"), "-o", str(output)]) == 0

    judged = rows(output / "judgements.csv")
    assert {row["estimator"] for row in judged} == {"svr", "physiology", "consensus"}

"""Which studies to label next, and what the one who labels is given."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest
from curve_builders import heart, prediction_of
from uncertainty_builders import with_uncertainty

from semiqc.cli.app import main
from semiqc.exchange.export_grids import Grids
from semiqc.experiment.suggesting.pool import pool_of
from semiqc.experiment.suggesting.prelabels import write_prelabels
from semiqc.experiment.suggesting.ranking import Unlabelled, disagreements, suggestions
from semiqc.files.predictions import PredictionWriter
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Study, UncertaintyMaps


def unlabelled(study, group="A", subject=None, agreement=None, **scores):
    return Unlabelled(study, subject or study, group, scores, agreement or {})


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def names(pool, count, seed=0):
    return [one.of.study for one in suggestions(pool, count, seed)]


def test_what_is_bad_and_disputed_comes_before_what_is_good_and_agreed_on():
    pool = [
        unlabelled("good", x=0.95, y=0.95),
        unlabelled("bad", x=0.3, y=0.1),
        unlabelled("disputed", x=0.1, y=0.9),
        unlabelled("fair", x=0.8, y=0.8),
    ]

    assert names(pool, 4)[0] == "disputed"
    assert set(names(pool, 2)) == {"disputed", "bad"}
    assert names(pool, 9)[-1] == "good"


def test_estimators_of_other_scales_that_rank_alike_do_not_disagree():
    pool = [unlabelled(n, x=s, y=s / 10) for n, s in (("a", 0.9), ("b", 0.5), ("c", 0.7))]

    assert set(disagreements(pool).values()) == {0.0}
    assert disagreements([unlabelled("a", x=0.1), unlabelled("b", x=0.2)])["a"] is np.nan


def test_the_consensus_tells_the_quality_and_is_no_party():
    pool = [unlabelled("a", x=0.2, consensus=0.8), unlabelled("b", x=0.4, consensus=0.1)]

    assert [one.of.score for one in suggestions(pool, 2, 0)] == [0.1, 0.8]
    assert np.isnan(disagreements(pool)["a"])


def test_subjects_and_groups_take_turns():
    pool = [unlabelled(f"a{n}", "A", "P1" if n < 2 else None, x=0.3 * n) for n in range(4)]
    pool += [unlabelled(f"b{n}", "B", x=0.9) for n in range(2)]

    chosen = suggestions(pool, 4, seed=0)

    assert [one.of.group for one in chosen].count("B") == 2
    assert len({one.of.subject for one in chosen}) == 4
    assert len(names(pool, 9)) == 6
    assert any("first of group B" in one.reasons for one in chosen)


def test_two_of_three_turns_are_of_a_structure():
    sure = {"LV": 0.95, "RV": 0.95}
    pool = [unlabelled(f"s{n}", x=0.2, agreement=sure) for n in range(8)]
    pool += [unlabelled("lv", x=0.7, agreement=sure | {"LV": 0.2})]
    pool += [unlabelled("rv", x=0.7, agreement=sure | {"RV": 0.3})]

    chosen = suggestions(pool, 3, seed=0)

    assert {one.of.study for one in chosen[:2]} == {"lv", "rv"}
    assert "segmenters agree by Dice 0.20 in LV" in chosen[0].reasons
    assert chosen[2].of.study.startswith("s")


def test_the_noise_has_a_seed_and_only_parts_what_is_alike():
    pool = [unlabelled(f"s{n}", x=0.5) for n in range(9)] + [unlabelled("bad", x=0.01)]

    assert names(pool, 5) == names(pool[::-1], 5)
    assert len({tuple(names(pool, 5, seed)) for seed in range(5)}) > 1
    assert all(names(pool, 1, seed) == ["bad"] for seed in range(5))


def test_a_still_study_is_one_file_named_like_it(tmp_path):
    labels = np.zeros((1, 2, 5, 6), np.int8)
    labels[0, 1, 2, 3] = 2
    image = np.zeros((1, *labels.shape), np.float32)
    still = Study("a b", image, labels, (8.0, 1.5, 1.25))

    found = write_prelabels(tmp_path, still, labels, Grids(SHORT_AXIS, "store"))

    assert found == ["a_b.nii.gz"]
    written = np.asarray(nib.load(tmp_path / "prelabels" / found[0]).dataobj)
    assert written.T.tolist() == labels[0].tolist()
    assert (tmp_path / "images" / found[0]).exists()


def test_suggestions_of_a_run_are_a_table_and_files_to_correct(finished_run, tmp_path, capsys):
    out = tmp_path / "out"

    assert main(["suggest", str(finished_run), "-k", "2", "-o", str(out)]) == 0

    said = capsys.readouterr().out
    assert max(map(len, said.split("\ntable: ")[0].splitlines())) <= 80
    rows = table(out / "suggestions.csv")
    split = table(finished_run / "results" / "split.csv")
    pool = {row["study"] for row in split if row["role"] == "unlabelled"}
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert {row["study"] for row in rows} < pool
    queue = json.loads((finished_run / "review" / "queue.json").read_text())["studies"]
    scores = {one["study"]: one["scores"].get("curve") for one in queue}
    assert all(float(row["score"]) == scores[row["study"]] for row in rows)
    for row in rows:
        files = row["file"].split("; ")
        assert len(files) == 2
        for file in files:
            image = nib.load(out / file.replace("prelabels", "images"))
            labels = nib.load(out / file)
            assert image.shape == labels.shape
            assert np.allclose(image.affine, labels.affine)
            assert labels.get_data_dtype() == np.uint8
            assert file.startswith(f"prelabels/{row['study']}_frame0")


def test_what_may_have_been_corrected_is_never_replaced(finished_run, tmp_path, capsys):
    (tmp_path / "suggestions.csv").write_text("")

    assert main(["suggest", str(finished_run), "-o", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err


@pytest.fixture
def results(tmp_path):
    """A run folder with a split and, where it is asked for, a queue."""

    def make(*roles, scores=None):
        run = tmp_path / "run"
        (run / "results").mkdir(parents=True)
        lines = [f"s{n},s{n},A,{role}" for n, role in enumerate(roles)]
        table = "\n".join(["study,subject,group,role", *lines, ""])
        (run / "results" / "split.csv").write_text(table)
        if scores is not None:
            rows = [
                {"study": f"s{n}", "role": "candidate", "predictions": "p.h5", "scores": scores}
                for n in range(len(roles))
            ]
            (run / "review").mkdir()
            (run / "review" / "queue.json").write_text(
                json.dumps({"format": 1, "store": "s.h5", "studies": rows})
            )
        return run

    return make


@pytest.mark.parametrize(
    ("roles", "scores", "message"),
    [
        (["labelled", "test"], {"x": 0.5}, "no study is unlabelled"),
        (["labelled", "unlabelled"], None, "no estimator judged"),
        (["labelled", "unlabelled"], {}, "no estimator judged"),
        (["labelled", "unlabelled"], {"x": 0.5}, "the segmentations are gone"),
    ],
)
def test_a_run_without_a_pool_is_refused_in_one_line(results, roles, scores, message):
    with pytest.raises(ValueError, match=message) as refused:
        pool_of(results(*roles, scores=scores), SHORT_AXIS)

    assert "\n" not in str(refused.value)


def test_the_pool_has_what_segmenters_agree_on(results):
    run = results("unlabelled", scores={"x": 0.5})
    labels = heart("s0", frames=4)
    maps = with_uncertainty(prediction_of("s0", labels)).uncertainty
    parts = [{name: part[t : t + 1] for name, part in vars(maps).items()} for t in range(4)]
    frames = [(labels[t], None, UncertaintyMaps(**parts[t])) for t in range(4)]
    with PredictionWriter(run / "p.h5") as written:
        image = np.zeros((1, *labels.shape), np.float32)
        written.add(Study("s0", image, labels, (8.0, 1.5, 1.25)), frames)

    [study] = pool_of(run, SHORT_AXIS).studies

    assert study.score == 0.5
    assert study.agreement == {
        one.name: pytest.approx(np.nanmean(maps.agreement[:, n]))
        for n, one in enumerate(SHORT_AXIS.structures)
    }

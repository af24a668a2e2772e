"""What people say finds its way into a run."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from builders import study_of
from review_builders import desk, item
from run_settings import KEPT, TINY
from sklearn.metrics import cohen_kappa_score

from qc import Decision, Quality
from semiqc.cli import main
from semiqc.experiment.bench import ScenarioBench
from semiqc.experiment.ladder import Ladder
from semiqc.experiment.readers import Readers
from semiqc.experiment.round_rows import scores_of
from semiqc.experiment.settings_file import read_settings
from semiqc.experiment.trained import TrainedEnsemble
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.files.store.writer import StoreWriter
from semiqc.files.tables import JudgementRow
from semiqc.review.agreed import agreed
from semiqc.review.agreement import agreements, cohen_kappa
from semiqc.review.records import Grade, Place, Reading, Records
from semiqc.review.run_queue import CANDIDATE, Queued, remove_queue, write_queue
from semiqc.review.sources import find_items, records_of
from semiqc.review.tables import read_into, write_tables
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction
from semiqc.work.waiting import WaitingError

STAGE = "predict-qc-first@12-seed0-0123"


def reading(reader, study, verdict, showing=1, **fields):
    return Reading(reader, Place(study, f"of-{study}", showing), verdict, **fields)


@pytest.fixture
def run(tmp_path):
    """A run folder with a store of two studies that were segmented."""
    studies = [study_of(name) for name in "ab"]
    with StoreWriter(tmp_path / "data.h5", SHORT_AXIS, ("cine",)) as store:
        for study in studies:
            store.add(study)
    with PredictionWriter(tmp_path / "run" / "stages" / STAGE / "predictions.h5") as written:
        for study in studies:
            written.add(study, [(np.full((2, 5, 6), t, np.int8), None) for t in range(3)])
    return tmp_path / "run"


def predictions_of(run, names="ab"):
    path = run / "stages" / STAGE / "predictions.h5"
    return [
        Prediction(name, study_of(name).image, predicted_labels(path, name), (8.0, 1.5, 1.25))
        for name in names
    ]


def readers_of(run, *changes):
    settings = read_settings(None, [f"output={run}", *changes])
    return Readers(settings, run.parent / "data.h5", seed=0)


def judge(run, **verdicts):
    with Records(records_of(run)) as records:
        for study, verdict in verdicts.items():
            records.give(Reading("ann", Place(study, STAGE), verdict))


def test_a_run_waits_until_all_that_it_learns_from_is_judged(run):
    readers = readers_of(run, "qc.reader=human")
    with pytest.raises(WaitingError, match="waits for 2 of 2 verdicts"):
        readers.verdicts(predictions_of(run))
    judge(run, a="good")
    with pytest.raises(WaitingError, match=rf"1 of 2 .*`semiqc review {run}`"):
        readers.verdicts(predictions_of(run))
    judge(run, b="erroneous")

    assert readers.verdicts(predictions_of(run)) == {"a": True, "b": False}
    assert [(row.study, row.is_good, row.of) for row in readers.taken] == [
        ("a", True, STAGE),
        ("b", False, STAGE),
    ]


def test_what_a_run_waits_for_can_be_reviewed_blind(run):
    with pytest.raises(WaitingError):
        readers_of(run, "qc.reader=human").verdicts(predictions_of(run))
    items = find_items(run)
    shown = items[0].read()

    assert [(one.study, one.of, one.teaches) for one in items] == [
        ("a", STAGE, True),
        ("b", STAGE, True),
    ]
    assert [int(shown.labels[t].max()) for t in range(3)] == [0, 1, 2]
    assert shown.reference.labelled_frames == (1,)
    assert desk(run, items=items).blind
    assert not desk(run, "c").blind


def test_a_moved_run_is_reviewed_where_it_stands(run):
    inside = run / "stages" / "phantom-1" / "store.h5"
    inside.parent.mkdir()
    (run.parent / "data.h5").rename(inside)
    write_queue(
        run,
        inside,
        [Queued("a", CANDIDATE, run / "stages" / STAGE / "predictions.h5", {"x": 0.5})],
    )
    moved = run.rename(run.parent / "elsewhere")

    [found] = find_items(moved)
    assert found.read().labels.shape == (3, 2, 5, 6)
    assert found.scores == {"x": 0.5}


def test_the_queue_has_the_scores_of_the_segmentation_that_it_shows():
    model = TrainedEnsemble((SimpleNamespace(stage=SimpleNamespace(key="m1")),))

    def row(scenario, score, model="m1", number=1, repair=""):
        said = {"scores": {"x": score}, "model": model, "repair": repair}
        return JudgementRow(0, scenario, number, "a", "", "x", score, None, None, "", **said)

    own, refined, other = row("semiqc", 0.1), row("crf", 0.2), row("loop", 0.3, model="m2")
    later, repaired = row("semiqc", 0.4, number=2), row("mended", 0.5, repair="temporal")

    assert scores_of(model, [own, refined, other, later, repaired], {"crf"}) == {"a": {"x": 0.1}}
    assert scores_of(model, [other, later], ()) == {"a": {"x": 0.3}}


def test_a_run_without_anything_to_judge_leaves_no_queue_of_before(run):
    write_queue(run, run.parent / "data.h5", [])
    remove_queue(run)
    remove_queue(run)

    assert not (run / "review" / "queue.json").exists()


def test_a_spoilt_study_is_shown_as_it_was_segmented(run):
    spoilt = study_of("a")
    spoilt = replace(spoilt, image=-spoilt.image[:])
    file = run / "stages" / "dirty-1" / "store.h5"
    file.parent.mkdir()
    with StoreWriter(file, SHORT_AXIS, ("cine",)) as store:
        store.add(spoilt)
    made = run / "stages" / STAGE / "predictions.h5"
    write_queue(
        run,
        run.parent / "data.h5",
        [Queued("a", CANDIDATE, made, store=file), Queued("b", CANDIDATE, made)],
    )

    first, second = find_items(run)
    np.testing.assert_allclose(first.read().image[:], spoilt.image, atol=1e-2)
    np.testing.assert_allclose(second.read().image[:], study_of("b").image[:], atol=1e-2)


def test_a_verdict_on_another_segmentation_does_not_count(run):
    judge_other = Reading("ann", Place("a", "predict-qc-first@12-seed0-4567"), "good")
    (run / "review").mkdir()
    (run / "review" / "queue.json").write_text("{}")
    with Records(records_of(run)) as records:
        records.give(judge_other)

    with pytest.raises(WaitingError, match="waits for 1 of 1"):
        readers_of(run, "qc.reader=human").verdicts(predictions_of(run, "a"))


def test_what_is_called_erroneous_is_rejected_by_name(run):
    write_queue(run, run.parent / "data.h5", [])
    judge(run, a="erroneous", b="good")

    assert readers_of(run, "qc.reader=human").rejected(predictions_of(run)) == {"a"}
    assert readers_of(run).rejected(predictions_of(run)) == frozenset()


def test_verdicts_of_a_file_teach_and_reject(run, tmp_path):
    file = tmp_path / "verdicts.csv"
    file.write_text("study,verdict\na,good\nb,erroneous\n")
    readers = readers_of(run, f"qc.verdicts={file}")

    assert readers.verdicts(predictions_of(run)) == {"a": True, "b": False}
    assert readers.rejected(predictions_of(run)) == {"b"}


def test_a_file_without_a_verdict_on_what_is_learned_from_is_refused(run, tmp_path):
    file = tmp_path / "verdicts.csv"
    file.write_text("study,verdict\nz,good\n")

    with pytest.raises(ValueError, match=r"verdicts\.csv: no verdict on any study"):
        readers_of(run, f"qc.verdicts={file}").verdicts(predictions_of(run))


def test_only_what_the_whole_first_segmenter_made_gets_peoples_verdicts(run):
    from qc import Graded

    a, b = predictions_of(run)
    graded = [
        Graded(a, study_of("a").labels, None, "whole"),
        Graded(b, study_of("b").labels, None, "snapshot"),
    ]
    said = SimpleNamespace(are_people=True, verdicts=lambda seen: {p.study: True for p in seen})
    ladder = SimpleNamespace(readers=said, whole="whole")

    found = Ladder._with_verdicts(ladder, graded)

    assert [one.is_good for one in found] == [True, None]


@pytest.mark.parametrize("rejected", [{"b"}, {"a", "b", "c"}])
def test_a_rejected_study_never_becomes_a_pseudo_label(rejected):
    class TakesAll:
        @classmethod
        def for_run(cls, context):
            return lambda qualities: [
                Decision(q.study, True, f"one of {len(qualities)}") for q in qualities
            ]

    bench = SimpleNamespace(
        gate=SimpleNamespace(rule_kind=TakesAll, arguments=lambda kind: {}),
        panel=SimpleNamespace(rejected=rejected),
        _context=lambda predictions: None,
    )
    qualities = [Quality(name, 0.5) for name in "abc"]

    found = ScenarioBench.choose(bench, [], qualities)

    assert [one.study for one in found] == list("abc")
    assert {one.study for one in found if not one.admitted} == rejected
    assert {one.reason for one in found if one.admitted} <= {"one of 2"}
    assert {one.reason for one in found if not one.admitted} == {"rejected by a reader"}


def test_a_reader_may_be_named_alone_or_with_bounds():
    assert read_settings(None, ["qc.reader=human"]).qc.reader.kind == "human"
    bounded = read_settings(None, ["qc.reader={min_dice: 0.5}"]).qc.reader
    assert (bounded.kind, bounded.min_dice) == ("simulated", 0.5)
    with pytest.raises(ValueError, match=r"qc\.reader"):
        read_settings(None, ["qc.reader=nobody"])


def test_most_readers_decide_and_a_tie_is_erroneous():
    said = [
        reading("ann", "a", "good"),
        reading("bob", "a", "good"),
        reading("cleo", "a", "erroneous"),
        reading("ann", "b", "good"),
        reading("bob", "b", "erroneous"),
        reading("ann", "c", "good", showing=2, number=1),
        reading("ann", "c", "erroneous", showing=1, number=2),
    ]

    found = {one.study: (one.is_good, one.readers, one.unanimous) for one in agreed(said)}

    assert found == {"a": (True, 3, False), "b": (False, 2, False), "c": (True, 1, True)}


def test_kappa_is_that_of_others():
    rng = np.random.default_rng(0)
    a = rng.random(200) < 0.7
    b = np.where(rng.random(200) < 0.8, a, rng.random(200) < 0.5)
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))

    assert cohen_kappa(pairs) == pytest.approx(cohen_kappa_score(a, b))
    assert np.isnan(cohen_kappa([(True, True)] * 5))


def test_readers_are_compared_with_each_other_and_with_themselves():
    said = [
        *(reading("ann", name, "good") for name in "abc"),
        reading("ann", "d", "erroneous"),
        *(reading("bob", name, "good") for name in "ab"),
        *(reading("bob", name, "erroneous") for name in "ce"),
        reading("ann", "a", "erroneous", showing=2),
        reading("ann", "b", "good", showing=2),
    ]

    found = {(one.first, one.second): one for one in agreements(said)}

    assert set(found) == {("ann", "ann"), ("ann", "bob")}
    both = found["ann", "bob"]
    assert (both.studies, both.same) == (3, pytest.approx(2 / 3))
    assert both.admitted == pytest.approx(2 * 2 / (3 + 2))
    assert (found["ann", "ann"].studies, found["ann", "ann"].same) == (2, 0.5)


def test_verdicts_go_out_as_csv_and_come_in_again(tmp_path):
    items = [item("a"), item("b")]
    first, second = (Records(tmp_path / name) for name in ("1.sqlite", "2.sqlite"))
    first.give(reading("ann", "a", "good"))
    first.give(reading("ann", "b", "erroneous", reasons=("leaks out",), note="=1+1"))
    first.give(reading("ann", "gone", "good"))
    first.grade(Grade("ann", "b", "of-b", 0, 1, "LV", 3))
    write_tables(first, items, tmp_path / "out")

    assert read_into(second, items, tmp_path / "out" / "readings.csv", "bob") == 2
    found = {one.place.study: one for one in second.readings("bob")}
    assert {name: one.verdict for name, one in found.items()} == {"a": "good", "b": "erroneous"}
    assert (found["b"].reasons, found["b"].note) == (("leaks out",), "=1+1")
    grades = (tmp_path / "out" / "grades.csv").read_text().splitlines()
    assert grades == ["reader,study,frame,slice,structure,grade", "ann,b,0,1,LV,3"]
    assert (tmp_path / "out" / "verdicts.csv").read_text().splitlines()[1:] == [
        "a,good,1,1",
        "b,erroneous,1,1",
    ]


def test_a_verdict_on_what_is_not_under_review_is_refused(tmp_path):
    (tmp_path / "in.csv").write_text("study,verdict\na,good\nz,good\n")
    records = Records(tmp_path / "kept.sqlite")

    with pytest.raises(ValueError, match=r"in\.csv: a verdict on z"):
        read_into(records, [item("a")], tmp_path / "in.csv", "ann")
    assert records.readings() == []


@pytest.mark.slow
def test_a_run_stops_for_a_person_and_goes_on_with_their_verdicts(tmp_path, capsys):
    run = tmp_path / "run"
    changes = [
        f"--set={change}" for change in (*TINY, KEPT, "qc.reader=human", "scenarios=[few, semiqc]")
    ]
    again = ["run", f"--output={run}", *changes]
    assert main(again) == 3
    with Records(records_of(run)) as records:
        for rank, one in enumerate(find_items(run)):
            place = Place(one.study, one.of)
            records.give(Reading("ann", place, "erroneous" if rank else "good"))
    assert main(again) == 0
    pseudo = (run / "results" / "pseudo.csv").read_text().splitlines()
    admitted = pseudo[1].split(",")[3]
    with Records(records_of(run)) as records:
        [of] = [one.of for one in find_items(run) if one.study == admitted]
        records.give(Reading("ann", Place(admitted, of), "erroneous"))

    assert main(again) == 0
    assert admitted not in (run / "results" / "pseudo.csv").read_text()
    assert "rejected by a reader" in (run / "results" / "judgements.csv").read_text()
    assert main(["verify", str(run)]) == 0

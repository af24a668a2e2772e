import math
from dataclasses import replace

import numpy as np
import pytest

from qc.graded import SOURCES, CnnLadder
from qc.graded.source import Source
from semiqc.experiment.estimating import Extent
from semiqc.experiment.estimating.estimate import disk_of, seconds_by_step, seconds_of
from semiqc.experiment.estimating.timing import Rates, _source, rates_of
from semiqc.experiment.estimating.work import Work, work_of
from semiqc.experiment.finished import Finished
from semiqc.experiment.settings_file import read_settings
from semiqc.experiment.steps import REPORT
from semiqc.files.hdf5 import open_h5
from semiqc.files.tables import OverlapRow, read_rows
from semiqc.phantom.dataset import PhantomRecipe
from semiqc.schemes import SHORT_AXIS

FITTED = ("scenarios=[few, semiqc]", "gates=[]", "gate.by=svr", "qc.estimators=[svr]")

EXTENT = Extent(3, 3, 3, 5, 4, 2, (3, 32, 32), 1e6)
"""Of the tiny run, whose 14 phantoms have 4 frames each."""


def stages(run, pattern):
    return sorted((run / "stages").glob(pattern))


def steps_of(stage):
    lines = (stage / "training.csv").read_text().splitlines()
    return max(int(line.split(",")[1]) for line in lines[1:])


def test_what_is_counted_is_what_a_run_leaves(finished_run):
    settings = Finished.read(finished_run).settings
    work = work_of(settings, EXTENT)

    trained = sum(map(steps_of, stages(finished_run, "train-*")))
    assert math.isclose(work.trainings * settings.training.steps, trained, rel_tol=0.15)
    assert work.weights == len(stages(finished_run, "train-*/*.safetensors"))
    kept = 0
    for path in stages(finished_run, "predict-*/predictions.h5"):
        kept += sum(len(study["labels"]) for study in open_h5(path).values())
    assert work.kept_frames == work.frames == kept
    assert work.refined_frames == 5 * EXTENT.frames
    every = work_of(settings, replace(EXTENT, labelled_frames=EXTENT.frames))
    rows = read_rows(finished_run / "results" / "overlap.csv", OverlapRow)
    assert every.measured_frames == len({(row.scenario, row.study, row.frame) for row in rows})


def test_more_members_rounds_estimators_and_seeds_take_more():
    settings = read_settings(
        None, ["scenarios=[few, semiqc]", "qc.estimators=[svr]", "gate.by=svr"]
    )
    usual = work_of(settings, EXTENT)
    alone = work_of(read_settings(None, ["scenarios=[few]", "gates=[]"]), EXTENT)
    twice = work_of(settings.model_copy(update={"rounds": 2}), EXTENT)

    assert alone.fits == alone.judged_frames == 0
    assert usual.trainings > alone.trainings == settings.segmenter.members
    assert twice.trainings - usual.trainings == settings.segmenter.members
    assert twice.judged_frames - usual.judged_frames == 5 * EXTENT.frames
    assert usual.times(2).trainings == 2 * usual.trainings
    assert usual.times(2).graded_frames == usual.graded_frames


def test_without_spared_subjects_each_fold_has_a_ladder():
    settings = read_settings(None, ["scenarios=[few, semiqc]", "gates=[]"])
    spared, folded = (work_of(settings, replace(EXTENT, labelled=4, qc=n)) for n in (4, 0))

    assert folded.trainings > spared.trainings + 4 * settings.segmenter.members


def test_time_and_disk_are_the_sum_of_the_parts():
    work = Work(2, 10, 100, 40, 20, 5, 3, 8, 50)
    rates = Rates(0.5, 0.25, 1.0, 7.0, 0.125, 0.0625, 1000, 500.0, measured_frame=0.5)

    assert seconds_of(Work(measured_frames=6), rates, 10) == 3
    assert (
        seconds_of(work, rates, 10) - seconds_of(Work(), rates, 10)
        == 10 + 25 + 5 + 3 * (7 + 1) + 50 * 0.0625
    )
    empty = disk_of(Work(), rates, EXTENT)
    assert empty == EXTENT.store_bytes
    assert disk_of(Work(weights=10), rates, EXTENT) == empty + 40_000
    assert disk_of(Work(fits=5), rates, EXTENT) == empty + 6 * 500


def test_pages_and_phantoms_take_their_time_too():
    rates = Rates(0, 0, 0, 0, 0, 0, 0, 0, figure=0.5, phantom_frame=0.25)
    one, two = (
        seconds_by_step(
            read_settings(None, [*FITTED, f"qc.estimators={names}", *data]), EXTENT, rates
        )[REPORT]
        for names, data in (("[svr]", ()), ("[svr, cnn]", ("data=none.h5",)))
    )

    # 14 phantoms of 4 frames; a figure and a half for each estimator.
    assert one - two == 14 * 4 * 0.25 - 0.75


def test_everything_that_a_run_does_is_timed():
    settings = read_settings(
        None,
        [
            "scenarios=[few, crf, semiqc]", "gates=[]", "gate.by=cnn", "qc.estimators=[svr, cnn]",
            "qc.arguments.cnn={width: 2, size: [3, 32, 32]}", "segmenter.channels=[4, 8]",
            "segmenter.kind=unet", "training.patch=[32, 32]", "training.batch_size=2",
        ],
    )  # fmt: skip
    rates = rates_of(settings, (3, 32, 32))

    assert min(rates.frame, rates.graded_frame, rates.judged_frame) > 0
    assert min(rates.measured_frame, rates.figure, rates.phantom_frame) > 0
    assert min(rates.step, rates.fit) >= 0
    assert rates.weights > 100
    assert rates.estimator_bytes > 1000


def test_sources_beside_the_ladder_take_time_and_give_more_to_learn_from():
    alone, beside, only = (
        work_of(read_settings(None, [*FITTED, f"qc.sources={sources}"]), EXTENT)
        for sources in ("[ladder]", "[ladder, seggen, noise]", "[seggen]")
    )
    rates = Rates(1, 0, 0, 0, 1, 1, 0, 0, source=100, made_frame=10, made=3)

    frames = EXTENT.qc * EXTENT.labelled_frames
    assert alone.source_parts == alone.made_frames == 0
    # A single estimator needs no weights, so it judges nothing of what it learns from.
    more = seconds_of(beside, rates, 10) - seconds_of(alone, rates, 10)
    assert more == 100 + 10 * frames + 3 * frames
    assert disk_of(beside, rates, EXTENT) > disk_of(alone, rates, EXTENT)
    assert only.trainings < alone.trainings
    assert only.graded_frames == 0 < only.graded_made == frames
    assert beside.times(2).made_frames == 2 * frames
    assert beside.times(2).graded_made == frames


def test_folds_make_sources_learn_several_times():
    changes = [*FITTED, "split.qc=0", "qc.sources=[ladder, forest]", "qc.folds=2"]
    found = work_of(read_settings(None, changes), replace(EXTENT, labelled=4, qc=0))

    assert found.source_parts == 2


SMALL = {
    "snapshots": "channels: [4, 8], count: 2",
    "noise": "channels: [4, 8], variances: [0, 1]",
    "forest": "trees: 2, depths: [2, 4], n_jobs: 1",
}


@pytest.mark.parametrize("name", [n for n in SOURCES if n not in ("modalities", "ladder")])
def test_what_a_source_takes_is_timed(name):
    settings = read_settings(None, [f"qc.arguments={{{name}: {{{SMALL.get(name, '')}}}}}"])
    recipe = PhantomRecipe("short-axis", 32, 3, 2, ("3T-fast",), 0, "usual", None, seed=0)
    learned, frame, made = _source(name, settings, [recipe.study(number) for number in range(3)])

    is_trained = SOURCES[name].with_training_steps is not Source.with_training_steps
    assert made > 0
    assert learned >= 0 if is_trained else learned == 0 < frame


def test_a_ladders_steps_are_the_mean_of_what_it_draws():
    ladder = CnnLadder(SHORT_AXIS, steps=(40, 1500))
    drawn = [ladder.rung(number).steps for number in range(1, 2000)]

    assert math.isclose(np.mean(drawn), ladder.training_steps, rel_tol=0.05)
    assert CnnLadder(SHORT_AXIS, steps=(7, 7)).training_steps == 7

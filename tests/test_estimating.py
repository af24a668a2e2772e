import math
from dataclasses import replace

from semiqc.experiment.estimating import Extent
from semiqc.experiment.estimating.estimate import disk_of, seconds_of
from semiqc.experiment.estimating.timing import Rates, rates_of
from semiqc.experiment.estimating.work import Work, work_of
from semiqc.experiment.finished import Finished
from semiqc.experiment.settings_file import read_settings
from semiqc.files.hdf5 import open_h5

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
    rates = Rates(0.5, 0.25, 1.0, 7.0, 0.125, 0.0625, 1000, 500.0)

    assert (
        seconds_of(work, rates, 10) - seconds_of(Work(), rates, 10)
        == 10 + 25 + 5 + 3 * (7 + 1) + 50 * 0.0625
    )
    empty = disk_of(Work(), rates, EXTENT)
    assert empty == EXTENT.store_bytes
    assert disk_of(Work(weights=10), rates, EXTENT) == empty + 40_000
    assert disk_of(Work(fits=5), rates, EXTENT) == empty + 6 * 500


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
    assert min(rates.step, rates.fit) >= 0
    assert rates.weights > 100
    assert rates.estimator_bytes > 1000

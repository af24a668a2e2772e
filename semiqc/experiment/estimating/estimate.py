"""Time and disk of a run: how much there is to do, times what each part takes here."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from semiqc.experiment.estimating.timing import Rates, rates_of
from semiqc.experiment.estimating.work import Extent, Work, work_by_step
from semiqc.experiment.qc_settings import LADDER
from semiqc.experiment.settings import Settings
from semiqc.experiment.steps import REPORT, named
from semiqc.work.plan import duration

LABELS_BYTES, MAPS_BYTES = 0.06, 0.6
"""Of a voxel in a file of predictions: its compressed label, and its two maps of uncertainty."""

BYTES_OF_WEIGHT = 4

BEGIN_AND_END = 2.0
"""Seconds of every run, whatever it does, beside its figures and the making of phantoms."""

FIGURES, FIGURES_OF_ESTIMATOR, SECONDS_OF_FIGURE = 12, 1.5, 0.4
"""Of a report, and what one takes on a usual processor."""

SECONDS_OF_PIXEL, SECONDS_OF_VOXEL = 4e-6, 3e-6
"""Of a pixel in a training's step, and of a voxel that is segmented, by the usual network."""

REFINED, SECONDS_OF_FIT = 10, 20.0
"""Of a dense CRF in times of the network, and of an estimator that is fitted."""

SECONDS_OF_SOURCE, MADE_OF_FRAME = 30.0, 6
"""Of a source of graded segmentations beside the ladder, and what it makes of a frame."""


@dataclass(frozen=True)
class Estimate:
    """What a run takes.

    Args:
        steps: Seconds of each step, by its name; of one processor core, or with a GPU as they
            pass.
        disk_bytes: Of the store and the run folder.
    """

    steps: Mapping[str, float]
    disk_bytes: float

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return sum(self.steps.values())

    @property
    def whose(self) -> str:
        """What the seconds are of."""
        return "a GPU and its host" if torch.cuda.is_available() else "one processor core"

    @property
    def said(self) -> str:
        """Both, in words."""
        return (
            f"a run takes about {duration(self.seconds)} of {self.whose} and"
            f" {self.disk_bytes / 1e9:.2g} GB of disk"
        )


def estimate_run(settings: Settings, extent: Extent) -> Estimate:
    """What a run will take; a few steps of everything are done and timed, half a minute or so.

    Args:
        settings: Of the run.
        extent: Of its data.
    """
    rates = rates_of(settings, extent.size)
    work = work_by_step(settings, extent)
    every = sum(work.values(), Work()).times(len(settings.seeds))
    return Estimate(seconds_by_step(settings, extent, rates), disk_of(every, rates, extent))


def expected_steps(settings: Settings, extent: Extent) -> dict[str, float]:
    """Seconds that each step of a run may take, by its name; nothing is timed for it.

    They are those of one core of a usual processor. What they are good for is their ratio.
    """
    slices, rows, columns = extent.size
    frame = slices * rows * columns * SECONDS_OF_VOXEL
    height, width = settings.training.patch
    step = settings.training.batch_size * height * width * SECONDS_OF_PIXEL
    estimators = len(settings.estimators)
    sources = sum(name != LADDER for name in settings.qc.sources)
    rates = Rates(
        step=step,
        frame=frame,
        refined_frame=REFINED * frame,
        fit=estimators * SECONDS_OF_FIT,
        graded_frame=estimators * frame,
        judged_frame=estimators * frame,
        weights=0,
        estimator_bytes=0,
        source=sources * SECONDS_OF_SOURCE,
        made_frame=sources * MADE_OF_FRAME * frame,
        made=sources * MADE_OF_FRAME,
        measured_frame=frame,
        figure=SECONDS_OF_FIGURE,
    )
    return seconds_by_step(settings, extent, rates)


def seconds_by_step(settings: Settings, extent: Extent, rates: Rates) -> dict[str, float]:
    """Time of each step of every seed, and of what begins and ends a run."""
    steps, work = settings.training.steps, work_by_step(settings, extent)
    found = {
        named(step, settings, seed): seconds_of(one, rates, steps)
        for seed in settings.seeds
        for step, one in work.items()
    }
    figures = FIGURES + FIGURES_OF_ESTIMATOR * len(settings.estimators)
    around = BEGIN_AND_END + figures * rates.figure
    if settings.data is None:
        studies = extent.labelled + extent.qc + extent.test + extent.unlabelled
        around += studies * extent.frames * rates.phantom_frame
    return found | {REPORT: around}


def seconds_of(work: Work, rates: Rates, steps: int) -> float:
    """Time of some work, where a training has so many steps."""
    graded = work.graded_frames + work.graded_made * rates.made
    judged = work.judged_frames + work.judged_made * rates.made
    fit = rates.fit + rates.graded_frame * graded
    return (
        work.trainings * steps * rates.step
        + work.frames * rates.frame
        + work.refined_frames * rates.refined_frame
        + work.fits * fit
        + judged * rates.judged_frame
        + work.source_parts * rates.source
        + work.made_frames * rates.made_frame
        + work.measured_frames * rates.measured_frame
    )


def disk_of(work: Work, rates: Rates, extent: Extent) -> float:
    """Bytes of the store, of networks and of what they segmented."""
    slices, rows, columns = extent.size
    voxels = slices * rows * columns
    labels = work.kept_frames + work.made_frames * rates.made
    kept = labels * LABELS_BYTES + work.uncertain_frames * MAPS_BYTES
    # Each estimator is kept as it was fitted, by folds and to all, and once more as a result.
    estimators = (work.fits + 1) * rates.estimator_bytes if work.fits else 0
    networks = work.weights * rates.weights * BYTES_OF_WEIGHT
    return extent.store_bytes + kept * voxels + networks + estimators

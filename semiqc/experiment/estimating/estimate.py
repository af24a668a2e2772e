"""Time and disk of a run: how much there is to do, times what each part takes here."""

from dataclasses import dataclass

import torch

from semiqc.experiment.estimating.timing import Rates, rates_of
from semiqc.experiment.estimating.work import Extent, Work, work_of
from semiqc.experiment.settings import Settings

LABELS_BYTES, MAPS_BYTES = 0.06, 0.6
"""Of a voxel in a file of predictions: its compressed label, and its two maps of uncertainty."""

BYTES_OF_WEIGHT = 4

BEGIN_AND_REPORT = 15.0
"""Seconds of every run, whatever it does."""


@dataclass(frozen=True)
class Estimate:
    """What a run takes.

    Args:
        seconds: Of one processor core, or with a GPU as they pass.
        disk_bytes: Of the store and the run folder.
    """

    seconds: float
    disk_bytes: float

    @property
    def said(self) -> str:
        """Both, in words."""
        whose = "a GPU and its host" if torch.cuda.is_available() else "one processor core"
        return (
            f"a run takes about {self.seconds / 3600:.2g} hours of {whose} and"
            f" {self.disk_bytes / 1e9:.2g} GB of disk"
        )


def estimate_run(settings: Settings, extent: Extent) -> Estimate:
    """What a run will take; a few steps of everything are done and timed, half a minute or so.

    Args:
        settings: Of the run.
        extent: Of its data.
    """
    rates = rates_of(settings, extent.size)
    work = work_of(settings, extent).times(len(settings.seeds))
    return Estimate(seconds_of(work, rates, settings.training.steps), disk_of(work, rates, extent))


def seconds_of(work: Work, rates: Rates, steps: int) -> float:
    """Time of some work, where a training has so many steps."""
    fit = rates.fit + rates.graded_frame * work.graded_frames
    return (
        BEGIN_AND_REPORT
        + work.trainings * steps * rates.step
        + work.frames * rates.frame
        + work.refined_frames * rates.refined_frame
        + work.fits * fit
        + work.judged_frames * rates.judged_frame
    )


def disk_of(work: Work, rates: Rates, extent: Extent) -> float:
    """Bytes of the store, of networks and of what they segmented."""
    slices, rows, columns = extent.size
    voxels = slices * rows * columns
    kept = work.kept_frames * LABELS_BYTES + work.uncertain_frames * MAPS_BYTES
    # Each estimator is kept as it was fitted, by folds and to all, and once more as a result.
    estimators = (work.fits + 1) * rates.estimator_bytes if work.fits else 0
    networks = work.weights * rates.weights * BYTES_OF_WEIGHT
    return extent.store_bytes + kept * voxels + networks + estimators

"""A settings file drafted from the data, and what a run with it takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from segmenters.training import TrainingSettings
from semiqc.checking.survey import Found

MARGIN = 1.5
"""Of a patch over the box around the structures."""

LEAST_PATCH, MOST_PATCH, MULTIPLE = 32, 192, 16

SHARE_OF_CANDIDATES = 3
"""The gate takes one of so many unlabelled subjects."""

CONVOLUTIONS = 22
"""Of 32 channels at full size, that a step of a U-Net of five levels is worth: on each level about
4.5, for channels double where pixels become a quarter."""

TRIES = 12
"""Of the convolution that is timed; the fastest counts, in time of the processor: other
programs slow the others."""

TRAININGS = 12
"""Of a run with the default scenarios and estimators, in units of one of ``training.steps``."""

BYTES_OF_RUN = 2.5
"""Of predictions and uncertainty of a run, for each byte of its store."""

MODELS_BYTES = 3e8
"""Of networks and estimators."""


@dataclass(frozen=True)
class Draft:
    """What the data suggest.

    Args:
        labelled: Subjects to train on.
        qc: To fit the estimators to.
        test: To test on.
        unlabelled: That are left.
        k: Of the gate.
        patch: Rows and columns.
        steps: Of a training.
        spacing_mm: In plane, of the store.
        store_bytes: Size of the store.
    """

    labelled: int
    qc: int
    test: int
    unlabelled: int
    k: int
    patch: tuple[int, int]
    steps: int
    spacing_mm: float
    store_bytes: float

    @property
    def disk_bytes(self) -> float:
        """What store and run take together, roughly."""
        return self.store_bytes * (1 + BYTES_OF_RUN) + MODELS_BYTES


def draft(studies: Sequence[Found]) -> Draft:
    """Roles, patch and size that suit the studies."""
    labelled = {one.subject for one in studies if one.labelled}
    bare = {one.subject for one in studies} - labelled
    train, qc, test = _roles(len(labelled), len(bare))
    unlabelled = max(0, len(labelled) - train - qc - test) + len(bare)
    mm = float(np.median([np.mean(one.spacing[1:]) for one in studies]))
    voxels = sum(np.prod(one.shape) * one.spacing[1] * one.spacing[2] / mm**2 for one in studies)
    return Draft(
        labelled=train,
        qc=qc,
        test=test,
        unlabelled=unlabelled,
        k=max(1, round(unlabelled / SHARE_OF_CANDIDATES)),
        patch=(_patch(studies, 0, mm), _patch(studies, 1, mm)),
        steps=TrainingSettings().steps,
        spacing_mm=mm,
        store_bytes=float(voxels) * 3,
    )


def _roles(labelled: int, bare: int) -> tuple[int, int, int]:
    """Labelled subjects to train on, to fit estimators to, and to test on."""
    if labelled < 4:
        return max(1, labelled - 1), 0, 1
    test = max(1, round(labelled * 0.3))
    qc = max(1, round(labelled * 0.2))
    rest = labelled - test - qc
    return (rest if bare else max(1, min(rest - 1, round(labelled * 0.1)))), qc, test


def _patch(studies: Sequence[Found], axis: int, mm: float) -> int:
    """Pixels of a patch along rows or columns: what holds the structures of nine in ten."""
    boxes = [one.extent_mm[axis] for one in studies if one.extent_mm[axis]]
    sizes = [one.shape[2 + axis] * one.spacing[1 + axis] for one in studies]
    wanted = min(np.quantile(boxes, 0.9) * MARGIN, max(sizes)) if boxes else np.median(sizes)
    pixels = int(np.ceil(wanted / mm / MULTIPLE)) * MULTIPLE
    return min(max(pixels, LEAST_PATCH), MOST_PATCH)


def seconds_of_run(drafted: Draft) -> float:
    """How long a run takes on this machine, by a convolution that is timed; within a few times."""
    layer = torch.nn.Conv2d(32, 32, 3, padding=1)
    batch = torch.rand(2, 32, *drafted.patch)
    taken = []
    for _ in range(TRIES):
        begin = time.process_time()
        layer(batch).mean().backward()
        taken.append((time.process_time() - begin) / torch.get_num_threads())
    step = min(taken) / len(batch) * TrainingSettings().batch_size * CONVOLUTIONS
    return step * drafted.steps * TRAININGS


def settings_text(drafted: Draft, data: str, layout: str) -> str:
    """A settings file, each line with the reason for it.

    Args:
        drafted: What the data suggest.
        data: Path of the source or manifest, from the settings file.
        layout: Of it.
    """
    rows, columns = drafted.patch
    return f"""\
# Drafted by `semiqc check`; see docs/run.md for all settings.
data: {data!r}
output: run
importing:
  layout: {layout}
  spacing: {drafted.spacing_mm:.4g}          # in plane, mm: the median of the data
split:                   # subjects, drawn at random; or a file, see docs/run.md
  labelled: {drafted.labelled}            # whose labels train the segmenter
  qc: {drafted.qc}                  # whose labels the quality estimators are fitted to
  test: {drafted.test}                # sealed until the end
                         # the other {drafted.unlabelled} are treated as unlabelled
training:
  steps: {drafted.steps}
  patch: [{rows}, {columns}]      # holds the structures of nine in ten studies, with a margin
gate:
  k: {drafted.k}                   # a third of the {drafted.unlabelled} unlabelled subjects
"""

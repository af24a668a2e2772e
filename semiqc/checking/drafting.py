"""A settings file drafted from the data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segmenters.training import TrainingSettings
from semiqc.checking.survey import Found
from semiqc.files.store.format import BYTES_OF_VOXEL

MARGIN = 1.5
"""Of a patch over the box around the structures."""

LEAST_PATCH, MOST_PATCH, MULTIPLE = 32, 192, 16

SHARE_OF_CANDIDATES = 3
"""The gate takes one of so many unlabelled subjects."""

NEAR = 1.6
"""Factor, at most, by which pixels may be coarser or finer than what the shipped judges see."""

JUDGES = """\
qc:
  suite: phantom         # judges that only phantoms taught. To fit your own instead, set split.qc
                         # and name some in qc.estimators: all take hours on a processor
"""
"""Of a settings file, where judges are shipped that fit the data."""


@dataclass(frozen=True)
class Draft:
    """What the data suggest.

    Args:
        labelled: Subjects to train on.
        qc: To fit the estimators to; none where judges are shipped that fit the data.
        test: To test on.
        unlabelled: That are left.
        k: Of the gate.
        patch: Rows and columns.
        steps: Of a training.
        spacing_mm: In plane, of the store.
        frames: Of a study, the mean.
        labelled_frames: Of a study with labels, the mean.
        size: Slices, rows and columns in the store, the median.
        store_bytes: Size of the store.
        median_mm: In plane, of the data.
        is_judged: Whether shipped judges fit the data.
    """

    labelled: int
    qc: int
    test: int
    unlabelled: int
    k: int
    patch: tuple[int, int]
    steps: int
    spacing_mm: float
    frames: float
    labelled_frames: float
    size: tuple[int, int, int]
    store_bytes: float
    median_mm: float
    is_judged: bool


def draft(studies: Sequence[Found], judges_mm: float | None = None) -> Draft:
    """Roles, patch and size that suit the studies.

    Args:
        studies: That can be used.
        judges_mm: In plane, what shipped judges of such labels see; None where there are none.
    """
    labelled = {one.subject for one in studies if one.labelled}
    bare = {one.subject for one in studies} - labelled
    median = float(np.median([np.mean(one.spacing[1:]) for one in studies]))
    is_judged = judges_mm is not None and judges_mm / NEAR <= median <= judges_mm * NEAR
    train, qc, test = _roles(len(labelled), len(bare), spares=not is_judged)
    unlabelled = max(0, len(labelled) - train - qc - test) + len(bare)
    mm = judges_mm if judges_mm is not None and is_judged else median
    sizes = np.array([_size(one, mm) for one in studies])
    frames = np.array([one.shape[0] for one in studies])
    known = [one.labelled for one in studies if one.labelled]
    slices, rows, columns = np.rint(np.median(sizes, axis=0)).astype(int).tolist()
    return Draft(
        labelled=train,
        qc=qc,
        test=test,
        unlabelled=unlabelled,
        k=max(1, round(unlabelled / SHARE_OF_CANDIDATES)),
        patch=(_patch(studies, 0, mm), _patch(studies, 1, mm)),
        steps=TrainingSettings().steps,
        spacing_mm=mm,
        frames=float(frames.mean()),
        labelled_frames=float(np.mean(known)) if known else 0.0,
        size=(slices, rows, columns),
        store_bytes=float((sizes.prod(axis=1) * frames).sum()) * BYTES_OF_VOXEL,
        median_mm=median,
        is_judged=is_judged,
    )


def _size(study: Found, mm: float) -> tuple[float, float, float]:
    """Slices, rows and columns of a study with pixels of that many mm."""
    (_, slices, rows, columns), (_, of_row, of_column) = study.shape, study.spacing
    return slices, rows * of_row / mm, columns * of_column / mm


def _roles(labelled: int, bare: int, *, spares: bool) -> tuple[int, int, int]:
    """Labelled subjects to train on, to fit estimators to if such are spared, and to test on."""
    if labelled < 4:
        return max(1, labelled - 1), 0, 1
    test = max(1, round(labelled * 0.3))
    qc = max(1, round(labelled * 0.2)) if spares else 0
    rest = labelled - test - qc
    return (rest if bare else max(1, min(rest - 1, round(labelled * 0.1)))), qc, test


def _patch(studies: Sequence[Found], axis: int, mm: float) -> int:
    """Pixels of a patch along rows or columns: what holds the structures of nine in ten."""
    boxes = [one.extent_mm[axis] for one in studies if one.extent_mm[axis]]
    sizes = [one.shape[2 + axis] * one.spacing[1 + axis] for one in studies]
    wanted = min(np.quantile(boxes, 0.9) * MARGIN, max(sizes)) if boxes else np.median(sizes)
    pixels = int(np.ceil(wanted / mm / MULTIPLE)) * MULTIPLE
    return min(max(pixels, LEAST_PATCH), MOST_PATCH)


def settings_text(drafted: Draft, data: str, layout: str) -> str:
    """A settings file, each line with the reason for it.

    Args:
        drafted: What the data suggest.
        data: Path of the source or manifest, from the settings file.
        layout: Of it.
    """
    rows, columns = drafted.patch
    mm, fitted, judges = (
        "the median of the data",
        "whose labels the quality estimators are fitted to",
        "",
    )
    if drafted.is_judged:
        mm = f"what the judges below see; the median of the data is {drafted.median_mm:.3g}"
        fitted = "none, since the judges below learned from phantoms"
        judges = JUDGES
    return f"""\
# Drafted by `semiqc check`; see docs/run.md for all settings.
data: {data!r}
output: run
importing:
  layout: {layout}
  spacing: {drafted.spacing_mm:.4g}          # in plane, mm: {mm}
split:                   # subjects, drawn at random; or a file, see docs/run.md
  labelled: {drafted.labelled}            # whose labels train the segmenter
  qc: {drafted.qc}                  # {fitted}
  test: {drafted.test}                # sealed until the end
                         # the other {drafted.unlabelled} are treated as unlabelled
training:
  steps: {drafted.steps}
  patch: [{rows}, {columns}]      # holds the structures of nine in ten studies, with a margin
{judges}gate:
  k: {drafted.k}                   # a third of the {drafted.unlabelled} unlabelled subjects
"""

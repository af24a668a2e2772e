"""The same slice of a study as the reader drew it and as every scenario segments it.

Reference:
    Ruijsink, Puyol-Antón et al., STACOM 2020, Figure 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiqc.pages.drawing import INK, Picture
from semiqc.pages.mosaic import row_of, tile
from semiqc.pages.table import number_text
from semiqc.report.data import MANUAL, ReportData
from semiqc.report.hearts import chosen_studies
from semiqc.report.views import StudyViews
from semiqc.schemes import LabelScheme

SIZE = 240
"""Pixels of a slice along either axis, about."""


@dataclass(frozen=True)
class SameSlice:
    """One study's row.

    Args:
        what: Why it is shown.
        study: Its name.
        where: Which frame and slice, counted from 1.
        pictures: Of each column; None where the scenario did not segment the study.
    """

    what: str
    study: str
    where: str
    pictures: Sequence[Picture | None]


@dataclass(frozen=True)
class SideBySide:
    """Rows of studies over columns of scenarios.

    Args:
        columns: Title and colour of the reference, then of each scenario.
        rows: The studies.
        note: How studies and slices were chosen, and what a figure below a slice is.
    """

    columns: Sequence[tuple[str, str]]
    rows: Sequence[SameSlice]
    note: str


def side_by_side(data: ReportData) -> SideBySide | None:
    """The studies that span what was achieved, under all scenarios; None without pictures."""
    shown = {one.study: one for one in data.views if MANUAL in one.labels}
    chosen = chosen_studies(data, set(shown))
    if not chosen:
        return None
    keys = [MANUAL, *(key for key, _ in data.scenarios)]
    titles = {MANUAL: "Reference", **dict(data.scenarios)}
    return SideBySide(
        [(titles[key], data.colours.get(key, INK)) for key in keys],
        [_row(data, what, shown[study], keys) for what, study in chosen.items()],
        "the middle one of the slices that the reference segments, at the largest volume. The"
        f" studies are chosen by the mean Dice of {data.scenario_title(data.reference_scenario)}."
        " Below a slice is its own Dice, the mean over structures.",
    )


def _row(data: ReportData, what: str, views: StudyViews, keys: Sequence[str]) -> SameSlice:
    middle = len(views.slices) // 2
    drawn = {key: labels[0, middle] for key, labels in views.labels.items()}
    image, reference = views.image[0, middle], drawn[MANUAL]
    pictures: list[Picture | None] = []
    for key in keys:
        if key not in drawn:
            pictures.append(None)
            continue
        compared = None if key == MANUAL else reference
        source = row_of([tile(image, drawn[key], data.scheme, compared, SIZE)])
        said = "as the reader drew it" if key == MANUAL else f"by {data.scenario_title(key)}"
        dice = "" if key == MANUAL else _dice(drawn[key], reference, data.scheme)
        pictures.append(Picture(source, f"Slice of {views.study} {said}.", dice))
    where = f"frame {views.frames[0] + 1}, slice {views.slices[middle] + 1}"
    return SameSlice(what, views.study, where, pictures)


def _dice(labels: NDArray[np.int8], reference: NDArray[np.int8], scheme: LabelScheme) -> str:
    """Dice of a slice in words, the mean over the structures that either has."""
    pairs = [(one.mask(labels), one.mask(reference)) for one in scheme.structures]
    found = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in pairs if a.any() or b.any()]
    return f"Dice {number_text(float(np.mean(found)), 2)}" if found else ""

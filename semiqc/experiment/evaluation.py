"""How good predictions are, against references that nothing before has looked at.

Rows are those of ``semiqc.files.tables``: one for each study, frame or measure, with the seed and
the scenario that they are of. Frames without a label are no part of any figure.

Where a store keeps the labels as they were drawn, on the grid of the source, predictions are
brought back to that grid, a frame at a time, and compared there: labels resampled to the grid of
the segmenters are no longer those that the expert drew, and tell less of other methods' figures.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.experiment.sections import Grid
from semiqc.files.tables import ClinicalRow, CurveRow, OverlapRow
from semiqc.images.resampling import to_source
from semiqc.measuring.means import mean_of_known
from semiqc.measuring.measures import clinical, curve_unit, curves
from semiqc.measuring.metrics import dice, overlap
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction, Study


def overlap_rows(
    prediction: Prediction,
    study: Study,
    scheme: LabelScheme,
    *,
    tolerance_mm: float,
    grid: Grid,
    scenario: str = "",
    seed: int = 0,
) -> list[OverlapRow]:
    """Agreement of every structure in every labelled frame; figures are those of ``METRICS``."""
    rows = []
    for frame in study.labelled_frames:
        both, spacing = _pair(prediction, study, frame, grid)
        found = overlap(*both, spacing, scheme, tolerance_mm=tolerance_mm)
        rows += [
            OverlapRow(seed, scenario, study.name, study.group, frame, name, figures)
            for name, figures in found.items()
        ]
    return rows


def true_dice(
    prediction: Prediction, study: Study, scheme: LabelScheme, grid: Grid = "study"
) -> float:
    """Mean Dice over structures and labelled frames; NaN where the study has no label."""
    pairs = (_pair(prediction, study, frame, grid)[0] for frame in study.labelled_frames)
    return mean_of_known(
        dice(*both, structure) for both in pairs for structure in scheme.structures
    )


def _pair(
    prediction: Prediction, study: Study, frame: int, grid: Grid
) -> tuple[tuple[NDArray[np.int8], NDArray[np.int8]], tuple[float, float, float]]:
    """Prediction and reference of a frame on one grid, ``[Z, Y, X]``, and its spacing in mm.

    It is the study's grid where no labels are known on the source's.
    """
    geometry, drawn = study.geometry, study.source_labels
    predicted = np.asarray(prediction.labels[frame])
    if grid == "study" or geometry is None or drawn is None:
        return (predicted, np.asarray(study.labels[frame])), study.spacing
    z, y, x = geometry.to_source["source_spacing"]
    return (to_source(predicted, geometry), np.asarray(drawn[frame])), (z, y, x)


def clinical_rows(
    labels: Any,  # noqa: ANN401
    study: Study,
    scheme: LabelScheme,
    *,
    scenario: str,
    seed: int,
) -> list[ClinicalRow]:
    """Clinical measures over the frames that the reference labels, and no others.

    So the automatic and the manual measure are of the same frames, and differ by the
    segmentation alone.
    """
    measured = clinical(labels, study.spacing, scheme, frames=study.labelled_frames)
    return [
        ClinicalRow(
            seed, scenario, study.name, study.group, m.structure, m.measure, m.unit, m.value
        )
        for m in measured
    ]


def curve_rows(
    prediction: Prediction, scheme: LabelScheme, *, scenario: str, seed: int
) -> list[CurveRow]:
    """The volume (ml) or area (mm2) curve of every measured structure, over all frames."""
    measured = [structure for structure in scheme.structures if structure.measure]
    found = curves(prediction.labels, prediction.spacing, measured)
    return [
        CurveRow(seed, scenario, prediction.study, s.name, frame, float(value), curve_unit(s))
        for s in measured
        for frame, value in enumerate(found[s.name])
    ]

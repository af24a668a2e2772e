"""How good predictions are, against references that nothing before has looked at.

Rows are those of ``semiqc.files.tables``: one for each study, frame or measure, with the seed and
the scenario that they are of. Frames without a label are no part of any figure.
"""

from typing import Any

from semiqc.files.tables import ClinicalRow, CurveRow, OverlapRow
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
    scenario: str = "",
    seed: int = 0,
) -> list[OverlapRow]:
    """Agreement of every structure in every labelled frame; figures are those of ``METRICS``."""
    rows = []
    for frame in study.labelled_frames:
        both = prediction.labels[frame], study.labels[frame]
        found = overlap(*both, study.spacing, scheme, tolerance_mm=tolerance_mm)
        rows += [
            OverlapRow(seed, scenario, study.name, study.group, frame, name, figures)
            for name, figures in found.items()
        ]
    return rows


def true_dice(prediction: Prediction, study: Study, scheme: LabelScheme) -> float:
    """Mean Dice over structures and labelled frames; NaN where the study has no label."""
    return mean_of_known(
        dice(prediction.labels[frame], study.labels[frame], structure)
        for frame in study.labelled_frames
        for structure in scheme.structures
    )


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

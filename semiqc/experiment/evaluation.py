"""How good predictions are, against references that nothing before has looked at."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from semiqc.files.tables import ClinicalRow, CurveRow, OverlapRow
from semiqc.measuring.means import mean_of_known
from semiqc.measuring.measures import clinical, curve_unit, curves
from semiqc.measuring.metrics import dice, overlap
from semiqc.report import Overlay
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
    """Agreement of every structure in every labelled frame."""
    rows = []
    for frame in study.labelled_frames:
        found = overlap(
            prediction.labels[frame],
            study.labels[frame],
            study.spacing,
            scheme,
            tolerance_mm=tolerance_mm,
        )
        rows += [
            OverlapRow(
                seed, scenario, study.name, study.group, frame, name, o.dice, o.nsd, o.hd95_mm
            )
            for name, o in found.items()
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
    """The volume or area curve of every measured structure."""
    measured = [structure for structure in scheme.structures if structure.measure]
    found = curves(prediction.labels, prediction.spacing, measured)
    return [
        CurveRow(seed, scenario, prediction.study, s.name, frame, float(value), curve_unit(s))
        for s in measured
        for frame, value in enumerate(found[s.name])
    ]


def overlays(
    rows: Iterable[OverlapRow],
    predictions: Sequence[Prediction],
    studies: Sequence[Study],
    scheme: LabelScheme,
    scenario: str,
) -> list[Overlay]:
    """The best, the median and the worst study by mean Dice, in their worst frame."""
    dice: dict[str, list[OverlapRow]] = {}
    for row in rows:
        dice.setdefault(row.study, []).append(row)
    means = {name: mean_of_known(row.dice for row in own) for name, own in dice.items()}
    ranked = sorted((name for name in means if not np.isnan(means[name])), key=means.__getitem__)
    if not ranked:
        return []
    by_name = {p.study: (p, s) for p, s in zip(predictions, studies, strict=True)}
    chosen = {"best": ranked[-1], "median": ranked[len(ranked) // 2], "worst": ranked[0]}
    return [
        _overlay(*by_name[name], dice[name], means[name], scheme, scenario, rank)
        for rank, name in chosen.items()
    ]


def _overlay(
    prediction: Prediction,
    study: Study,
    rows: Sequence[OverlapRow],
    dice: float,
    scheme: LabelScheme,
    scenario: str,
    rank: str,
) -> Overlay:
    frames = sorted({row.frame for row in rows})
    frame = min(frames, key=lambda t: mean_of_known(row.dice for row in rows if row.frame == t))
    reference = study.labels[frame]
    foreground = np.zeros(reference.shape, dtype=bool)
    for structure in scheme.structures:
        foreground |= structure.mask(reference)
    # The slice in the middle of the labelled ones shows every structure.
    labelled = np.flatnonzero(foreground.any(axis=(1, 2)))
    z = int(labelled[len(labelled) // 2]) if len(labelled) else reference.shape[0] // 2
    return Overlay(
        scenario=scenario,
        rank=rank,
        study=study.name,
        frame=frame,
        slice=z,
        image=study.image[0, frame, z],
        predicted=prediction.labels[frame, z],
        reference=reference[z],
        dice=dice,
    )

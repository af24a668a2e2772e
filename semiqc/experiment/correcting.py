"""Clinical measures with failed slices replaced, beside those without."""

from collections.abc import Sequence

from qc import Quality
from qc.slice_correction import corrected_curves
from semiqc.measures import clinical, clinical_of_curves
from semiqc.records import NAN, CorrectionRow
from semiqc.study import LabelScheme, Prediction, Study


def correction_rows(
    prediction: Prediction,
    qualities: Sequence[Quality],
    scheme: LabelScheme,
    *,
    scenario: str,
    seed: int = 0,
    study: Study | None = None,
) -> list[CorrectionRow]:
    """What the first of the qualities that tells of slices corrects; nothing without one.

    Args:
        prediction: What was measured.
        qualities: What estimators said of it.
        scheme: Whose structures are measured.
        scenario: Whose prediction it is.
        seed: Of the run.
        study: With its reference, where there is one. The frames that it labels are then
            measured, and no others, and the manual measure is given.
    """
    told = [quality for quality in qualities if quality.slice_dice]
    if not told:
        return []
    found = corrected_curves(prediction, told[0], scheme)
    frames = list(study.labelled_frames) if study else list(range(prediction.frames))
    before, after = (
        clinical_of_curves({name: curve[frames] for name, curve in curves.items()}, scheme)
        for curves in (found.before, found.after)
    )
    manual = {
        (m.structure, m.measure): m.value
        for m in (clinical(study.labels, study.spacing, scheme, frames) if study else ())
    }
    replaced = int(found.is_replaced[frames].sum())
    return [
        CorrectionRow(
            seed=seed,
            scenario=scenario,
            study=prediction.study,
            structure=was.structure,
            measure=was.measure,
            unit=was.unit,
            value=was.value,
            corrected=corrected.value,
            manual=manual.get((was.structure, was.measure), NAN),
            replaced_slices=replaced,
        )
        for was, corrected in zip(before, after, strict=True)
    ]

"""Clinical measures with failed slices replaced, beside those without."""

from collections.abc import Iterable

from qc import CONSENSUS, ESTIMATORS, Quality
from qc.correction import corrected_curves
from semiqc.files.tables import NAN, CorrectionRow
from semiqc.measuring.measures import clinical, clinical_of_curves
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction, Study

CORRECTORS = ("slicewise", "qcresunet")
"""Who says best which slices failed: the one that learns their Dice comes first."""


def corrector_of(judges: Iterable[str]) -> str | None:
    """The estimator whose Dice of slices measures are corrected by; None without one.

    Args:
        judges: Names of those who judge; the consensus, a mean of all, corrects nothing.
    """
    able = [name for name in judges if name != CONSENSUS and ESTIMATORS[name].estimates_slices]
    return next((name for name in (*CORRECTORS, *able) if name in able), None)


def correction_rows(
    prediction: Prediction,
    quality: Quality,
    scheme: LabelScheme,
    *,
    scenario: str,
    seed: int = 0,
    study: Study | None = None,
) -> list[CorrectionRow]:
    """Clinical measures before and after correction; nothing where no slice was judged.

    Args:
        prediction: What was measured.
        quality: What was said of it.
        scheme: Whose structures are measured.
        scenario: Whose prediction it is.
        seed: Of the run.
        study: With its reference, where there is one. The frames that it labels are then
            measured, and no others, and the manual measure is given.
    """
    if not quality.slice_dice:
        return []
    found = corrected_curves(prediction, quality, scheme)
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

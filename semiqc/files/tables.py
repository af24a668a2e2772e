"""The tables of a run: one row type each, kept as CSV."""

from collections.abc import Mapping
from dataclasses import dataclass

from semiqc.files.rows import Row, read_rows, spread, write_rows

__all__ = [
    "NAN",
    "ClinicalRow",
    "CorrectionRow",
    "CurveRow",
    "GradedRow",
    "JudgementRow",
    "OverlapRow",
    "PseudoRow",
    "QualityRow",
    "Row",
    "SplitRow",
    "SpoiltRow",
    "TrainingRow",
    "read_rows",
    "write_rows",
]

NAN = float("nan")


@dataclass(frozen=True)
class SplitRow:
    """What a study is used for: ``labelled``, ``unlabelled``, ``qc``, ``validation``, ``test``."""

    study: str
    subject: str
    group: str
    role: str


@dataclass(frozen=True)
class SpoiltRow:
    """A study that was spoilt, and how: one of ``semiqc.spoiling.SPOILINGS``."""

    study: str
    group: str
    kind: str


@dataclass(frozen=True)
class OverlapRow:
    """How well one structure of one frame agrees with the reference.

    ``figures`` are those of ``semiqc.measuring.metrics.METRICS``, a column each.
    """

    seed: int
    scenario: str
    study: str
    group: str
    frame: int
    structure: str
    figures: Mapping[str, float] = spread("", required=("dice",))

    @property
    def dice(self) -> float:
        """The Dice coefficient."""
        return self.figures["dice"]


@dataclass(frozen=True)
class ClinicalRow:
    """One clinical measure of one study; ``scenario`` is ``manual`` for the reference."""

    seed: int
    scenario: str
    study: str
    group: str
    structure: str
    measure: str
    unit: str
    value: float


@dataclass(frozen=True)
class CorrectionRow:
    """A clinical measure as it is, and with slices that were judged wrong replaced.

    ``manual`` is NaN where there is no reference; ``replaced_slices`` counts over the frames that
    were measured.
    """

    seed: int
    scenario: str
    study: str
    structure: str
    measure: str
    unit: str
    value: float
    corrected: float
    manual: float
    replaced_slices: int


@dataclass(frozen=True)
class CurveRow:
    """One point of the volume or area curve of a predicted structure."""

    seed: int
    scenario: str
    study: str
    structure: str
    frame: int
    value: float
    unit: str


@dataclass(frozen=True)
class JudgementRow:
    """What an estimator and the gate of a scenario said of one unlabelled study in one round.

    Args:
        seed: Of the scenario.
        scenario: Its key.
        round: From 1.
        study: Name of the study.
        group: Of the study.
        estimator: Whose score the gate goes by.
        score: In [0, 1]; higher is better.
        is_good: The estimator's own verdict; None where it gives none.
        admitted: Whether the gate admits the study.
        reason: Of the gate.
        true_dice: Mean over structures and labelled frames of the reference that a data set may
            hold for a study that is treated as unlabelled; NaN where there is none. It is measured
            after everything else and decides nothing.
        scores: Of all estimators that could judge, by their names.
        model: Hashes of the trainings that predicted together, with a + between.
        weight: How often the study is drawn where it is admitted.
        grain: What was decided on: study, frame, slice, structure or voxel.
        kept: Share of what was segmented in the study that is learned from.
        repair: What was done to the labels before, in words.
    """

    seed: int
    scenario: str
    round: int
    study: str
    group: str
    estimator: str
    score: float
    is_good: bool | None
    admitted: bool | None
    reason: str
    true_dice: float = NAN
    scores: Mapping[str, float] = spread("score_")
    model: str = ""
    weight: float = 1.0
    grain: str = "study"
    kept: float = 1.0
    repair: str = ""


@dataclass(frozen=True)
class VerdictRow:
    """What readers said of the first segmenter's segmentation of a study.

    Args:
        seed: Of the segmenter.
        study: Name of the study.
        role: ``qc`` where the estimators learned it, ``candidate`` where it kept the study from
            becoming a pseudo-label.
        is_good: What most readers say.
        readers: How many judged it.
        unanimous: Whether all said the same.
        of: Stage of the segmentation; empty where the verdicts came as CSV.
    """

    seed: int
    study: str
    role: str
    is_good: bool
    readers: int
    unanimous: bool
    of: str


@dataclass(frozen=True)
class QualityRow:
    """What the estimators of a run say of one new study.

    Args:
        seed: Of the estimators.
        scenario: Whose segmenter made the segmentation.
        study: Name of the study.
        estimator: Whose score and verdict come first: the one that the gate goes by.
        score: In [0, 1]; higher is better.
        is_good: That estimator's verdict; None where it gives none.
        scores: Of every estimator that could judge, by its name.
        verdicts: Whether the segmentation is good, of those that say so.
        reasons: In words, of those that give some.
    """

    seed: int
    scenario: str
    study: str
    estimator: str
    score: float
    is_good: bool | None
    scores: Mapping[str, float] = spread("score_")
    verdicts: Mapping[str, bool] = spread("is_good_")
    reasons: Mapping[str, str] = spread("reason_")


@dataclass(frozen=True)
class PseudoRow:
    """Where one frame of the pseudo-labels stands that a scenario's last round learned from.

    Or, of a labelled study, a frame of the expert's labels or one that they were carried to.
    ``file`` is relative to the run folder.
    """

    seed: int
    scenario: str
    round: int
    study: str
    file: str
    frame: int


@dataclass(frozen=True)
class CheckpointRow:
    """How good the weights of one kind are: ``last``, ``ema`` or ``best``.

    Both figures are means over studies, frames and structures: ``validation_dice`` of the
    validation studies, ``dice`` of the test studies; NaN where there are none. ``is_used`` says
    whether all other tables are of these weights.
    """

    seed: int
    scenario: str
    checkpoint: str
    is_used: bool
    validation_dice: float
    dice: float


@dataclass(frozen=True)
class GradedRow:
    """How good one structure of a segmentation is that the estimators of a run learned from.

    Args:
        seed: Of the run.
        study: Name of the study.
        source: What segmented it, such as a snapshot of a rung of the ladder.
        structure: Name of the structure.
        dice: True; mean over the labelled frames.
        estimated: Dice that estimators tell that learned from other subjects, by their names.
    """

    seed: int
    study: str
    source: str
    structure: str
    dice: float
    estimated: Mapping[str, float] = spread("estimated_")


@dataclass(frozen=True)
class TrainingRow:
    """One loss term or figure at one step of one training."""

    training: str
    step: int
    term: str
    value: float

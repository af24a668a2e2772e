"""Where the labels of exported frames come from: an expert, a segmenter, or another frame.

A row of lineage stands in ``lineage.csv`` for each frame and, as JSON, in the header of its file
of labels, so that a file that is copied elsewhere still says what it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from semiqc.files.rows import spread
from semiqc.images.raw import RawStudy, safe_name
from semiqc.study import Study

EXPERT = "expert"
PSEUDO = "pseudo"
PROPAGATED = "propagated"

SOURCE_GRID, STORE_GRID = "source", "store"
"""Whose grid and intensities an exported frame has."""


@dataclass(frozen=True)
class Lineage:
    """Where the labels of a frame come from.

    Args:
        source: ``EXPERT``, ``PSEUDO``, or ``PROPAGATED`` from an expert's frames of the study.
        model: Hashes of the segmenters that made a pseudo-label together, with a + between.
        round: In which it was admitted.
        scores: Of each estimator, by its name.
        decision: Of the gate, such as ``admitted``.
        reason: Of the decision, in words.
        grain: What was decided on: study, frame, slice, structure or voxel.
        weight: How often training drew the study beside others; nnU-Net takes no weights, so
            this is a record only.
        repair: What was done to the labels before, in words.
    """

    source: str = EXPERT
    model: str = ""
    round: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)
    decision: str = ""
    reason: str = ""
    grain: str = ""
    weight: float = 1.0
    repair: str = ""


@dataclass(frozen=True, eq=False)
class ExportCase:
    """A study to export.

    Args:
        study: Its labels are exported wherever there are any.
        lineage: By frame; the labels of frames that are not named are an expert's.
        raw: As the study lies in its source; exported in the stead of what a store made of it.
    """

    study: Study
    lineage: Mapping[int, Lineage] = field(default_factory=dict)
    raw: RawStudy | None = None

    @property
    def grid(self) -> str:
        """Whose grid and intensities its frames have."""
        return SOURCE_GRID if self.raw is not None else STORE_GRID


@dataclass(frozen=True)
class LineageRow:
    """One exported frame; ``kept_share`` is the share of its voxels that have a label.

    ``scores`` are those of all estimators, by their names; ``grid`` tells whose grid and
    intensities the frame has.
    """

    case: str
    study: str
    subject: str
    group: str
    frame: int
    source: str
    model: str
    round: int
    decision: str
    reason: str
    grain: str
    weight: float
    repair: str
    kept_share: float
    scores: Mapping[str, float] = spread("score_")
    grid: str = STORE_GRID


def lineage_row(case: ExportCase, frame: int, kept_share: float) -> LineageRow:
    """The lineage of a frame; labels that nobody said anything of are an expert's."""
    study = case.study
    lineage = case.lineage.get(frame, Lineage())
    return LineageRow(
        case=f"{safe_name(study.name)}_frame{frame:02d}",
        study=study.name,
        subject=study.subject,
        group=study.group,
        frame=frame,
        kept_share=kept_share,
        grid=case.grid,
        **vars(lineage),
    )


def summary_of(row: LineageRow) -> str:
    """The lineage in words that fit the field of description in a NIfTI header."""
    if row.source == EXPERT:
        return f"{row.source}, {row.kept_share:.0%} labelled"
    return (
        f"{row.source}, round {row.round}, model {row.model[:12]},"
        f" {row.kept_share:.0%} labelled, {row.decision}"
    )

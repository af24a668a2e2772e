"""What an import tells: the studies that came in, what was left out, and what is odd."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semiqc.images.raw import Refusal
from semiqc.study import Study

NAMED = 3
"""Studies and reasons that a message lists."""


@dataclass(frozen=True)
class Imported:
    """A study as it stands in the store.

    Args:
        name: Of the study.
        subject: Whom it is of.
        group: Disease group or other stratum.
        split: That the data set itself assigns.
        frames: Number of frames.
        slices: Number of slices.
        size: Rows and columns.
        spacing: In mm, ordered ``(z, y, x)``.
        labelled_frames: Frames with a label, in order.
    """

    name: str
    subject: str
    group: str
    split: str
    frames: int
    slices: int
    size: tuple[int, int]
    spacing: tuple[float, float, float]
    labelled_frames: tuple[int, ...]


@dataclass(frozen=True)
class ImportReport:
    """What came in, what was left out, and what is odd about what came in."""

    imported: tuple[Imported, ...]
    left_out: tuple[Refusal, ...]
    warnings: tuple[str, ...]


def row_of(study: Study) -> Imported:
    """What an import tells of a study."""
    frames, slices, rows, columns = study.labels.shape
    return Imported(
        name=study.name,
        subject=study.subject,
        group=study.group,
        split=study.split,
        frames=frames,
        slices=slices,
        size=(rows, columns),
        spacing=study.spacing,
        labelled_frames=study.labelled_frames,
    )


def split_notes(imported: Sequence[Imported]) -> list[str]:
    """Says of subjects that the data set's own split has on several sides."""
    splits: dict[str, set[str]] = defaultdict(set)
    for row in imported:
        if row.split:
            splits[row.subject].add(row.split)
    on_both = sorted(subject for subject, found in splits.items() if len(found) > 1)
    if not on_both:
        return []
    return [
        f"the data's own split has {len(on_both)} subjects on several sides, such as {on_both[0]}"
        f" in {' and '.join(sorted(splits[on_both[0]]))}"
    ]


def why_nothing(source: Path, left_out: Sequence[Refusal]) -> str:
    """Why a source gives no study at all, with the first few reasons."""
    reasons = "; ".join(f"{refusal.name}: {refusal.reason}" for refusal in left_out[:NAMED])
    more = f"; and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
    return f"{source}: nothing can be imported{reasons and ': '}{reasons}{more}"

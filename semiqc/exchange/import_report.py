"""What an import tells: the studies that came in, what was left out, and what is odd."""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from semiqc.images.notes import summed_up
from semiqc.images.raw import Refusal
from semiqc.schemes import LabelScheme
from semiqc.study import Study
from semiqc.work.arguments import unknown

NAMED = 3
"""Studies and reasons that a message lists."""

SPLITS = ("train", "training", "val", "validation", "valid", "dev", "test", "testing")
"""Usual names of the parts of a data set's own split."""


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


def odd_splits(splits: Mapping[str, str]) -> tuple[str, ...]:
    """Says of names of a split that are none of the usual ones, and may be misspelt.

    Args:
        splits: Of each study, as the data set has it; empty where it has none.
    """
    odd = {n: split for n, split in splits.items() if split and split.casefold() not in SPLITS}
    return summed_up((n, [f"split: {unknown(split, SPLITS)}"]) for n, split in odd.items())


def missing_classes(scheme: LabelScheme, drawn: Container[int], labelled: int) -> list[str]:
    """Says of classes that no labelled study has.

    Args:
        scheme: Of the labels.
        drawn: Label values that some study has.
        labelled: Number of studies with a label.
    """
    missing = [f"{v} ({c})" for v, c in enumerate(scheme.classes) if v and v not in drawn]
    if not labelled or not missing:
        return []
    return [f"none of {labelled} labelled studies has label {', '.join(missing)}"]


def why_nothing(source: Path, left_out: Sequence[Refusal]) -> str:
    """Why a source gives no study at all, with the first few reasons."""
    reasons = "; ".join(f"{refusal.name}: {refusal.reason}" for refusal in left_out[:NAMED])
    more = f"; and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
    return f"{source}: nothing can be imported{reasons and ': '}{reasons}{more}"

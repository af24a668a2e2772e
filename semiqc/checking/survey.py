"""Every study of a source, read once: its size, its labels, and what is odd about it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from semiqc.doors.regular import one_study
from semiqc.exchange.duplicates import Pixels, without_namesakes
from semiqc.exchange.readers import find
from semiqc.exchange.readers.nifti import Meaning
from semiqc.exchange.subjects import find_subjects
from semiqc.images.axes import turned
from semiqc.images.notes import summed_up
from semiqc.images.plausible import oddities
from semiqc.images.preparing import check_size
from semiqc.images.raw import RawStudy, Refusal, UnusableError
from semiqc.images.sizes import check_spacing
from semiqc.schemes import LabelScheme
from semiqc.work.progress import Progress, untold

UNKNOWN_MM = "voxels of 1 x 1 x 1 mm: the voxel size was probably lost, so no volume is right"
THIN = 3
"""Slices below which a study hardly holds a heart."""


@dataclass(frozen=True)
class Found:
    """A study as it lies in its source.

    Args:
        name: Of the study.
        subject: Whom it is of.
        group: Disease group or other stratum.
        split: That the data set itself assigns.
        shape: ``(T, Z, Y, X)``.
        spacing: In mm, ordered ``(z, y, x)``.
        labelled: Number of frames with a label.
        volumes_ml: Of each class in the labelled frames, the mean.
        extent_mm: Height and width of the box around all structures; 0 without labels.
    """

    name: str
    subject: str
    group: str
    split: str
    shape: tuple[int, ...]
    spacing: tuple[float, float, float]
    labelled: int
    volumes_ml: tuple[float, ...]
    extent_mm: tuple[float, float]


@dataclass
class Survey:
    """What a source holds.

    Args:
        scheme: Of the labels.
        modalities: Their number.
        studies: That can be used.
        left_out: That cannot be, or come twice, with the reason.
        notes: What a user must know.
    """

    scheme: LabelScheme
    modalities: int
    studies: list[Found] = field(default_factory=list)
    left_out: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refused_at(self, spacing_mm: float) -> list[str]:
        """Why an import at a spacing in plane would leave out studies, a line each."""
        reasons = []
        for one in self.studies:
            try:
                check_size(one.name, (self.modalities, *one.shape), one.spacing, spacing_mm)
            except UnusableError as error:
                reasons.append(f"import leaves out {error}")
        return reasons


def survey(
    source: Path,
    layout: str,
    scheme: LabelScheme | None = None,
    meaning: Meaning | None = None,
    subjects: Path | None = None,
    on_progress: Progress = untold,
) -> Survey:
    """Read every study of a source, one after the other.

    Args:
        source: Folder or manifest.
        layout: Of it.
        scheme: Of the labels; by default what the layout says.
        meaning: Value of the scheme of each label value, where not as the layout says.
        subjects: Table of ``study`` and ``subject``.
        on_progress: Told the number of studies dealt with, and of all, after each.

    Raises:
        ValueError: If the source is not of that layout.
    """
    listing = find(source, layout, scheme, meaning)
    entries, namesakes = without_namesakes(listing)
    found = Survey(listing.scheme, len(listing.modalities), left_out=namesakes)
    assigned = find_subjects([entry.name for entry in entries], subjects)
    pixels, noted = Pixels(), list[tuple[str, tuple[str, ...]]]()
    for number, entry in enumerate(entries, start=1):
        try:
            with one_study(entry.name):
                noted.append(_take(found, assigned.assigned(entry.read(True)), pixels))
        except UnusableError as error:
            found.left_out.append(Refusal(entry.name, str(error)))
        on_progress(number, len(entries))
    found.notes += assigned.notes({one.name: one.subject for one in found.studies})
    found.notes += summed_up(noted)
    return found


def _take(found: Survey, raw: RawStudy, pixels: Pixels) -> tuple[str, tuple[str, ...]]:
    """Add a study to what was found; its name, and what is odd about it.

    Raises:
        UnusableError: If it cannot be used, or is another's copy.
    """
    raw = turned(raw)
    remember = pixels.check(raw)
    check_spacing(raw.spacing, raw.name)
    found.studies.append(_found(raw, len(found.scheme.classes)))
    remember()
    return raw.name, (*raw.warnings, *_oddities(raw))


def _oddities(raw: RawStudy) -> list[str]:
    """What is odd about a study's size and labels; more than an import tells."""
    odd = list(oddities(raw))
    if np.allclose(raw.spacing, 1) and not odd:
        odd.append(UNKNOWN_MM)
    if raw.image.shape[2] < THIN:
        odd.append(f"fewer than {THIN} slices")
    return odd


def _found(raw: RawStudy, classes: int) -> Found:
    """What is told of a study; its voxels are forgotten."""
    labelled = [t for t in range(len(raw.labels)) if (raw.labels[t] >= 0).any()]
    counts = np.zeros(classes)
    for frame in labelled:
        counts += np.bincount(raw.labels[frame][raw.labels[frame] >= 0], minlength=classes)
    mean = counts / max(len(labelled), 1) * float(np.prod(raw.spacing)) / 1000
    rows, columns = (np.flatnonzero((raw.labels > 0).any(axis=a)) for a in ((0, 1, 3), (0, 1, 2)))
    extent = [float(at[-1] - at[0] + 1) if len(at) else 0.0 for at in (rows, columns)]
    return Found(
        name=raw.name,
        subject=raw.subject,
        group=raw.group,
        split=raw.split,
        shape=tuple(raw.labels.shape),
        spacing=raw.spacing,
        labelled=len(labelled),
        volumes_ml=tuple(float(ml) for ml in mean),
        extent_mm=(extent[0] * raw.spacing[1], extent[1] * raw.spacing[2]),
    )

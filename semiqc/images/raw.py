"""What readers give: studies as they lay in their source, or why they cannot be used."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from semiqc.doors.regular import UnusableError as UnusableError
from semiqc.doors.regular import in_short
from semiqc.schemes import LabelScheme

LONGEST_NAME = 100
"""So that a name with a prefix and a suffix still names a file everywhere."""

LONGEST_REASON = 2_000
"""Characters of a reason, which is one line whatever values it cites."""


@dataclass(frozen=True)
class Refusal:
    """Something that was left out.

    Args:
        name: Of the study or file.
        reason: One line: the file, what was expected and what came.
    """

    name: str
    reason: str

    def __post_init__(self) -> None:
        # Tables and pages name what was left out, whatever its file is called.
        object.__setattr__(self, "name", in_short(self.name))
        object.__setattr__(self, "reason", in_short(self.reason, LONGEST_REASON))


@dataclass(frozen=True, eq=False)
class RawStudy:
    """A study as it lay in its source, before anything was resampled or normalised.

    Args:
        name: Unique within the source; fit to name a file.
        image: Intensities, ``[M, T, Z, Y, X]``, of any real type; finite.
        labels: Class or ``UNLABELLED``, ``[T, Z, Y, X]`` int8.
        spacing: Distance in mm between voxel centres, ordered ``(z, y, x)``.
        affine: From voxel indices ``(x, y, z)`` to mm in RAS+, ``[4, 4]``.
        group: Disease group or other stratum; empty where unknown.
        subject: Whom the study is of; empty where only ``name`` tells.
        split: Split the data set itself assigns, if any.
        source: File or folder.
        time_step: Between frames, as the header has it, where known.
        time_unit: Of ``time_step``: ``"sec"``, ``"msec"`` or empty.
        warnings: What is odd, in words that studies with the same oddity share.
        form: Place and time as the header of a NIfTI file has them, see ``semiqc.nifti.forms``.
        axes: Which axis of the file each of ``[Z, Y, X]`` is, see ``semiqc.images.axes``.
        dicom: File of each slice and frame, ``[Z][T]``, and its number in that file where it has
            several; empty for what is no DICOM.
    """

    name: str
    image: NDArray[Any]
    labels: NDArray[np.int8]
    spacing: tuple[float, float, float]
    affine: NDArray[np.float64]
    group: str = ""
    subject: str = ""
    split: str = ""
    source: str = ""
    time_step: float | None = None
    time_unit: str = ""
    warnings: tuple[str, ...] = ()
    form: Mapping[str, Any] = field(default_factory=dict)
    axes: tuple[int, int, int] = (0, 1, 2)
    dicom: Sequence[Sequence[tuple[Path, int | None]]] = ()


@dataclass(frozen=True)
class Entry:
    """A study that was found but not read yet.

    Args:
        name: Of the study.
        source: File or folder, to be named where two studies share a name.
        in_plane_mm: Reads headers only and gives the spacing ``(y, x)``.
        read: Reads the study; without its labels where called with False.
        segmentation: File of the labels, where it is one that stands beside the image.

    Both callables raise ``UnusableError``.
    """

    name: str
    source: Path
    in_plane_mm: Callable[[], tuple[float, float]]
    read: Callable[[bool], RawStudy]
    segmentation: Path | None = None


@dataclass(frozen=True)
class Listing:
    """What a reader found in a source.

    Args:
        entries: Studies to read one after the other.
        scheme: Of their labels.
        modalities: Names, in the order of the image's first axis.
        refusals: What was left out already.
        layout: Name of the reader that found them; empty where it has none.
    """

    entries: tuple[Entry, ...]
    scheme: LabelScheme
    modalities: tuple[str, ...] = ("cine",)
    refusals: tuple[Refusal, ...] = field(default=())
    layout: str = ""


def safe_name(text: str) -> str:
    """``text`` with whatever does not fit a file's name replaced by an underscore.

    Letters with marks are composed: macOS writes them in two parts, and both are one name.

    Raises:
        UnusableError: If nothing is left, or it is too long.
    """
    name = re.sub(r"[^\w.+-]+", "_", normalize("NFC", text.strip())).strip("._")
    if not name:
        raise UnusableError(f"study name {text!r} has no letter or digit")
    if len(name.encode()) > LONGEST_NAME:
        raise UnusableError(f"study name {text[:30]!r}... is longer than {LONGEST_NAME} bytes")
    return name

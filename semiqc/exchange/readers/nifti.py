"""From NIfTI files to a raw study: what all layouts of NIfTI files share.

NIfTI axes ``(x, y, z, t)`` come as ``[T, Z, Y, X]``; a 3-D file is one frame. The files of a study
must lie on one grid: shape, spacing and place are compared, and what differs is refused with the
name of the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from semiqc.images.axes import axes_of
from semiqc.images.notes import OF_FILE
from semiqc.images.raw import RawStudy, UnusableError
from semiqc.nifti.files import difference, read_header, read_voxels
from semiqc.nifti.headers import MOST_VOXELS, Header
from semiqc.schemes import BACKGROUND, UNLABELLED, LabelScheme

Meaning: TypeAlias = Mapping[int, int]
"""Value of a scheme, or ``UNLABELLED``, of each value in a file."""

NEARLY = 1e-3
"""By which a label may differ from an integer: programs that resample or divide write such."""

ROUNDED = "label values that are nearly integers are rounded"
LISTED = 8
"""Unknown label values that a message lists."""


BLANK = "a file of labels is background everywhere and shows no structure"
"""Note of a study that it is of."""


@dataclass(frozen=True)
class LabelValues:
    """How the label values of a file are to be understood.

    Args:
        scheme: Whose label values result.
        meaning: Value of the scheme, or ``UNLABELLED``, of each value in the file, where they
            are not the same.
    """

    scheme: LabelScheme
    meaning: Meaning | None = None

    def read(self, path: Path, image: Header, notes: list[str]) -> NDArray[np.int8]:
        """Labels of a file on the grid of ``image``, ``[T, Z, Y, X]``; T may be 1.

        What is odd about them is added to ``notes``.

        Raises:
            UnusableError: If the file is broken, lies on another grid, or holds values that are
                not of the scheme.
        """
        header = read_header(path)
        differs = difference(image, header)
        if differs:
            raise UnusableError(f"{path.name}: {differs}")
        return self.understood(read_voxels(header), path.name, notes)

    def read_frame(self, path: Path, image: Header, notes: list[str]) -> NDArray[np.int8]:
        """Labels of a file that is one frame, ``[Z, Y, X]``.

        Raises:
            UnusableError: As ``read`` does, or if the file has several frames.
        """
        labels = self.read(path, image, notes)
        if len(labels) != 1:
            raise UnusableError(f"{path.name}: expected 3-D, got {len(labels)} frames")
        return np.asarray(labels[0])

    def understood(self, voxels: NDArray[Any], file: str, notes: list[str]) -> NDArray[np.int8]:
        """The values of a file as those of the scheme; nearly integers are rounded, with a note.

        Raises:
            UnusableError: If a value is not an integer, or has no meaning.
        """
        found = np.unique(voxels).tolist()
        broken = [value for value in found if abs(value - round(value)) > NEARLY]
        if broken:
            raise UnusableError(f"{file}: labels must be integers, got {_some(broken)}")
        if any(value != round(value) for value in found) and ROUNDED not in notes:
            notes.append(ROUNDED)
        meaning = self.meaning or {value: value for value in range(len(self.scheme.classes))}
        self._check_known(sorted({round(value) for value in found}), meaning, file)
        labels = np.empty(voxels.shape, np.int8)
        for value in found:
            labels[voxels == value] = meaning[round(value)]
        if found and max(meaning[round(value)] for value in found) == BACKGROUND:
            notes.append(f"{BLANK}{OF_FILE}{file})")
        return labels

    @staticmethod
    def _check_known(found: Sequence[int], meaning: Mapping[int, int], file: str) -> None:
        """Refuse values that have no meaning.

        Raises:
            UnusableError: Naming file, values and what is known.
        """
        unknown = [value for value in found if value not in meaning]
        if unknown:
            known = ", ".join(str(value) for value in sorted(meaning))
            raise UnusableError(
                f"{file}: unknown label values {_some(unknown)}; known are {known}"
            )


def checked_meaning(meaning: Meaning | None, scheme: LabelScheme) -> dict[int, int] | None:
    """The meaning of label values, with 0 as the background; None where they mean themselves.

    Raises:
        ValueError: If a value does not stand in the scheme, or 0 is to mean another.
    """
    if not meaning:
        return None
    unknown = sorted(set(meaning.values()) - set(range(len(scheme.classes))))
    if unknown:
        raise ValueError(
            f"label values cannot mean {', '.join(map(str, unknown))}; {scheme.name} has"
            f" {', '.join(f'{n} {name}' for n, name in enumerate(scheme.classes))}"
        )
    if meaning.get(BACKGROUND, BACKGROUND) != BACKGROUND:
        raise ValueError(f"label value 0 is the background and cannot mean {meaning[BACKGROUND]}")
    return dict(meaning) | {BACKGROUND: BACKGROUND}


def read_image(path: Path, *, axes: int | None = None) -> Header:
    """The header of an image, which must have ``axes`` axes where that is given.

    Raises:
        UnusableError: If it cannot be read, or has other axes.
    """
    image = read_header(path)
    if axes is not None and len(image.shape) != axes:
        raise UnusableError(f"{path.name}: expected {axes}-D, got shape {image.shape}")
    return image


def in_plane_mm(path: Path) -> tuple[float, float]:
    """Spacing ``(y, x)`` in mm that the header of an image gives; no voxel is read.

    Raises:
        UnusableError: If the header cannot be read.
    """
    spacing = read_header(path).spacing
    _, y, x = axes_of(spacing)
    return spacing[y], spacing[x]


def stacked(paths: Sequence[Path]) -> tuple[Header, NDArray[Any]]:
    """Volumes that each are one frame, ``[T, Z, Y, X]``, and the first one's header.

    Raises:
        UnusableError: If one is not 3-D or lies on another grid than the first.
    """
    image, volumes = read_channels(paths, axes=3)
    return image, np.concatenate(volumes)


def read_channels(
    paths: Sequence[Path], *, axes: int | None = None
) -> tuple[Header, list[NDArray[Any]]]:
    """Images of one study in several modalities, ``[T, Z, Y, X]`` each, and the first's header.

    Raises:
        UnusableError: If one has other axes than ``axes``, or lies on another grid, or all
            together have too many voxels.
    """
    headers = [read_image(path, axes=axes) for path in paths]
    voxels = sum(prod(header.shape) for header in headers)
    if voxels > MOST_VOXELS:
        raise UnusableError(
            f"{headers[0].path.name}: {len(headers)} files of {voxels} voxels together, expected"
            f" {MOST_VOXELS} at most"
        )
    for header in headers[1:]:
        differs = difference(headers[0], header)
        if differs:
            raise UnusableError(f"{header.path.name}: {differs}")
        if header.frames != headers[0].frames:
            raise UnusableError(
                f"{header.path.name}: {header.frames} frames, {headers[0].path.name} has"
                f" {headers[0].frames}"
            )
    return headers[0], [read_voxels(header) for header in headers]


def placed(
    labels: Mapping[int, Path],
    image: Header,
    frames: int,
    values: LabelValues,
    notes: list[str],
) -> NDArray[np.int8]:
    """Labels of single frames, ``[T, Z, Y, X]``; ``UNLABELLED`` everywhere else.

    Args:
        labels: A 3-D file for each labelled frame.
        image: Whose grid they lie on.
        frames: Number of frames of the study.
        values: How the files are to be understood.
        notes: Get what is odd about the files.

    Raises:
        UnusableError: If a file is not 3-D, lies on another grid, or holds unknown values.
    """
    result = unlabelled(image, frames)
    for frame, path in labels.items():
        result[frame] = values.read_frame(path, image, notes)
    return result


def unlabelled(image: Header, frames: int) -> NDArray[np.int8]:
    """Labels of a study that nobody has annotated, ``[T, Z, Y, X]``."""
    return np.full((frames, *image.shape[2::-1]), UNLABELLED, np.int8)


def frame_like(volume: NDArray[Any], cycle: NDArray[Any]) -> int | None:
    """The frame of a cine ``[T, Z, Y, X]`` that equals a volume, if one does."""
    if volume.shape != cycle.shape[1:]:
        return None
    return next((t for t, frame in enumerate(cycle) if np.array_equal(frame, volume)), None)


def hide_blank_frames(labels: NDArray[np.int8]) -> NDArray[np.int8]:
    """Make frames without any structure ``UNLABELLED``, in place.

    In 4-D label files, a frame that is zero everywhere is one that nobody annotated.
    """
    for frame in labels:
        if not (frame > BACKGROUND).any():
            frame[:] = UNLABELLED
    return labels


def raw_study(
    name: str,
    image: Header,
    voxels: Sequence[NDArray[Any]],
    labels: NDArray[np.int8],
    *,
    warnings: Sequence[str] = (),
    group: str = "",
    subject: str = "",
    split: str = "",
    source: str = "",
) -> RawStudy:
    """A raw study on the grid of ``image``.

    Args:
        name: Of the study.
        image: Header that gives its place.
        voxels: Of each modality, ``[T, Z, Y, X]``.
        labels: ``[T, Z, Y, X]``.
        warnings: Besides those of the header.
        group: Disease group or other stratum.
        subject: Whom the study is of.
        split: That the data set itself assigns.
        source: File or folder.
    """
    return RawStudy(
        name=name,
        image=voxels[0][None] if len(voxels) == 1 else np.stack(voxels),
        labels=labels,
        spacing=image.spacing,
        affine=image.affine,
        time_step=image.time_step,
        time_unit=image.time_unit,
        warnings=(*image.warnings, *warnings),
        form=image.form,
        group=group,
        subject=subject,
        split=split,
        source=source,
    )


def _some(values: Sequence[float]) -> str:
    """The first few values, and how many more there are."""
    listed = ", ".join(f"{value:.9g}" for value in values[:LISTED])
    return f"{listed} and {len(values) - LISTED} more" if len(values) > LISTED else listed

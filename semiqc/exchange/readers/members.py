"""Several segmentations of one image, side by side: folds of an ensemble, or several programs.

Each member is a folder with files named like the segmentations that are judged, of label values
as NIfTI, or of class probabilities as nnU-Net writes them with ``--save_probabilities``, which
count where a folder has both::

    fold_0/              fold_1/
        a.nii.gz             a.nii.gz
        a.npz                a.npz
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semiqc.doors.npz_file import read_npz
from semiqc.exchange.readers.matching import ENDING, segmentations_by_name, stem_of
from semiqc.exchange.readers.nifti import LabelValues
from semiqc.files.walking import files_within
from semiqc.images.raw import RawStudy, UnusableError, safe_name
from semiqc.nifti.files import is_image, read_header
from semiqc.nifti.headers import Header

FEWEST = 2
"""Members whose difference tells something."""

PROBABILITIES = ".npz"
NAMES = ("probabilities", "softmax")
"""What nnU-Net calls its array, today and in its first version."""

OFF = 0.05
"""By which probabilities of a voxel may miss a sum of 1; they are often in half precision."""


@dataclass(frozen=True)
class MemberFolders:
    """Where members' segmentations are.

    Args:
        folders: One for each member, two at least.
        values: How label values are to be understood; of probabilities, their channels.

    Raises:
        ValueError: If there are fewer than two, or two are one.
    """

    folders: Sequence[Path]
    values: LabelValues

    def __post_init__(self) -> None:
        if len({folder.resolve() for folder in self.folders}) < FEWEST:
            raise ValueError(
                "members: expected two folders or more of segmentations of the same images, got"
                f" {', '.join(map(str, self.folders)) or 'none'}"
            )

    def files(self, names: Collection[str]) -> dict[str, list[Path]]:
        """Files of each study of these names, in the order of the members.

        Raises:
            ValueError: If a folder is missing or holds nothing to read.
        """
        found: dict[str, list[Path]] = {name: [] for name in names}
        for folder in self.folders:
            of_folder = _by_name(folder, names)
            for name in found:
                found[name] += of_folder.get(name, [])
        return found

    def read(self, file: Path, raw: RawStudy) -> "Member":
        """What a member says of a study.

        Args:
            file: One of ``files``.
            raw: The study.

        Raises:
            UnusableError: If the file is broken or lies on another grid.
        """
        return self.read_on(file, read_header(Path(raw.source)), raw.labels.shape)

    def read_on(self, file: Path, grid: Header, shape: tuple[int, ...]) -> "Member":
        """What a member says of what lies on a grid.

        Args:
            file: One of ``files``.
            grid: That it lies on.
            shape: Of what it segments there, ``(T, Z, Y, X)``.

        Raises:
            UnusableError: If the file is broken or lies on another grid.
        """
        try:
            if file.suffix == PROBABILITIES:
                return Member(self._probabilities(file, shape), None)
            labels = self.values.read(file, grid, [])
            if labels.shape != shape:
                raise UnusableError(f"{file.name}: {len(labels)} frames, the image has {shape[0]}")
        except UnusableError as error:
            raise UnusableError(f"member {file.parent.name}: {error}") from error
        return Member(np.eye(len(self.values.scheme.classes), dtype=np.float32), labels)

    def _probabilities(self, file: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Of the scheme's classes, ``[C, Z, Y, X]``, of a study of one frame."""
        frames, *grid = shape
        if frames > 1:
            raise UnusableError(f"{file.name}: probabilities of one frame, the image has {frames}")
        found = read_npz(file, NAMES, (0, *grid))
        if not np.isfinite(found).all() or np.abs(found.sum(axis=0) - 1).max() > OFF:
            raise UnusableError(f"{file.name}: probabilities of a voxel must add up to 1")
        classes = len(self.values.scheme.classes)
        meaning = self.values.meaning or {value: value for value in range(classes)}
        if not set(range(len(found))) <= set(meaning):
            known = ", ".join(map(str, sorted(meaning)))
            raise UnusableError(f"{file.name}: {len(found)} classes; known are {known}")
        told = np.zeros((classes, *found.shape[1:]), np.float32)
        for channel, of_channel in enumerate(found):
            told[meaning[channel]] += of_channel
        return told


@dataclass(frozen=True, eq=False)
class Member:
    """What one of several says of a study, as it lies in its file.

    Args:
        probabilities: Of each class, ``[C, Z, Y, X]`` of the only frame; where there are labels,
            those of a voxel of each label, ``[C, C]``.
        labels: ``[T, Z, Y, X]``; None where there are probabilities.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int8] | None

    def frame(self, number: int) -> NDArray[np.float32]:
        """Probabilities of the classes in a frame, ``[C, Z, Y, X]``."""
        if self.labels is None:
            return self.probabilities
        return self.probabilities[:, self.labels[number]]


def _by_name(folder: Path, names: Collection[str]) -> dict[str, list[Path]]:
    """The file of each study in a member's folder, probabilities where there are some.

    Raises:
        ValueError: If there is no such folder, or nothing to read in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of a member's segmentations")
    files = [folder / file.relative_to(folder) for file in files_within(folder)]
    found: dict[str, list[Path]] = {}
    if any(is_image(file) for file in files):
        named = segmentations_by_name(folder, names).items()
        found = {safe_name(name): of_name[:1] for name, of_name in named}
    for file in files:
        if file.suffix == PROBABILITIES:
            stem = stem_of(file.with_suffix(""))
            found[safe_name(stem if stem in names else ENDING.sub("", stem))] = [file]
    if not found:
        raise ValueError(f"{folder}: neither segmentations nor {PROBABILITIES} files")
    return found

"""Folds of an ensemble beside segmentations that are graded, and how sure they are together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segmenters.uncertainty import how_sure
from semiqc.exchange.readers.members import FEWEST, MemberFolders
from semiqc.exchange.segmented import (
    SegmentedFile,
    frames_of,
    grid_of,
    probabilities_on_own_grid,
)
from semiqc.nifti.files import read_header
from semiqc.study import Study, UncertaintyMaps


@dataclass(frozen=True)
class MembersBeside:
    """Members' files beside those that are graded.

    Args:
        members: That read them.
        files: By what the graded file is named after, one for each member that has it.
    """

    members: MemberFolders
    files: Mapping[str, Sequence[Path]]

    @classmethod
    def of(cls, members: MemberFolders, graded: Sequence[SegmentedFile]) -> Self:
        """Beside these files.

        Raises:
            ValueError: If a folder is missing, or holds nothing to read.
        """
        return cls(members, members.files({file.name for file in graded}))

    def uncertainty(
        self, file: SegmentedFile, study: Study, frames: Mapping[int, NDArray[np.int8]]
    ) -> dict[int, UncertaintyMaps]:
        """How sure the members are of each frame; nothing where fewer than two segment it.

        Args:
            file: That is graded, on whose grid the members' files lie.
            study: That it segments.
            frames: Its labels ``[Z, Y, X]`` on the study's own grid, by frame.

        Raises:
            UnusableError: If a member's file is broken or lies on another grid.
        """
        files = self.files[file.name]
        if len(files) < FEWEST:
            return {}
        grid, is_of_source = grid_of(file.path, study)
        # A header leaves out axes of length 1 at its end.
        shape = (*read_header(file.path).shape, 1, 1)[:4][::-1]
        said = [self.members.read_on(one, grid, shape) for one in files]
        places = frames_of(file, study, shape[0])
        found = {}
        for frame, labels in frames.items():
            told = [member.frame(places[frame]) for member in said]
            if is_of_source:
                told = [probabilities_on_own_grid(one, study) for one in told]
            found[frame] = how_sure(told, labels, self.members.values.scheme)
        return found

"""What ``semiqc score`` was asked, as it is told to its workers."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from qc.suites.suite import Suite
from semiqc.exchange.readers.members import MemberFolders
from semiqc.exchange.readers.nifti import LabelValues, checked_meaning
from semiqc.exchange.readers.pairs import find_pairs
from semiqc.images.raw import Listing

ERROR_MAPS = "error_maps"
"""Folder in the output."""


@dataclass(frozen=True)
class Asked:
    """Which segmentations are judged, and how.

    Args:
        images: A NIfTI file or a folder of them; see ``semiqc.exchange.readers.pairs``.
        segmentations: Likewise.
        output: Folder whose error maps of an earlier call are not looked at.
        members: Folders of an ensemble's folds; see ``semiqc.exchange.readers.members``.
        meaning: Value of the suite's scheme of each other label value in the files.
        flag_below: Score below which a study is flagged, in [0, 1].
        explained: Whether the page shows where networks looked in flagged studies.
    """

    images: Path
    segmentations: Path
    output: Path
    members: Sequence[Path]
    meaning: Mapping[int, int] | None
    flag_below: float
    explained: bool

    def listing(self, suite: Suite) -> Listing:
        """The studies, which are not read yet.

        Raises:
            ValueError: If there are none, or the suite's scheme has no such values.
        """
        return find_pairs(
            self.images,
            self.segmentations,
            suite.scheme,
            suite.training.modalities,
            self.meaning,
            without=self.output / ERROR_MAPS,
        )

    def member_folders(self, suite: Suite) -> MemberFolders | None:
        """Where several segmentations lie side by side; None where none are named."""
        values = LabelValues(suite.scheme, checked_meaning(self.meaning, suite.scheme))
        return MemberFolders(tuple(self.members), values) if self.members else None

    def as_line(self, suite: Path | str, folder: Path) -> str:
        """All of it as a line, with the folder from which paths lead.

        Args:
            suite: Folder of a suite, or the name of one that is shipped.
            folder: Where the results are written to.
        """
        beside = {"suite": suite, "folder": folder, "here": os.getcwd()}
        meaning = self.meaning and list(self.meaning.items())
        members = list(map(str, self.members))
        said = {**vars(self), "meaning": meaning, "members": members, **beside}
        return json.dumps(said, default=str)

    @classmethod
    def of_line(cls, line: str) -> tuple[Self, Path, Path]:
        """What ``as_line`` was given; the process goes to the folder from which paths lead."""
        said = json.loads(line)
        os.chdir(said.pop("here"))
        suite, folder = Path(said.pop("suite")), Path(said.pop("folder"))
        paths = {name: Path(said[name]) for name in ("images", "segmentations", "output")}
        members = tuple(map(Path, said["members"]))
        meaning = said["meaning"] and dict(said["meaning"])
        return cls(**{**said, **paths, "members": members, "meaning": meaning}), suite, folder

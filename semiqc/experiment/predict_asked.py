"""What ``semiqc predict`` was asked, as it is told to its workers."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from semiqc.experiment.learned import Learned


@dataclass(frozen=True)
class Asked:
    """Who segments which images, and where the results go.

    Args:
        run: A finished run, or the name of weights that are shipped.
        images: In files, or a store.
        output: Folder of the results.
        scenario: Of the run; None for that of reference.
        layout: Of the images.
        flag_below: Score below which a study is flagged.
        dicom_seg: Whether DICOM segmentations are wanted, too.
    """

    run: Path
    images: Path
    output: Path
    scenario: str | None
    layout: str
    flag_below: float
    dicom_seg: bool

    def key(self, learned: Learned) -> str:
        """What tells whether another command would leave the same."""
        return f"{learned.key}, flagged below {self.flag_below}"

    def as_line(self) -> str:
        """All of it as a line, with the folder from which paths lead."""
        return json.dumps({**vars(self), "here": os.getcwd()}, default=str)

    @classmethod
    def of_line(cls, line: str) -> Self:
        """What ``as_line`` gave; the process goes to the folder from which paths lead."""
        said = json.loads(line)
        os.chdir(said.pop("here"))
        paths = {name: Path(said[name]) for name in ("run", "images", "output")}
        return cls(**{**said, **paths})

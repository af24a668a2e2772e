"""What several segmentations of one image tell of how sure they are."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segmenters.uncertainty import how_sure
from semiqc.exchange.readers.members import FEWEST, Member, MemberFolders
from semiqc.images.preparing import regridded
from semiqc.images.raw import RawStudy
from semiqc.schemes import LabelScheme
from semiqc.study import Study, UncertaintyMaps


def with_count(study: Study, count: int, wanted: int) -> Study:
    """The study, with a note where not all members segmented it."""
    if count == wanted:
        return study
    return replace(study, notes=(*study.notes, f"{count} of {wanted} members segmented it"))


def uncertainty_by(
    members: MemberFolders | None, files: Sequence[Path], raw: RawStudy, study: Study
) -> UncertaintyMaps | None:
    """How sure members are of a study, on its grid; None of fewer than two.

    Args:
        members: That read the files.
        files: One for each member that segmented the study.
        raw: The study as it lay in its file.
        study: The same, prepared.

    Raises:
        UnusableError: If a file is broken or lies on another grid.
    """
    if members is None or len(files) < FEWEST:
        return None
    said = [members.read(file, raw) for file in files]
    scheme = members.values.scheme
    frames = [_of_frame(said, raw, study, number, scheme) for number in range(study.frames)]
    return UncertaintyMaps(
        entropy=np.concatenate([frame.entropy[:] for frame in frames]),
        disagreement=np.concatenate([frame.disagreement[:] for frame in frames]),
        agreement=np.concatenate([frame.agreement for frame in frames]),
        confidence=np.concatenate([frame.confidence for frame in frames]),
        features=np.concatenate([frame.features for frame in frames]),
    )


def _of_frame(
    members: Sequence[Member], raw: RawStudy, study: Study, number: int, scheme: LabelScheme
) -> UncertaintyMaps:
    """Of one frame alone."""
    told = (regridded(raw, member.frame(number), study.spacing[1]) for member in members)
    return how_sure(told, np.asarray(study.labels[number]), scheme)

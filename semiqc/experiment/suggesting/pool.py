"""The unlabelled studies of a finished run, and what was said of their segmentations."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semiqc.experiment.finished import RunError
from semiqc.experiment.finished_data import rows_of, stored_labels
from semiqc.experiment.suggesting.ranking import Unlabelled
from semiqc.files.predictions import predicted_uncertainty
from semiqc.files.tables import SplitRow
from semiqc.review.run_queue import CANDIDATE, FOLDER, QUEUE, Queued, read_queue
from semiqc.schemes import LabelScheme

ROLE = "unlabelled"


@dataclass(frozen=True)
class Pool:
    """The studies to choose from.

    Args:
        run: Folder of the run.
        studies: Those that an estimator judged.
        files: By study, its segmentation by the first segmenter of the first seed.
    """

    run: Path
    studies: Sequence[Unlabelled]
    files: dict[str, Path]


def pool_of(run: Path, scheme: LabelScheme) -> Pool:
    """The unlabelled studies of a run.

    Args:
        run: Folder of a finished run.
        scheme: Of its labels.

    Raises:
        RunError: If it has no unlabelled studies, no estimator judged them, or their segmentations
            are damaged or gone.
    """
    split = {row.study: row for row in rows_of(run, "split", SplitRow) if row.role == ROLE}
    if not split:
        raise RunError(f"{run}: no study is unlabelled, so there is none to suggest")
    queued: dict[str, list[Queued]] = {}
    for one in read_queue(run)[1] if (run / FOLDER / QUEUE).exists() else ():
        if one.role == CANDIDATE and one.scores and one.study in split:
            queued.setdefault(one.study, []).append(one)
    if not queued:
        raise RunError(
            f"{run}: no estimator judged its unlabelled studies; run it with a gate, such as"
            " --set 'gates=[consensus]'"
        )
    files = {study: of_seeds[0].predictions for study, of_seeds in queued.items()}
    for study, file in files.items():
        stored_labels(run, file, study, "segmentations")
    structures = [one.name for one in scheme.structures]
    studies = [_study(split[name], of_seeds, structures) for name, of_seeds in queued.items()]
    return Pool(run, studies, files)


def _study(row: SplitRow, queued: Sequence[Queued], structures: Sequence[str]) -> Unlabelled:
    """A study with the means over the seeds of what was said of it."""
    said: dict[str, list[float]] = {}
    for one in queued:
        for name, score in one.scores.items():
            said.setdefault(name, []).append(score)
    scores = {name: float(np.mean(of_seeds)) for name, of_seeds in said.items()}
    agreement = _agreement(queued[0].predictions, row.study, structures)
    return Unlabelled(row.study, row.subject, row.group, scores, agreement)


def _agreement(path: Path, study: str, structures: Sequence[str]) -> dict[str, float]:
    """By structure, the mean Dice between the segmenters over the frames where any has it."""
    maps = predicted_uncertainty(path, study)
    if maps is None:
        return {}
    found = zip(structures, maps.agreement.T, strict=True)
    return {name: float(np.nanmean(frames)) for name, frames in found if np.isfinite(frames).any()}

"""One segmentation after another, judged by a suite."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qc.base import Quality
from qc.estimators.network.estimator import NetworkEstimator
from qc.suites.suite import Scored, Suite
from semiqc.doors.regular import one_study
from semiqc.images.preparing import prepared
from semiqc.images.raw import Entry, UnusableError, safe_name
from semiqc.measuring.measures import clinical
from semiqc.measuring.misshapen import misshapen
from semiqc.measuring.plausible import implausible
from semiqc.nifti.writing import write_map
from semiqc.scoring.kept import Kept
from semiqc.scoring.members import uncertainty_by, with_count
from semiqc.scoring.score_asked import ERROR_MAPS, Asked
from semiqc.scoring.scores import StudyScore, is_flagged, those_who_count
from semiqc.scoring.worst import WorstSlices, worst_slice
from semiqc.study import Study, UncertaintyMaps
from semiqc.work.shares import Outcome

KEPT = ".scored"
"""Folder for what is said of each study until all are done."""
SAID = "semiqc-scored"
"""Key in the metadata of its files."""


class Scorer:
    """Judges studies, and keeps in files what is said of each.

    Args:
        suite: That judges.
        asked: What, and how.
        folder: That gets error maps, and the files until all are done.

    Attributes:
        worst: Of the studies so far; of their voxels it keeps the worst slices alone.

    Raises:
        ValueError: If nothing is there to be judged, or an argument does not suit the suite.
    """

    def __init__(self, suite: Suite, asked: Asked, folder: Path) -> None:
        self.suite = suite
        self.flag_below = asked.flag_below
        self.folder = folder
        self.networks = _networks(suite) if asked.explained else ()
        self.members = asked.member_folders(suite)
        self.listing = asked.listing(suite)
        self.worst = WorstSlices()
        self.names = [entry.name for entry in self.listing.entries]
        self._files = self.members.files(self.names) if self.members else {}

    def deal_with(self, number: int) -> Outcome:
        """Judge a study of the listing; one that cannot be judged leaves no file."""
        entry = self.listing.entries[number]
        try:
            with one_study(entry.name):
                kept = self._judged(entry, self._files.get(entry.name, []))
        except UnusableError as error:
            return Outcome(entry.name, str(error))
        kept.write(self._file(entry.name), SAID, {})
        return Outcome(entry.name)

    def told(self, study: str) -> Kept:
        """What is said of a study that was judged.

        Raises:
            UnusableError: If its file cannot be read, or is not what was written.
        """
        return Kept.read(self._file(study), SAID)[0]

    def watch(self, kept: Kept) -> None:
        """Rank a study among the worst, which tells who needs a film."""
        score = kept.score
        if kept.worst is not None:
            self.worst.add(score.study, score.score, kept.worst, flagged=score.flagged)

    def _file(self, study: str) -> Path:
        return self.folder / KEPT / f"{study}.safetensors"

    def _judged(self, entry: Entry, files: Sequence[Path]) -> Kept:
        """Judge one study and write its error maps.

        Raises:
            UnusableError: If it cannot be read or judged.
        """
        raw = entry.read(True)
        study = prepared(raw, self.suite.training.spacing_mm)
        if self.members:
            study = with_count(study, len(files), len(self.members.folders))
        scored = _scored(self.suite, study, uncertainty_by(self.members, files, raw, study))
        error_maps = mean_error_maps(scored.qualities)
        labels, scheme = scored.prediction.labels, self.suite.scheme
        odd = [*implausible(clinical(labels, study.spacing, scheme)), *misshapen(labels, scheme)]
        flagged = is_flagged(scored.score, scored.qualities, self.flag_below) or bool(odd)
        said = StudyScore(
            study=study.name,
            score=scored.score,
            flagged=flagged,
            qualities={n: replace(q, error_maps={}) for n, q in scored.qualities.items()},
            warnings=(*odd, *scored.warnings),
            error_maps=self._write_error_maps(study, error_maps),
        )
        filmed = self.worst.takes_film(study.name, scored.score, flagged=flagged)
        networks = self.networks if flagged else ()
        return Kept(said, worst_slice(scored, error_maps, networks, filmed=filmed))

    def _write_error_maps(
        self, study: Study, error_maps: Mapping[str, NDArray[np.floating]]
    ) -> dict[str, str]:
        """The file of each structure's error map, relative to the output folder."""
        files = {}
        for structure, error_map in error_maps.items():
            files[structure] = f"{ERROR_MAPS}/{study.name}_{safe_name(structure)}.nii.gz"
            write_map(self.folder / files[structure], study, error_map)
        return files


def _networks(suite: Suite) -> list[NetworkEstimator]:
    """Estimators of a suite that can show where they looked.

    Raises:
        ValueError: If there is none.
    """
    networks = [one for one in suite.estimators.values() if isinstance(one, NetworkEstimator)]
    if not networks:
        raise ValueError(
            f"explanations are of networks on images, and the suite has {', '.join(suite.names)}"
        )
    return networks


def _scored(suite: Suite, study: Study, uncertainty: UncertaintyMaps | None) -> Scored:
    """What the suite says of a study; a study that an estimator refuses is left out.

    Raises:
        UnusableError: In the place of an estimator's ``ValueError``, with the study's name.
    """
    try:
        return suite.judge(study, uncertainty)
    except UnusableError:
        raise
    except ValueError as error:
        # What an estimator refuses in one study says nothing of the next.
        raise UnusableError(f"{study.name}: cannot be judged ({error})") from error


def mean_error_maps(qualities: Mapping[str, Quality]) -> dict[str, NDArray[np.floating]]:
    """Error map of each structure, ``[T, Z, Y, X]``.

    It is the consensus's, or the mean of the estimators that give it.
    """
    found: dict[str, list[NDArray[np.floating]]] = {}
    for quality in those_who_count(qualities, "error_maps"):
        for structure, error_map in quality.error_maps.items():
            found.setdefault(structure, []).append(error_map[:])
    return {
        structure: maps[0] if len(maps) == 1 else np.mean(maps, axis=0, dtype=np.float32)
        for structure, maps in found.items()
    }

"""Segmentations of any program, judged by a suite.

The output folder gets ``studies.csv``, ``structures.csv``, ``slices.csv``, ``quality.json``,
``report.html`` and, where an estimator gives them, ``error_maps/STUDY_STRUCTURE.nii.gz`` on each
segmentation's own grid: that of the consensus, or without one the estimators' mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qc.base import Quality
from qc.estimators.network.estimator import NetworkEstimator
from qc.suites.suite import Scored, Suite
from semiqc.doors.regular import one_study
from semiqc.exchange.readers.members import MemberFolders
from semiqc.exchange.readers.nifti import LabelValues, checked_meaning
from semiqc.exchange.readers.pairs import find_pairs
from semiqc.files.atomic import filled_folder
from semiqc.files.checksums import refuse_sealed
from semiqc.files.places import require_apart, require_folder
from semiqc.files.staying import is_empty
from semiqc.images.preparing import prepared
from semiqc.images.raw import Entry, Listing, Refusal, UnusableError, safe_name
from semiqc.measuring.measures import clinical
from semiqc.measuring.misshapen import misshapen
from semiqc.measuring.plausible import implausible
from semiqc.nifti.writing import write_map
from semiqc.scoring.members import uncertainty_by, with_count
from semiqc.scoring.scores import ScoreReport, StudyScore, in_order, is_flagged, those_who_count
from semiqc.scoring.tables import write_tables
from semiqc.scoring.threshold import FLAG_BELOW, check_threshold
from semiqc.scoring.worst import WorstSlices, worst_slice
from semiqc.study import Study, UncertaintyMaps
from semiqc.work.progress import Progress, untold

ERROR_MAPS = "error_maps"
PAGE = "report.html"
NAMED = 3
"""Reasons that a message lists."""


def score_images(
    suite: Suite | Path | str,
    images: Path | str,
    segmentations: Path | str,
    output: Path | str,
    *,
    members: Sequence[Path | str] = (),
    meaning: Mapping[int, int] | None = None,
    flag_below: float = FLAG_BELOW,
    explained: bool = False,
    overwrite: bool = False,
    on_progress: Progress = untold,
) -> ScoreReport:
    """Judge segmentations that any program made, and write what was found.

    Args:
        suite: Folder of a suite, or a suite.
        images: A NIfTI file or a folder of them; see ``semiqc.exchange.readers.pairs``.
        segmentations: Likewise.
        output: Folder to write.
        members: Folders of an ensemble's folds; see ``semiqc.exchange.readers.members``.
        meaning: Value of the suite's scheme of each other label value in the files; 0 stays 0.
        flag_below: Score below which a study is flagged, in [0, 1].
        explained: Show on the page where the suite's networks looked in flagged studies.
        overwrite: Write into a folder that is not empty.
        on_progress: Told the number of studies dealt with, and of all, after each.

    Raises:
        FileExistsError: If the output folder holds something and ``overwrite`` is not set.
        OSError: If nothing can be written there.
        ValueError: If there is no suite or no segmentation, or none can be judged.
    """
    output = Path(output)
    named = () if isinstance(suite, Suite) else (suite,)
    _check_output(output, flag_below, overwrite, (*named, images, segmentations, *members))
    suite = suite if isinstance(suite, Suite) else Suite.load(suite)
    scorer = _Scorer(suite, output, flag_below, _networks(suite) if explained else ())
    scorer.members = _members(suite, members, meaning)
    return scorer.judge(Path(images), Path(segmentations), meaning, on_progress)


def _check_output(
    output: Path, flag_below: float, overwrite: bool, read: Sequence[Path | str]
) -> None:
    """Refuse a folder or threshold that does not do, before anything is judged.

    Raises:
        ValueError: If ``flag_below`` is not in [0, 1].
        FileExistsError: If the folder holds something and ``overwrite`` is not set, or holds what
            is ``read``.
        OSError: If nothing can be written there.
    """
    check_threshold(flag_below)
    require_apart(output, *map(Path, read))
    refuse_sealed(output)
    require_folder(output)
    if output.exists() and not is_empty(output) and not overwrite:
        raise FileExistsError(f"{output}: not empty; say --overwrite to write into it")


def _members(
    suite: Suite, members: Sequence[Path | str], meaning: Mapping[int, int] | None
) -> MemberFolders | None:
    """Where several segmentations lie side by side; None where none are named."""
    values = LabelValues(suite.scheme, checked_meaning(meaning, suite.scheme))
    return MemberFolders(tuple(map(Path, members)), values) if members else None


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


@dataclass
class _Scorer:
    """Judges one study after the other; of their voxels it keeps the worst slices alone.

    Args:
        suite: That judges.
        output: Folder to write.
        flag_below: Score below which a study is flagged.
        networks: Whose explanations the page shows.
        members: Where several segmentations of each image lie side by side.
    """

    suite: Suite
    output: Path
    flag_below: float
    networks: Sequence[NetworkEstimator]
    members: MemberFolders | None = None
    studies: list[StudyScore] = field(default_factory=list)
    left_out: list[Refusal] = field(default_factory=list)
    worst: WorstSlices = field(default_factory=WorstSlices)

    def judge(
        self,
        images: Path,
        segmentations: Path,
        meaning: Mapping[int, int] | None,
        on_progress: Progress,
    ) -> ScoreReport:
        """Judge all pairs but error maps that were written before, and write what was found.

        Raises:
            ValueError: If there is no segmentation, or none can be judged.
        """
        listing = find_pairs(
            images,
            segmentations,
            self.suite.scheme,
            self.suite.training.modalities,
            meaning,
            without=self.output / ERROR_MAPS,
        )
        with filled_folder(self.output) as self.output:
            self.score(listing, on_progress)
            return self.write(segmentations)

    def score(self, listing: Listing, on_progress: Progress) -> None:
        """Judge all studies of a listing; what cannot be judged is left out."""
        self.left_out += listing.refusals
        names = [entry.name for entry in listing.entries]
        files = self.members.files(names) if self.members else {}
        for number, entry in enumerate(listing.entries, start=1):
            try:
                with one_study(entry.name):
                    self.studies.append(self._study(entry, files.get(entry.name, [])))
            except UnusableError as error:
                self.left_out.append(Refusal(entry.name, str(error)))
            on_progress(number, len(listing.entries))

    def _study(self, entry: Entry, files: Sequence[Path]) -> StudyScore:
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
        self._keep(scored, error_maps, flagged=flagged)
        return StudyScore(
            study=study.name,
            score=scored.score,
            flagged=flagged,
            qualities={n: replace(q, error_maps={}) for n, q in scored.qualities.items()},
            warnings=(*odd, *scored.warnings),
            error_maps=self._write_error_maps(study, error_maps),
        )

    def _keep(
        self, scored: Scored, error_maps: Mapping[str, NDArray[np.floating]], *, flagged: bool
    ) -> None:
        """Keep the worst slice of a study, where it is among the worst."""
        filmed = self.worst.takes_film(scored.study, scored.score, flagged=flagged)
        networks = self.networks if flagged else ()
        found = worst_slice(scored, error_maps, networks, filmed=filmed)
        self.worst.add(scored.study, scored.score, found, flagged=flagged)

    def _write_error_maps(
        self, study: Study, error_maps: Mapping[str, NDArray[np.floating]]
    ) -> dict[str, str]:
        """The file of each structure's error map, relative to the output folder."""
        files = {}
        for structure, error_map in error_maps.items():
            files[structure] = f"{ERROR_MAPS}/{study.name}_{safe_name(structure)}.nii.gz"
            write_map(self.output / files[structure], study, error_map)
        return files

    def write(self, segmentations: Path | str) -> ScoreReport:
        """Write the tables and the page of all that was judged.

        Raises:
            ValueError: If none of the ``segmentations`` could be judged.
        """
        from semiqc.scoring.page import write_page

        if not self.studies:
            reasons = "; ".join(f"{one.name}: {one.reason}" for one in self.left_out[:NAMED])
            raise ValueError(f"{segmentations}: nothing could be judged: {reasons}")
        report = self._report()
        write_tables(report, self.output)
        write_page(report, self.worst, self.output / PAGE)
        return report

    def _report(self) -> ScoreReport:
        """Flagged studies first, then by score; estimators in the order of the suite.

        An estimator of which no study has a quality is silent: it needs what files do not hold.
        """
        suite = self.suite
        spoke = {name for one in self.studies for name in one.qualities}
        return ScoreReport(
            studies=in_order(self.studies),
            left_out=self.left_out,
            scheme=suite.scheme,
            training=suite.training,
            estimators=[name for name in suite.names if name in spoke],
            silent=[name for name in suite.names if name not in spoke],
            flag_below=self.flag_below,
            interval_level=suite.blend.level if suite.blend else None,
        )


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

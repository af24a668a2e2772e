"""From images and segmentations to what a suite says of them, one study at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qc.base import Quality
from qc.estimators.network_estimator import NetworkEstimator
from qc.suites.suite import Scored, Suite
from semiqc.exchange.readers.pairs import find_pairs
from semiqc.files.atomic import require_folder
from semiqc.images.preparing import prepared
from semiqc.images.raw import Entry, Refusal, UnusableError, safe_name
from semiqc.nifti.files import write_map
from semiqc.scoring.page import write_page
from semiqc.scoring.pictures import WorstSlices, worst_slice
from semiqc.scoring.scores import ScoreReport, StudyScore, is_flagged, those_who_count
from semiqc.scoring.tables import write_tables
from semiqc.study import Study

FLAG_BELOW = 0.7
"""Where Robinson et al., "Real-time prediction of segmentation quality", MICCAI 2018, part poor
from good segmentations by Dice. https://doi.org/10.1007/978-3-030-00937-3_66"""

ERROR_MAPS = "error_maps"
NAMED = 3
"""Reasons that a message lists."""


def score_images(
    suite: Suite | Path | str,
    images: Path | str,
    segmentations: Path | str,
    output: Path | str,
    *,
    meaning: Mapping[int, int] | None = None,
    flag_below: float = FLAG_BELOW,
    explained: bool = False,
    overwrite: bool = False,
    observe: Callable[[int, int], None] | None = None,
) -> ScoreReport:
    """Judge segmentations that any program made, and write what was found.

    Written are ``studies.csv``, ``structures.csv``, ``slices.csv``, ``quality.json``,
    ``report.html`` and, where an estimator gives them, ``error_maps/STUDY_STRUCTURE.nii.gz`` on
    each segmentation's own grid: that of the consensus, or without one the estimators' mean.

    Args:
        suite: Folder of a suite, or a suite.
        images: A NIfTI file or a folder of them; see ``semiqc.exchange.readers.pairs``.
        segmentations: Likewise.
        output: Folder to write.
        meaning: Value of the suite's scheme of each label value in the files, where they are not
            the same; 0 stays 0.
        flag_below: Score below which a study is flagged, in [0, 1].
        explained: Show on the page where the suite's networks looked in flagged studies.
        overwrite: Write into a folder that is not empty.
        observe: Told the number of studies dealt with, and of all, after each.

    Raises:
        FileExistsError: If the output folder holds something and ``overwrite`` is not set.
        OSError: If nothing can be written there.
        ValueError: If there is no suite or no segmentation, or none can be judged.
    """
    output = Path(output)
    if not 0 <= flag_below <= 1:
        raise ValueError(f"flag_below must lie in [0, 1], got {flag_below}")
    require_folder(output)
    if output.exists() and any(output.iterdir()) and not overwrite:
        raise FileExistsError(f"{output}: not empty; say --overwrite to write into it")
    suite = suite if isinstance(suite, Suite) else Suite.load(suite)
    networks = [one for one in suite.estimators.values() if isinstance(one, NetworkEstimator)]
    if explained and not networks:
        raise ValueError(
            f"explanations are of networks on images, and the suite has {', '.join(suite.names)}"
        )
    shown = networks if explained else []
    listing = find_pairs(
        Path(images),
        Path(segmentations),
        suite.scheme,
        suite.training.modalities,
        meaning,
        without=output / ERROR_MAPS,
    )
    left_out, studies, worst = list(listing.refusals), [], WorstSlices()
    for number, entry in enumerate(listing.entries, start=1):
        try:
            studies.append(_study(suite, entry, output, flag_below, worst, shown))
        except UnusableError as error:
            left_out.append(Refusal(entry.name, str(error)))
        if observe is not None:
            observe(number, len(listing.entries))
    if not studies:
        reasons = "; ".join(f"{refusal.name}: {refusal.reason}" for refusal in left_out[:NAMED])
        raise ValueError(f"{segmentations}: nothing could be judged: {reasons}")
    report = ScoreReport(
        studies=sorted(studies, key=lambda one: (not one.flagged, one.score, one.study)),
        left_out=left_out,
        scheme=suite.scheme,
        training=suite.training,
        estimators=[n for n in suite.names if any(n in one.qualities for one in studies)],
        silent=[n for n in suite.names if not any(n in one.qualities for one in studies)],
        flag_below=flag_below,
        interval_level=suite.blend.level if suite.blend else None,
    )
    write_tables(report, output)
    write_page(report, worst, output / "report.html")
    return report


def _study(
    suite: Suite,
    entry: Entry,
    output: Path,
    flag_below: float,
    worst: WorstSlices,
    networks: Sequence[NetworkEstimator],
) -> StudyScore:
    """Judge one study and write its error maps; nothing of it but a slice is kept in memory.

    Raises:
        UnusableError: If it cannot be read or judged.
    """
    raw = entry.read(True)
    study = prepared(raw, suite.training.spacing_mm)
    warnings = raw.warnings
    del raw
    scored = _scored(suite, study)
    error_maps = mean_error_maps(scored.qualities)
    files = {name: f"{ERROR_MAPS}/{study.name}_{safe_name(name)}.nii.gz" for name in error_maps}
    for name, error_map in error_maps.items():
        write_map(output / files[name], study, error_map)
    flagged = is_flagged(scored.score, scored.qualities, flag_below)
    if flagged:
        worst.add(study.name, scored.score, worst_slice(scored, error_maps, networks))
    return StudyScore(
        study=study.name,
        score=scored.score,
        flagged=flagged,
        qualities={n: replace(q, error_maps={}) for n, q in scored.qualities.items()},
        warnings=(*warnings, *scored.warnings),
        error_maps=files,
    )


def _scored(suite: Suite, study: Study) -> Scored:
    try:
        return suite.judge(study)
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

"""Segmentations of any program, judged by a suite.

The output folder gets ``studies.csv``, ``structures.csv``, ``slices.csv``, ``quality.json``,
``report.html`` and, where an estimator gives them, ``error_maps/STUDY_STRUCTURE.nii.gz`` on each
segmentation's own grid: that of the consensus, or without one the estimators' mean.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from qc.suites.suite import Suite
from semiqc.files.atomic import filled_folder, make_folder
from semiqc.files.checksums import refuse_sealed
from semiqc.files.places import require_apart, require_folder
from semiqc.files.staying import is_empty
from semiqc.images.raw import Refusal
from semiqc.scoring.score_asked import Asked
from semiqc.scoring.scorer import KEPT, Scorer
from semiqc.scoring.scores import ScoreReport, StudyScore, in_order
from semiqc.scoring.tables import write_tables
from semiqc.scoring.threshold import FLAG_BELOW, check_threshold
from semiqc.work.engines.side import Side
from semiqc.work.monitor import Monitor, Silent
from semiqc.work.progress import Progress, untold
from semiqc.work.shares import Outcome, dealt_with

PAGE = "report.html"
NAMED = 3
"""Reasons that a message lists."""
WORKER = "semiqc.scoring.score_worker"


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
    side: Side | None = None,
    monitor: Monitor | None = None,
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
        side: Processes that share the studies, if any; the report then tells no slices.
        monitor: Told what the processes tell.

    Raises:
        FileExistsError: If the output folder holds something and ``overwrite`` is not set.
        OSError: If nothing can be written there.
        ValueError: If there is no suite or no segmentation, or none can be judged.
    """
    paths = (Path(images), Path(segmentations), Path(output))
    asked = Asked(*paths, tuple(map(Path, members)), meaning, flag_below, explained)
    command = _Command(suite, asked, side, overwrite=overwrite)
    return command.work(monitor or Silent(), on_progress)


def _check_output(asked: Asked, overwrite: bool, named: Sequence[Path]) -> None:
    """Refuse a folder or threshold that does not do, before anything is judged.

    Raises:
        ValueError: If ``flag_below`` is not in [0, 1].
        FileExistsError: If the folder holds something and ``overwrite`` is not set, or holds what
            is read: the suite that is ``named``, images, segmentations or members.
        OSError: If nothing can be written there.
    """
    output = asked.output
    check_threshold(asked.flag_below)
    require_apart(output, *named, asked.images, asked.segmentations, *asked.members)
    refuse_sealed(output)
    require_folder(output)
    if output.exists() and not is_empty(output) and not overwrite:
        raise FileExistsError(f"{output}: not empty; say --overwrite to write into it")


class _Command:
    """Gathers what is said of all studies, and writes it.

    Args:
        suite: Folder of a suite, or a suite.
        asked: What it judges, and how.
        side: Processes that judge; what is said of slices then stays in files until it is written.
        overwrite: Write into a folder that is not empty.

    Attributes:
        scorer: Deals with the studies that no worker has dealt with.
        studies: Gets what is said of each.
        left_out: Gets what cannot be judged.

    Raises:
        OSError: If nothing can be written into the folder, or it must not.
        ValueError: If the suite or an argument does not do.
    """

    def __init__(
        self, suite: Suite | Path | str, asked: Asked, side: Side | None, *, overwrite: bool
    ) -> None:
        self.named = () if isinstance(suite, Suite) else (Path(suite),)
        if side is not None and not self.named:
            raise ValueError("side: only the folder of a suite can be told to other processes")
        _check_output(asked, overwrite, self.named)
        self.asked = asked
        self.overwrite = overwrite
        self.side = side
        loaded = suite if isinstance(suite, Suite) else Suite.load(suite)
        self.scorer = Scorer(loaded, asked, asked.output)
        self.studies: list[StudyScore] = []
        self.left_out: list[Refusal] = list(self.scorer.listing.refusals)

    def work(self, monitor: Monitor, on_progress: Progress) -> ScoreReport:
        """Judge all studies, and write what was found.

        Raises:
            ValueError: If none can be judged.
        """
        with filled_folder(self.asked.output, overwrite=self.overwrite) as self.scorer.folder:
            kept = self.scorer.folder / KEPT
            shutil.rmtree(kept, ignore_errors=True)
            make_folder(kept)
            try:
                self._judge_all(monitor, on_progress)
                return self._write()
            finally:
                shutil.rmtree(kept, ignore_errors=True)

    def _judge_all(self, monitor: Monitor, on_progress: Progress) -> None:
        """Judge all studies, by workers or one after another; what cannot be is left out."""
        scorer, counted = self.scorer, count(1)
        names, folder = scorer.names, scorer.folder
        with dealt_with(
            names,
            folder / KEPT,
            self.side,
            monitor,
            lambda: on_progress(next(counted), len(names)),
            module=WORKER,
            given=self.asked.as_line(self.named[0] if self.named else "", folder),
        ) as outcomes:
            for number, known in enumerate(outcomes):
                self._take(known or scorer.deal_with(number))
                if known is None:
                    on_progress(next(counted), len(names))

    def _take(self, outcome: Outcome) -> None:
        """Add what became of a study."""
        if outcome.left_out:
            self.left_out.append(Refusal(outcome.name, outcome.left_out))
            return
        kept = self.scorer.told(outcome.name)
        score = kept.score
        if self.side is not None:
            short = {name: replace(q, slice_dice={}) for name, q in score.qualities.items()}
            score = replace(score, qualities=short)
        self.studies.append(score)
        self.scorer.watch(kept)

    def _write(self) -> ScoreReport:
        """Write the tables and the page of all that was judged.

        Raises:
            ValueError: If nothing could be judged.
        """
        # The page is drawn by whoever writes it, not by who judges.
        from semiqc.scoring.page import write_page

        if not self.studies:
            reasons = "; ".join(f"{one.name}: {one.reason}" for one in self.left_out[:NAMED])
            raise ValueError(f"{self.asked.segmentations}: nothing could be judged: {reasons}")
        report = self._report()
        scorer, output = self.scorer, self.scorer.folder
        whole = replace(report, whole=lambda one: scorer.told(one.study).score)
        write_tables(whole, output)
        write_page(whole, scorer.worst, output / PAGE)
        return report

    def _report(self) -> ScoreReport:
        """Flagged studies first, then by score; estimators in the order of the suite.

        An estimator of which no study has a quality is silent: it needs what files do not hold.
        """
        suite = self.scorer.suite
        spoke = {name for one in self.studies for name in one.qualities}
        return ScoreReport(
            studies=in_order(self.studies),
            left_out=self.left_out,
            scheme=suite.scheme,
            training=suite.training,
            estimators=[name for name in suite.names if name in spoke],
            silent=[name for name in suite.names if name not in spoke],
            flag_below=self.scorer.flag_below,
            interval_level=suite.blend.level if suite.blend else None,
        )

"""New segmentations that somebody should look at, flagged and shown as ``semiqc score`` does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from qc import CONSENSUS, Quality
from qc.suites.suite import Scored
from semiqc.experiment.learned import Learned
from semiqc.images.raw import Refusal
from semiqc.measuring.measures import ClinicalMeasure
from semiqc.measuring.misshapen import misshapen
from semiqc.measuring.plausible import implausible
from semiqc.scoring.scorer import mean_error_maps
from semiqc.scoring.scores import ScoreReport, StudyScore, in_order, is_flagged
from semiqc.scoring.scoring import PAGE
from semiqc.scoring.tables import write_tables
from semiqc.scoring.threshold import FLAG_BELOW
from semiqc.scoring.worst import WorstSlice, WorstSlices, worst_slice
from semiqc.study import Prediction, Study


class Flagging:
    """Gathers what is said of each segmentation, and writes tables and the page.

    Args:
        learned: Who judges.
        flag_below: Score below which a study is flagged.

    Attributes:
        scores: Of every study, in the order in which they came.
    """

    def __init__(self, learned: Learned, flag_below: float = FLAG_BELOW) -> None:
        self.learned = learned
        self.flag_below = flag_below
        self.scores: list[StudyScore] = []
        self._worst = WorstSlices()

    def flag(
        self,
        study: Study,
        prediction: Prediction,
        qualities: Mapping[str, Quality],
        measured: Sequence[ClinicalMeasure],
    ) -> tuple[StudyScore, WorstSlice]:
        """Say whether to look at a study, for its score, its verdict or its measures; and where.

        Args:
            study: With what is odd about its file.
            prediction: That was judged.
            qualities: By estimator's name; none where nobody judges.
            measured: Of the prediction.

        Returns:
            What is said, and the slice to look at.
        """
        scored = Scored(study.name, qualities, prediction)
        odd = [*implausible(measured), *misshapen(prediction.labels, self.learned.scheme)]
        score = scored.score if qualities else float("nan")
        flagged = is_flagged(score, qualities, self.flag_below) or bool(odd)
        said = StudyScore(
            study=study.name,
            score=score,
            flagged=flagged,
            qualities={n: replace(q, error_maps={}) for n, q in qualities.items()},
            warnings=(*study.notes, *odd),
        )
        filmed = self._worst.takes_film(study.name, score, flagged=flagged)
        return said, worst_slice(scored, mean_error_maps(qualities), filmed=filmed)

    def keep(self, score: StudyScore, worst: WorstSlice | None) -> None:
        """Add what ``flag`` said of a study; what it said of slices is read again in ``write``."""
        short = {n: replace(q, slice_dice={}) for n, q in score.qualities.items()}
        self.scores.append(replace(score, qualities=short))
        self.watch(score, worst)

    def watch(self, score: StudyScore, worst: WorstSlice | None) -> None:
        """Rank a study among the worst, which tells who needs a film."""
        if worst is not None:
            self._worst.add(score.study, score.score, worst, flagged=score.flagged)

    def write(
        self,
        output: Path,
        left_out: Sequence[tuple[str, str]],
        whole: Callable[[StudyScore], StudyScore],
    ) -> None:
        """Write the tables and the page of ``semiqc score``.

        Args:
            output: Folder.
            left_out: Name and reason of what could not be read.
            whole: Gives a score that was kept with what it said of slices.
        """
        # The page is drawn by whoever writes it, not by who judges.
        from semiqc.scoring.page import write_page

        report = self._report(left_out, whole)
        write_tables(report, output)
        write_page(report, self._worst, output / PAGE)

    def _report(
        self, left_out: Sequence[tuple[str, str]], whole: Callable[[StudyScore], StudyScore]
    ) -> ScoreReport:
        panel = self.learned.panel
        spoke = {name for one in self.scores for name in one.qualities}
        return ScoreReport(
            studies=in_order(self.scores),
            left_out=[Refusal(*one) for one in left_out],
            scheme=self.learned.scheme,
            training=None,
            estimators=[name for name in panel.names if name in spoke],
            silent=[name for name in panel.names if name not in spoke],
            flag_below=self.flag_below,
            interval_level=panel.blend.level if panel.blend and CONSENSUS in spoke else None,
            whole=whole,
        )

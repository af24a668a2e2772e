"""New segmentations that somebody should look at, flagged and shown as ``semiqc score`` does."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from qc import CONSENSUS, Quality
from qc.suites.suite import Scored
from semiqc.experiment.learned import Learned
from semiqc.images.raw import Refusal
from semiqc.measuring.measures import ClinicalMeasure
from semiqc.measuring.plausible import implausible
from semiqc.scoring.page import write_page
from semiqc.scoring.pictures import WorstSlices, worst_slice
from semiqc.scoring.scores import ScoreReport, StudyScore, in_order, is_flagged
from semiqc.scoring.scoring import PAGE, mean_error_maps
from semiqc.scoring.tables import write_tables
from semiqc.scoring.threshold import FLAG_BELOW
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

    def add(
        self,
        study: Study,
        prediction: Prediction,
        qualities: Mapping[str, Quality],
        measured: Sequence[ClinicalMeasure],
    ) -> StudyScore:
        """Say whether to look at a study: for its score, its verdict or its measures.

        Args:
            study: With what is odd about its file.
            prediction: That was judged.
            qualities: By estimator's name; none where nobody judges.
            measured: Of the prediction.
        """
        scored = Scored(study.name, qualities, prediction)
        odd = implausible(measured)
        score = scored.score if qualities else float("nan")
        flagged = is_flagged(score, qualities, self.flag_below) or bool(odd)
        if flagged:
            found = worst_slice(scored, mean_error_maps(qualities))
            self._worst.add(study.name, score if qualities else 1.0, found)
        one = StudyScore(
            study=study.name,
            score=score,
            flagged=flagged,
            qualities={n: replace(q, error_maps={}) for n, q in qualities.items()},
            warnings=(*study.notes, *odd),
        )
        self.scores.append(one)
        return one

    def write(self, output: Path, left_out: Sequence[tuple[str, str]]) -> None:
        """Write the tables and the page of ``semiqc score``."""
        report = self._report(left_out)
        write_tables(report, output)
        write_page(report, self._worst, output / PAGE)

    def _report(self, left_out: Sequence[tuple[str, str]]) -> ScoreReport:
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
        )

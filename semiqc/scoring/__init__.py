"""Segmentations that anybody made, judged by a suite: tables, error maps and one page."""

from semiqc.scoring.scores import ScoreReport, StudyScore
from semiqc.scoring.scoring import score_images

__all__ = ["ScoreReport", "StudyScore", "score_images"]

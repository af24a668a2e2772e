"""How right are quality estimators? All of them judged on the same graded predictions."""

from qc.evaluation.agreement import (
    AbsoluteError,
    Detection,
    absolute_error,
    detection,
    errors_around_half,
    failure_auroc,
    r_squared,
    share_within,
)
from qc.evaluation.distributions import (
    CorrectionEffect,
    KolmogorovSmirnov,
    between_grades,
    correction_effect,
    kolmogorov_smirnov,
    relative_volume_error,
)
from qc.evaluation.drawing import save
from qc.evaluation.figures import FigureRow
from qc.evaluation.intervals import Intervals, bootstrap
from qc.evaluation.judgement import Judgement
from qc.evaluation.learning import LearningRow, learning_curve
from qc.evaluation.plots import error_boxes, risk_coverage_curves, scatter
from qc.evaluation.plots_of_sets import balance_histogram, learning_curves
from qc.evaluation.risk import RiskCoverage, aurc, excess_aurc, risk_coverage
from qc.evaluation.side_by_side import Evaluation, evaluate
from qc.graded.truth import error_map_dice

__all__ = [
    "AbsoluteError",
    "CorrectionEffect",
    "Detection",
    "Evaluation",
    "FigureRow",
    "Intervals",
    "Judgement",
    "KolmogorovSmirnov",
    "LearningRow",
    "RiskCoverage",
    "absolute_error",
    "aurc",
    "balance_histogram",
    "between_grades",
    "bootstrap",
    "correction_effect",
    "detection",
    "error_boxes",
    "error_map_dice",
    "errors_around_half",
    "evaluate",
    "excess_aurc",
    "failure_auroc",
    "kolmogorov_smirnov",
    "learning_curve",
    "learning_curves",
    "r_squared",
    "relative_volume_error",
    "risk_coverage",
    "risk_coverage_curves",
    "save",
    "scatter",
    "share_within",
]

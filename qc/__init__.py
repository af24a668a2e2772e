"""How good is a segmentation? Estimated without a reference, and acted upon."""

from qc.base import Graded, Quality, QualityEstimator
from qc.cnn_regression import CNNRegression
from qc.curve_classifier import CurveClassifier
from qc.estimators import ESTIMATORS
from qc.feature_svr import FeatureSVR
from qc.gates import GATES, BestK, Decision, Fraction, Gate, RandomK, Threshold
from qc.qcresunet import QCResUNet
from qc.slicewise_dice import SlicewiseDice
from qc.suite import Scored, Suite
from qc.verdicts import SimulatedReader, Verdict, balanced, read_verdicts, with_verdict

__all__ = [
    "ESTIMATORS",
    "GATES",
    "BestK",
    "CNNRegression",
    "CurveClassifier",
    "Decision",
    "FeatureSVR",
    "Fraction",
    "Gate",
    "Graded",
    "QCResUNet",
    "Quality",
    "QualityEstimator",
    "RandomK",
    "Scored",
    "SimulatedReader",
    "SlicewiseDice",
    "Suite",
    "Threshold",
    "Verdict",
    "balanced",
    "read_verdicts",
    "with_verdict",
]

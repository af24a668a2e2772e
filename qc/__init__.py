"""How good is a segmentation? Estimated without a reference, and acted upon."""

from qc.agreement import Agreement
from qc.base import CONSENSUS, Graded, Quality, QualityEstimator
from qc.blend import Blend
from qc.cnn_regression import CNNRegression
from qc.consensus import Consensus
from qc.curve_classifier import CurveClassifier
from qc.estimators import ESTIMATORS
from qc.feature_svr import FeatureSVR
from qc.gates import GATES, BestK, Decision, Fraction, Gate, RandomK, Threshold
from qc.grains import GRAINS, Grain
from qc.mahalanobis import Mahalanobis
from qc.manifold_search import ManifoldSearch
from qc.physiology import Physiology
from qc.qcresunet import QCResUNet
from qc.reverse_classification import ReverseClassification
from qc.slicewise_dice import SlicewiseDice
from qc.suite import Scored, Suite
from qc.teaching import graded_by
from qc.uncertainty import Uncertainty
from qc.verdicts import SimulatedReader, Verdict, balanced, read_verdicts, with_verdict

__all__ = [
    "CONSENSUS",
    "ESTIMATORS",
    "GATES",
    "GRAINS",
    "Agreement",
    "BestK",
    "Blend",
    "CNNRegression",
    "Consensus",
    "CurveClassifier",
    "Decision",
    "FeatureSVR",
    "Fraction",
    "Gate",
    "Graded",
    "Grain",
    "Mahalanobis",
    "ManifoldSearch",
    "Physiology",
    "QCResUNet",
    "Quality",
    "QualityEstimator",
    "RandomK",
    "ReverseClassification",
    "Scored",
    "SimulatedReader",
    "SlicewiseDice",
    "Suite",
    "Threshold",
    "Uncertainty",
    "Verdict",
    "balanced",
    "graded_by",
    "read_verdicts",
    "with_verdict",
]

"""All quality estimators by name."""

import inspect
from typing import Any

from qc.agreement import Agreement
from qc.base import CONSENSUS, QualityEstimator
from qc.cnn_regression import CNNRegression
from qc.consensus import Consensus
from qc.curve_classifier import CurveClassifier
from qc.feature_svr import FeatureSVR
from qc.mahalanobis import Mahalanobis
from qc.manifold_search import ManifoldSearch
from qc.physiology import Physiology
from qc.qcresunet import QCResUNet
from qc.reverse_classification import ReverseClassification
from qc.slicewise_dice import SlicewiseDice
from qc.uncertainty import Uncertainty
from semiqc.study import LabelScheme

ESTIMATORS: dict[str, type[QualityEstimator]] = {
    "curve": CurveClassifier,
    "svr": FeatureSVR,
    "cnn": CNNRegression,
    "slicewise": SlicewiseDice,
    "qcresunet": QCResUNet,
    "manifold": ManifoldSearch,
    "rca": ReverseClassification,
    "physiology": Physiology,
    "agreement": Agreement,
    "uncertainty": Uncertainty,
    "mahalanobis": Mahalanobis,
    CONSENSUS: Consensus,
}
"""Names that settings and commands may use."""


def make_estimator(
    name: str,
    scheme: LabelScheme,
    modalities: int,
    seed: int = 0,
    **arguments: Any,  # noqa: ANN401
) -> QualityEstimator:
    """An estimator, not yet fitted; told the modalities and the seed where it asks for them."""
    kind = ESTIMATORS[name]
    asked = inspect.signature(kind).parameters
    known = {"modalities": modalities, "seed": seed}
    told = {key: value for key, value in known.items() if key in asked}
    return kind(scheme, **told, **arguments)

"""All quality estimators by name."""

from typing import Any

from qc.base import QualityEstimator
from qc.estimators.agreement import Agreement
from qc.estimators.cnn.estimator import CNNRegression
from qc.estimators.curve.estimator import CurveClassifier
from qc.estimators.mahalanobis import Mahalanobis
from qc.estimators.manifold.estimator import ManifoldSearch
from qc.estimators.physiology.estimator import Physiology
from qc.estimators.qcresunet.estimator import QCResUNet
from qc.estimators.reverse.estimator import ReverseClassification
from qc.estimators.second_opinion.estimator import SecondOpinion
from qc.estimators.slicewise.estimator import SlicewiseDice
from qc.estimators.svr.estimator import FeatureSVR
from qc.estimators.uncertainty.estimator import Uncertainty
from semiqc.schemes import LabelScheme

ESTIMATORS: dict[str, type[QualityEstimator]] = {
    "curve": CurveClassifier,
    "svr": FeatureSVR,
    "cnn": CNNRegression,
    "slicewise": SlicewiseDice,
    "qcresunet": QCResUNet,
    "manifold": ManifoldSearch,
    "rca": ReverseClassification,
    "second_opinion": SecondOpinion,
    "physiology": Physiology,
    "agreement": Agreement,
    "uncertainty": Uncertainty,
    "mahalanobis": Mahalanobis,
}
"""Names that settings and commands may use."""


def make_estimator(
    name: str,
    scheme: LabelScheme,
    modalities: int,
    seed: int = 0,
    **arguments: Any,  # noqa: ANN401
) -> QualityEstimator:
    """An estimator, not yet fitted; told the modalities and the seed where it takes them."""
    kind = ESTIMATORS[name]
    told: dict[str, Any] = {}
    if kind.takes_modalities:
        told["modalities"] = modalities
    if kind.takes_seed:
        told["seed"] = seed
    return kind(scheme, **told, **arguments)

"""All quality estimators by name."""

import inspect
from typing import Any

from qc.base import QualityEstimator
from qc.cnn_regression import CNNRegression
from qc.curve_classifier import CurveClassifier
from qc.feature_svr import FeatureSVR
from qc.qcresunet import QCResUNet
from qc.slicewise_dice import SlicewiseDice
from semiqc.study import LabelScheme

ESTIMATORS: dict[str, type[QualityEstimator]] = {
    "curve": CurveClassifier,
    "svr": FeatureSVR,
    "cnn": CNNRegression,
    "slicewise": SlicewiseDice,
    "qcresunet": QCResUNet,
}
"""Names that settings and commands may use."""


def make_estimator(
    name: str,
    scheme: LabelScheme,
    modalities: int,
    **arguments: Any,  # noqa: ANN401
) -> QualityEstimator:
    """An estimator that is not yet fitted; those that look at images are told the modalities."""
    kind = ESTIMATORS[name]
    if "modalities" in inspect.signature(kind).parameters:
        arguments["modalities"] = modalities
    return kind(scheme, **arguments)

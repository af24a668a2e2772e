"""Estimators that learn from what another estimator says, where no reference is known."""

from collections.abc import Iterable, Iterator

import numpy as np

from qc.base import Graded, QualityEstimator
from semiqc.images.frames import prediction_of_frame
from semiqc.study import Prediction


def graded_by(estimator: QualityEstimator, predictions: Iterable[Prediction]) -> Iterator[Graded]:
    """Every frame of predictions, graded by an estimator in place of a reference.

    A slow estimator, such as ``ReverseClassification`` on the few studies that have labels, grades
    what was segmented of all others; a network learns from that and judges in a fraction of the
    time. Estimators that learn from voxels of a reference cannot learn so.

    Reference:
        Robinson et al., "Real-time prediction of segmentation quality", MICCAI 2018, experiment
        2: a network that learns from reverse classification without calibration.
        https://doi.org/10.1007/978-3-030-00937-3_66

    Args:
        estimator: Fitted; it must estimate the Dice of structures.
        predictions: Of any number of frames.

    Yields:
        One for each frame, with estimated Dice and no reference.

    Raises:
        ValueError: If the estimator gives no Dice.
        sklearn.exceptions.NotFittedError: If the estimator is not fitted.
    """
    structures = [structure.name for structure in estimator.scheme.structures]
    for prediction in predictions:
        for frame in range(prediction.frames):
            alone = prediction_of_frame(prediction, frame)
            [quality] = estimator.predict([alone])
            if not quality.dice:
                raise ValueError(f"{type(estimator).__name__} tells no Dice that could be learned")
            dice = np.array([[quality.dice[name] for name in structures]])
            yield Graded(alone, dice=dice, source=type(estimator).__name__)

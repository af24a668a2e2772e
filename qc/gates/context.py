"""What a gate may be told beside the qualities."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from numpy.typing import ArrayLike

from qc.gates.calibration import Calibration


def _no_calibration() -> Calibration:
    return Calibration([], [])


@dataclass(frozen=True)
class GateContext:
    """What is known of the candidates beside their qualities; each is found only when asked for.

    Args:
        seed: Of random choices.
        descriptors: Numbers that describe each candidate, by name of the study; see
            ``descriptors_of``.
        true_dice: Mean Dice against the reference, by name of the study.
        calibration: Studies of known Dice that neither segmenter nor estimator learned from.
        progress: Number of the round, from 1, and of rounds.
    """

    seed: int = 0
    descriptors: Callable[[], Mapping[str, ArrayLike]] = dict
    true_dice: Callable[[], Mapping[str, float]] = dict
    calibration: Callable[[], Calibration] = _no_calibration
    progress: tuple[int, int] = (1, 1)

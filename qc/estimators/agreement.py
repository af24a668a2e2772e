"""Quality from how well several segmenters agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from qc.base import ProgressCallback
from qc.estimators.frame_estimator import Judged
from qc.estimators.uncertainty_estimator import (
    Array,
    UncertaintyMapsEstimator,
    is_present,
    uncertainty_of,
)
from qc.frames import Frame, GradedFrame
from qc.isotonic import MonotoneCurve, curves_from, stored_curves
from semiqc.measuring.masks import masks
from semiqc.schemes import LabelScheme

Signal = Literal["pairwise", "confidence", "entropy"]
RISING: dict[Signal, bool] = {"pairwise": True, "confidence": True, "entropy": False}
"""Whether quality rises with each signal."""
KINDS = ("dice", "nsd")
NEIGHBOURS = np.ones((1, 3, 3), dtype=bool)
"""In a slice."""


@dataclass(kw_only=True, eq=False, repr=False)
class Agreement(UncertaintyMapsEstimator):
    """Reads Dice off the agreement of an ensemble's members, by a monotone curve per structure.

    Where members contradict each other, or all of them are unsure, some are wrong. Each signal
    has a curve of its own, and their estimates are averaged. A structure that is not predicted
    gets 0, which is its Dice whenever that is defined.

    Equation:
        dice_s = mean over signals of isotonic(signal_s), pairwise_s = mean_{i<j} dice(member i, j)

    Fails:
        Where all members make the same mistake, as they do on what none of them has seen.

    Reference:
        Zenk et al., "Comparative benchmarking of failure detection methods in medical image
        segmentation: unveiling the role of confidence aggregation", Medical Image Analysis 2025.
        https://doi.org/10.1016/j.media.2024.103392
        Roy et al., "Bayesian QuickNAT", NeuroImage 2019 (pairwise Dice of samples).
        https://doi.org/10.1016/j.neuroimage.2019.03.042
        Ours: isotonic regression to Dice and surface Dice; the mean of several signals, which
        ranks better than the pairwise Dice alone where members are samples of dropout.

    Args:
        scheme: Label values and structures of the predictions it judges.
        signals: ``pairwise``, the mean Dice between two members; ``confidence``, the mean
            probability of a structure where it is predicted; ``entropy``, its mean there and in
            the voxels around.

    Attributes:
        calibrations_: By ``dice/NAME/SIGNAL`` and ``nsd/NAME/SIGNAL`` of each structure.

    Raises:
        ValueError: From ``fit``, if there are no signals.
    """

    signals: tuple[Signal, ...] = ("pairwise", "confidence", "entropy")

    def _learn_uncertainty(self, frames: Sequence[GradedFrame], observe: ProgressCallback) -> None:
        if not self.signals or not set(self.signals) <= set(RISING):
            raise ValueError(f"signals must be some of {', '.join(RISING)}, got {self.signals}")
        found = []
        for number, frame in enumerate(frames, start=1):
            found.append(signals_of(frame.frame(), self.scheme, self.signals))
            observe(number, len(frames))
        given = np.stack(found)
        quality = {
            "dice": np.stack([frame.dice(self.scheme) for frame in frames]),
            "nsd": np.stack([frame.nsd(self.scheme) for frame in frames]),
        }
        self.calibrations_ = {
            self._name(kind, part, number): MonotoneCurve.of(
                given[:, part, number], quality[kind][:, part], rising=RISING[signal]
            )
            for kind in KINDS
            for part in range(len(self.scheme.structures))
            for number, signal in enumerate(self.signals)
        }

    def _name(self, kind: str, part: int, number: int) -> str:
        return f"{kind}/{self.scheme.structures[part].name}/{self.signals[number]}"

    def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        return [self._judged(frame) for frame in frames]

    def _judged(self, frame: Frame) -> Judged:
        given = signals_of(frame, self.scheme, self.signals)
        estimates = {}
        for kind in KINDS:
            of_signals = np.empty_like(given)
            for part, number in np.ndindex(given.shape):
                calibration = self.calibrations_[self._name(kind, part, number)]
                of_signals[part, number] = calibration(given[part, number])
            # What is not predicted has no signal, and what no two members have no agreement.
            estimates[kind] = np.nan_to_num(of_signals).mean(axis=1)
        return Judged(estimates["dice"], estimates["nsd"])

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return stored_curves(self.calibrations_)

    def _take(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.calibrations_ = curves_from(arrays)


def signals_of(frame: Frame, scheme: LabelScheme, names: Sequence[Signal]) -> Array:
    """Signals of each structure, ``[S, len(names)]``; NaN where it is not predicted."""
    uncertainty = uncertainty_of(frame)
    known: dict[Signal, Array] = {
        "pairwise": uncertainty.agreement[0],
        "confidence": uncertainty.confidence[0],
    }
    if "entropy" in names:
        known["entropy"] = _mean_entropy(np.asarray(uncertainty.entropy[0]), frame, scheme)
    present = is_present(frame.labels, scheme)
    return np.stack([np.where(present, known[name], np.nan) for name in names], axis=1)


def _mean_entropy(entropy: NDArray[np.float32], frame: Frame, scheme: LabelScheme) -> Array:
    found = np.full(len(scheme.structures), np.nan)
    for number, mask in enumerate(masks(frame.labels, scheme)):
        if mask.any():
            found[number] = entropy[ndimage.binary_dilation(mask, NEIGHBOURS)].mean()
    return found

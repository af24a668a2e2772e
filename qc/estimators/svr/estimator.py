"""Support vector regression of quality on hand-crafted features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVR

from qc.base import ALL_CLASSES, ProgressCallback
from qc.estimators.fitted_svr import FittedSVR, fitted_svr
from qc.estimators.frame_estimator import FRAMES_AT_ONCE, FrameEstimator, Judged
from qc.estimators.svr.features import TABLE, features_of
from qc.frames import Frame, GradedFrame
from qc.graded.balance import even_weights
from semiqc.schemes import LabelScheme
from semiqc.work.bounds import Amount, Count, Factor

Array = NDArray[np.float64]

FURTHEST = 5.0
"""Standard deviations from the mean at which a feature is held."""


@dataclass(kw_only=True, eq=False, repr=False)
class FeatureSVR(FrameEstimator):
    """A regression of Dice and one of surface Dice, per structure and for all classes at once.

    Every feature is brought to mean 0 and standard deviation 1 of the training frames. These
    count by the inverse of how many share their bin of mean Dice, of ten, so that rare qualities
    weigh as much as common ones. For a structure, only frames in which it
    is predicted are learned from; the others get 0, which is its Dice whenever that is defined.
    So does every frame where no training prediction had the structure. Where no surface Dice was
    known, as of frames that another estimator graded, none is given.

    Equation:
        dice_s = Σ_i a_i exp(-gamma / n · |z - z_i|²) + b, z = (features - mean) / sd

    Fails:
        Where an error leaves sizes, shapes and intensities usual, such as a smooth outline of the
        wrong structure; on scanners whose intensities and contrast it has not learned.

    Reference:
        Albà et al., "Automatic initialization and quality control of large-scale cardiac MRI
        segmentations", Medical Image Analysis 2018. https://doi.org/10.1016/j.media.2017.10.001
        Wang et al., "Deep generative model-based quality control for cardiac MRI segmentation",
        MICCAI 2020: support vector regression on 42 features, as a baseline.
        https://doi.org/10.1007/978-3-030-59719-1_9
        Ours: the list of features, see ``features.py``; the settings; weights by bin; features
        held at ``FURTHEST``; surface Dice.

    Args:
        scheme: Label values and structures of the predictions it judges.
        c: Weight of errors against flatness.
        epsilon: Error that costs nothing.
        gamma: Of the kernel ``exp(-gamma / n * |a - b|^2)`` on ``n`` features.
        most_frames: To learn from; of more, as many are drawn by their weights, for time grows
            with the square.
        seed: Of that draw.

    Attributes:
        machines_: By ``dice/NAME`` and, where it was known, ``nsd/NAME`` of each structure and of
            ``qc.base.ALL_CLASSES``.
        means_: Of the features.
        scales_: Their standard deviations; 1 for what is the same in all training frames.
    """

    takes_seed = True

    c: Factor = 2.0
    epsilon: Amount = 0.05
    gamma: Factor = 0.2
    most_frames: Count = 5000
    seed: int = 0

    def _learn(self, frames: Sequence[GradedFrame], observe: ProgressCallback) -> None:
        dice = np.stack([frame.dice(self.scheme) for frame in frames])
        chosen = self._chosen(dice)
        frames, dice = [frames[number] for number in chosen], dice[chosen]
        weights = even_weights(dice)
        nsd = np.stack([frame.nsd(self.scheme) for frame in frames])
        of_all = np.stack([frame.all_classes(self.scheme, with_nsd=True) for frame in frames])
        found = _in_batches(frames, self.scheme)
        self.means_ = found.mean(axis=0)
        spread = found.std(axis=0)
        self.scales_ = np.where(spread > 1e-9, spread, 1.0)
        given, present = self._standardised(found), self._present(found)
        names = [*(part.name for part in self.scheme.structures), ALL_CLASSES]
        present = np.column_stack([present, present.any(axis=1)])
        targets = {"dice": np.column_stack([dice, of_all[:, 0]])}
        if np.isfinite(nsd).any():
            targets["nsd"] = np.column_stack([nsd, of_all[:, 1]])
        self.machines_: dict[str, FittedSVR] = {}
        for kind, target in targets.items():
            for number, name in enumerate(names):
                self.machines_[f"{kind}/{name}"] = self._machine(
                    given, target[:, number], present[:, number], weights
                )
                observe(len(self.machines_), len(targets) * len(names))

    def _chosen(self, dice: Array) -> NDArray[np.intp]:
        if len(dice) <= self.most_frames:
            return np.arange(len(dice))
        weights = even_weights(dice)
        rng = np.random.default_rng(self.seed)
        drawn = rng.choice(len(dice), self.most_frames, replace=False, p=weights / weights.sum())
        return np.sort(drawn)

    def _machine(
        self, given: Array, target: Array, present: NDArray[np.bool_], weights: Array
    ) -> FittedSVR:
        known = present & np.isfinite(target)
        gamma = self.gamma / given.shape[1]
        if not known.any():
            return FittedSVR(
                np.zeros((0, given.shape[1])), np.zeros(0), np.zeros(1), np.array([gamma])
            )
        machine = SVR(C=self.c, epsilon=self.epsilon, gamma=gamma)
        # No argument sets it, and without it the caller's global random numbers are drawn from.
        machine.random_state = self.seed
        return fitted_svr(machine.fit(given[known], target[known], weights[known]))

    def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        found = features_of(frames, self.scheme)
        given, present = self._standardised(found), self._present(found)
        parts = [part.name for part in self.scheme.structures]
        dice, nsd = (
            self._estimates([f"{kind}/{name}" for name in parts], given, present)
            for kind in ("dice", "nsd")
        )
        whole = [f"{kind}/{ALL_CLASSES}" for kind in ("dice", "nsd")]
        of_all = self._estimates(whole, given, np.any(present, axis=1, keepdims=True))
        # Machines of an earlier version know nothing of all classes.
        tells_all = np.isfinite(of_all[:, 0]).all()
        return [
            Judged(
                dice[number],
                nsd[number] if np.isfinite(nsd).all() else None,
                all_classes=of_all[number] if tells_all else None,
            )
            for number in range(len(frames))
        ]

    def _estimates(
        self, machines: Sequence[str], given: Array, present: NDArray[np.bool_]
    ) -> Array:
        """What machines of these names say of each frame, ``[N, K]``; NaN of those unknown."""
        unknown = np.full(len(given), np.nan)
        found = [
            self.machines_[name].predict(given) if name in self.machines_ else unknown
            for name in machines
        ]
        # NaN stays where nobody knows, whatever is segmented.
        of_present = np.clip(np.stack(found, axis=1), 0, 1)
        return np.where(present | np.isnan(of_present), of_present, 0)

    def _standardised(self, found: Array) -> Array:
        from_mean = (found - self.means_) / self.scales_
        return np.asarray(np.clip(from_mean, -FURTHEST, FURTHEST))

    def _present(self, found: Array) -> NDArray[np.bool_]:
        """Whether each structure has a volume, which is its first feature, ``[N, S]``."""
        volumes = found[:, :: len(TABLE)]
        return volumes > 0

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        stored: dict[str, NDArray[np.generic]] = {"means": self.means_, "scales": self.scales_}
        for name, machine in self.machines_.items():
            stored |= {f"machines/{name}/{key}": array for key, array in vars(machine).items()}
        return stored

    def _take(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.means_ = np.asarray(arrays["means"], dtype=np.float64)
        self.scales_ = np.asarray(arrays["scales"], dtype=np.float64)
        self.machines_ = {
            f"{kind}/{name}": FittedSVR(
                *(
                    np.asarray(arrays[f"machines/{kind}/{name}/{key.name}"], np.float64)
                    for key in fields(FittedSVR)
                )
            )
            for kind in ("dice", "nsd")
            for name in (*(part.name for part in self.scheme.structures), ALL_CLASSES)
            if f"machines/{kind}/{name}/gamma" in arrays
        }


def _in_batches(frames: Sequence[GradedFrame], scheme: LabelScheme) -> Array:
    """Features of each frame; few stand in memory at once."""
    found = [
        features_of([one.frame() for one in frames[first : first + FRAMES_AT_ONCE]], scheme)
        for first in range(0, len(frames), FRAMES_AT_ONCE)
    ]
    return np.concatenate(found)

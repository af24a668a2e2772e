"""Quality by how well a segmentation would have done on images whose labels are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVR

from qc.base import ProgressCallback
from qc.estimators.fitted_svr import FittedSVR, fitted_svr
from qc.estimators.frame_estimator import FrameEstimator, Judged
from qc.estimators.reverse.atlas import Atlas
from qc.estimators.reverse.build import atlas_of
from qc.estimators.reverse.forest import ForestTransfer
from qc.estimators.reverse.pairwise import PairwiseTransfer, simple_itk
from qc.estimators.reverse.references import chosen_references
from qc.estimators.reverse.transfer import AtlasTransfer, Transfer
from qc.frames import Frame, GradedFrame, by_image
from qc.graded.balance import even_weights
from qc.saving import arrays_below
from semiqc.measuring.masks import masks
from semiqc.work.bounds import Count, Size

Array = NDArray[np.float64]

QUANTILES = (0.5, 0.75, 0.9, 1.0)
"""Of the Dice with all references, that tell the quality; 1 is the best."""
GAMMA, C, EPSILON = 0.5, 2.0, 0.03
"""Of the calibration: kernel's width, weight of errors, and error that costs nothing."""
APART = 4
"""Frames that are each looked for everywhere; of more, the rest where the first was found."""
MOST_FRAMES = 4000
"""That calibrate; of more, as many are taken evenly, for time grows with the square."""


@dataclass(kw_only=True, eq=False, repr=False)
class ReverseClassification(FrameEstimator):
    """Carries a segmentation over to references, and compares it there with their labels.

    If it does well on one of them at least, it must have been good. The image is registered to
    the references, which does not depend on the segmentation, and the best Dice and quantiles of
    all are regressed on the true one. ``way`` says how a segmentation is carried over:

    - ``atlas``: all references lie in one space, each deformed to their mean. The image is found
      in it once, and the segmentation then meets all references at once.
    - ``forest``: a small forest learns the segmentation from its own image, and segments the
      references that look most like it.
    - ``pairwise``: SimpleITK registers the image to each reference by itself, which takes many
      times as long. Kept to compare with; needs the extra ``pairwise``.

    A structure that is not predicted has quality 0. Where more than ``APART`` frames are judged,
    the others are looked for where the first was found.

    Equation:
        dice = g(max_r d_r, quantiles of d_r), d_r = dice(segmentation carried to r, labels of r)

    Fails:
        Where registration fails, as it does on hearts unlike all references; above a Dice that
        registration itself reaches, good and very good look alike.

    Reference:
        Valindria et al., "Reverse classification accuracy: predicting segmentation performance in
        the absence of ground truth", IEEE TMI 2017. https://doi.org/10.1109/TMI.2017.2665165
        Robinson et al., "Automated quality control in image segmentation: application to the UK
        Biobank cardiovascular magnetic resonance imaging study", Journal of Cardiovascular
        Magnetic Resonance 2019: single-atlas registration and 100 references.
        https://doi.org/10.1186/s12968-019-0523-x
        Ours: the common space; calibration by support vector regression on the quantiles, for
        which no frame meets a reference of its own subject; voxels carried out of the references'
        space count as wrong.

    Args:
        scheme: Label values and structures of the predictions it judges.
        way: How segmentations are carried over; see above.
        references: Frames that are kept as references, at most, from as many studies as may be.
        nearest: References that look most like the image, which count once more; with
            ``forest``, all that are asked.
        calibrate: Learn from the graded frames how Dice with references tells the true one.
            If not, or where references are of one subject alone, the best is the estimate.
        size: Rows and columns of the references' space.
        seed: Of the forest.

    Attributes:
        atlas_: The references.
        studies_: Whose they are.
        machines_: Calibration of each structure; empty where there is none.
    """

    takes_seed = True

    way: Literal["atlas", "forest", "pairwise"] = "atlas"
    references: Count = 100
    nearest: Count = 8
    calibrate: bool = True
    size: Size = 48
    seed: int = 0

    def _learn(self, frames: Sequence[GradedFrame], observe: ProgressCallback) -> None:
        if self.way == "pairwise":
            simple_itk()
        chosen = chosen_references(frames, self.references)
        self.atlas_ = atlas_of(chosen, self.size)
        self.studies_ = np.array([one.study for one in chosen])
        self.machines_: dict[str, FittedSVR] = {}
        whose = {one.study: one.whose for one in frames}
        owners = np.array([whose[one.study] for one in chosen])
        if not self.calibrate or len(set(owners)) < 2:
            # Frames of the only subject would meet no reference: nothing could be learned.
            observe(1, 1)
            return
        self.machines_ = self._calibration(frames, self._features_of(frames, owners, observe))

    def _features_of(
        self, frames: Sequence[GradedFrame], owners: NDArray[np.str_], observe: ProgressCallback
    ) -> Array:
        """What references of other subjects say of each frame, ``[N, F]``."""
        images = by_image(frames)
        features = np.zeros((len(frames), self._features), np.float64)
        for done, numbers in enumerate(images):
            allowed = owners != frames[numbers[0]].whose
            read = [frames[number].frame() for number in numbers]
            features[numbers] = self._of_images(read[:1], [read], allowed)
            observe(done + 1, len(images))
        return features

    def _calibration(self, frames: Sequence[GradedFrame], features: Array) -> dict[str, FittedSVR]:
        dice = np.stack([frame.dice(self.scheme) for frame in frames])
        weights = even_weights(dice)
        return {
            structure.name: _machine(features, dice[:, number], weights, self.seed)
            for number, structure in enumerate(self.scheme.structures)
        }

    def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        predicted = np.stack([masks(frame.labels, self.scheme).any((1, 2, 3)) for frame in frames])
        dice = np.zeros(predicted.shape)
        asked = np.flatnonzero(predicted.any(axis=1))
        allowed = self.studies_ != frames[0].study
        run = len(asked) if len(asked) > APART else 1
        for first in range(0, len(asked), run):
            chosen = asked[first : first + run]
            some = [frames[number] for number in chosen]
            features = self._of_images(some, [[frame] for frame in some], allowed)
            dice[chosen] = self._dice(features)
        return [Judged(of_frame) for of_frame in np.where(predicted, dice, 0.0)]

    def _dice(self, features: Array) -> Array:
        """Of what references say ``[N, F]``, ``[N, S]``."""
        parts = self.scheme.structures
        if not self.machines_:
            return features[:, : len(parts)]
        found = [self.machines_[part.name].predict(features) for part in parts]
        return np.clip(np.stack(found, axis=1), 0, 1)

    @property
    def _features(self) -> int:
        return len(self.scheme.structures) * (len(QUANTILES) + 2) + 1

    def _of_images(
        self,
        images: Sequence[Frame],
        segmented: Sequence[Sequence[Frame]],
        allowed: NDArray[np.bool_],
    ) -> Array:
        """What ``allowed`` references say of segmentations of images, ``[N, F]``, best first.

        Args:
            images: Of one study.
            segmented: Segmentations of each of them.
            allowed: References that may be asked, ``[R]``.
        """
        if not allowed.any():
            return np.zeros((sum(map(len, segmented)), self._features))
        found, transfer = [], self._transfer()
        placed = self.atlas_.place_all(images)
        for image, place, frames in zip(images, placed, segmented, strict=True):
            prepared = transfer.prepare(image, place, allowed)
            likeness = np.where(allowed, prepared.likeness, -np.inf)
            found += [summary(prepared.overlaps(one), likeness, self.nearest) for one in frames]
        return np.stack(found)

    def _transfer(self) -> Transfer:
        if self.way == "forest":
            return ForestTransfer(self.atlas_, self.scheme, self.nearest, self.seed)
        if self.way == "pairwise":
            return PairwiseTransfer(self.atlas_, self.scheme)
        return AtlasTransfer(self.atlas_, self.scheme)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        stored: dict[str, NDArray[np.generic]] = {
            f"atlas/{name}": array for name, array in self.atlas_.arrays().items()
        }
        stored["studies"] = np.frombuffer("\n".join(self.studies_).encode(), np.uint8)
        for name, machine in self.machines_.items():
            stored |= {f"machines/{name}/{key}": array for key, array in vars(machine).items()}
        return stored

    def _take(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.atlas_ = Atlas.from_arrays(arrays_below("atlas", arrays))
        text = np.asarray(arrays["studies"], np.uint8).tobytes().decode()
        self.studies_ = np.array(text.split("\n"))
        self.machines_ = {
            part.name: FittedSVR(**arrays_below(f"machines/{part.name}", arrays))
            for part in self.scheme.structures
            if f"machines/{part.name}/gamma" in arrays
        }


def summary(dice: Array, likeness: Array, nearest: int) -> Array:
    """What Dice ``[R, S]`` with references, NaN where unknown, tells of a segmentation.

    Per structure the best, the quantiles, and mean and best over the ``nearest`` by likeness
    ``[R]``; then the mean likeness of these.
    """
    asked = np.isfinite(likeness)
    order = np.argsort(-likeness, kind="stable")[: max(1, min(nearest, int(asked.sum())))]
    close = np.nan_to_num(dice[order])
    columns = [
        np.nan_to_num(np.quantile(known, QUANTILES)) if known.size else np.zeros(len(QUANTILES))
        for known in (column[np.isfinite(column)] for column in dice.T)
    ]
    quantiles = np.stack(columns, axis=1)[::-1]
    return np.concatenate(
        [quantiles.ravel(), close.mean(axis=0), close.max(axis=0), [likeness[order].mean()]]
    )


def _machine(features: Array, dice: Array, weights: Array, seed: int) -> FittedSVR:
    """Regression of Dice ``[N]``, NaN where unknown, on features ``[N, F]``."""
    known = np.flatnonzero(np.isfinite(dice))
    known = known[:: max(1, -(-len(known) // MOST_FRAMES))]
    if not len(known):
        return FittedSVR(np.zeros((0, features.shape[1])), np.zeros(0), np.zeros(1), np.ones(1))
    regression = SVR(C=C, epsilon=EPSILON, gamma=GAMMA)
    # No argument sets it, and without it the caller's global random numbers are drawn from.
    regression.random_state = seed
    return fitted_svr(regression.fit(features[known], dice[known], weights[known]))

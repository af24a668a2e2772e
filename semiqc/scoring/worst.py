"""The worst slice of each study, and the worst studies of many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan

import numpy as np
from numpy.typing import NDArray

from qc.estimators.network.estimator import NetworkEstimator
from qc.explain import explain
from qc.suites.suite import Scored
from semiqc.images.crop import CropBox, box_around
from semiqc.measuring.means import means_of_known
from semiqc.schemes import BACKGROUND, Structure
from semiqc.scoring.scores import mean_slice_dice, those_who_count
from semiqc.study import Prediction

MOST_SHOWN = 200
"""Studies with a picture."""

MOST_FILMED = 20
"""Studies with a film, which takes the room of many pictures."""

MARGIN = 14
"""Voxels shown around the outermost segmented one."""

SMALLEST_VIEW = 64
"""Rows and columns that are shown at least."""

Rank = tuple[bool, float, str]
"""Whether a study is not flagged, its score, its name."""


@dataclass(frozen=True, eq=False)
class WorstSlice:
    """The part of a slice that is shown, on the grid that the estimators saw.

    Args:
        frame: Index of the frame.
        slice: Index of the slice.
        image: Intensities, ``[Y, X]``.
        labels: Class of each voxel, ``[Y, X]``.
        error: Highest error probability of any structure, ``[Y, X]``, where it is known.
        heat: Where networks looked for the Dice of ``looked_for``, ``[Y, X]``, where it was asked.
        looked_for: Name of a structure.
        film: Intensities of the slice in all frames, ``[T, Y, X]``, where it was asked.
        film_labels: Class of each of its voxels, ``[T, Y, X]``.
    """

    frame: int
    slice: int
    image: NDArray[np.float32]
    labels: NDArray[np.int8]
    error: NDArray[np.float32] | None
    heat: NDArray[np.float32] | None = None
    looked_for: str = ""
    film: NDArray[np.float32] | None = None
    film_labels: NDArray[np.int8] | None = None


class WorstSlices:
    """Slices of the worst studies, ``MOST_SHOWN`` at most, of which ``MOST_FILMED`` have a film.

    What is flagged is worse than what is not, then what scores lower. All others are dropped at
    once, so that memory does not grow with the number of studies.
    """

    def __init__(self) -> None:
        self._found: list[tuple[Rank, WorstSlice]] = []

    def takes_film(self, study: str, score: float, *, flagged: bool) -> bool:
        """Whether the study is, so far, among those with a film."""
        ranks = [rank for rank, _ in self._found[:MOST_FILMED]]
        return len(ranks) < MOST_FILMED or rank_of(study, score, flagged=flagged) < ranks[-1]

    def add(self, study: str, score: float, found: WorstSlice, *, flagged: bool) -> None:
        """Keep the slice, and drop that of the best study where there are too many."""
        self._found.append((rank_of(study, score, flagged=flagged), found))
        self._found.sort(key=lambda one: one[0])
        del self._found[MOST_SHOWN:]
        self._found[MOST_FILMED:] = [
            (rank, one if one.film is None else replace(one, film=None, film_labels=None))
            for rank, one in self._found[MOST_FILMED:]
        ]

    def get(self, study: str) -> WorstSlice | None:
        """The slice of a study, if it is among the worst."""
        return next((one for rank, one in self._found if rank[-1] == study), None)


def rank_of(study: str, score: float, *, flagged: bool) -> Rank:
    """By which studies are sorted, the worst first; one that nobody scored comes last."""
    return not flagged, 1.0 if isnan(score) else score, study


def worst_slice(
    scored: Scored,
    error_maps: Mapping[str, NDArray[np.floating]],
    networks: Sequence[NetworkEstimator] = (),
    *,
    filmed: bool = False,
) -> WorstSlice:
    """The slice of lowest Dice; where no Dice of slices is known, the one with most errors.

    Where neither is known, the one with most voxels segmented.

    Args:
        scored: What was said of the study.
        error_maps: Of each structure, ``[T, Z, Y, X]``.
        networks: That are to show where they looked for the Dice of the worst structure.
        filmed: Also in all frames, where there are several.
    """
    prediction = scored.prediction
    frame, number = _worst_place(scored, error_maps)
    labels = np.asarray(prediction.labels[frame], dtype=np.int8)
    side = _side(labels)
    box = box_around(labels, (None, side, side))
    looked_for = _worst_structure(scored, labels, networks)
    heat = None
    if looked_for:
        heat = np.mean([explain(one, prediction, frame, looked_for) for one in networks], axis=0)
    return WorstSlice(
        frame,
        number,
        box.cut(np.asarray(prediction.image[0, frame]), 0)[number].astype(np.float32),
        box.cut(labels, BACKGROUND)[number].astype(np.int8),
        _largest_error(error_maps, frame, number, box),
        None if heat is None else box.cut(heat, 0)[number].astype(np.float32),
        looked_for.name if looked_for else "",
        *(_film(prediction, number, box) if filmed else ()),
    )


def _film(
    prediction: Prediction, number: int, box: CropBox
) -> tuple[NDArray[np.float32], NDArray[np.int8]] | tuple[()]:
    """A slice's intensities and classes in all frames, in the box; nothing of a single frame."""
    frames = range(prediction.labels.shape[0])
    if len(frames) == 1:
        return ()
    image = [box.cut(np.asarray(prediction.image[0, t]), 0)[number] for t in frames]
    labels = [box.cut(np.asarray(prediction.labels[t]), BACKGROUND)[number] for t in frames]
    return np.stack(image).astype(np.float32), np.stack(labels).astype(np.int8)


def _largest_error(
    error_maps: Mapping[str, NDArray[np.floating]], frame: int, number: int, box: CropBox
) -> NDArray[np.float32] | None:
    """What the structures' error maps say of a slice at most, in the box; None without any."""
    if not error_maps:
        return None
    error = np.max([one[frame, number] for one in error_maps.values()], axis=0)
    depth = next(iter(error_maps.values())).shape[1]
    cut = box.cut(np.broadcast_to(error, (depth, *error.shape)), 0)
    return np.asarray(cut[number], dtype=np.float32)


def _worst_structure(
    scored: Scored, labels: NDArray[np.int8], networks: Sequence[NetworkEstimator]
) -> Structure | None:
    """Of those in a frame ``[Z, Y, X]`` the one of lowest Dice.

    None where there are no networks to explain it, where the frame holds no structure, or where no
    estimator tells Dice by structure.
    """
    structures = networks[0].scheme.structures if networks else ()
    there = [one for one in structures if one.mask(labels).any()]
    told = [q.dice for q in those_who_count(scored.qualities, "dice")]
    means = [np.mean([dice[one.name] for dice in told if one.name in dice]) for one in there]
    return there[int(np.argmin(means))] if there and told else None


def _worst_place(
    scored: Scored, error_maps: Mapping[str, NDArray[np.floating]]
) -> tuple[int, int]:
    """Frame and slice of the lowest Dice, or else of most errors, or of most voxels.

    Dice is the mean over structures of what is told of a slice; errors are the sum of the
    structures' error probabilities in it. The first of the three that is finite anywhere decides.
    """
    badness: list[NDArray[np.float64]] = []
    dice = mean_slice_dice(scored.qualities)
    if dice:
        badness.append(1 - means_of_known(np.stack(list(dice.values()))))
    if error_maps:
        sums = [one.sum(axis=(2, 3), dtype=np.float64) for one in error_maps.values()]
        badness.append(np.sum(sums, axis=0))
    labels = scored.prediction.labels[:]
    badness.append((labels > BACKGROUND).sum(axis=(2, 3)).astype(np.float64))
    known = next(one for one in badness if np.isfinite(one).any())
    frame, number = np.unravel_index(int(np.nanargmax(known)), known.shape)
    return int(frame), int(number)


def _side(labels: NDArray[np.int8]) -> int:
    """Rows and columns that hold the segmentation with a margin; the image's where it is less."""
    _, height, width = labels.shape
    segmented: NDArray[np.bool_] = np.any(labels > BACKGROUND, axis=0)
    if not segmented.any():
        return int(max(height, width))
    spans = [np.flatnonzero(segmented.any(axis=axis)) for axis in (0, 1)]
    longest = max(int(span[-1] - span[0]) for span in spans)
    return int(min(max(SMALLEST_VIEW, longest + 1 + 2 * MARGIN), max(height, width)))

"""Segmentation with uncertainty maps, out of several predictions of each frame."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from segmenters.components import largest_components
from segmenters.prediction import Refine
from semiqc.images.frames import study_of_frame
from semiqc.schemes import BACKGROUND, LabelScheme
from semiqc.study import Study, UncertaintyMaps


class Members(Protocol):
    """Several predictions of one image, each called a member's.

    Those of ensemble members, of samples of Monte-Carlo dropout, or under test-time augmentation.
    """

    scheme: LabelScheme

    def probabilities(self, frame: Study) -> Iterator[NDArray[np.float32]]:
        """Class probabilities of each member, ``[C, Z, Y, X]``, of a study of one frame.

        Raises:
            sklearn.exceptions.NotFittedError: If a member is not fitted.
        """
        ...

    def features(self, frame: Study) -> NDArray[np.float64]:
        """How far the frame lies from the training data, ``[F]``; F is 0 where that is unknown.

        Of the first member, see ``segmenters.features.FeatureSpace``.
        """
        ...


class FrameUncertainty(NamedTuple):
    """One frame of a study, segmented by several members.

    Args:
        labels: Of these probabilities, ``[Z, Y, X]`` int8.
        probabilities: Of each class, mean over the members, refined if asked for,
            ``[C, Z, Y, X]``.
        uncertainty: Of this frame alone: T is 1.
    """

    labels: NDArray[np.int8]
    probabilities: NDArray[np.float32]
    uncertainty: UncertaintyMaps


def segment_with_uncertainty(
    members: Members, study: Study, *, clean: bool = False, refine: Refine | None = None
) -> Iterator[FrameUncertainty]:
    """Segment a study, with the uncertainty of its members.

    One frame of one member stands in memory at a time, and the labels of all of them.

    Args:
        members: Fitted.
        study: Its labels are not used.
        clean: Keep only the largest connected component of each class; the members' own
            labels, and with them their agreement, are left as they are.
        refine: Applied to the mean probabilities of each frame, such as a ``CRF``; the entropy is
            that from before.

    Raises:
        ValueError: If there are fewer than two members, or a frame has voxels that are not
            finite.
    """
    for number in range(study.frames):
        frame = _alone(study, number)
        mean, votes = _predicted(members, frame)
        refined = refine(frame.image[:, 0], mean) if refine else mean
        labels = refined.argmax(axis=0).astype(np.int8)
        if clean:
            labels = largest_components(labels, members.scheme)
        uncertainty = UncertaintyMaps(
            entropy=relative_entropy(mean)[None],
            disagreement=(votes != labels).mean(axis=0, dtype=np.float32)[None],
            agreement=pairwise_dice(votes, members.scheme)[None],
            confidence=mean_confidence(mean, labels, members.scheme)[None],
            features=members.features(frame)[None],
        )
        yield FrameUncertainty(labels, refined, uncertainty)


def _alone(study: Study, number: int) -> Study:
    """One frame as a study, its image in memory, since every member reads it."""
    alone = study_of_frame(study, number)
    image = np.asarray(alone.image[:])
    if not np.isfinite(image).all():
        raise ValueError(f"{study.name}: frame {number} has voxels that are not finite")
    return replace(alone, image=image)


def _predicted(members: Members, frame: Study) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Mean probabilities, ``[C, Z, Y, X]``, and the labels of each member, ``[N, Z, Y, X]``."""
    total: NDArray[np.float32] | None = None
    votes: list[NDArray[np.int8]] = []
    for found in members.probabilities(frame):
        total = found.copy() if total is None else np.add(total, found, out=total)
        votes.append(found.argmax(axis=0).astype(np.int8))
    if total is None or len(votes) < 2:
        raise ValueError(f"{frame.name}: uncertainty needs at least two members, got {len(votes)}")
    return total / np.float32(len(votes)), np.stack(votes)


def relative_entropy(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Entropy of class probabilities ``[C, ...]`` by the largest possible: ``[...]`` in [0, 1]."""
    tiny = np.finfo(np.float32).tiny
    entropy = -(probabilities * np.log(np.maximum(probabilities, tiny))).sum(axis=0)
    found: NDArray[np.float32] = np.clip(entropy / math.log(len(probabilities)), 0, 1)
    return found.astype(np.float32)


def pairwise_dice(votes: NDArray[np.int8], scheme: LabelScheme) -> NDArray[np.float64]:
    """Mean Dice between any two members of each structure, ``[S]``.

    Reference:
        Roy et al., "Bayesian QuickNAT: model uncertainty in deep whole-brain segmentation for
        structure-wise quality control", NeuroImage 2019.
        https://doi.org/10.1016/j.neuroimage.2019.03.042

    Args:
        votes: Labels of each member, ``[N, Z, Y, X]``.
        scheme: Whose structures to compare.

    Returns:
        Pairs in which neither member has a structure are left out; NaN where none has it.
    """
    first, second = np.triu_indices(len(votes), k=1)
    segmented = votes[:, (votes != BACKGROUND).any(axis=0)]
    means = np.full(len(scheme.structures), np.nan)
    for number, structure in enumerate(scheme.structures):
        # As numbers, for products of matrices of booleans are slow.
        masks = structure.mask(segmented).astype(np.float32)
        both, sizes = masks @ masks.T, masks.sum(axis=1)
        together = sizes[first] + sizes[second]
        known = together > 0
        if known.any():
            means[number] = (2 * both[first, second][known] / together[known]).mean()
    return means


def mean_confidence(
    probabilities: NDArray[np.float32], labels: NDArray[np.int8], scheme: LabelScheme
) -> NDArray[np.float64]:
    """Mean probability of each structure where it is predicted, ``[S]``; NaN where it is not.

    Args:
        probabilities: Of each class, ``[C, Z, Y, X]``.
        labels: The prediction, ``[Z, Y, X]``.
        scheme: Its structures are measured.
    """
    found = np.full(len(scheme.structures), np.nan)
    for number, structure in enumerate(scheme.structures):
        mask = structure.mask(labels)
        if mask.any():
            found[number] = probabilities[list(structure.values)][:, mask].sum(axis=0).mean()
    return found


def how_sure(
    said: Iterable[NDArray[np.float32]], labels: NDArray[np.int8], scheme: LabelScheme
) -> UncertaintyMaps:
    """How sure members are of one frame.

    Args:
        said: Probabilities of the classes by each member, ``[C, Z, Y, X]``, which need not add up
            to 1 where they were resampled.
        labels: That are judged, ``[Z, Y, X]``.
        scheme: Of the labels.
    """
    labels = np.maximum(labels, BACKGROUND)
    total = np.zeros((len(scheme.classes), *labels.shape), np.float32)
    votes: list[NDArray[np.int8]] = []
    for of_member in said:
        told = np.maximum(of_member, 0)
        told /= np.maximum(told.sum(axis=0), np.finfo(np.float32).tiny)
        total += told
        votes.append(told.argmax(axis=0).astype(np.int8))
    mean: NDArray[np.float32] = (total / len(votes)).astype(np.float32)
    stacked = np.stack(votes)
    return UncertaintyMaps(
        entropy=relative_entropy(mean)[None],
        disagreement=(stacked != labels).mean(axis=0, dtype=np.float32)[None],
        agreement=pairwise_dice(stacked, scheme)[None],
        confidence=mean_confidence(mean, labels, scheme)[None],
        features=np.zeros((1, 0)),
    )

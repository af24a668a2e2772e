"""What estimators say of graded predictions, beside what is true of them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qc.absence import absent_structures
from qc.base import CONSENSUS, Graded, ProgressCallback, Quality, QualityEstimator, unobserved
from qc.consensus.blend import Blend
from qc.evaluation.agreement import NAN
from qc.frames import GradedFrame, graded_frames
from qc.graded.truth import error_map_dice, multi_class_dice
from semiqc.images.frames import OneFrame
from semiqc.schemes import UNLABELLED, LabelScheme
from semiqc.study import Prediction

ALL = "all"
"""Stands for the mean over structures, in place of a structure's name."""


@dataclass(frozen=True)
class Judgement:
    """One estimator's estimate of one structure of one prediction; NaN where it gave none.

    Where ``structure`` is ``"all"``, qualities are means over the structures of which both the
    true and the estimated one are known; true ones without any estimate, over all that are.

    Args:
        estimator: Its name.
        item: Number of the prediction in the graded set.
        study: Name of the study.
        source: What made the prediction.
        group: Of the study.
        structure: Name, or ``"all"``.
        verdict: A reader's, ``good`` or ``erroneous``; empty where nobody gave one.
        score: The estimator's, of the whole prediction.
        true_dice: Mean over the frames that have a reference.
        dice: Estimated.
        true_nsd: As ``true_dice``, of the normalised surface Dice; NaN also where no estimator
            of the evaluation estimates it and nobody had worked it out.
        nsd: Estimated.
        true_multi_class: Dice of all classes at once, mean over those frames; NaN of single
            structures.
        error_map_dice: Agreement of the error map with the true errors, mean over those frames.
        covered: Whether the true Dice lies in the interval, 0 or 1, and of ``"all"`` the share of
            structures; NaN where no interval or no true Dice is known.
        length: Of that interval, or the mean of them.
        ms: Time the estimator took for the whole prediction, reading included; NaN where it had
            judged another segmentation of the same image, for some remember images.
    """

    estimator: str
    item: int
    study: str
    source: str
    group: str
    structure: str
    verdict: str
    score: float
    true_dice: float
    dice: float
    true_nsd: float
    nsd: float
    true_multi_class: float
    error_map_dice: float
    covered: float
    length: float
    ms: float


def judge(
    estimators: Mapping[str, QualityEstimator],
    graded: Sequence[Graded],
    scheme: LabelScheme,
    blend: Blend | None = None,
    *,
    observe: ProgressCallback = unobserved,
) -> list[Judgement]:
    """Let every estimator judge every prediction; voxels of one at a time stand in memory.

    True qualities are taken from ``graded.dice`` and ``graded.nsd``, ``[N, S]``, and
    ``graded.multi_class_dice``, ``[N]``, where it has them, and worked out otherwise.

    Args:
        estimators: By name; fitted. One that cannot judge a prediction is passed over there.
        graded: Read once, from first to last.
        scheme: Whose structures are judged.
        blend: Judges too, by what all of them say, as ``CONSENSUS``.
        observe: Told how many predictions are judged, and of how many.

    Raises:
        ValueError: If there is no estimator or no graded prediction.
    """
    if not estimators or not len(graded):
        raise ValueError(
            "an evaluation needs an estimator and a graded prediction, got"
            f" {len(estimators)} and {len(graded)}"
        )
    stored_dice, stored_nsd = _stored(graded, "dice"), _stored(graded, "nsd")
    stored_multi_class = _stored(graded, "multi_class_dice")
    found: list[Judgement] = []
    seen: set[tuple[str, str, int]] = set()
    for item, one in enumerate(graded):
        timed = _timed(estimators, one.prediction, seen)
        if blend and timed:
            timed[CONSENSUS] = _blended(blend, timed, one.prediction)
        frames = _frames(one)
        # Surface Dice takes long, and without an estimate nobody asks for it.
        with_nsd = frames if any(quality.nsd for quality, _ in timed.values()) else []
        dice = (
            _mean_over_frames([frame.dice(scheme) for frame in frames], scheme)
            if stored_dice is None
            else stored_dice[item]
        )
        nsd = (
            _mean_over_frames([frame.nsd(scheme) for frame in with_nsd], scheme)
            if stored_nsd is None
            else stored_nsd[item]
        )
        multi_class = (
            _multi_class(frames) if stored_multi_class is None else float(stored_multi_class[item])
        )
        for name, (quality, ms) in timed.items():
            maps = _error_maps(quality, frames, scheme)
            about = _about(name, item, one, quality.score, ms)
            of_all, *others = _rows(about, quality, dice, nsd, maps, scheme)
            found += [replace(of_all, true_multi_class=multi_class), *others]
        observe(item + 1, len(graded))
    return found


def _timed(
    estimators: Mapping[str, QualityEstimator],
    prediction: Prediction,
    seen: set[tuple[str, str, int]],
) -> dict[str, tuple[Quality, float]]:
    """What those say who can judge a prediction, and in how many ms.

    Args:
        estimators: By name.
        prediction: Of any number of frames.
        seen: Who judged which frame of which study before, which makes a time NaN; those of the
            prediction are added.
    """
    image = prediction.image
    frames = [image.frame] if isinstance(image, OneFrame) else range(prediction.frames)
    found = {}
    for name, estimator in estimators.items():
        if not estimator.can_judge(prediction):
            continue
        images = {(name, prediction.study, frame) for frame in frames}
        start = time.perf_counter()
        (quality,) = estimator.predict([prediction])
        ms = 1000 * (time.perf_counter() - start)
        found[name] = quality, ms if images.isdisjoint(seen) else NAN
        seen.update(images)
    return found


def _blended(
    blend: Blend, timed: Mapping[str, tuple[Quality, float]], prediction: Prediction
) -> tuple[Quality, float]:
    """What the estimators say together; it takes as long as all of them."""
    start = time.perf_counter()
    qualities = {name: found for name, (found, _) in timed.items()}
    quality = blend.combine(qualities, absent=absent_structures(prediction, blend.scheme))
    combining = 1000 * (time.perf_counter() - start)
    return quality, combining + sum(ms for _, ms in timed.values())


def _frames(one: Graded) -> list[GradedFrame]:
    """Those with a reference, of which there may be none."""
    try:
        return graded_frames([one])
    except ValueError:
        return []


def _stored(graded: Sequence[Graded], name: str) -> NDArray[np.float64] | None:
    known = getattr(graded, name, None)
    return None if known is None else np.asarray(known, dtype=np.float64)


def _mean_over_frames(
    of_frames: Sequence[NDArray[np.float64]], scheme: LabelScheme
) -> NDArray[np.float64]:
    values = np.reshape(of_frames, (-1, len(scheme.structures))).astype(np.float64)
    return np.array([_mean(column) for column in values.T])


def _multi_class(frames: Sequence[GradedFrame]) -> float:
    """Dice of all classes at once, mean over the frames that have a reference."""
    known = [frame for frame in frames if frame.graded.reference is not None]
    dice = [multi_class_dice(frame.frame().labels, frame.reference()) for frame in known]
    return _mean(np.array(dice))


def _error_maps(
    quality: Quality, frames: Sequence[GradedFrame], scheme: LabelScheme
) -> NDArray[np.float64]:
    """Dice of the error map of each structure, ``[S]``; NaN where no frame has a reference."""
    frames = [frame for frame in frames if frame.graded.reference is not None]
    found = np.full((len(frames), len(scheme.structures)), NAN)
    for row, frame in enumerate(frames if quality.error_maps else ()):
        labels, reference = frame.frame().labels, frame.reference()
        for column, structure in enumerate(scheme.structures):
            if structure.name in quality.error_maps:
                found[row, column] = error_map_dice(
                    quality.error_maps[structure.name][frame.number],
                    structure.mask(labels),
                    structure.mask(reference),
                    reference != UNLABELLED,
                )
    return _mean_over_frames(list(found), scheme)


def _about(name: str, item: int, one: Graded, score: float, ms: float) -> Judgement:
    """All that does not depend on the structure; the rest is NaN."""
    verdict = "" if one.is_good is None else "good" if one.is_good else "erroneous"
    return Judgement(
        estimator=name,
        item=item,
        study=one.prediction.study,
        source=one.source,
        group=one.group,
        structure=ALL,
        verdict=verdict,
        score=score,
        true_dice=NAN,
        dice=NAN,
        true_nsd=NAN,
        nsd=NAN,
        true_multi_class=NAN,
        error_map_dice=NAN,
        covered=NAN,
        length=NAN,
        ms=ms,
    )


def _rows(
    about: Judgement,
    quality: Quality,
    true_dice: NDArray[np.float64],
    true_nsd: NDArray[np.float64],
    maps: NDArray[np.float64],
    scheme: LabelScheme,
) -> list[Judgement]:
    """One row for all structures, then one for each."""
    names = [structure.name for structure in scheme.structures]
    dice = np.array([quality.dice.get(name, NAN) for name in names])
    nsd = np.array([quality.nsd.get(name, NAN) for name in names])
    covered, lengths = _intervals(quality, true_dice, names)
    means = (*_paired_means(true_dice, dice), *_paired_means(true_nsd, nsd))
    rows = [_with_numbers(about, ALL, [*means, *map(_mean, (maps, covered, lengths))])]
    columns = (true_dice, dice, true_nsd, nsd, maps, covered, lengths)
    for name, *numbers in zip(names, *columns, strict=True):
        rows.append(_with_numbers(about, name, numbers))
    return rows


def _intervals(
    quality: Quality, true_dice: NDArray[np.float64], names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whether the true Dice of each structure lies in its interval, and its length; ``[S]``."""
    ends = np.array([quality.interval.get(name, (NAN, NAN)) for name in names], dtype=np.float64)
    is_known = np.isfinite(true_dice) & np.isfinite(ends).all(axis=1)
    is_within = (ends[:, 0] <= true_dice) & (true_dice <= ends[:, 1])
    covered = np.where(is_known, is_within.astype(np.float64), NAN)
    return covered, np.where(is_known, ends[:, 1] - ends[:, 0], NAN)


def _with_numbers(about: Judgement, structure: str, numbers: Sequence[float]) -> Judgement:
    true_dice, dice, true_nsd, nsd, maps, covered, length = map(float, numbers)
    return replace(
        about,
        structure=structure,
        true_dice=true_dice,
        dice=dice,
        true_nsd=true_nsd,
        nsd=nsd,
        error_map_dice=maps,
        covered=covered,
        length=length,
    )


def _paired_means(
    true: NDArray[np.float64], estimated: NDArray[np.float64]
) -> tuple[float, float]:
    known = np.isfinite(true)
    if np.isfinite(estimated).any():
        known &= np.isfinite(estimated)
    return _mean(true[known]), _mean(estimated[known])


def _mean(values: NDArray[np.float64]) -> float:
    """Of what is a number; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else NAN

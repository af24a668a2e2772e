"""A gate that wants its studies good and unlike each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from qc.base import Quality
from qc.gates.base import (
    Decision,
    Gate,
    called_erroneous,
    check_unique,
    count_of,
    eligible_of,
    shortage,
)
from qc.gates.context import GateContext
from semiqc.schemes import BACKGROUND, LabelScheme
from semiqc.study import Prediction
from semiqc.work.bounds import Count, Share

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Diverse(Gate):
    """Admits ``k`` studies of high score, spread over what describes them.

    Best in class prefers easy studies: large hearts, common diseases, clear images. Here the
    study of highest score comes first, and then, one by one, the study of highest

        (1 - trade_off) * rank of its score + trade_off * distance to the nearest one chosen.

    Ranks run from 0, the lowest of the studies, to 1, and so does each descriptor's, so that one
    odd value, as of a failed segmentation, does not make a study far from all others. A distance
    is the root mean square over descriptors.

    Reference:
        Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering
        documents and producing summaries", SIGIR 1998 (the trade-off).
        https://doi.org/10.1145/290941.291025
        Sener and Savarese, "Active learning for convolutional neural networks: a core-set
        approach", ICLR 2018 (greedy k-centre, which a trade-off of 1 is).
        https://arxiv.org/abs/1708.00489
        Ours: ranks instead of values.

    Args:
        k: How many; by default a third of the candidates. All where there are fewer.
        descriptors: By name of the study, ``[D]`` finite numbers, as ``descriptors_of`` gives;
            of more studies than are judged, if need be.
        trade_off: From 0, which is ``BestK``, to 1, which looks at scores for the first alone.
        only_good: As for ``BestK``.
    """

    title: ClassVar[str] = "{k} good and diverse by {by}"
    of_run: ClassVar[tuple[str, ...]] = ("descriptors",)

    k: Count | None = None
    descriptors: Mapping[str, ArrayLike] = field(default_factory=dict, repr=False)
    trade_off: Share = 0.5
    only_good: bool = False

    @classmethod
    def for_run(cls, context: GateContext, **arguments: Any) -> Self:  # noqa: ANN401
        return cls(**arguments, descriptors=context.descriptors())

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        """One decision for each quality, in order.

        Raises:
            ValueError: If two qualities are of the same study, or the descriptors of one are
                missing, not finite, or not as many as of the others.
        """
        check_unique(qualities)
        eligible = sorted(eligible_of(qualities, self.only_good), key=lambda q: q.study)
        k = count_of(self.k, len(qualities))
        chosen = self._chosen(eligible, k)
        short = shortage(k, len(eligible))
        names = {quality.study for quality in eligible}

        def decide(quality: Quality) -> Decision:
            score = f"score {quality.score:.3f}"
            if quality.study not in names:
                return called_erroneous(quality)
            if quality.study not in chosen:
                return Decision(quality.study, False, f"{score}, not among the {k} chosen")
            place, distance = chosen[quality.study]
            apart = f", {distance:.2f} from the nearest before it" if place > 1 else ""
            return Decision(quality.study, True, f"choice {place} by {score}{apart}{short}")

        return [decide(quality) for quality in qualities]

    def _chosen(self, eligible: Sequence[Quality], k: int) -> dict[str, tuple[int, float]]:
        """Place in which each was chosen, and how far it was from the nearest before it."""
        if not eligible:
            return {}
        scores = _ranks(np.array([[quality.score] for quality in eligible]))[:, 0]
        places = _ranks(self._table([quality.study for quality in eligible]))
        nearest = np.full(len(eligible), np.inf)
        chosen: dict[str, tuple[int, float]] = {}
        for place in range(1, min(k, len(eligible)) + 1):
            values = scores.copy()
            if place > 1:
                values = (1 - self.trade_off) * scores + self.trade_off * nearest
            values[[quality.study in chosen for quality in eligible]] = -np.inf
            # Rounded, for sums in another order must not break ties by name.
            best = int(np.argmax(values.round(9)))
            chosen[eligible[best].study] = (place, float(nearest[best]))
            apart = np.sqrt(np.square(places - places[best]).mean(axis=1))
            nearest = np.minimum(nearest, apart)
        return chosen

    def _table(self, studies: Sequence[str]) -> Array:
        missing = [study for study in studies if study not in self.descriptors]
        if missing:
            raise ValueError(f"no descriptors of {', '.join(missing)}")
        rows = [np.atleast_1d(np.asarray(self.descriptors[s], np.float64)) for s in studies]
        for study, row in zip(studies, rows, strict=True):
            if row.shape != rows[0].shape or row.ndim != 1 or not row.size:
                raise ValueError(
                    f"{study}: descriptors have shape {row.shape}, those of {studies[0]}"
                    f" {rows[0].shape}, both should be [D]"
                )
            if not np.isfinite(row).all():
                raise ValueError(f"{study}: descriptors must be finite, got {row.tolist()}")
        return np.stack(rows)


def descriptors_of(
    predictions: Sequence[Prediction], scheme: LabelScheme, groups: Mapping[str, str]
) -> dict[str, Array]:
    """What ``Diverse`` spreads over: size of each structure, brightness, contrast, group.

    Args:
        predictions: Of different studies; one frame of each is read at a time.
        scheme: Whose structures are measured.
        groups: Group by name of the study, such as a disease; may lack some, which are then of
            a group of their own.

    Returns:
        By name of the study, ``[S + 2 M + G]``: volume of each structure in mm3, mean over
        frames; mean and standard deviation of each modality in what is segmented, or in the whole
        image where nothing is; 1 for its group, else 0.
    """
    known = sorted({groups.get(prediction.study, "") for prediction in predictions})
    return {
        p.study: np.concatenate(
            [
                _sizes_and_looks(p, scheme),
                [float(groups.get(p.study, "") == group) for group in known],
            ]
        )
        for p in predictions
    }


def _sizes_and_looks(prediction: Prediction, scheme: LabelScheme) -> Array:
    found = []
    for frame in range(prediction.frames):
        labels = np.asarray(prediction.labels[frame])
        image = np.asarray(prediction.image[:, frame], dtype=np.float64)
        segmented = labels > BACKGROUND
        inside = image[:, segmented] if segmented.any() else image.reshape(len(image), -1)
        volumes = [structure.mask(labels).sum() for structure in scheme.structures]
        found.append([*volumes, *inside.mean(axis=1), *inside.std(axis=1)])
    means: Array = np.mean(found, axis=0)
    means[: len(scheme.structures)] *= float(np.prod(prediction.spacing))
    return means


def _ranks(table: Array) -> Array:
    """Of each column, from 0 to 1; the mean rank where values are equal, .5 if all are."""
    if len(table) == 1:
        return np.full(table.shape, 0.5)
    ranks: Array = (rankdata(table, axis=0) - 1) / (len(table) - 1)
    return ranks

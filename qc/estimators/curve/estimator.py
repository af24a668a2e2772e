"""Quality from the course of volume and area curves, as a clinician reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from qc.base import Graded, ProgressCallback, Quality, QualityEstimator, unobserved
from qc.estimators.curve.curves import Curves, channels, curves_of, measured_structures
from qc.estimators.curve.network import CurveNetwork, mean_probability, train
from qc.estimators.curve.threshold import weighted_youden
from qc.estimators.network.weights import stored_weights, with_weights
from semiqc.measuring.measures import curve_unit
from semiqc.study import Prediction
from semiqc.work.bounds import (
    Amount,
    Count,
    Folds,
    InnerShare,
    OpenShare,
    Rate,
    Size,
    Steps,
    Weight,
)

FIGURES = ("threshold", "auc", "sensitivity", "specificity", "good", "erroneous")
"""What ``figures_`` holds, in the order in which it is stored."""

EVEN_CUT = 0.5
"""Threshold where no held-out score says better."""

USUAL = 0.95
"""Share of the good training predictions whose largest jump is called usual."""


@dataclass(kw_only=True, eq=False, repr=False)
class CurveClassifier(QualityEstimator):
    """Tells good from erroneous predictions by the curves of all structures.

    One dense layer, then three LSTM layers, run over the points of the cycle. The training
    predictions are parted by study into folds. For each fold some networks learn from the
    others; their mean score of what they did not see gives the ROC from which the threshold is
    taken, such that erroneous predictions are detected with high sensitivity. The score is the
    mean probability of being good over all networks. A prediction that lacks a structure in
    every frame gets the score 0, unless a good training prediction lacked it too.

    Where all training predictions have one verdict there is nothing to tell apart: every score
    is then 1 or 0 accordingly, and its reason says so. Where all good, or all erroneous, ones
    are of a single study, nothing can be held out: all networks learn from all, the threshold is
    .5, and the figures of accuracy are NaN.

    Equation:
        p = sigmoid(w · [mean_t h(t), max_t h(t)] + b), h = LSTM³(dense(curves))
    Fails:
        Where place or shape is wrong and sizes still change smoothly; with few verdicts.

    Reference:
        Ruijsink, Puyol-Antón et al., "Quality-aware semi-supervised learning for CMR
        segmentation", STACOM 2020, section 3.1. https://doi.org/10.1007/978-3-030-68107-4_10
        Ours: the normalisation and the channels of ``curves.py``; the output is read from the
        mean and the maximum over the cycle; noise, dropout and weight decay, for some hundred
        training curves instead of a thousand; the mean over folds; one classifier for all
        structures of a scheme.

    Args:
        scheme: Label values and structures of the predictions it judges.
        sensitivity_weight: Weight, in (0, 1), of sensitivity for erroneous against specificity.
        points: To which every cycle is brought.
        width: Units of the dense and of each LSTM layer.
        dropout: Share of units dropped between the LSTM layers in training.
        noise: Standard deviation of what is added to the standardised curves in training.
        weight_decay: Of AdamW.
        learning_rate: Of AdamW.
        steps: Of each network, on all its curves at once.
        folds: At most; fewer where fewer studies have either verdict.
        members: Networks per fold, whose mean steadies the scores of few training curves.
        seed: Of folds, weights, dropout and noise.

    Attributes:
        networks_: ``members`` per fold; none where there was one verdict only.
        figures_: ``threshold``; ``auc``, ``sensitivity`` and ``specificity`` of detecting what is
            erroneous in studies that were held out; numbers of ``good`` and ``erroneous``
            training predictions.
        may_lack_: Whether a good training prediction lacked the structure, ``[S]``.
        usual_jumps_: Largest jump that is usual in good training predictions, as a share of the
            study's size, ``[S]``.
    """

    gives_verdicts = True
    learns_from_verdicts = True
    takes_seed = True

    sensitivity_weight: InnerShare = 0.75
    points: Count = 32
    width: Size = 16
    dropout: OpenShare = 0.2
    noise: Amount = 0.5
    weight_decay: Weight = 0.01
    learning_rate: Rate = 0.005
    steps: Steps = 80
    folds: Folds = 5
    members: Count = 3
    seed: int = 0

    def can_judge(self, prediction: Prediction) -> bool:
        # A single frame has no course.
        return prediction.frames > 1

    def fit(self, graded: Sequence[Graded], *, observe: ProgressCallback = unobserved) -> Self:
        graded = _with_verdicts(graded)
        is_good = np.array([bool(one.is_good) for one in graded])
        found = self._curves([one.prediction for one in graded])
        self.networks_: list[CurveNetwork] = []
        self.figures_ = dict.fromkeys(FIGURES, float("nan")) | {
            "threshold": EVEN_CUT,
            "good": float(is_good.sum()),
            "erroneous": float((~is_good).sum()),
        }
        good = [curves for curves, verdict in zip(found, is_good, strict=True) if verdict]
        self.may_lack_ = _ever_absent(good, len(measured_structures(self.scheme)))
        self.usual_jumps_ = _usual_jumps(good, len(measured_structures(self.scheme)))
        if is_good.any() and not is_good.all():
            subjects = [one.whose for one in graded]
            self._learn(self._channels(found), is_good, subjects, observe)
        return self

    def predict(self, predictions: Sequence[Prediction]) -> list[Quality]:
        check_is_fitted(self)
        if not predictions:
            return []
        found = self._curves(predictions)
        scores = self._scores(self._channels(found))
        return [
            self._quality(prediction.study, curves, float(score))
            for prediction, curves, score in zip(predictions, found, scores, strict=True)
        ]

    def measured(self) -> Mapping[str, float]:
        """Threshold, held-out AUC, sensitivity and specificity, and numbers of verdicts."""
        return dict(self.figures_)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        check_is_fitted(self)
        stored: dict[str, NDArray[np.generic]] = {
            "figures": np.array([self.figures_[name] for name in FIGURES]),
            "may_lack": self.may_lack_,
            "usual_jumps": self.usual_jumps_,
        }
        for number, network in enumerate(self.networks_):
            stored |= stored_weights(network, f"networks/{number}")
        return stored

    def with_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        self.figures_ = dict(zip(FIGURES, arrays["figures"].tolist(), strict=True))
        self.may_lack_ = np.asarray(arrays["may_lack"], dtype=np.bool_)
        self.usual_jumps_ = np.asarray(arrays["usual_jumps"], dtype=np.float64)
        numbers = {key.split("/")[1] for key in arrays if key.startswith("networks/")}
        self.networks_ = [
            with_weights(self._blank(len(self.may_lack_)), arrays, f"networks/{number}")
            for number in sorted(numbers, key=int)
        ]
        return self

    def _curves(self, predictions: Sequence[Prediction]) -> list[Curves]:
        structures = measured_structures(self.scheme)
        return [curves_of(prediction, structures) for prediction in predictions]

    def _channels(self, found: Sequence[Curves]) -> torch.Tensor:
        return torch.from_numpy(np.stack([channels(curves, self.points) for curves in found]))

    def _blank(self, structures: int) -> CurveNetwork:
        return CurveNetwork(structures, width=self.width, dropout=self.dropout)

    def _learn(
        self,
        curves: torch.Tensor,
        is_good: NDArray[np.bool_],
        studies: list[str],
        observe: ProgressCallback,
    ) -> None:
        everything = np.arange(len(is_good))
        folds = held_out_folds(is_good, studies, self.folds, self.seed)
        held_out_scores = np.full(len(is_good), np.nan)
        for learned, held_out in folds or [(everything, everything[:0])]:
            networks = self._members(curves[learned], torch.from_numpy(is_good[learned]))
            self.networks_ += networks
            observe(len(self.networks_), self.members * max(1, len(folds)))
            held_out_scores[held_out] = mean_probability(networks, curves[held_out])
        if folds:
            chosen = weighted_youden(held_out_scores, is_good, self.sensitivity_weight)
            self.figures_ |= asdict(chosen)

    def _members(self, curves: torch.Tensor, is_good: torch.Tensor) -> list[CurveNetwork]:
        """As many as there are members, each with a seed of its own."""
        first = self.seed + len(self.networks_)
        return [self._trained(curves, is_good, first + member) for member in range(self.members)]

    def _trained(self, curves: torch.Tensor, is_good: torch.Tensor, seed: int) -> CurveNetwork:
        # The caller's random numbers are left as they were.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._blank(len(self.may_lack_))
            train(
                network,
                curves,
                is_good,
                noise=self.noise,
                steps=self.steps,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
            )
        return network

    def _scores(self, curves: torch.Tensor) -> NDArray[np.float64]:
        if not self.networks_:
            return np.full(len(curves), float(self.figures_["good"] > 0))
        return mean_probability(self.networks_, curves)

    def _quality(self, study: str, curves: Curves, score: float) -> Quality:
        missed = [
            structure
            for structure, may_lack in zip(curves.structures, self.may_lack_, strict=True)
            if structure in curves.absent and not may_lack
        ]
        threshold = self.figures_["threshold"]
        reasons = [f"{structure} is in no frame" for structure in missed]
        if not self.networks_:
            kind = "good" if self.figures_["good"] else "erroneous"
            reasons.append(f"not judged: all training predictions were {kind}")
        elif not missed and score < threshold:
            reasons.append(f"probability of being good {score:.2f} is below {threshold:.2f}")
        score = 0.0 if missed else score
        is_good = score >= threshold
        if not is_good:
            reasons += self._unusual_jumps(curves)
        return Quality(study, score, is_good=is_good, reasons=tuple(reasons))

    def _unusual_jumps(self, curves: Curves) -> list[str]:
        jumps = curves.jumps
        reasons = []
        for row, structure in enumerate(measured_structures(self.scheme)):
            frame = int(jumps[row].argmax())
            jump = float(jumps[row, frame])
            if jump > float(self.usual_jumps_[row]) * curves.study_size:
                unit = curve_unit(structure)
                reasons.append(f"{structure.name} jumps by {jump:.0f} {unit} in frame {frame}")
        return reasons


def _with_verdicts(graded: Sequence[Graded]) -> list[Graded]:
    """Those with a verdict."""
    if not graded:
        raise ValueError("fit needs at least one graded prediction, got none")
    found = [one for one in graded if one.is_good is not None]
    if not found:
        raise ValueError(
            f"{graded[0].prediction.study}: curves are learned from verdicts, and none of"
            f" {len(graded)} graded predictions has one"
        )
    return found


def _ever_absent(good: Sequence[Curves], structures: int) -> NDArray[np.bool_]:
    absent = np.zeros(structures, dtype=np.bool_)
    for curves in good:
        absent |= ~curves.sizes.any(axis=1)
    return absent


def _usual_jumps(good: Sequence[Curves], structures: int) -> NDArray[np.float64]:
    """Infinite where no good prediction shows what is usual."""
    shares = [c.jumps.max(axis=1) / c.study_size for c in good if c.study_size]
    if not shares:
        return np.full(structures, np.inf)
    usual: NDArray[np.float64] = np.quantile(shares, USUAL, axis=0)
    return usual


def held_out_folds(
    is_good: NDArray[np.bool_], studies: Sequence[str], most: int, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Indices to learn from and to hold out, no study in both; empty where none suit.

    Every part to learn from has good and erroneous predictions.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    names = np.asarray(studies)
    most = min(most, len(set(names[is_good])), len(set(names[~is_good])))
    for count in range(most, 1, -1):
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        folds = list(splitter.split(names, is_good, names))
        if all(is_good[learned].any() and not is_good[learned].all() for learned, _ in folds):
            return folds
    return []

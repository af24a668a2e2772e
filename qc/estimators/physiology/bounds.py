"""How far from what is usual a value lies, and what that costs: both learned, both monotone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from qc.estimators.physiology.rules import Rule

Array = NDArray[np.float64]

TAIL = 0.02
"""Share of the references that may lie beyond either bound."""
WIDENING = 4.0
"""The bounds of ``n`` references are ``1 + WIDENING / n`` times as wide as theirs."""
KNOTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Where the cost of a value may change its slope; 0 is usual, 1 is at the bound."""
PRIOR_COST = 0.05
"""Dice that each further segment beyond the bound costs where no prediction tells otherwise."""
TRUST = 1.0
"""How many predictions the prior weighs as much as."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """What is usual and what is allowed, of each rule and structure.

    Args:
        low: Least allowed, ``[R, S]``; minus infinity for no bound.
        middle: Usual.
        high: Most allowed.
    """

    low: Array
    middle: Array
    high: Array

    @classmethod
    def of(cls, rules: Sequence[Rule[Any]], references: Array) -> "Bounds":
        """Quantiles of references' values ``[N, R, S]``; the rules' own where all are NaN."""
        rows = [
            [_bound(rule, references[:, row, part]) for part in range(references.shape[2])]
            for row, rule in enumerate(rules)
        ]
        found = np.array(rows, dtype=np.float64).reshape(len(rules), -1, 3)
        return cls(*np.moveaxis(found, -1, 0))

    def excess(self, values: Array) -> Array:
        """How far ``[..., R, S]`` lie below and above what is usual, ``[..., R, S, 2]``.

        In units of the distance from there to the bound; 0 where a rule is silent.
        """
        below = (self.middle - values) / (self.middle - self.low)
        above = (values - self.middle) / (self.high - self.middle)
        return np.clip(np.nan_to_num(np.stack([below, above], axis=-1)), 0, KNOTS[-1])


def _bound(rule: Rule[Any], values: Array) -> tuple[float, float, float]:
    """Low, middle and high of one rule and structure."""
    known = values[np.isfinite(values)]
    if known.size:
        low, middle, high = np.quantile(known, (TAIL, 0.5, 1 - TAIL)).tolist()
        wider = 1 + WIDENING / known.size
        low = min(middle - wider * (middle - low), middle - rule.step)
        high = max(middle + wider * (high - middle), middle + rule.step)
    else:
        low, middle, high = rule.low, _inside(rule), rule.high
    has_low, has_high = np.isfinite(rule.low), np.isfinite(rule.high) and high < rule.limit
    return low if has_low else -np.inf, middle, high if has_high else np.inf


def _inside(rule: Rule[Any]) -> float:
    """What is usual where no reference tells."""
    if np.isfinite([rule.low, rule.high]).all():
        return (rule.low + rule.high) / 2
    return rule.high - rule.step if np.isfinite(rule.high) else rule.low + rule.step


def segments(excess: Array) -> Array:
    """How much of each segment an excess ``[...]`` covers, ``[..., K]`` in [0, 1]."""
    start, length = np.array(KNOTS[:-1]), np.diff(KNOTS)
    return np.asarray(np.clip((excess[..., None] - start) / length, 0, 1))


def seen_by_structure(excess: Array) -> Array:
    """What the cost of each structure is reckoned from: ``[N, R, S, 2]`` to ``[S, N, F]``.

    Its own segments, then the mean of those of the others.
    """
    found = np.moveaxis(segments(excess), 2, 0)
    flat = found.reshape(*found.shape[:2], int(np.prod(found.shape[2:])))
    others = (flat.sum(axis=0) - flat) / max(1, len(flat) - 1)
    return np.concatenate([flat, others], axis=-1)


def prior_costs(rules: int) -> Array:
    """Costs before any prediction was seen, for the columns of ``seen_by_structure``, ``[F]``."""
    beyond = np.array(KNOTS[:-1]) >= 1
    own = np.tile(PRIOR_COST * beyond, 2 * rules)
    return np.concatenate([own, np.zeros_like(own)])


def learned_costs(given: Array, losses: Array, prior: Array) -> Array:
    """Costs, none negative, that explain ``losses [N]`` by ``given [N, F]``: ``[F]``.

    Least squares, drawn to the prior as if by ``TRUST`` predictions.
    """
    pull = np.sqrt(TRUST) * np.eye(len(prior))
    matrix = np.concatenate([given, pull])
    wanted = np.concatenate([losses, np.sqrt(TRUST) * prior])
    # Through the normal equations' root the system is square, however many predictions.
    root = np.linalg.cholesky(matrix.T @ matrix)
    costs: Array = nnls(root.T, np.linalg.solve(root, matrix.T @ wanted))[0]
    return costs

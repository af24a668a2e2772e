"""Distributions that the parameters of a phantom are drawn from."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Normal:
    """A normal distribution, drawn again until the value lies within its bounds.

    Args:
        mean: Of the distribution without bounds.
        sd: Of the distribution without bounds.
        low: Smallest value.
        high: Largest value.

    Raises:
        ValueError: If the mean does not lie within the bounds, where drawing might not end.
    """

    mean: float
    sd: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.mean <= self.high:
            raise ValueError(f"mean must lie in [{self.low}, {self.high}], got {self.mean}")

    def draw(self, rng: np.random.Generator) -> float:
        """One value."""
        while True:
            value = float(rng.normal(self.mean, self.sd))
            if self.low <= value <= self.high:
                return value


@dataclass(frozen=True)
class Uniform:
    """A uniform distribution over ``[low, high)``."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """One value."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform:
    """A distribution over ``[low, high)`` whose logarithm is uniform."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """One value."""
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))


Distribution = Normal | Uniform


def streams(seed: int, count: int) -> list[np.random.Generator]:
    """Independent generators: what one part draws never moves what another does."""
    children = np.random.SeedSequence(seed).spawn(count)
    return [np.random.default_rng(child) for child in children]


class CineStreams(NamedTuple):
    """Generators of one cine study: what each of its parts draws from."""

    anatomy: np.random.Generator
    scene: np.random.Generator
    scanner: np.random.Generator
    artefacts: np.random.Generator
    noise: np.random.Generator


def cine_streams(seed: int) -> CineStreams:
    """Independent generators for the parts of a cine study."""
    return CineStreams(*streams(seed, len(CineStreams._fields)))


def study_seed(seed: int, number: int) -> int:
    """Seed of one study of a data set, whatever the number of studies."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0])

"""Monte-Carlo dropout: predictions of one network with random features dropped."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from segmenters.features import FeatureSpace
from segmenters.network import NetworkSegmenter
from semiqc.study import Study


class DropoutSamples:
    """Monte-Carlo dropout; see ``segmenters.uncertainty.Members``.

    What is dropped depends on the seed and the number of the sample alone. So a frame gets the
    same whether its whole study is segmented or that frame alone.

    Reference:
        Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty
        in deep learning", ICML 2016. https://arxiv.org/abs/1506.02142

    Args:
        segmenter: Built with dropout.
        samples: Number of samples, at least two; Qiu et al. 2025 take 50.
        seed: Of what is dropped.
        space: In which the features are measured, without dropout; None keeps no features.

    Raises:
        ValueError: If the segmenter has no dropout, or the samples are fewer.
    """

    def __init__(
        self,
        segmenter: NetworkSegmenter,
        samples: int = 50,
        *,
        seed: int = 0,
        space: FeatureSpace | None = None,
    ) -> None:
        if not segmenter.dropout > 0:
            raise ValueError(f"samples need a network with dropout, got {segmenter.dropout}")
        if samples < 2:
            raise ValueError(f"samples must be at least 2, got {samples}")
        self.segmenter = segmenter
        self.samples = samples
        self.seed = seed
        self.space = space
        self.scheme = segmenter.scheme

    def probabilities(self, frame: Study) -> Iterator[NDArray[np.float32]]:
        for sample in range(self.samples):
            (seed,) = np.random.SeedSequence([self.seed, sample]).generate_state(1)
            yield from self.segmenter.predict_frames(frame, dropping=int(seed))

    def features(self, frame: Study) -> NDArray[np.float64]:
        return np.zeros(0) if self.space is None else self.space.deviation(frame)

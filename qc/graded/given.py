"""Segmentations that were graded before, to be learned from beside or instead of others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from qc.graded.source import Made, Source
from qc.graded.store import GradedSet
from semiqc.study import Study


@dataclass(frozen=True)
class GivenSegmentations(Source):
    """Those of one source in a graded set; nothing is trained, and ``train`` is not looked at.

    Args:
        graded: The set, of the store whose studies are segmented.
        source: Name of the source in the set.
        digest: Of the set's file, so that two sets of one name are two.
        seed: Of nothing; every source has one.
    """

    graded: GradedSet = field(repr=False)
    source: str
    digest: str
    seed: int = 0

    def make(self, train: Sequence[Study], judged: Sequence[Study]) -> Iterator[Made]:
        """See ``Source``; studies that were not segmented are passed over."""
        studies = {study.name: study for study in judged}
        names = self.graded.studies.tolist()
        for item, (name, source) in enumerate(zip(names, self.graded.sources, strict=True)):
            if name in studies and source.partition("-")[0] == self.source:
                prediction = self.graded[item].prediction
                yield Made(
                    studies[name],
                    int(self.graded.frames[item]),
                    prediction.labels[0],
                    source,
                    prediction.uncertainty,
                )


def given_by(graded: GradedSet, digest: str) -> dict[str, Source]:
    """The sources of a graded set by name, each as one that gives what it made.

    Args:
        graded: The set.
        digest: Of its file.
    """
    names = sorted({source.partition("-")[0] for source in graded.sources.tolist()})
    return {name: GivenSegmentations(graded, name, digest) for name in names}

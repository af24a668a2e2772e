"""All sources of graded segmentations by name."""

from typing import Any

from qc.graded.failures import SliceFailures
from qc.graded.forest import ForestSource
from qc.graded.ladder import CnnLadder
from qc.graded.modalities import ModalitySubsets
from qc.graded.noise import NoiseAttack
from qc.graded.seggen import SegGen
from qc.graded.snapshots import Snapshots
from qc.graded.source import Source
from semiqc.schemes import LabelScheme

SOURCES: dict[str, type[Source]] = {
    "ladder": CnnLadder,
    "snapshots": Snapshots,
    "noise": NoiseAttack,
    "forest": ForestSource,
    "seggen": SegGen,
    "failures": SliceFailures,
    "modalities": ModalitySubsets,
}
"""Names that settings may use."""


def make_source(name: str, scheme: LabelScheme, *, seed: int, **arguments: Any) -> Source:  # noqa: ANN401
    """A source, with the scheme where it trains networks.

    Args:
        name: In ``SOURCES``.
        scheme: Of the studies.
        seed: Of all that it draws.
        **arguments: Of its constructor.
    """
    kind = SOURCES[name]
    given: dict[str, Any] = {**arguments, "seed": seed}
    return kind(**given, **({"scheme": scheme} if kind.takes_scheme else {}))

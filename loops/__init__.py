"""How labelled and unlabelled studies are used together."""

from loops.base import Bench, with_pseudo_labels
from loops.in_memory import InMemoryBench
from loops.records import Candidate, Judged, Labelled, Outcome, Round, Segmented
from loops.self_training import self_train
from loops.supervised import supervised

__all__ = [
    "Bench",
    "Candidate",
    "InMemoryBench",
    "Judged",
    "Labelled",
    "Outcome",
    "Round",
    "Segmented",
    "self_train",
    "supervised",
    "with_pseudo_labels",
]

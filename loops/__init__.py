"""How labelled and unlabelled studies are used together."""

from loops.base import Bench, Gating, Round, with_pseudo_labels
from loops.self_training import self_train
from loops.supervised import supervised

__all__ = ["Bench", "Gating", "Round", "self_train", "supervised", "with_pseudo_labels"]

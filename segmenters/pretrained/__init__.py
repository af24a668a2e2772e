"""Weights that only phantoms taught, shipped with the package: a file and its card per scheme."""

from segmenters.pretrained.card import Card, PhantomCard
from segmenters.pretrained.shipped import card_of, pretrained_weights, shipped_cards, shipped_file

__all__ = ["Card", "PhantomCard", "card_of", "pretrained_weights", "shipped_cards", "shipped_file"]

"""Finds the weights that are shipped for a label scheme and a network, and checks them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segmenters.pretrained.card import Card

FOLDER = Path(__file__).parent


def shipped_cards() -> dict[str, Card]:
    """The cards that are shipped, by the name of their label scheme."""
    return {path.stem: Card.read(path) for path in sorted(FOLDER.glob("*.json"))}


def shipped_file(scheme: str) -> Path:
    """Where the weights of a label scheme lie, if there are any."""
    return FOLDER / f"{scheme}.safetensors"


def card_of(scheme: str) -> Card:
    """The card of the weights that are shipped for a label scheme.

    Raises:
        ValueError: If there are none, naming the schemes that have some.
    """
    cards = shipped_cards()
    if scheme not in cards:
        known = f"there are some for {', '.join(cards)}" if cards else "there are none at all"
        raise ValueError(
            f"no weights are shipped for the label scheme '{scheme}' ({known}); make some with"
            f" `semiqc pretrain --scheme {scheme}`"
        )
    return cards[scheme]


def pretrained_weights(scheme: str, described: Mapping[str, Any]) -> Path | None:
    """The file with the weights that are shipped for a label scheme and a network.

    Args:
        scheme: Name of the label scheme.
        described: What the network is, as ``NetworkSegmenter.described`` says it.

    Returns:
        None if none are shipped for this scheme, or those that are suit another network.

    Raises:
        ValueError: If the file is missing or damaged.
    """
    card = shipped_cards().get(scheme)
    if card is None or card.network != json.loads(json.dumps(described)):
        return None
    weights = shipped_file(scheme)
    card.check(weights)
    return weights

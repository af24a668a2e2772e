"""The transformer among the segmenters, and ladders of several families."""

import numpy as np
import pytest
import torch
from segmenter_builders import PLAIN, SQUARE, bright_square

from qc.graded import CnnLadder
from segmenters import TrainingSettings
from segmenters.trans_unet import Attention, TransUNet, positions

QUICK = TrainingSettings(steps=2, batch_size=2, patch=(16, 16), augmentation=PLAIN, device="cpu")


@pytest.fixture(scope="module")
def attention():
    torch.manual_seed(0)
    return Attention(6, 0.0).eval()


def test_each_place_looks_at_all_others_and_knows_where_it_is(attention):
    features = torch.zeros(1, 6, 3, 5)
    other = features.clone()
    other[0, 0, 0, 0] = 3.0

    with torch.no_grad():
        found, changed = attention(features), attention(other)

    assert found.shape == features.shape
    assert (found != changed).any(dim=1).all()
    # All features are alike, so only positions tell the places apart.
    assert (found[0, :, 1:] != found[0, :, :1]).any(dim=0).all()
    places = positions(features).flatten(1).T
    assert len({tuple(place.tolist()) for place in places}) == 15


def test_it_segments_and_gives_features_of_its_deepest_level():
    segmenter = TransUNet(SQUARE, channels=(4, 8), training=QUICK).fit([bright_square()])

    features, *_ = segmenter.deep_features(bright_square())
    assert features.shape == (8,)
    assert np.isfinite(features).all()
    frame, *_ = segmenter.predict_frames(bright_square())
    np.testing.assert_allclose(frame.sum(axis=0), 1, atol=1e-3)


def test_the_families_of_a_ladder_take_turns():
    small = {"channels": (4, 8), "steps": (1, 2), "training": QUICK}
    ladder = CnnLadder(SQUARE, rungs=3, families=("unet", "trans_unet"), **small)

    made = [type(segmenter).__name__ for _, segmenter, _ in ladder.fitted([bright_square()])]

    assert made == ["UNet", "TransUNet", "UNet"]
    for families in ((), ("unet", "vit")):
        with pytest.raises(ValueError, match="families must be some of plain_unet, unet, fcn"):
            CnnLadder(SQUARE, families=families)

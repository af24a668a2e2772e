import warnings

import numpy as np
import pytest
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from monai.metrics.surface_dice import compute_surface_dice

from semiqc.measuring.surfaces import hausdorff95, surface_dice

SPACING = (8.0, 1.5, 1.25)


def blobs(slices, seed=0):
    """Three structures of boxy pieces in two segmentations, ``[2, 3, Z, Y, X]``."""
    coarse = np.random.default_rng(seed).integers(0, 4, (2, slices, 4, 3))
    fine = coarse.repeat(3, axis=2).repeat(4, axis=3)
    return np.stack([fine == value for value in (1, 2, 3)], axis=1)


def monai(compute, predicted, reference, *arguments, **settings):
    """MONAI's metric of each structure; a stack of one slice is an image to it."""
    found = []
    for pair in zip(predicted, reference, strict=True):
        alone = [mask[0] if len(mask) == 1 else mask for mask in pair]
        tensors = [torch.from_numpy(mask)[None, None] for mask in alone]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            value = compute(
                *tensors,
                *arguments,
                include_background=True,
                spacing=SPACING[-alone[0].ndim :],
                **settings,
            )
        found.append(float(value))
    return found


@pytest.mark.parametrize("slices", [1, 4])
@pytest.mark.parametrize("tolerance_mm", [1.0, 2.6, 9.0])
def test_surface_dice_is_that_of_monai(slices, tolerance_mm):
    predicted, reference = blobs(slices)

    found = surface_dice(predicted, reference, SPACING, tolerance_mm)

    expected = monai(compute_surface_dice, predicted, reference, [tolerance_mm])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("slices", [1, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_hausdorff_distance_is_that_of_monai(slices, seed):
    predicted, reference = blobs(slices, seed)
    predicted[..., :6, 6:] = False

    found = hausdorff95(predicted, reference, SPACING)

    expected = monai(compute_hausdorff_distance, predicted, reference, percentile=95)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert (found > 0).all()


def test_a_structure_in_only_one_scores_worst_and_one_in_neither_not_at_all():
    first, second = np.zeros((2, 3, 2, 5, 6), dtype=bool)
    first[0, 0, 1:3] = second[1, 1, 2:] = True
    diagonal = np.linalg.norm(np.multiply((2, 5, 6), SPACING))

    np.testing.assert_array_equal(surface_dice(first, second, SPACING, 2.0), [0, 0, np.nan])
    np.testing.assert_allclose(hausdorff95(first, second, SPACING), [diagonal, diagonal, np.nan])
    assert np.isnan(surface_dice(first[2:], second[2:], SPACING, 2.0)).all()


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="reference has"):
        surface_dice(np.zeros((1, 2, 5, 6), bool), np.zeros((1, 1, 5, 6), bool), SPACING, 2.0)

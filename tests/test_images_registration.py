"""Registration: what was moved is found, and nothing folds."""

import numpy as np
import pytest
import torch

from semiqc.images.registration import exponential, register_slices, warp
from semiqc.images.registration.affine import Volume, matrix_of, posed, register_affine, worth_of
from semiqc.images.registration.velocity import composed

SIZE = (48, 52)


def slice_of_discs(seed=0):
    """A bright disc in a darker ring beside a third disc, with soft edges, ``[1, 1, Y, X]``."""
    rng = np.random.default_rng(seed)
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    to_left = np.hypot(y - 24, x - 16)
    to_right = np.hypot(y - 24 + rng.uniform(-2, 2), x - 30)
    image = 0.2 + 0.8 / (1 + np.exp(to_right - 6)) + 0.6 / (1 + np.exp(to_left - 5))
    image -= 0.3 / (1 + np.exp(np.abs(to_right - 9) - 2))
    return torch.tensor(image, dtype=torch.float32)[None, None]


def labels_of_discs():
    """Of the same discs, ``[1, Y, X]``."""
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    labels = np.zeros(SIZE, np.int8)
    labels[np.hypot(y - 24, x - 16) < 5] = 1
    labels[np.hypot(y - 24, x - 30) < 10] = 2
    labels[np.hypot(y - 24, x - 30) < 6] = 3
    return torch.from_numpy(labels)[None]


def swelling(strength=3.0):
    """A smooth velocity, ``[1, 2, Y, X]``: outwards from the bright disc, and downwards."""
    y = torch.arange(SIZE[0], dtype=torch.float32)[:, None] - 24
    x = torch.arange(SIZE[1], dtype=torch.float32)[None] - 30
    near = torch.exp(-(y**2 + x**2) / (2 * 9.0**2))
    return torch.stack([near * (strength * y / 9 + 1), near * strength * x / 9])[None]


def warp_labels(labels, displacement, classes):
    """Labels ``[N, Y, X]``, from 0, as seen through displacements: the class of largest share."""
    one_hot = torch.nn.functional.one_hot(labels.long(), classes).movedim(-1, 1)
    return warp(one_hot.float(), displacement).argmax(dim=1).to(labels.dtype)


def jacobian(displacement):
    """Determinant by which areas change, ``[N, Y - 1, X - 1]``; below 0 where space folds."""
    by_row = displacement.diff(dim=-2)[..., :, :-1]
    by_column = displacement.diff(dim=-1)[..., :-1, :]
    return (1 + by_row[:, 0]) * (1 + by_column[:, 1]) - by_row[:, 1] * by_column[:, 0]


def overlap(first, second, label):
    a, b = (first == label), (second == label)
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_a_known_deformation_is_recovered():
    moving = slice_of_discs()
    truth = exponential(swelling())
    fixed, labels = warp(moving, truth), labels_of_discs()
    true_labels = warp_labels(labels, truth, 4)

    found = register_slices(moving, fixed)

    inside = true_labels[0] > 0
    error = (found - truth).norm(dim=1)[0][inside]
    assert truth.norm(dim=1)[0][inside].mean() > 1.2
    assert error.mean() < 0.2
    carried = warp_labels(labels, found, 4)
    assert all(overlap(carried, true_labels, label) > 0.95 for label in (1, 2, 3))
    assert overlap(labels, true_labels, 2) < 0.8


def test_equal_images_stay_where_they_are():
    image = slice_of_discs()

    found = register_slices(image, image)

    assert found.abs().max() < 0.02


def test_brightness_and_contrast_do_not_matter():
    moving = slice_of_discs()
    fixed = warp(moving, exponential(swelling()))

    plain, rescaled = register_slices(moving, fixed), register_slices(moving, 50 * fixed + 200)

    assert torch.allclose(plain, rescaled, atol=0.05)


def test_nothing_folds_even_between_images_that_differ_much():
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 1, *SIZE, generator=generator)

    found = register_slices(noise[:1], noise[1:], smoothness=0.0)

    assert found.abs().max() > 1
    assert jacobian(found).min() > 0


def test_the_inverse_leads_back():
    velocity = swelling()

    there_and_back = composed(exponential(velocity), exponential(-velocity))

    assert exponential(velocity).abs().max() > 2
    assert there_and_back[..., 4:-4, 4:-4].abs().max() < 0.1


def test_the_second_displacement_is_taken_where_the_first_leads():
    shift = torch.tensor([0.0, 5.0]).view(1, 2, 1, 1).expand(1, 2, *SIZE)
    stretch = torch.zeros(1, 2, *SIZE)
    stretch[0, 1] = 0.1 * torch.arange(SIZE[1])

    found = composed(shift, stretch)[0, 1, 20, 10]

    # From column 10 to 15, and from there 1.5 further.
    assert found == pytest.approx(6.5, abs=1e-4)


def test_each_pair_is_registered_as_if_alone():
    moving = torch.cat([slice_of_discs(0), slice_of_discs(1), torch.zeros(1, 1, *SIZE)])
    fixed = warp(moving, torch.cat([exponential(swelling(s)) for s in (3.0, -2.0, 1.0)]))

    together = register_slices(moving, fixed, steps=10)

    for number in range(3):
        one = slice(number, number + 1)
        alone = register_slices(moving[one], fixed[one], steps=10)
        assert torch.allclose(alone, together[one], atol=1e-3)
    assert together[2].abs().max() == 0


@pytest.mark.parametrize("size", [(5, 7), (1, 9), (33, 17), (64, 20)])
def test_slices_of_any_size_are_registered(size):
    moving = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(1))

    found = register_slices(moving, moving.roll(1, -1), steps=3)

    assert found.shape == (2, 2, *size)
    assert torch.isfinite(found).all()


def test_a_displacement_points_from_where_a_voxel_is_to_where_it_was():
    image = torch.zeros(1, 1, 6, 8)
    image[0, 0, 2, 5] = 1.0
    displacement = torch.tensor([1.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 6, 8)

    moved = warp(image, displacement)

    # What was at row 2, column 5 is now seen at row 2 - 1, column 5 + 2.
    assert moved[0, 0].argmax() == 1 * 8 + 7
    labels = (3 * image[:, 0]).to(torch.int8)
    assert warp_labels(labels, displacement, 4)[0, 1, 7] == 3
    half = torch.tensor([0.0, 0.4]).view(1, 2, 1, 1).expand(1, 2, 6, 8)
    assert warp(image, half)[0, 0, 2, 5] == pytest.approx(0.6)
    assert warp(image, half, mode="nearest")[0, 0, 2, 5] == 1


def test_only_slices_of_one_shape_are_registered():
    with pytest.raises(ValueError, match=r"\[N, 1, Y, X\]"):
        register_slices(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 9))


def test_the_gradient_is_found_where_the_caller_wants_none():
    moving = slice_of_discs()
    with torch.no_grad():
        found = register_slices(moving, warp(moving, exponential(swelling())), steps=5)

    assert found.abs().max() > 0.5
    assert not found.requires_grad


POSE = torch.tensor([[0.1, 0.15, -0.1, 0.1, 0.15, -0.3, 0.3, 0.1]])
"""Shifted, longer by a tenth, turned by about 15 degrees, wider."""


def volume_of_discs(spacing=(8.0, 2.0, 2.0)):
    """The discs in nine slices, smaller towards the last, ``[1, 9, 64, 64]``."""
    y, x = np.ogrid[:64, :64]
    slices = []
    for z in range(9):
        size = 1.1 - 0.06 * z
        image = 1 / (1 + np.exp(np.hypot(y - 30, x - 36) - 9 * size))
        image += 0.6 / (1 + np.exp(np.hypot((y - 30) / 1.5, x - 20) - 5 * size))
        slices.append(image)
    return Volume(torch.tensor(np.stack(slices), dtype=torch.float32)[None], spacing)


def seen_under(moving, pose, size=(7, 40, 40), spacing=(8.0, 2.5, 2.5)):
    """What a fixed volume shows that lies in ``moving`` as ``pose`` says."""
    empty = Volume(torch.zeros(1, *size), spacing)
    return Volume(moving.at(posed(empty.points, pose, empty))[:, 0], spacing)


def test_a_known_pose_is_recovered():
    moving = volume_of_discs()
    fixed = seen_under(moving, POSE)

    found, worth = register_affine(moving, fixed, torch.zeros(1, 8), steps=15, prior=0.0)

    assert torch.allclose(found, POSE, atol=0.03)
    assert worth[0] > 0.995
    assert worth[0] > worth_of(moving, fixed, torch.zeros(1, 8), prior=0.0)[0] + 0.1


def test_brightness_contrast_and_a_second_start_change_nothing():
    moving = volume_of_discs()
    fixed = seen_under(moving, POSE)
    brighter = Volume(7 * moving.voxels + 3, moving.spacing)
    far = torch.tensor([[0.0, 0.9, 0.9, 0, 0, 0, 0, 0]])

    alone = register_affine(moving, fixed, torch.zeros(1, 8))[0]
    together = register_affine(brighter, fixed, torch.cat([far, torch.zeros(1, 8)]))[0]

    assert torch.allclose(together[1:], alone, atol=1e-3)


def test_what_weighs_nothing_is_not_looked_at():
    moving = volume_of_discs()
    fixed = seen_under(moving, POSE)
    weights = torch.ones(fixed.size)
    # The gradient of the seventh column sees the sixth.
    weights[:, :, :7] = 0
    spoilt = Volume(fixed.voxels.clone(), fixed.spacing)
    spoilt.voxels[..., :6] = 40.0

    clean = register_affine(moving, fixed, torch.zeros(1, 8), weights=weights)
    other = register_affine(moving, spoilt, torch.zeros(1, 8), weights=weights)

    assert torch.allclose(other[0], clean[0], atol=1e-3)


def test_a_strong_prior_keeps_scale_and_turn_but_not_the_shift():
    moving = volume_of_discs()
    shifted = torch.tensor([[0.0, 0.2, -0.15, 0, 0, 0, 0, 0]])

    held = register_affine(moving, seen_under(moving, POSE), torch.zeros(1, 8), prior=100.0)[0]
    free = register_affine(moving, seen_under(moving, shifted), torch.zeros(1, 8), prior=100.0)[0]

    assert held[:, 3:].abs().max() < 0.02
    assert torch.allclose(free, shifted, atol=0.02)


def test_the_prior_draws_a_pose_back_that_the_images_do_not_hold():
    flat = Volume(torch.zeros(1, 7, 40, 40), (8.0, 2.0, 2.0))

    found = register_affine(flat, flat, POSE, prior=1.0)[0]

    assert found[:, 3:].abs().max() < 0.1
    assert torch.equal(found[:, :3], POSE[:, :3])


@pytest.mark.parametrize("size", [(1, 12, 12), (7, 1, 9), (2, 3, 2)])
def test_flat_and_thin_volumes_give_finite_poses(size):
    fixed = Volume(torch.rand(1, *size, generator=torch.Generator().manual_seed(0)), (8.0, 2, 2))
    flat = Volume(torch.zeros(1, 1, 20, 20), (8.0, 2.0, 2.0))

    of_flat, worth = register_affine(flat, fixed, torch.zeros(2, 8))
    of_self = register_affine(fixed, fixed, torch.zeros(1, 8))[0]

    assert (of_flat == 0).all()
    assert (worth == 0).all()
    assert torch.allclose(of_self, torch.zeros(1, 8), atol=0.02)


def test_a_pose_as_a_matrix_leads_to_the_same_points():
    fixed = Volume(torch.zeros(1, 3, 4, 5), (8.0, 2.0, 3.0))

    matrix, shift = matrix_of(POSE[0], fixed)
    found = fixed.points.numpy() @ matrix.T + shift

    np.testing.assert_allclose(found, posed(fixed.points, POSE, fixed)[0], atol=1e-4)
    # A tenth of half of 3 * 8 mm; .15 of half of 4 * 2 mm; -.1 of half of 5 * 3 mm.
    assert shift == pytest.approx([1.2, 0.6, -0.75])
    assert matrix[0, 0] == pytest.approx(np.exp(0.1))


def test_a_volume_is_seen_at_points_in_mm_from_its_centre():
    volume = Volume(torch.arange(12.0).view(1, 2, 2, 3), (10.0, 4.0, 2.0))

    found = volume.at(torch.tensor([[-5.0, -2.0, 0.0], [0.0, 2.0, -2.0], [50.0, 2.0, 2.0]]))
    beyond = volume.at(torch.tensor([[50.0, 2.0, 2.0]]), beyond="zeros")

    # Voxel (0, 0, 1); halfway between 3 and 9; the last, which goes on.
    assert found[0].tolist() == pytest.approx([1.0, 6.0, 11.0])
    assert beyond[0, 0] == 0
    assert volume.resized((1, 2, 3)).spacing == (20.0, 4.0, 2.0)
    assert volume.coarser(4.0).size == (2, 2, 2)
    assert volume.coarser(1.0).size == (2, 2, 3)

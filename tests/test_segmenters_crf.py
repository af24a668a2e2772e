import numpy as np
import pytest

from segmenters.crf import CRF

SHAPE = (2, 17, 23)


def probabilities_of(labels, sure=0.9):
    """Two classes, as sure everywhere."""
    foreground = np.where(labels, sure, 1 - sure)
    return np.stack([1 - foreground, foreground]).astype(np.float32)


def flat_image(modalities=1):
    return np.ones((modalities, *SHAPE), dtype=np.float32)


def halves():
    """A bright right half beside a dark left one."""
    labels = np.zeros(SHAPE, dtype=bool)
    labels[..., 12:] = True
    return labels


@pytest.mark.parametrize("modalities", [1, 3])
def test_probabilities_sum_to_one_for_any_number_of_modalities(modalities):
    generator = np.random.default_rng(0)
    image = generator.normal(size=(modalities, *SHAPE)).astype(np.float32)
    given = np.moveaxis(generator.dirichlet(np.ones(4), SHAPE), -1, 0).astype(np.float32)
    refined = CRF()(image, given)
    assert refined.shape == (4, *SHAPE)
    assert refined.dtype == np.float32
    np.testing.assert_allclose(refined.sum(axis=0), 1, atol=1e-5)


def test_an_isolated_wrong_pixel_is_removed():
    labels = np.zeros(SHAPE, dtype=bool)
    labels[1, 8, 11] = True
    assert not CRF()(flat_image(), probabilities_of(labels)).argmax(axis=0).any()


def test_a_border_moves_to_the_edge_of_the_image():
    truth = halves()
    given = probabilities_of(np.roll(truth, 2, axis=-1), sure=0.6)
    refined = CRF()(truth[None].astype(np.float32), given)
    np.testing.assert_array_equal(refined.argmax(axis=0)[:, 3:-3], truth[:, 3:-3])


def test_a_border_without_an_edge_stays():
    truth = halves()
    refined = CRF()(flat_image(), probabilities_of(truth))
    np.testing.assert_array_equal(refined.argmax(axis=0), truth)


def test_what_is_certain_stays_though_the_image_has_no_edge_there():
    labels = np.zeros(SHAPE, dtype=bool)
    labels[:, 5:12, 6:15] = True
    refined = CRF()(flat_image(), probabilities_of(labels, sure=1.0))
    np.testing.assert_array_equal(refined.argmax(axis=0)[:, 6:11, 7:14], 1)
    assert not refined.argmax(axis=0)[:, :4].any()


def test_slices_do_not_touch_one_another():
    generator = np.random.default_rng(1)
    image = generator.normal(size=(1, *SHAPE)).astype(np.float32)
    given = probabilities_of(halves(), sure=0.7)
    changed = given.copy()
    changed[:, 1] = changed[::-1, 1]
    before, after = CRF()(image, given), CRF()(image, changed)
    np.testing.assert_allclose(before[:, 0], after[:, 0], atol=1e-6)
    assert np.abs(before[:, 1] - after[:, 1]).max() > 0.1


def test_mean_field_settles():
    truth = halves()
    image = truth[None] + np.random.default_rng(2).normal(0, 0.1, (1, *SHAPE)).astype(np.float32)
    given = probabilities_of(np.roll(truth, 1, axis=-1), sure=0.65)
    late, later = (CRF(iterations=n)(image, given) for n in (40, 41))
    assert np.abs(late - later).max() < 1e-3


def test_brightness_and_contrast_of_the_image_do_not_matter():
    image = np.random.default_rng(3).normal(size=(1, *SHAPE)).astype(np.float32)
    given = probabilities_of(halves(), sure=0.7)
    np.testing.assert_allclose(CRF()(image, given), CRF()(5 * image + 7, given), atol=1e-3)


def test_one_update_is_the_sum_over_pairs_that_the_paper_writes_down():
    image = np.random.default_rng(4).normal(size=(1, 1, 4, 5)).astype(np.float32)
    given = np.moveaxis(np.random.default_rng(5).dirichlet(np.ones(3), (1, 4, 5)), -1, 0)
    crf = CRF(smoothness_sd=2.0, appearance_sd=4.0, intensity_sd=0.5, iterations=1)
    refined = crf(image, given.astype(np.float32))
    place = np.stack(np.mgrid[:4, :5], axis=-1).reshape(-1, 2)
    squared = ((place[:, None] - place) ** 2).sum(axis=-1)
    low, high = np.percentile(image, (1, 99))
    grey = image.reshape(-1) / ((high - low) * 0.5)
    alike = (grey[:, None] - grey) ** 2
    belief = given.reshape(3, -1)
    pull = np.log(belief)
    for weight, kernel in (
        (crf.smoothness, np.exp(-0.5 * squared / 2.0**2)),
        (crf.appearance, np.exp(-0.5 * (squared / 4.0**2 + alike))),
    ):
        degree = kernel.sum(axis=1)
        normal = kernel / np.sqrt(np.outer(degree, degree))
        np.fill_diagonal(normal, 0)
        pull = pull + weight * belief @ normal
    expected = np.exp(pull) / np.exp(pull).sum(axis=0)
    np.testing.assert_allclose(refined.reshape(3, -1), expected, atol=1e-5)


def test_probabilities_that_were_rounded_are_made_to_sum_to_one():
    given = np.round(probabilities_of(halves(), sure=0.7) * 255) / 250
    certain = np.stack([np.full(SHAPE, 1.02), np.zeros(SHAPE)])
    for rounded in (given, certain):
        np.testing.assert_allclose(CRF()(flat_image(), rounded).sum(axis=0), 1, atol=1e-5)


def test_far_background_is_left_and_costs_nothing():
    given = probabilities_of(np.zeros(SHAPE, dtype=bool), sure=1.0)
    np.testing.assert_array_equal(CRF()(flat_image(), given), given)


def test_no_update_gives_back_what_came():
    given = probabilities_of(halves(), sure=0.8)
    np.testing.assert_allclose(CRF(iterations=0)(flat_image(), given), given, atol=1e-6)


def test_the_inputs_are_left_as_they_were():
    image, given = flat_image(), probabilities_of(halves())
    copies = image.copy(), given.copy()
    CRF()(image, given)
    np.testing.assert_array_equal(image, copies[0])
    np.testing.assert_array_equal(given, copies[1])


def test_probabilities_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"probabilities have shape .* expected \[C, Z, Y, X\]"):
        CRF()(flat_image(), np.ones((2, 2, 17, 22), dtype=np.float32))


@pytest.mark.parametrize("name", ["smoothness_sd", "appearance_sd", "intensity_sd"])
def test_a_kernel_without_width_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be above 0, got 0"):
        CRF(**{name: 0.0})


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match="appearance must be at least 0"):
        CRF(appearance=-1.0)

import numpy as np
import pytest

from semiqc.phantom.artefacts import Artefacts, breath_hold_offsets, corrupt, draw_artefacts
from semiqc.phantom.cine import normalised, scan
from semiqc.phantom.draws import Normal, streams, study_seed
from semiqc.phantom.scanner import PROFILES, ScannerProfile, acquire, find_profile, to_kspace
from semiqc.phantom.tissue import coverage, texture

SHARP = ScannerProfile("test", resolution_mm=(1.0, 1.0), apodisation=0.0)
"""As fine as pixels of 1 mm are, so that nothing is lost."""


@pytest.fixture
def signal():
    """A block that is brighter in each of 5 frames, ``[5, 2, 40, 48]``."""
    image = np.zeros((5, 2, 40, 48), dtype=np.float32)
    image[:, :, 10:30, 16:30] = np.arange(1, 6)[:, None, None, None]
    return image


def image_of(measured, noise=0.0, profile=SHARP):
    return acquire(measured, profile, 1.0, noise, np.random.default_rng(0))


def test_a_voxel_is_covered_by_the_share_of_it_inside():
    inside = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])

    np.testing.assert_allclose(coverage(inside, 2.0), [0, 0, 0.5, 0.75, 1, 1])


@pytest.mark.parametrize("sigma", [1.0, 9.0])
def test_texture_is_standardised_and_as_smooth_as_asked(sigma):
    field = texture(np.random.default_rng(1), (120, 150), (sigma, sigma))

    assert field.shape == (120, 150)
    assert field.mean() == pytest.approx(0, abs=1e-5)
    assert field.std() == pytest.approx(1, abs=1e-4)
    neighbours = np.corrcoef(field[:, 1:].ravel(), field[:, :-1].ravel())[0, 1]
    # A Gaussian field correlates by exp(-d^2 / 4 sigma^2) at distance d.
    assert neighbours == pytest.approx(np.exp(-1 / (4 * sigma**2)), abs=0.05)


def test_a_perfect_scanner_gives_the_signal_back(signal):
    np.testing.assert_allclose(image_of(to_kspace(signal)), signal, atol=1e-4)


def test_what_is_finer_than_the_resolution_is_lost():
    checkers = np.indices((40, 48)).sum(axis=0) % 2 * np.ones((1, 1, 1, 1))
    coarse = ScannerProfile("test", resolution_mm=(2.5, 2.5), apodisation=0.0)

    image = image_of(to_kspace(checkers.astype(np.float32)), profile=coarse)

    np.testing.assert_allclose(image, 0.5, atol=1e-4)


def test_noise_in_air_is_rayleigh_distributed():
    air = np.zeros((2, 3, 64, 72), dtype=np.float32)

    image = image_of(to_kspace(air), noise=0.1)

    assert image.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.02)
    assert image.std() == pytest.approx(0.1 * np.sqrt(2 - np.pi / 2), rel=0.03)


def test_without_artefacts_nothing_is_changed(signal):
    measured = to_kspace(signal)
    before = measured.copy()

    corrupt(measured, Artefacts(), 1.5, np.random.default_rng(2))

    np.testing.assert_array_equal(measured, before)


def test_mistriggering_spoils_only_what_moves(signal):
    still = np.repeat(signal[2:3], 5, axis=0)
    damage = []
    for moment in (still, signal):
        measured = to_kspace(moment)
        corrupt(measured, Artefacts(mistriggered=0.5), 1.5, np.random.default_rng(5))
        damage.append(np.abs(image_of(measured) - moment).max())

    assert damage[0] < 1e-4
    assert damage[1] > 0.5


def test_breathing_makes_ghosts_along_phase_encoding_only(signal):
    measured = to_kspace(signal)
    before = measured.copy()
    corrupt(measured, Artefacts(breathing_mm=5), 1.5, np.random.default_rng(4))
    # The centre of k-space does not know where anything lies.
    np.testing.assert_allclose(measured[:, :, 0], before[:, :, 0], rtol=1e-5)
    image = image_of(measured)

    beside = np.ones(48, dtype=bool)
    beside[16:30] = False
    assert image[..., beside].max() < 1e-3
    above = image[:, :, :8, 16:30]
    assert above.max() > 0.1


def test_noise_grows_with_the_artefacts_factor(signal):
    rngs = [(np.random.default_rng(5), np.random.default_rng(6)) for _ in range(2)]
    quiet, loud = (
        scan(signal, SHARP, Artefacts(noise=factor), 1.0, pair)
        for factor, pair in zip((1.0, 3.0), rngs, strict=True)
    )

    air = (0, slice(None), slice(None), slice(0, 8))
    assert loud[air].std() > 2.5 * quiet[air].std()


def test_one_artefact_has_the_full_severity_and_the_rest_at_most_half():
    for seed in range(20):
        drawn = draw_artefacts(np.random.default_rng(seed), 0.8)
        strength = sorted(
            (
                drawn.misregistration_mm / 7.0,
                drawn.breathing_mm / 4.5,
                drawn.mistriggered / 0.5,
                (drawn.noise - 1) / 3.0,
            )
        )

        assert strength[-1] == pytest.approx(0.8)
        assert strength[-2] <= 0.4
    assert draw_artefacts(np.random.default_rng(0), 0.0) == Artefacts()


def test_breath_holds_leave_the_mean_place_alone():
    offsets = breath_hold_offsets(Artefacts(misregistration_mm=5), 7, np.random.default_rng(7))

    assert offsets.shape == (7, 2)
    np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=1e-9)
    assert offsets[:, 1].std() > offsets[:, 0].std()


def test_intensities_are_brought_to_the_percentiles_of_an_import(signal):
    image = signal.copy()
    image[0, 0, 0, 0] = 1e6

    scaled = normalised(image + 100)

    assert scaled.dtype == np.float32
    assert scaled.max() == 3
    assert np.percentile(scaled, 99) == pytest.approx(1, abs=0.3)
    assert np.percentile(scaled, 1) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("severity", [-0.1, 1.1])
def test_a_severity_out_of_range_is_refused(severity):
    with pytest.raises(ValueError, match=rf"must lie in \[0, 1\], got {severity}"):
        draw_artefacts(np.random.default_rng(0), severity)


def test_an_unknown_profile_is_named():
    with pytest.raises(ValueError, match=r"unknown scanner profile 'x'; known: 1\.5T-sharp"):
        find_profile("x")


def test_profiles_differ_in_what_shifts_a_domain():
    assert len(PROFILES) >= 4
    for of in (
        lambda p: p.signals.myocardium,
        lambda p: p.resolution_mm,
        lambda p: p.snr,
        lambda p: p.bias,
    ):
        assert len({of(profile) for profile in PROFILES.values()}) == len(PROFILES)


def test_a_bounded_normal_stays_within_its_bounds_and_keeps_its_shape():
    rng = np.random.default_rng(8)
    values = [Normal(0, 1, -1, 2).draw(rng) for _ in range(2000)]

    assert -1 <= min(values) < -0.95
    assert 1.6 < max(values) <= 2
    # Drawn again, not clipped: no heap at the bound.
    assert np.mean(np.array(values) < -0.98) < 0.03


def test_a_mean_outside_the_bounds_is_refused():
    with pytest.raises(ValueError, match=r"mean must lie in \[1, 2\], got 0"):
        Normal(0, 1, 1, 2)


def test_streams_are_independent_of_their_number():
    first, *_ = streams(9, 2)
    again, *_ = streams(9, 5)

    assert first.random() == again.random()
    assert study_seed(1, 2) != study_seed(2, 1)

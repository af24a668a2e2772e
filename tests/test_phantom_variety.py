import numpy as np
import pytest

from semiqc.files.store.reader import Store
from semiqc.phantom import short_axis_study, write_phantoms
from semiqc.phantom.heart import BeatingHeart
from semiqc.phantom.variety import random_anatomy, random_scanner

SMALL = {"size": 64, "slices": 5, "frames": 2, "spacing": (14.0, 3.0, 3.0)}


@pytest.fixture(scope="module")
def many():
    return [short_axis_study(seed, variety="random", **SMALL) for seed in range(12)]


def test_every_random_study_shows_a_whole_heart(many):
    for study in many:
        assert np.isfinite(study.image).all()
        assert set(np.unique(study.labels)) == {0, 1, 2, 3}


def test_random_studies_have_no_group_or_scanner_of_their_own(many):
    again = short_axis_study(0, variety="random", profile="3T-fast", group="HCM", **SMALL)

    assert {study.group for study in many} == {"random"}
    np.testing.assert_array_equal(again.image, many[0].image)


def test_contrast_varies_more_than_over_the_scanner_profiles(many):
    usual = [short_axis_study(s, profile=p, **SMALL) for s in range(3) for p in
             ("1.5T-sharp", "1.5T-soft", "3T-bright", "3T-fast")]  # fmt: skip

    def contrast(study):
        image = study.image[0]
        return np.median(image[study.labels == 2]) / np.median(image[study.labels == 3])

    assert np.std([contrast(s) for s in many]) > 1.3 * np.std([contrast(s) for s in usual])


def test_hearts_lie_in_any_direction(many):
    def towards_rv(study):
        rows, columns = (np.argwhere(study.labels[0] == value)[:, 1:].mean(axis=0)
                         for value in (3, 1))  # fmt: skip
        return np.arctan2(*(columns - rows))

    angles = np.array([towards_rv(study) for study in many])
    assert np.abs(np.exp(1j * angles).mean()) < 0.9


@pytest.mark.parametrize("seed", range(40))
def test_a_random_heart_can_beat(seed):
    anatomy = random_anatomy(np.random.default_rng(seed))
    heart = BeatingHeart(anatomy, 12)

    assert np.isfinite(heart.contraction).all()
    assert heart.contraction.max() < 1
    assert np.isfinite(heart.rv_width_mm).all()
    assert heart.rv_width_mm.min() > 0


def test_some_random_hearts_close_in_systole_as_hypertrophic_ones_do():
    drawn = [random_anatomy(np.random.default_rng(seed)) for seed in range(200)]
    closed = [a for a in drawn if a.wall_mm > 12 and a.lv_esv_ml < 25]

    assert 0.05 < len(closed) / len(drawn) < 0.3
    assert max(a.apical for a in closed) > 0.3
    assert all(a.apical == 0 for a in drawn if a.wall_mm < 9)


def test_right_ventricles_of_random_hearts_end_systole_as_small_as_real_ones():
    volumes = [random_anatomy(np.random.default_rng(seed)).rv_esv_ml for seed in range(200)]

    assert np.percentile(volumes, 5) < 31
    assert 55 < np.median(volumes) < 75


def test_a_random_scanner_shows_muscle_darker_than_blood():
    drawn = [random_scanner(np.random.default_rng(seed)).signals for seed in range(50)]

    assert max(signals.myocardium for signals in drawn) < 0.5
    assert np.ptp([signals.myocardium for signals in drawn]) > 0.3


def test_a_store_of_random_studies_varies_in_slice_distance_and_keeps_its_pixels(tmp_path):
    write_phantoms(
        tmp_path / "a.h5", studies=3, size=48, slices=4, frames=2, variety="random", pixel_mm=3.5
    )
    spacings = [study.load().spacing for study in Store(tmp_path / "a.h5")]

    assert {spacing[1:] for spacing in spacings} == {(3.5, 3.5)}
    assert len({spacing[0] for spacing in spacings}) == 3

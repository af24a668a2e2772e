import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from semiqc.files.store.reader import Store
from semiqc.phantom import tumour_study, write_phantoms
from semiqc.phantom.brain import Brain, Tissue, Tumour, draw_brain, shares
from semiqc.phantom.dataset import brain_slice_mm
from semiqc.phantom.tumour import LABEL_OF, MODALITIES, SIGNALS
from semiqc.schemes import TUMOUR

OEDEMA, CORE, ENHANCING = 1, 2, 3
COARSE = {"size": 40, "slices": 26, "spacing": (5.0, 5.0, 5.0), "artefacts": 0.0}
HIGH_GRADE, LOW_GRADE = 1, 0
PAGE = (Path(__file__).parents[1] / "docs" / "phantom.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def study():
    return tumour_study(HIGH_GRADE, size=104, slices=40, spacing=(2.0, 2.0, 2.0), artefacts=0.0)


def grid(half_mm, step_mm):
    axis = np.arange(-half_mm, half_mm + step_mm / 2, step_mm, dtype=np.float32)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    return x, y, z


def median_of(study, modality, where):
    return float(np.median(study.image[MODALITIES.index(modality), 0][where]))


def test_a_study_has_four_modalities_one_frame_and_a_label_in_every_voxel(study):
    assert study.image.shape == (4, 1, 40, 104, 104)
    assert study.image.dtype == np.float32
    assert set(np.unique(study.labels)) == {0, OEDEMA, CORE, ENHANCING}
    assert (study.name, study.group) == ("HGG-1", "HGG")
    assert study.geometry.shape == (104, 104, 40)


def test_structures_are_nested(study):
    whole, core, enhancing = (s.mask(study.labels) for s in TUMOUR.structures)

    assert not (core & ~whole).any()
    assert not (enhancing & ~core).any()
    assert whole.sum() > core.sum() > enhancing.sum() > 0


def test_each_modality_shows_what_it_is_known_for(study):
    labels = study.labels[0]
    oedema, core, rim = (
        ndimage.binary_erosion(labels == label) if label == CORE else labels == label
        for label in (OEDEMA, CORE, ENHANCING)
    )
    inside = ndimage.binary_erosion(study.image[0, 0] > 0, iterations=8)
    healthy = inside & ~ndimage.binary_dilation(labels > 0, iterations=5)
    # White matter is the brightest of healthy tissue in T1, fluid in T2.
    white = healthy & (study.image[0, 0] > np.percentile(study.image[0, 0][healthy], 60))
    fluid = healthy & (study.image[2, 0] > np.percentile(study.image[2, 0][healthy], 99))

    assert median_of(study, "FLAIR", oedema) > 1.5 * median_of(study, "FLAIR", white)
    assert median_of(study, "FLAIR", fluid) < 0.8 * median_of(study, "FLAIR", white)
    assert median_of(study, "T2", fluid) > 1.5 * median_of(study, "T2", white)
    assert median_of(study, "T2", oedema) > 1.5 * median_of(study, "T2", white)
    assert median_of(study, "T1c", rim) > 1.2 * median_of(study, "T1c", white)
    assert median_of(study, "T1", rim) < median_of(study, "T1", white)
    assert median_of(study, "T1", core) < 0.7 * median_of(study, "T1", white)


def test_outside_the_brain_every_modality_is_zero(study):
    image = study.image[:, 0]

    assert (image[:, :, :4, :4] == 0).all()
    assert 0.1 < (image[0] > 0.05).mean() < 0.6


def test_a_low_grade_tumour_enhances_less():
    low, high = (tumour_study(seed, **COARSE).labels for seed in (LOW_GRADE, HIGH_GRADE))
    low_share, high_share = (
        (labels == ENHANCING).sum() / (labels >= CORE).sum() for labels in (low, high)
    )

    assert low_share < 0.5 * high_share


def test_the_same_seed_gives_the_same_study_and_another_seed_another():
    first, again, other = (tumour_study(seed, **COARSE) for seed in (5, 5, 6))

    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.labels != other.labels).any()


def test_artefacts_make_images_noisier_and_leave_the_labels():
    clean, poor = (tumour_study(3, **COARSE | {"artefacts": s}) for s in (0.0, 1.0))
    inside = ndimage.binary_erosion(clean.image[0, 0] > 0.2, iterations=2)
    roughness = [
        np.median(np.abs(ndimage.laplace(study.image[0, 0]))[inside]) for study in (clean, poor)
    ]

    np.testing.assert_array_equal(clean.labels, poor.labels)
    assert roughness[1] > 1.1 * roughness[0]


def test_shares_of_tissues_sum_to_one_and_blend_at_surfaces():
    brain = draw_brain(np.random.default_rng(0), 20, high_grade=True)

    found = shares(brain, grid(60, 4), 4.0, np.random.default_rng(1))

    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    assert ((found[Tissue.ENHANCING] > 0.2) & (found[Tissue.ENHANCING] < 0.8)).sum() > 20


def test_a_smooth_core_has_the_volume_of_its_sphere():
    # Within the white matter of a side, away from ventricles and surface.
    tumour = Tumour((30.0, 0.0, -22.0), 9.0, 3.0, 4.0, 0.0, 0.0)
    brain = Brain((70.0, 90.0, 66.0), 3.0, 12.0, 0.5, tumour)

    found = shares(brain, grid(45, 1), 1.0, np.random.default_rng(1))

    core = found[Tissue.CORE] + found[Tissue.ENHANCING]
    assert core.sum() == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.1)


def test_a_tumour_lies_in_a_thin_slab():
    slab = tumour_study(7, size=56, slices=3, spacing=(6.0, 3.6, 3.6))

    assert (slab.labels >= CORE).any()


def test_a_store_holds_modalities_and_scheme(tmp_path):
    path = tmp_path / "brains.h5"

    write_phantoms(path, kind="tumour", studies=2, size=40, slices=3, seed=4)

    store = Store(path)
    assert store.modalities == ("T1", "T1c", "T2", "FLAIR")
    assert store.scheme == TUMOUR
    # 208 mm over 40 pixels; 144 mm over 3 slices would be far too thick.
    assert [study.spacing for study in store] == [(6.0, 5.2, 5.2)] * 2
    assert [study.labelled_frames for study in store] == [(0,), (0,)]


@pytest.mark.parametrize(("slices", "distance"), [(8, 6.0), (40, 3.6), (72, 2.0), (144, 1.5)])
def test_slices_show_a_brain_and_are_never_thinner_than_pixels(slices, distance):
    assert brain_slice_mm(slices, 1.5) == distance


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"profile": "2T"}, "unknown scanner profile '2T'"),
        ({"artefacts": 1.5}, r"must lie in \[0, 1\], got 1.5"),
        ({"size": 16}, "got 1, 72 and 16"),
        ({"spacing": (2.0, 1.0, 2.0)}, "HGG-1: spacing must be positive mm with y equal to x"),
    ],
)
def test_a_mistake_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        tumour_study(HIGH_GRADE, **settings)


@pytest.mark.parametrize("kind", [Brain, Tumour])
def test_every_parameter_stands_on_the_page(kind):
    (section,) = re.findall(rf"^## `{kind.__name__}`\n(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)

    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [
        field.name for field in fields(kind) if field.name != "tumour"
    ]


@pytest.mark.parametrize("tissue", Tissue)
def test_the_signals_on_the_page_are_those_of_the_modalities(tissue):
    (cells,) = re.findall(rf"^\| {tissue.name.lower()} \|(.+)\|$", PAGE, re.MULTILINE)

    label, *signals = (float(cell) for cell in cells.split("|"))
    assert label == LABEL_OF[tissue]
    assert signals == [SIGNALS[modality][tissue] for modality in MODALITIES]

import math

import numpy as np
import pytest

from semiqc.measuring.measures import clinical, curve, curve_unit, curves, ejection_fraction
from semiqc.schemes import (
    AORTA,
    SHORT_AXIS,
    UNLABELLED,
    LabelScheme,
    Measure,
    Structure,
)

SPACING = (10.0, 2.0, 1.0)
"""A voxel of 20 mm3 is 0.02 ml."""
LV, MYO, RV = SHORT_AXIS.structures


def heart(lv, myo=(), rv=()):
    """Labels ``[T, 2, 5, 40]`` with so many voxels of each structure in each frame."""
    labels = np.zeros((len(lv), 2 * 5 * 40), dtype=np.int8)
    for frame, counts in enumerate(
        zip(lv, myo or [0] * len(lv), rv or [0] * len(lv), strict=True)
    ):
        start = 0
        for count, value in zip(counts, (3, 2, 1), strict=True):
            labels[frame, start : start + count] = value
            start += count
    return labels.reshape(len(lv), 2, 5, 40)


def figures(*arguments):
    return {(f.structure, f.measure): f.value for f in clinical(*arguments)}


class ReadByFrame:
    """Labels in a file: they can be read a frame at a time and nothing else."""

    def __init__(self, labels):
        self.labels = labels
        self.shape, self.ndim, self.dtype = labels.shape, labels.ndim, labels.dtype
        self.read = []

    def __getitem__(self, frame):
        assert isinstance(frame, int)
        self.read.append(frame)
        return self.labels[frame]


def test_a_volume_counts_voxels_times_their_size():
    assert curve(heart([100, 50, 0]), SPACING, LV) == pytest.approx([2.0, 1.0, 0.0])
    assert curve_unit(LV) == "ml"


def test_an_area_is_the_mean_cross_section_of_the_labelled_slices():
    labels = np.zeros((2, 3, 5, 6), dtype=np.int8)
    labels[0, 0, :2, :4] = 1
    labels[0, 1, :2, :2] = 1
    labels[0, 2] = UNLABELLED
    labels[1] = labels[0]
    labels[1, 2] = 0

    found = curve(labels, SPACING, AORTA.structures[0])

    # 8 + 4 pixels of 2 mm2 in two labelled slices, then in three.
    assert found == pytest.approx([12.0, 8.0])
    assert curve_unit(AORTA.structures[0]) == "mm2"


def test_a_structure_is_the_union_of_its_values():
    whole = Structure("whole heart", (1, 2, 3), Measure.VOLUME)

    assert curve(heart([10], [20], [30]), SPACING, whole) == pytest.approx([60 * 0.02])


def test_frames_are_read_once_each_however_many_structures():
    labels = ReadByFrame(heart([30, 20], [10, 10], [5, 4]))

    found = curves(labels, SPACING, SHORT_AXIS.structures)

    assert labels.read == [0, 1]
    assert found["RV"] == pytest.approx([0.1, 0.08])


def test_unlabelled_voxels_do_not_count_and_frames_without_labels_are_nan():
    labels = heart([100, 50, 40])
    labels[1] = UNLABELLED
    labels[2, 1] = UNLABELLED

    np.testing.assert_allclose(curve(labels, SPACING, LV), [2.0, np.nan, 0.8])


def test_clinical_figures_by_hand():
    labels = heart([150, 200, 80], [60, 50, 70], [100, 60, 120])

    found = figures(labels, SPACING, SHORT_AXIS)

    assert found == pytest.approx(
        {
            ("LV", "EDV"): 4.0,
            ("LV", "ESV"): 1.6,
            ("LV", "SV"): 2.4,
            ("LV", "EF"): 60.0,
            # 50 voxels in the frame of the largest LV.
            ("MYO", "mass"): 50 * 0.02 * 1.05,
            ("RV", "EDV"): 2.4,
            ("RV", "ESV"): 1.2,
            ("RV", "SV"): 1.2,
            ("RV", "EF"): 50.0,
        }
    )


def test_units_stand_beside_the_figures():
    units = {f.measure: f.unit for f in clinical(heart([2, 1]), SPACING, SHORT_AXIS)}

    assert units == {"EDV": "ml", "ESV": "ml", "SV": "ml", "EF": "%", "mass": "g"}


def test_only_the_asked_frames_are_measured():
    labels = ReadByFrame(heart([150, 200, 80, 100], [60, 50, 70, 40]))

    found = figures(labels, SPACING, SHORT_AXIS, (3, 0))

    assert labels.read == [0, 3]
    assert found["LV", "EDV"] == pytest.approx(3.0)
    assert found["LV", "ESV"] == pytest.approx(2.0)
    assert found["MYO", "mass"] == pytest.approx(60 * 0.02 * 1.05)


def test_a_manual_reference_is_measured_in_its_labelled_frames():
    labels = heart([150, 200, 80], [60, 50, 70])
    labels[1] = UNLABELLED

    found = figures(labels, SPACING, SHORT_AXIS)

    assert found["LV", "EDV"] == pytest.approx(3.0)
    assert found["LV", "ESV"] == pytest.approx(1.6)
    assert found["MYO", "mass"] == pytest.approx(60 * 0.02 * 1.05)


@pytest.mark.parametrize("frames", [(), (0,)])
def test_a_single_phase_has_no_ejection_fraction(frames):
    found = figures(heart([200, 100], [50, 50]), SPACING, SHORT_AXIS, frames)

    assert all(math.isnan(found["LV", name]) for name in ("EDV", "ESV", "SV", "EF"))
    assert found["MYO", "mass"] == pytest.approx(1.05 if frames else math.nan, nan_ok=True)


def test_a_cavity_that_was_not_found_has_no_ejection_fraction():
    found = figures(heart([0, 0], [50, 40]), SPACING, SHORT_AXIS)

    assert found["LV", "EDV"] == 0
    assert math.isnan(found["LV", "EF"])
    assert math.isnan(ejection_fraction(0.0, 0.0))


def test_an_area_gives_its_extremes_and_relative_change():
    labels = np.zeros((3, 1, 5, 6), dtype=np.int8)
    for frame, pixels in enumerate((10, 12, 8)):
        labels[frame].reshape(-1)[:pixels] = 1

    found = figures(labels, SPACING, AORTA)

    assert found == pytest.approx(
        {
            ("aorta", "largest"): 24.0,
            ("aorta", "smallest"): 16.0,
            ("aorta", "relative change"): 50.0,
        }
    )


def test_a_lost_aorta_has_no_relative_change():
    found = figures(np.zeros((2, 1, 5, 6), dtype=np.int8), SPACING, AORTA)

    assert found["aorta", "largest"] == 0
    assert math.isnan(found["aorta", "relative change"])


def test_a_still_volume_is_measured_and_what_has_no_measure_is_not():
    tumour = LabelScheme(
        "tumour",
        ("background", "oedema", "core"),
        (Structure("whole tumour", (1, 2), Measure.VOLUME), Structure("core", (2,))),
    )

    assert figures(heart([0], [30], [20]), SPACING, tumour) == {
        ("whole tumour", "volume"): pytest.approx(50 * 0.02)
    }


def test_a_scheme_without_measures_gives_no_figures():
    silent = LabelScheme("silent", ("background", "a"), (Structure("a", (1,)),))

    assert clinical(heart([1, 2]), SPACING, silent) == []


def test_a_frame_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"frames must lie in 0 to 1, got \[0, 2\]"):
        clinical(heart([1, 2]), SPACING, SHORT_AXIS, (2, 0))

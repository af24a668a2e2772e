"""Shapes that no heart has are told, whatever the estimators say."""

import importlib.util
from pathlib import Path

import nibabel
import numpy as np
import pytest

from semiqc.measuring.misshapen import misshapen
from semiqc.phantom import short_axis_study
from semiqc.schemes import SHORT_AXIS, TUMOUR

FRAMES = 3


@pytest.fixture(scope="module")
def good():
    return np.asarray(short_axis_study(3, size=96, slices=7, frames=FRAMES).labels[:])


def spoilt(good, how):
    labels = good.copy()
    how(labels)
    return labels


def empty_slice(labels):
    labels[:, 3] = 0


def empty_slices(labels):
    labels[1, 3:5] = 0


def segment_something_else(labels):
    labels[1, 4, 2:12, 2:12] = 3


def lose_the_wall(labels):
    labels[1, 3][labels[1, 3] == 2] = 0


def move_a_slice(labels):
    labels[2, 3] = np.roll(labels[2, 3], 24, axis=1)


def scatter(labels):
    background = labels[0] == 0
    dots = np.zeros_like(background)
    dots[:, ::4, ::4] = True
    labels[0][background & dots] = 1


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (empty_slice, "slice 3 is empty between segmented slices in frame 0, and in 2 more of 3"),
        (empty_slices, "slice 3 is empty between segmented slices in frame 1"),
        (segment_something_else, "a piece in slice 4 lies apart from the heart in frame 1"),
        (lose_the_wall, "MYO is missing in slice 3, between others, in frame 1"),
        (move_a_slice, "slice 3 does not fit between its neighbours in frame 2"),
        (scatter, "RV is in"),
    ],
)
def test_what_is_broken_is_named_with_slice_and_frame(good, how, said):
    [line] = misshapen(spoilt(good, how), SHORT_AXIS)

    assert line.startswith(said)


def test_a_heart_is_not_broken_and_a_tumour_may_have_any_shape(good):
    assert misshapen(good, SHORT_AXIS) == []
    assert misshapen(np.zeros_like(good), SHORT_AXIS) == []
    assert misshapen(spoilt(good, empty_slice), TUMOUR) == []
    speck = good.copy()
    speck[0, 4, 2:5, 2:5] = 3
    assert misshapen(speck, SHORT_AXIS) == []


def test_the_example_writes_segmentations_of_which_three_are_wrong(tmp_path):
    path = Path(__file__).parents[1] / "examples/another_tool.py"
    spec = importlib.util.spec_from_file_location("another_tool", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main(["-o", str(tmp_path), "--studies", "2", "--frames", "2"])
    image, labels = (
        nibabel.load(tmp_path / folder / "heart0.nii.gz") for folder in ("images", "segmentations")
    )

    assert image.shape == labels.shape == (96, 96, 8, 2)
    assert image.header.get_zooms()[:3] == labels.header.get_zooms()[:3]
    voxels = np.asarray(labels.dataobj).transpose(3, 2, 1, 0)
    [line] = misshapen(voxels, SHORT_AXIS)
    assert line.startswith("slice 4 is empty")

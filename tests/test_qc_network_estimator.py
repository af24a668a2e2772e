import numpy as np
import pytest
import torch
from curve_builders import graded_hearts
from sklearn.base import clone

from qc import ESTIMATORS
from qc.estimators.network.training import mean_error
from qc.saving import load_estimator, save_estimator
from semiqc.images.crop import box_around, share_of_dice
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction


def test_a_target_that_is_unknown_moves_nothing():
    found = torch.tensor([0.5, 0.2], requires_grad=True)

    mean_error(found, torch.tensor([float("nan"), 0.6]), power=1).backward()

    assert found.grad.tolist() == [0.0, -1.0]


def test_mean_errors_are_over_what_is_known():
    found = torch.tensor([0.5, 0.2, 0.9])
    targets = torch.tensor([float("nan"), 0.6, 0.7])

    # (.4 + .2) / 2 and (.16 + .04) / 2.
    assert mean_error(found, targets, power=1).item() == torch.tensor(0.3)
    assert abs(mean_error(found, targets, power=2).item() - 0.1) < 1e-6
    assert mean_error(found, torch.full((3,), float("nan")), power=1).item() == 0


def labels_with_a_square(shape, rows, columns):
    labels = np.zeros(shape, np.int8)
    labels[1, rows, columns] = 2
    return labels


def test_a_box_lies_around_the_segmentation_and_within_the_frame():
    labels = labels_with_a_square((3, 40, 50), slice(20, 25), slice(45, 50))

    box = box_around(labels, (3, 16, 16))

    # The median row is 22, so rows 14.5 to 29.5 rounded; columns end with the frame, 50 - 16.
    assert box.start == (14, 34)
    assert (box.cut(labels, 0) == labels[:, 14:30, 34:50]).all()


def test_stray_voxels_do_not_move_the_box():
    labels = labels_with_a_square((3, 60, 60), slice(25, 35), slice(25, 35))
    with_stray = labels.copy()
    with_stray[0, 0, :5] = 1

    assert box_around(with_stray, (3, 16, 16)).start == box_around(labels, (3, 16, 16)).start


def test_a_frame_smaller_than_the_box_is_filled_up():
    labels = labels_with_a_square((2, 10, 12), slice(3, 6), slice(3, 6))

    box = box_around(labels, (4, 16, 16))
    crop = box.cut(labels, -1)

    assert crop.shape == (4, 16, 16)
    assert (crop[2:] == -1).all()
    assert (crop[:2, 3:13, 2:14] == labels).all()
    assert (crop[:2, :3] == -1).all()


def test_what_was_cut_is_put_back_in_its_place():
    rng = np.random.default_rng(0)
    labels = labels_with_a_square((4, 30, 33), slice(8, 20), slice(10, 22))
    values = rng.random((2, 4, 30, 33))

    for size in ((4, 16, 16), (6, 40, 24), (None, 8, 64)):
        box = box_around(labels, size)
        back = box.put_back(box.cut(values, 0), labels.shape, np.nan)

        shown = np.isfinite(back)
        assert shown.any()
        np.testing.assert_array_equal(back[shown], values[shown])


def test_more_slices_than_the_box_has_are_thinned_and_shared_out_again():
    labels = labels_with_a_square((9, 20, 20), slice(8, 12), slice(8, 12))
    numbers = np.broadcast_to(np.arange(9.0)[:, None, None], labels.shape)

    box = box_around(labels, (5, 16, 16))
    back = box.put_back(box.cut(numbers, 0), labels.shape, 0)

    assert box.slices.tolist() == [0, 2, 4, 6, 8]
    # Slices left out get what a nearest neighbour has.
    assert np.abs(back[:, 10, 10] - np.arange(9)).max() == 1


@pytest.mark.parametrize("name", ["cnn", "slicewise", "qcresunet"])
def test_half_precision_judges_nearly_as_full_precision_does(name):
    graded = graded_hearts(4)
    predictions = [one.prediction for one in graded]
    settings = {"width": 4, "size": (4, 32, 32), "steps": 4, "batch_size": 4}
    half = ESTIMATORS[name](
        SHORT_AXIS, precision="bf16-mixed", judging="bf16-mixed", **settings
    ).fit(graded)
    full = ESTIMATORS[name](SHORT_AXIS, judging="32-true", **settings)
    full.with_arrays(half.arrays())

    by_half, by_full = (
        np.array([list(quality.dice.values()) for quality in estimator.predict(predictions)])
        for estimator in (half, full)
    )

    assert (by_half != by_full).any()
    np.testing.assert_allclose(by_half, by_full, atol=0.03)


RV, LV = 1, 3
SWAPPED = np.array([0, LV, 2, RV], np.int8)
NETWORKS = [
    ("cnn", {}),
    ("cnn", {"backbone": "resnet34-3d"}),
    ("cnn", {"backbone": "unet-3d"}),
    ("slicewise", {}),
    ("slicewise", {"dimension": "3d"}),
    ("qcresunet", {}),
    ("qcresunet", {"maps": False}),
    ("qcresunet", {"regression": False}),
]


@pytest.fixture(scope="module", params=NETWORKS, ids=str)
def barely_fitted(request):
    name, settings = request.param
    small = {"width": 4, "size": (4, 32, 32), "steps": 1, "batch_size": 2}
    return ESTIMATORS[name](SHORT_AXIS, **small, **settings).fit(graded_hearts(4))


def heart(slices, shape=(80, 80)):
    """A ring with a disc in it and another beside it, in every slice."""
    labels = np.zeros((1, slices, *shape), np.int8)
    labels[..., 20:32, 20:32] = 2
    labels[..., 24:28, 24:28] = LV
    labels[..., 24:30, 33:36] = RV
    return labels


def judged(estimator, labels):
    image = np.random.default_rng(0).random((1, *labels.shape), dtype=np.float32)
    [found] = estimator.predict([Prediction("a", image, labels, (8.0, 1.5, 1.5))])
    return found


def dice_of(estimator, labels):
    return np.array(list(judged(estimator, labels).dice.values()))


def numbers_of(estimator, labels):
    found = judged(estimator, labels)
    return [*found.dice.values(), *(maps.mean(dtype=float) for maps in found.error_maps.values())]


def test_every_slice_is_judged_however_many_there_are(barely_fitted, monkeypatch):
    # In bfloat16 what a slice changes may be rounded away.
    monkeypatch.setattr(barely_fitted, "judging", "32-true")
    whole = numbers_of(barely_fitted, heart(11))

    for number in range(11):
        damaged = heart(11)
        # Confused structures leave the box where it is.
        damaged[:, number] = SWAPPED[damaged[:, number]]
        assert numbers_of(barely_fitted, damaged) != whole, f"slice {number} is not seen"


def test_what_is_segmented_beyond_the_box_counts_as_wrong(barely_fitted):
    labels, astray = heart(5), heart(5)
    # Half as many voxels as the cavity has, in corners, which leaves the box where it was.
    astray[..., :1, :4] = astray[..., -1:, -4:] = LV
    left = 2 * (16 / 24) / (1 + 16 / 24)

    before, after = judged(barely_fitted, labels), judged(barely_fitted, astray)

    assert after.dice["LV"] == pytest.approx(before.dice["LV"] * left)
    assert after.dice["RV"] == pytest.approx(before.dice["RV"])
    if after.error_maps:
        assert (after.error_maps["LV"][..., :1, :4] == 1).all()
    if after.slice_dice:
        expected = before.slice_dice["LV"] * left
        np.testing.assert_allclose(after.slice_dice["LV"], expected, rtol=1e-6)


def test_what_is_not_segmented_has_no_dice(barely_fitted):
    labels = heart(5)
    labels[labels == RV] = 0

    found = judged(barely_fitted, labels)

    assert found.dice["RV"] == 0
    assert found.nsd.get("RV", 0) == 0
    assert found.dice["LV"] > 0
    assert (dice_of(barely_fitted, np.zeros_like(labels)) == 0).all()


def test_the_dice_that_is_left_is_the_dice_of_the_whole():
    # 6 voxels of 8 are right and the reference has 8; 4 more are astray.
    assert share_of_dice(np.array(8), np.array(12)) * (12 / 16) == pytest.approx(12 / 20)
    np.testing.assert_array_equal(
        share_of_dice(np.array([0, 0, 5]), np.array([0, 3, 5])), [0, 0, 1]
    )


def test_what_was_taught_on_a_gpu_judges_without_one(barely_fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    elsewhere = clone(barely_fitted).set_params(device="cuda").with_arrays(barely_fitted.arrays())
    elsewhere.device = "cuda"
    save_estimator(elsewhere, tmp_path / "e.safetensors")

    assert load_estimator(tmp_path / "e.safetensors", ESTIMATORS).device == "auto"
    with pytest.raises(ValueError, match="device cuda: this machine has none"):
        clone(barely_fitted).set_params(device="cuda").check()

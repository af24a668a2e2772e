from dataclasses import replace

import numpy as np
import pytest
import torch
from segmenter_builders import SQUARE, bright_square, small_unet
from sklearn.exceptions import NotFittedError

from segmenters import FCN, SEGMENTERS, Augmentation, TrainingSettings, predict, segment
from semiqc.schemes import SHORT_AXIS, UNLABELLED
from semiqc.study import Study


def weights(segmenter):
    return {k: v.clone() for k, v in segmenter.network_.state_dict().items()}


def assert_same_weights(one, other):
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, weights(other)[name]), name


def test_a_bright_square_is_learned():
    heard = []
    segmenter = small_unet(steps=40).fit(
        [bright_square()], observe=lambda step, terms: heard.append(sum(terms.values()))
    )
    labels = predict(segmenter, bright_square(seed=1)).labels
    truth = bright_square(labelled=(0, 1)).labels

    assert np.mean(heard[-5:]) < 0.5 * np.mean(heard[:5])
    assert 2 * ((labels == 1) & (truth == 1)).sum() / ((labels == 1).sum() + truth.sum()) > 0.8


def test_unlabelled_voxels_teach_nothing():
    study = bright_square(labelled=(0,))
    half = np.array(study.labels)
    half[0, :, 12:] = UNLABELLED
    spoilt = np.array(study.labels)
    spoilt[0, :, 12:] = UNLABELLED
    spoilt[1] = UNLABELLED
    other_image = np.array(study.image)
    other_image[:, 1] = 99

    one = small_unet().fit([study.with_labels(half)])
    other = small_unet().fit([replace(study, image=other_image, labels=spoilt)])

    assert_same_weights(one, other)


def test_voxels_of_weight_0_teach_nothing_and_light_ones_less():
    study = bright_square(labelled=(0, 1))
    wrong = np.array(study.labels)
    wrong[:, :, :8] = 0
    rows = np.zeros(study.labels.shape, np.float32)
    rows[:, :, 8:] = 1
    hidden = np.where(rows > 0, wrong, UNLABELLED).astype(np.int8)

    def loss(labels, weights=None):
        taught = replace(study, labels=labels, voxel_weights=weights)
        losses = []
        small_unet(steps=1, augmentation=Augmentation()).fit(
            [taught], observe=lambda step, terms: losses.append(sum(terms.values()))
        )
        return losses[0]

    assert loss(wrong, rows) == pytest.approx(loss(hidden), rel=1e-5)
    assert loss(wrong, np.ones_like(rows)) == pytest.approx(loss(wrong), rel=1e-5)
    light = loss(wrong, np.maximum(rows, 0.1))
    assert abs(light - loss(hidden)) < abs(loss(wrong) - loss(hidden))


def test_studies_without_labels_are_passed_over():
    blank = bright_square("blank", labelled=())

    assert_same_weights(
        small_unet().fit([bright_square()]), small_unet().fit([blank, bright_square()])
    )
    with pytest.raises(ValueError, match="got none in 1 studies"):
        small_unet().fit([blank])


def test_the_seed_decides_and_the_callers_random_state_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = small_unet(augmentation=Augmentation()).fit([bright_square()])

    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert_same_weights(one, small_unet(augmentation=Augmentation()).fit([bright_square()]))
    other = small_unet(seed=1).fit([bright_square()])
    assert not torch.equal(
        *(next(iter(weights(s).values())) for s in (small_unet().fit([bright_square()]), other))
    )


@pytest.mark.parametrize("ema", [None, 0.5])
@pytest.mark.parametrize("kill_at", [3, 5, 11])
def test_a_training_that_is_killed_goes_on_to_the_same_weights(tmp_path, kill_at, ema):
    class Killed(Exception):  # noqa: N818
        pass

    def kill(step, terms):
        if step == kill_at:
            raise Killed

    options = {"augmentation": Augmentation(), "ema": ema}
    undisturbed = small_unet(**options).fit([bright_square()])
    with pytest.raises(Killed):
        small_unet(**options).fit([bright_square()], observe=kill, folder=tmp_path)
    steps = []
    resumed = small_unet(**options).fit(
        [bright_square()], observe=lambda step, terms: steps.append(step), folder=tmp_path
    )

    assert_same_weights(undisturbed, resumed)
    assert steps[0] == (kill_at - 1) // 5 * 5 + 1
    assert not (tmp_path / "state.safetensors").exists()


def test_the_state_of_another_training_is_not_taken_up(tmp_path):
    def kill(step, terms):
        if step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small_unet().fit([bright_square()], observe=kill, folder=tmp_path)
    steps = []
    small_unet(learning_rate=0.01).fit(
        [bright_square()], observe=lambda step, terms: steps.append(step), folder=tmp_path
    )

    assert steps[0] == 1


def test_snapshots_and_the_best_by_validation_are_left_in_the_folder(tmp_path):
    heard = {}
    segmenter = small_unet(snapshots=(4, 8)).fit(
        [bright_square()],
        validation=[bright_square("v", seed=3)],
        observe=lambda step, terms: heard.update({step: terms}),
        folder=tmp_path,
    )

    assert {step for step, terms in heard.items() if "validation_loss" in terms} == {6, 12}
    early = small_unet().load(tmp_path / "snapshot-00000004.safetensors")
    assert not torch.equal(*(next(iter(weights(s).values())) for s in (early, segmenter)))
    small_unet().load(tmp_path / "best.safetensors")


def test_validation_changes_nothing_but_what_is_reported():
    assert_same_weights(
        small_unet().fit([bright_square()]),
        small_unet().fit([bright_square()], validation=[bright_square("v", seed=3)]),
    )


@pytest.mark.parametrize("kind", sorted(SEGMENTERS))
def test_saved_and_loaded_predicts_as_never_saved(tmp_path, kind):
    training = small_unet().training
    make = lambda: SEGMENTERS[kind](SQUARE, channels=(4, 8), training=training)  # noqa: E731
    fitted = make().fit([bright_square()])
    fitted.save(tmp_path / "w.safetensors")
    loaded = make().load(tmp_path / "w.safetensors")

    np.testing.assert_array_equal(
        predict(fitted, bright_square()).labels, predict(loaded, bright_square()).labels
    )


@pytest.mark.parametrize("asked", ["auto", "contiguous"])
def test_loaded_weights_lie_in_memory_as_trained_ones_do(tmp_path, asked):
    fitted = small_unet(memory_format=asked).fit([bright_square()])
    fitted.save(tmp_path / "weights")
    loaded = small_unet(memory_format=asked).load(tmp_path / "weights")
    predict(loaded, bright_square())

    def strides(segmenter):
        return [tensor.stride() for tensor in segmenter.network_.state_dict().values()]

    assert strides(loaded) == strides(fitted)


def test_weights_of_another_kind_are_refused(tmp_path):
    small_unet().fit([bright_square()]).save(tmp_path / "w.safetensors")

    with pytest.raises(ValueError, match=r"expected .*FCN"):
        FCN(SQUARE, channels=(4, 8)).load(tmp_path / "w.safetensors")
    (tmp_path / "x.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        small_unet().load(tmp_path / "x.safetensors")


def test_predicting_before_fitting_is_refused():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        next(small_unet().predict_frames(bright_square()))


def test_probabilities_sum_to_one_at_any_size():
    segmenter = small_unet().fit([bright_square()])
    odd = bright_square(size=(23, 19))
    frames = list(segmenter.predict_frames(odd))

    assert [frame.shape for frame in frames] == [(2, 3, 23, 19)] * 2
    np.testing.assert_allclose(frames[0].sum(axis=0), 1, atol=1e-5)


def test_pixels_that_are_not_finite_are_named():
    study = bright_square()
    study.image[0, 0, 0, 0, 0] = np.nan

    with pytest.raises(FloatingPointError, match="loss is not finite at iteration"):
        small_unet(patch=(24, 20), batch_size=16).fit([study])
    fitted = small_unet().fit([bright_square()])
    with pytest.raises(ValueError, match="a: frame 0 has voxels that are not finite"):
        predict(fitted, study)


def test_other_modalities_are_refused_by_name():
    two = Study("two", np.zeros((2, 1, 1, 8, 8), np.float32), np.zeros((1, 1, 8, 8), np.int8),
                (1.0, 1.0, 1.0))  # fmt: skip
    with pytest.raises(ValueError, match="two: 2 modalities, expected 1"):
        small_unet().fit([two])


def test_refinement_and_clean_up_shape_the_labels():
    segmenter = small_unet(steps=40).fit([bright_square()])

    def all_square(image, probabilities):
        assert image.shape == (1, 3, 24, 20)
        return np.stack([0 * probabilities[0], 1 + 0 * probabilities[0]])

    refined = [labels for labels, _ in segment(segmenter, bright_square(), refine=all_square)]
    assert (refined[0] == 1).all()


def test_the_fcn_has_the_convolutions_of_the_paper():
    network = FCN(SHORT_AXIS).build()
    sizes = [m.kernel_size[0] for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    filters = [m.out_channels for m in network.modules() if isinstance(m, torch.nn.Conv2d)]

    assert sizes == [3] * 13 + [1] * 3
    assert filters == [16] * 2 + [32] * 2 + [64] * 3 + [128] * 3 + [256] * 3 + [64, 64, 4]


@pytest.mark.parametrize(("schedule", "halfway"), [("cosine", 0.5), ("polynomial", 0.5**0.9)])
def test_the_learning_rate_falls_as_scheduled(schedule, halfway):
    training = TrainingSettings(steps=10, learning_rate=1.0, schedule=schedule)

    assert training.rate(1) == 1
    assert training.rate(6) == pytest.approx(halfway)
    assert 0 < training.rate(10) < training.rate(9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"pseudo_ratio": 2}, "pseudo_ratio must lie in"),
        ({"ema": 1.0}, "ema must lie in"),
        ({"learning_rate": 0}, "learning_rate must be positive"),
    ],
)
def test_a_training_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TrainingSettings(**change)

"""The segmenter that sees volumes, and ladders that test with a family of their own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from segmenter_builders import PLAIN, SQUARE, bright_square

from loops.online.registry import METHODS
from qc.graded import CnnLadder, GradedSet
from segmenters import Augmentation, TrainingSettings
from segmenters.method import Setup, TrainingData
from segmenters.unet_3d import OfVolumes, UNet3d
from segmenters.volumes import DEPTH, OfVolumesStep, VolumeMethod, VolumeSampler
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import UNLABELLED
from semiqc.suites.making import SuiteMaker
from semiqc.suites.settings import SuiteSettings
from semiqc.work.monitor import Silent

QUICK = TrainingSettings(steps=2, batch_size=8, patch=(16, 16), augmentation=PLAIN, device="cpu")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return OfVolumes(1, 2, (4, 8), 0.0, "instance").eval()


def numbered(slices):
    """A study whose slices show their numbers, and of which all voxels are labelled."""
    study = bright_square(labelled=(0, 1))
    shape = (2, slices, 24, 20)
    image = np.broadcast_to(np.arange(slices, dtype=np.float32)[:, None, None], shape)
    return replace(study, image=image[None].copy(), labels=np.zeros(shape, np.int8))


def test_a_slice_is_seen_with_its_neighbours_and_any_number_will_do(network):
    slices = torch.zeros(5, 1, 16, 16)
    other = slices.clone()
    other[4, 0, 8, 8] = 3.0

    with torch.no_grad():
        found, changed, alone = network(slices), network(other), network(slices[:1])

    assert found.shape == (5, 2, 16, 16)
    assert alone.shape == (1, 2, 16, 16)
    assert (found[3] != changed[3]).any()


def test_in_training_volumes_of_a_batch_do_not_see_each_other(network):
    network.train()
    slices = torch.rand(2 * DEPTH, 1, 16, 16)
    other = slices.clone()
    other[DEPTH:] = 0

    try:
        with torch.no_grad():
            found, changed = network(slices), network(other)
    finally:
        network.eval()

    torch.testing.assert_close(found[:DEPTH], changed[:DEPTH])
    assert (found[DEPTH:] != changed[DEPTH:]).any()


def test_a_volume_is_neighbouring_slices_of_one_frame():
    sampler = VolumeSampler([numbered(11)], batch_size=6, patch=(16, 16))
    batch = sampler.batch(1)

    shown = batch.images.unflatten(0, (6, DEPTH))[:, :, 0, 0, 0]
    assert batch.images.shape == (6 * DEPTH, 1, 16, 16)
    assert (shown.diff(dim=1) == 1).all()
    assert len(shown[:, 0].unique()) > 1
    assert (batch.labels == 0).all()
    torch.testing.assert_close(sampler.batch(1).images, batch.images)


def test_few_slices_lie_in_the_middle_of_empty_ones_of_which_nothing_is_known():
    batch = VolumeSampler([numbered(3)], batch_size=1, patch=(16, 16)).batch(1)

    known = (batch.labels != UNLABELLED).flatten(1).all(dim=1)
    assert known.tolist() == [False] * 3 + [True] * 3 + [False] * 2
    assert batch.images[:, 0, 0, 0].tolist() == [0, 0, 0, 0, 1, 2, 0, 0]


def test_slices_of_a_volume_are_changed_alike():
    training = replace(QUICK, augmentation=Augmentation(probability=0, spatial_probability=1))
    setup = Setup([torch.nn.Identity()], training, ("y", "x"), _Fabric(), (16, 16))
    step = OfVolumesStep.__new__(OfVolumesStep)
    step.fabric, step.training, step.mirror_axes = setup.fabric, training, ("y", "x")
    study = bright_square(labelled=(0, 1))
    weighted = replace(study, voxel_weights=np.full(study.labels.shape, 0.6, np.float32))
    batch = VolumeSampler([weighted], batch_size=2, patch=(16, 16)).batch(1)
    same = replace_slices(batch)

    images, labels, weights = step._augmented(same, 1)

    for of_volume in (images, labels, weights):
        first, second = of_volume.unflatten(0, (2, DEPTH))
        assert (first == first[:1]).all()
        assert (second == second[:1]).all()
    assert (labels[0] != labels[DEPTH]).any()
    assert weights[labels == 1].tolist() == pytest.approx([0.6] * int((labels == 1).sum()))


class _Fabric:
    def to_device(self, tensor):
        return tensor


def replace_slices(batch):
    """The batch with the fourth slice of each volume in place of all."""
    fourth = (batch.images, batch.labels, batch.weights)
    return type(batch)(
        *(
            one.unflatten(0, (-1, DEPTH))[:, 3:4].expand(-1, DEPTH, *one.shape[1:]).flatten(0, 1)
            for one in fourth
        )
    )


def test_it_learns_segments_and_comes_back_from_a_file(tmp_path):
    training = replace(QUICK, steps=12, learning_rate=0.02)
    segmenter = UNet3d(SQUARE, channels=(4, 8), training=training).fit([bright_square()])
    segmenter.save(tmp_path / "w.safetensors")
    back = UNet3d(SQUARE, channels=(4, 8), training=training).load(tmp_path / "w.safetensors")

    frame, _ = segmenter.predict_frames(bright_square())
    np.testing.assert_array_equal(next(back.predict_frames(bright_square())), frame)
    np.testing.assert_allclose(frame.sum(axis=0), 1, atol=1e-3)
    truth = np.asarray(bright_square().labels[0]) == 1
    assert frame[1][truth].mean() > frame[1][~truth].mean()
    features, *_ = segmenter.deep_features(bright_square())
    assert features.shape == (8,)
    assert np.isfinite(features).all()


def test_on_a_processor_it_computes_in_single_precision():
    asked = replace(QUICK, precision="bf16-mixed")

    assert UNet3d(SQUARE, training=asked).training.precision == "32-true"
    assert UNet3d(SQUARE, training=asked).training.steps == QUICK.steps


def test_methods_that_draw_single_slices_are_refused():
    method = next(iter(METHODS.values()))()

    with pytest.raises(ValueError, match="unet_3d learns from labels alone, not by"):
        UNet3d(SQUARE, channels=(4, 8), training=QUICK).fit([bright_square()], method=method)


def test_a_method_of_volumes_draws_as_many_slices_as_others_do():
    setup = Setup([torch.nn.Identity()], replace(QUICK, batch_size=20), (), _Fabric(), (16, 16))

    sampler = VolumeMethod().sampler(TrainingData([bright_square()]), setup)
    assert sampler.batch_size == 2
    assert VolumeMethod().identity() != "supervised"


def test_strangers_segment_only_what_is_held_out(tmp_path):
    with StoreWriter(tmp_path / "s.h5", SQUARE) as writer:
        for name in "abcd":
            writer.add(bright_square(name))
    arguments = {
        "rungs": 1, "channels": "[4,8]", "steps": "[1,1]", "strangers": "[unet_3d]",
    }  # fmt: skip
    settings = SuiteSettings(
        estimators=("svr",), sources=("ladder",), test=1, folds=2,
        changes=tuple(f"ladder.{name}={value}" for name, value in arguments.items()),
    )  # fmt: skip
    ladder = settings.make_test_sources(_store(tmp_path))["stranger"]
    assert isinstance(ladder, CnnLadder)
    assert ladder.families == ("unet_3d",)

    SuiteMaker(tmp_path / "s.h5", tmp_path / "suite", settings, Silent()).make()

    sources = {
        name: {one.source for one in _graded(tmp_path, name)} for name in ("graded", "test")
    }
    assert sources == {"graded": {"ladder-01"}, "test": {"ladder-01", "stranger-01"}}


def test_strangers_are_strangers_and_have_somebody_to_segment(tmp_path):
    for wrong, message in (
        ({"strangers": ("unet",)}, "strangers must not be among the families, got unet"),
        ({"strangers": ("vit",)}, "strangers must be some of plain_unet, unet"),
    ):
        with pytest.raises(ValueError, match=message):
            CnnLadder(SQUARE, **wrong)
    with StoreWriter(tmp_path / "s.h5", SQUARE) as writer:
        writer.add(bright_square())
    settings = SuiteSettings(sources=("ladder",), changes=("ladder.strangers=[fcn]",))
    with pytest.raises(ValueError, match="they segment subjects held out; add --test"):
        settings.make_test_sources(_store(tmp_path))


def _store(folder):
    return Store(folder / "s.h5")


def _graded(folder, name):
    return GradedSet(folder / "suite" / f"{name}.h5", _store(folder))

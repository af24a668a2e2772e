"""Studies small enough to learn from in a second, and ways to look at what is read."""

from dataclasses import replace

import numpy as np

from segmenters import Augmentation, TrainingSettings, UNet
from semiqc.schemes import UNLABELLED, LabelScheme, Measure, Structure
from semiqc.study import Study

SQUARE = LabelScheme(
    "square", ("background", "square"), (Structure("square", (1,), Measure.AREA),)
)
PLAIN = Augmentation(probability=0, spatial_probability=0)


def bright_square(name="a", *, frames=2, labelled=(0,), seed=0, size=(24, 20)):
    """A bright square on noise, in three slices; the labelled frames show it."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((frames, 3, *size), np.int8)
    truth[..., 6:15, 5:13] = 1
    image = (truth + rng.normal(0, 0.1, truth.shape)).astype(np.float32)[None]
    labels = np.full_like(truth, UNLABELLED)
    labels[list(labelled)] = truth[list(labelled)]
    return Study(name, image, labels, (8.0, 1.5, 1.25))


def small_unet(**changes):
    """A U-Net of two levels that learns for a few steps."""
    training = TrainingSettings(
        steps=12, batch_size=4, patch=(16, 16), learning_rate=0.02, report_every=1,
        checkpoint_every=5, validate_every=6, augmentation=PLAIN, ema=None, device="cpu",
    )  # fmt: skip
    return UNet(SQUARE, channels=(4, 8), training=replace(training, **changes))


class Watched:
    """Voxels that remember what was asked of them."""

    def __init__(self, array):
        self.array = array
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype
        self.keys = []

    def __getitem__(self, key):
        self.keys.append(key)
        return self.array[key]

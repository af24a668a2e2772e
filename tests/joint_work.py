"""Short trainings that two processes share; as a program, the second of them."""

import os
import sys

import torch
from segmenter_builders import SQUARE, bright_square

from loops.online.registry import METHODS
from segmenters import Augmentation, PlainUNet, TrainingSettings
from semiqc import together

TOGETHER = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}


def trained(method):
    """Loss terms of each step of a U-Net on batches of 8 slices, and its logits at the end."""
    told = []
    training = TrainingSettings(
        steps=4, batch_size=8, patch=(16, 16), start="scratch", device="cpu", report_every=1,
        precision="32-true", augmentation=Augmentation(),
    )  # fmt: skip
    segmenter = PlainUNet(SQUARE, channels=(4, 8), normalisation="batch", training=training)
    segmenter.fit(
        [bright_square()],
        unlabelled=[bright_square("more", seed=2)] if method else [],
        method=METHODS[method]() if method else None,
        observe=lambda step, terms: told.append(dict(terms)),
    )
    images = torch.from_numpy(bright_square(seed=3).image[0, :, 0, None, :16, :16])
    with torch.no_grad():
        return told, segmenter.network_(images)


def jointly(method):
    with together.jointly():
        return trained(method)


def main():
    torch.set_num_threads(1)
    os.environ.update(TOGETHER, RANK="1", MASTER_PORT=sys.argv[1])
    with together.group():
        for method in sys.argv[2:]:
            jointly(method)


if __name__ == "__main__":
    main()

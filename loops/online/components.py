"""Clean-up of the labels of a batch."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from semiqc.schemes import BACKGROUND

WITHIN_SLICES = np.stack([np.zeros((3, 3)), np.ones((3, 3)), np.zeros((3, 3))])
"""Pixels of a slice that share an edge or a corner are connected; slices are not."""


def largest_in_slices(labels: Tensor, classes: int) -> Tensor:
    """Labels in which each class keeps its largest component in each slice.

    What is dropped becomes background; of components of equal size the first stays.

    Args:
        labels: Class of each pixel, ``[B, Y, X]`` int64.
        classes: Number of them, the background among them.
    """
    cleaned = labels.cpu().numpy().copy()
    of_pixels = np.broadcast_to(np.arange(len(cleaned))[:, None, None], cleaned.shape)
    for value in range(1, classes):
        components, count = ndimage.label(cleaned == value, WITHIN_SLICES)
        if count < 2:
            continue
        found = components > 0
        numbers = components[found]
        sizes = np.bincount(numbers, minlength=count + 1)
        home = np.zeros(count + 1, int)
        home[numbers] = of_pixels[found]
        # By slice, then from the largest component on; the first of each slice is kept.
        order = np.lexsort((-sizes[1:], home[1:])) + 1
        _, firsts = np.unique(home[order], return_index=True)
        kept = np.zeros(count + 1, bool)
        kept[order[firsts]] = True
        kept[0] = True
        cleaned[~kept[components]] = BACKGROUND
    return torch.from_numpy(cleaned).to(labels.device)

"""Where a segmentation lies, how large it is and how it is turned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qc.frames import Frame
from semiqc.images.registration.affine import POSE, Spacing
from semiqc.schemes import BACKGROUND

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Of all structures of a frame, in mm from its centre.

    Args:
        middle_mm: Along the slices' axis, between the first and the last slice of a structure.
        length_mm: From the first to the last, both included.
        slices: How many these are.
        centre_mm: Mean row and column, ``[2]``.
        radius_mm: Root of the mean squared distance from it, in the plane of a slice.
        width_mm: Larger of the extents over rows and over columns.
        arms_mm: From the centre to that of each class, by its share of the voxels, ``[C, 2]``.
    """

    middle_mm: float
    length_mm: float
    slices: int
    centre_mm: Array
    radius_mm: float
    width_mm: float
    arms_mm: Array


def moments_of(frame: Frame) -> Moments:
    """Of a frame that has a structure."""
    found = np.argwhere(frame.labels > BACKGROUND)
    places = (found - (np.array(frame.labels.shape) - 1) / 2) * np.array(frame.spacing)
    of_class = frame.labels[tuple(found.T)]
    low, high = places[:, 0].min(), places[:, 0].max()
    centre = places[:, 1:].mean(axis=0)
    away = places[:, 1:] - centre
    arms = np.zeros((128, 2))
    np.add.at(arms, of_class, away / len(away))
    return Moments(
        middle_mm=float(low + high) / 2,
        length_mm=float(high - low) + frame.spacing[0],
        slices=round((high - low) / frame.spacing[0]) + 1,
        centre_mm=centre,
        radius_mm=max(float(np.sqrt((away**2).sum(axis=1).mean())), min(frame.spacing[1:])),
        width_mm=float((np.ptp(places[:, 1:], axis=0) + np.array(frame.spacing[1:])).max()),
        arms_mm=arms,
    )


def poses_of(moments: Sequence[Moments], extent: Spacing) -> Tensor:
    """Poses under which segmentations lie alike in a space of such an extent, ``[N, 8]``."""
    angles = _angles([found.arms_mm for found in moments])
    radius = float(np.median([found.radius_mm for found in moments]))
    halves = np.array(extent) / 2
    poses = np.zeros((len(moments), POSE))
    for pose, found, angle in zip(poses, moments, angles, strict=True):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        pose[:3] = np.array([found.middle_mm, *found.centre_mm]) / halves
        pose[3] = np.log(found.length_mm / extent[0])
        pose[4:] = (turn * found.radius_mm / radius - np.eye(2)).ravel()
    return torch.from_numpy(poses).float()


def _angles(arms: Sequence[Array]) -> Array:
    """By which the arms ``[C, 2]`` of a typical segmentation are turned, around a mean of 0."""
    # As complex numbers: row + i column; the turn from one to another is the quotient's angle.
    arrows = np.stack([each[:, 0] + 1j * each[:, 1] for each in arms])
    typical = arrows[0]
    for _ in range(3):
        turns = np.angle((arrows * typical.conj()).sum(axis=1))
        typical = (arrows * np.exp(-1j * turns)[:, None]).mean(axis=0)
    middle = np.angle(np.exp(1j * turns).mean())
    return np.asarray(np.angle(np.exp(1j * (turns - middle))))

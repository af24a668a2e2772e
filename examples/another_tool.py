"""Images and segmentations as another program leaves them, to try ``semiqc score`` on.

    python examples/another_tool.py
    semiqc score --suite phantom images segmentations -o scores

Hearts that never were, as NIfTI. Three of the segmentations are wrong: an emptied slice, a shift,
and a structure that was taken for another.
"""

import argparse
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from semiqc.phantom import short_axis_study

RV, MYO, LV = 1, 2, 3


def segmented(number: int, labels: NDArray[np.int8]) -> NDArray[np.int8]:
    """Labels ``[T, Z, Y, X]`` of a study: right, but for the first three."""
    found = labels.copy()
    if number == 0:
        found[:, labels.shape[1] // 2] = 0
    elif number == 1:
        found = np.roll(labels, labels.shape[-1] // 10, axis=-1)
    elif number == 2:
        found[labels == MYO] = RV
    return found


def write(path: Path, voxels: NDArray[np.generic], spacing: tuple[float, float, float]) -> None:
    """Voxels ``[T, Z, Y, X]`` as NIfTI, ``x, y, z, t``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(voxels.transpose(3, 2, 1, 0), np.diag([*spacing[::-1], 1.0]))
    image.header.set_zooms((*spacing[::-1], 1.0))
    nibabel.save(image, path)


def main(arguments: list[str] | None = None) -> None:
    """Write both folders."""
    parser = argparse.ArgumentParser(description="Write images/ and segmentations/.")
    parser.add_argument("-o", "--output", type=Path, default=Path())
    parser.add_argument("--studies", type=int, default=10)
    parser.add_argument("--frames", type=int, default=10)
    given = parser.parse_args(arguments)
    for number in range(given.studies):
        study = short_axis_study(number, size=96, frames=given.frames)
        labels = segmented(number, np.asarray(study.labels[:]))
        write(given.output / f"images/heart{number}.nii.gz", study.image[0], study.spacing)
        write(given.output / f"segmentations/heart{number}.nii.gz", labels, study.spacing)


if __name__ == "__main__":
    main()

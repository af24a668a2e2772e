"""Plain functions that write small data sets in the layouts that readers know."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (7, 6, 3)
"""(X, Y, Z) of what is written; frames are 4."""

FRAMES = 4

AFFINE = np.array([[-1.5, 0, 0, 20], [0, -1.5, 0, 30], [0, 0, 8, -40], [0, 0, 0, 1]])


def pixels(seed: int = 0, shape: tuple[int, ...] = (*SHAPE, FRAMES)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1000, shape).astype(np.int16)


def heart(values: tuple[int, int, int] = (1, 2, 3)) -> np.ndarray:
    """Labels of one frame, (X, Y, Z), with a few voxels of each structure."""
    right, muscle, left = values
    labels = np.zeros(SHAPE, np.uint8)
    labels[1, 2:4] = right
    labels[2:6, 1:5] = muscle
    labels[3:5, 2:4] = left
    return labels


def save(path: Path, voxels: np.ndarray, affine: np.ndarray = AFFINE, **header: object) -> Path:
    """Write a NIfTI file; ``header`` replaces fields of the header after that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(voxels, affine)
    for name, value in header.items():
        image.header[name] = value
    nib.save(image, path)
    return path


def acdc(
    root: Path, name: str = "patient001", *, seed: int = 0, cine: bool = True, labels: bool = True
) -> Path:
    """A patient whose ED is frame 1 and whose ES is frame 3."""
    folder = root / name
    cycle = pixels(seed)
    folder.mkdir(parents=True)
    (folder / "Info.cfg").write_text("ED: 1\nES: 3\nGroup: DCM\nHeight: 184.0\nNbFrame: 4\n")
    if cine:
        save(folder / f"{name}_4d.nii.gz", cycle)
    for frame in (1, 3):
        save(folder / f"{name}_frame{frame:02d}.nii.gz", cycle[..., frame - 1])
        if labels:
            save(folder / f"{name}_frame{frame:02d}_gt.nii.gz", heart())
    return folder


def nnunet(folder: Path, names: list[str], *, image: str = "{}_0000.nii.gz") -> Path:
    """Training cases of nnU-Net with one channel; each has other pixels."""
    labels = {"background": 0, "RV": 1, "MYO": 2, "LV": 3}
    description = {"channel_names": {"0": "MRI"}, "labels": labels, "file_ending": ".nii.gz"}
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(description))
    for seed, name in enumerate(names):
        save(folder / "imagesTr" / image.format(name), pixels(seed)[..., 0])
        save(folder / "labelsTr" / f"{name}.nii.gz", heart())
    return folder

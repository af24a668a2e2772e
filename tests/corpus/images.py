"""A folder of images that cannot be used, among some that can."""

from pathlib import Path

import nibabel as nib
import numpy as np

SOUND = ("a_sound", "m_sound", "z_sound")

_PIXDIM, _DIM, _TYPE, _OFFSET, _UNITS, _SFORM, _AFFINE = 76, 40, 70, 108, 123, 254, 280

SIZES = (0.0, -1.0, 1e-30, 1e-7, 1e-4, 2e3, 1e30, float("nan"), float("inf"), -float("inf"))


def write_images(folder: Path) -> list[str]:
    """Write images and the table of them; names of those that cannot be used."""
    rng = np.random.default_rng(0)
    for name in SOUND:
        (folder / f"{name}.nii").write_bytes(_image(rng.random((20, 18, 3))))
    content = _image(rng.random((20, 18, 3)))
    bad = {
        name: _changed(content, *changes) for name, changes in {**_headers(), **_claims()}.items()
    }
    bad |= {f"cut_{n}": content[:n] for n in (1, 100, 347, 348, 352, 1000, len(content) - 1)}
    bad["not_finite"] = _image(np.full((20, 18, 3), np.nan))
    bad["flat"] = _image(np.ones((20, 18, 3)))
    bad["wide"] = _image(rng.random((60, 60, 600)), (90.0, 90.0, 8.0))
    bad["centimetres"] = _image(rng.random((64, 64, 3)), (0.14, 0.14, 0.8))
    for name, one in bad.items():
        (folder / f"{name}.nii").write_bytes(one)
    names = sorted([*SOUND, *bad])
    rows = "".join(f"{name},{name}.nii\n" for name in names)
    (folder / "t.csv").write_text(f"study,image\n{rows}", encoding="utf-8-sig")
    return sorted(bad)


def _headers() -> dict[str, list[tuple[int, bytes]]]:
    """Lengths that no scanner has, along each axis, in voxel size and affine alike."""
    found = {}
    for axis in range(3):
        for number, mm in enumerate(SIZES):
            size = np.array([mm], "<f4").tobytes()
            affine = (_AFFINE + 16 * axis + 4 * axis, size)
            found[f"mm_{axis}_{number}"] = [(_PIXDIM + 4 * (axis + 1), size), affine]
    return found


def _claims() -> dict[str, list[tuple[int, bytes]]]:
    """Headers that claim what the file does not hold."""
    shapes = ([3, 1024, 1024, 1024], [4, 32767, 32767, 32767, 32767], [0], [9], [3, -1, 2, 2])
    found = {
        f"shape_{number}": [(_DIM, np.array(shape, "<i2").tobytes())]
        for number, shape in enumerate(shapes)
    }
    for code in (0, 1, 32, 128, 1536, 1792, 9999):
        found[f"type_{code}"] = [(_TYPE, np.array([code], "<i2").tobytes())]
    for offset in (0.0, -1.0, 1e30, float("nan")):
        found[f"offset_{len(found)}"] = [(_OFFSET, np.array([offset], "<f4").tobytes())]
    for unit in (1, 3):
        found[f"unit_{unit}"] = [(_UNITS, bytes([unit]))]
    found["magic"] = [(344, b"xx1\0")]
    found["plane"] = [(_AFFINE, np.zeros(4, "<f4").tobytes())]
    return found


def _image(voxels: np.ndarray, mm: tuple[float, float, float] = (1.5, 1.5, 8.0)) -> bytes:
    image = nib.Nifti1Image(voxels.astype(np.float32), np.diag([*mm, 1.0]))
    image.header.set_xyzt_units("mm")
    return image.to_bytes()


def _changed(content: bytes, *changes: tuple[int, bytes]) -> bytes:
    found = bytearray(content)
    for place, value in changes:
        found[place : place + len(value)] = value
    return bytes(found)

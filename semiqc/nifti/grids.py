"""The grids that a study lies on, told as the header of a file that lies on the same one."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.images.axes import AS_IT_LIES
from semiqc.nifti.forms import Affine, views
from semiqc.nifti.frames import grid_affine
from semiqc.nifti.headers import Header
from semiqc.study import Study


def own_grid(study: Study) -> Header:
    """The grid that the study's voxels lie on, as exported frames have it."""
    shape = tuple(study.labels.shape[:0:-1])
    affine = grid_affine(study)
    return _header(study, shape, affine, (affine,))


def source_grid(study: Study) -> Header | None:
    """The grid of the file that the study came from, its axes in the file's order.

    None of a study that came from no file, or whose slices were changed since.
    """
    geometry = study.geometry
    if geometry is None or geometry.shape[2] != study.labels.shape[1]:
        return None
    recorded = geometry.to_source
    columns = _columns(tuple(recorded.get("axes", AS_IT_LIES)))
    affine = np.asarray(geometry.affine, dtype=np.float64).copy()
    affine[:, columns] = geometry.affine[:, :3]
    shape = [0, 0, 0]
    for place, column in enumerate(columns):
        shape[column] = geometry.shape[place]
    form = recorded.get("nifti")
    seen = (affine, *views(form)) if form else (affine,)
    return _header(study, tuple(shape), affine, seen)


def _columns(axes: tuple[int, ...]) -> list[int]:
    """Which column of a file's affine each of a study's ``(x, y, z)`` is; see ``images.axes``."""
    return [2 - axis for axis in reversed(axes)]


def _header(
    study: Study, shape: tuple[int, ...], affine: NDArray[np.float64], seen: tuple[Affine, ...]
) -> Header:
    nothing: dict[str, Any] = {}
    return Header(
        path=Path(study.name),
        shape=shape,
        affine=affine,
        spacing=study.spacing,
        time_step=None,
        time_unit="",
        offset=0,
        dtype=np.dtype(np.int8),
        scaling=None,
        warnings=(),
        form=nothing,
        views=seen,
    )

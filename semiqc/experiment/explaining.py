"""What a run's estimators looked at in the study that each finds worst.

Kept in ``results/explained.h5``, so that a report can be built anew without the networks.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from qc.estimators.manifold.estimator import ManifoldSearch
from qc.estimators.network.estimator import NetworkEstimator
from qc.explain import explain
from semiqc.doors.hdf5_file import Attributes, reading_hdf5
from semiqc.experiment.fitting import FittedEstimator
from semiqc.files.atomic import whole_file
from semiqc.files.sink import hdf5_written
from semiqc.report.explained import Explained, SearchPath
from semiqc.study import Prediction

FILE = "explained.h5"
MAPS, PATHS = "maps", "paths"


def explained(
    fitted: Mapping[str, FittedEstimator],
    predictions: Sequence[Prediction],
    scores: Mapping[str, Mapping[str, float]],
) -> Iterator[Explained | SearchPath]:
    """The worst prediction of each estimator, as far as one can tell what it looked at.

    Args:
        fitted: The estimators by name.
        predictions: That were judged.
        scores: Of each study, by estimator.
    """
    for name, (_, estimator) in fitted.items():
        known = [p for p in predictions if name in scores.get(p.study, {}) and _largest(p)[1]]
        if not known:
            continue
        worst = min(known, key=lambda one: (scores[one.study][name], one.study))
        score, frame = scores[worst.study][name], _largest(worst)[0]
        if isinstance(estimator, NetworkEstimator) and estimator.explained_layer:
            yield _map(name, estimator, worst, frame, score)
        if isinstance(estimator, ManifoldSearch):
            yield _path(name, estimator, worst, frame, score)


def _largest(prediction: Prediction) -> tuple[int, int]:
    """The frame in which most is segmented, and how many voxels are."""
    counts = [int(np.count_nonzero(prediction.labels[t])) for t in range(prediction.frames)]
    frame = int(np.argmax(counts))
    return frame, counts[frame]


def _map(
    name: str, estimator: NetworkEstimator, prediction: Prediction, frame: int, score: float
) -> Explained:
    labels = np.asarray(prediction.labels[frame])
    structures = estimator.scheme.structures
    structure = max(structures, key=lambda one: int(one.mask(labels).sum()))
    heat = explain(estimator, prediction, frame, structure).astype(np.float32)
    z = int(np.argmax(heat.sum((1, 2))))
    image = np.asarray(prediction.image[0, frame, z], np.float32)
    return Explained(
        name, prediction.study, structure.name, frame, z, score, image, labels[z], heat[z]
    )


def _path(
    name: str, estimator: ManifoldSearch, prediction: Prediction, frame: int, score: float
) -> SearchPath:
    ways = estimator.search_paths(prediction, frame)
    slices = np.repeat(np.arange(len(ways)), [len(way) for way in ways])
    return SearchPath(
        name, prediction.study, frame, score, slices, _on_main_axes(np.concatenate(ways))
    )


def _on_main_axes(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points ``[P, L]`` on the two axes along which they differ most, ``[P, 2]``."""
    centred = points - points.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    # The sign of an axis is arbitrary: the largest part of each counts upwards.
    largest = np.abs(axes).argmax(1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    found = np.zeros((len(points), 2))
    found[:, : min(2, len(axes))] = centred @ axes[:2].T
    return found


def write_explained(path: Path, found: Sequence[Explained | SearchPath]) -> None:
    """Keep what was looked at, whole or not at all; without any there is no file."""
    if not found:
        path.unlink(missing_ok=True)
        return
    with whole_file(path) as temporary, hdf5_written(temporary) as file:
        for number, one in enumerate(found):
            kind = MAPS if isinstance(one, Explained) else PATHS
            group = file.create_group(f"{kind}/{number:04d}")
            for name, value in vars(one).items():
                if isinstance(value, np.ndarray):
                    group.create_dataset(name, data=value, compression="gzip")
                else:
                    group.attrs[name] = value


def read_explained(path: Path) -> tuple[list[Explained], list[SearchPath]]:
    """What ``write_explained`` kept; nothing of a run of an earlier version."""
    if not path.exists():
        return [], []
    with reading_hdf5(path) as file:
        maps = [Explained(**_fields(one)) for one in file.get(MAPS, {}).values()]
        paths = [SearchPath(**_fields(one)) for one in file.get(PATHS, {}).values()]
    return maps, paths


def _fields(group: h5py.Group) -> dict[str, Any]:
    arrays = {name: one[:] for name, one in group.items()}
    plain = {n: v if isinstance(v, str) else v.item() for n, v in Attributes(group).items()}
    return arrays | plain

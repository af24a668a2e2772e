"""Gathers what the report shows of each study, and keeps it in ``results/views.h5``.

Pictures are cut to a square around what the reference segments, or the prediction of an unlabelled
study, and grey values are brought to eight bits.
"""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from semiqc.doors.hdf5_file import Attributes, reading_hdf5
from semiqc.files.atomic import whole_file
from semiqc.files.sink import hdf5_written
from semiqc.report import CANDIDATES, MANUAL
from semiqc.report.views import StudyViews
from semiqc.schemes import BACKGROUND, UNLABELLED
from semiqc.study import Prediction, Study

MOST_SLICES = 8
MOST_FRAMES = 40
"""Of a film."""
MARGIN = 16
"""Voxels around what is segmented."""

MOST_STUDIES = 200
"""Of the test set, and of the unlabelled ones; a report of more is not read."""

Window = tuple[slice, slice]


def views_of_test(study: Study) -> tuple[StudyViews, Window]:
    """Slices of a study's frames of largest and smallest volume with the reference, and a film.

    Returns:
        The views, and the part of the slices, ``[Y, X]``, that they show.
    """
    labels = np.asarray(study.labels[:])
    volumes = (labels > BACKGROUND).sum(axis=(1, 2, 3))
    drawn = np.flatnonzero((labels != UNLABELLED).any(axis=(1, 2, 3)))
    ends = (drawn[volumes[drawn].argmax()], drawn[volumes[drawn].argmin()]) if len(drawn) else (0,)
    frames = tuple(dict.fromkeys(int(frame) for frame in ends))
    return _views(study, frames, labels[list(frames)], MANUAL)


def views_of_candidate(study: Study, prediction: Prediction) -> StudyViews:
    """Slices of an unlabelled study in its frame of largest volume, by the first segmenter."""
    labels = np.asarray(prediction.labels[:])
    frame = int((labels > BACKGROUND).sum(axis=(1, 2, 3)).argmax())
    return _views(study, (frame,), labels[[frame]], CANDIDATES)[0]


def add_scenario(
    views: StudyViews, window: Window, scenario: str, labels: NDArray[np.int8]
) -> None:
    """Add what a scenario made of the study, ``[T, Z, Y, X]``."""
    rows, columns = window
    shown = labels[np.ix_(views.frames, views.slices)]
    views.labels[scenario] = shown[:, :, rows, columns].astype(np.int8)
    if len(views.film):
        film = labels[: len(views.film), views.film_slice, rows, columns]
        views.film_labels[scenario] = film.astype(np.int8)


def _views(
    study: Study, frames: tuple[int, ...], labels: NDArray[np.int8], name: str
) -> tuple[StudyViews, Window]:
    """Views with one set of labels, ``[F, Z, Y, X]``, which also tells where to look."""
    segmented = labels > BACKGROUND
    window = _window(np.asarray(segmented.any(axis=(0, 1))))
    found = np.flatnonzero(segmented.any(axis=(0, 2, 3)))
    known = found if len(found) else np.arange(labels.shape[1])
    slices = tuple(int(z) for z in known[_spread(len(known), MOST_SLICES)])
    rows, columns = window
    image = np.stack([study.image[0, t][list(slices)][:, rows, columns] for t in frames])
    middle = int(known[len(known) // 2])
    count = min(study.image.shape[1], MOST_FRAMES)
    film = np.stack([study.image[0, t, middle][rows, columns] for t in range(count)])
    low, high = np.percentile(image, (1, 99))
    views = StudyViews(
        study=study.name,
        frames=frames,
        slices=slices,
        image=_grey(image, low, high),
        labels={name: labels[:, list(slices)][:, :, rows, columns].astype(np.int8)},
        film_slice=middle,
        film=_grey(film if count > 1 and name == MANUAL else film[:0], low, high),
    )
    return views, window


def _grey(image: NDArray[np.floating], low: float, high: float) -> NDArray[np.uint8]:
    scaled = np.nan_to_num((image - low) / max(high - low, 1e-6))
    grey: NDArray[np.uint8] = (255 * np.clip(scaled, 0, 1)).astype(np.uint8)
    return grey


def _spread(count: int, most: int) -> NDArray[np.intp]:
    """At most so many places out of ``count``, evenly spread, with both ends."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def _window(mask: NDArray[np.bool_]) -> Window:
    """A square around a mask ``[Y, X]`` with a margin; all of it where it is empty."""
    if not mask.any():
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    side = max(int(np.ptp(span)) + 1 for span in spans) + 2 * MARGIN
    parts = []
    for span, length in zip(spans, mask.shape, strict=True):
        start = int(np.clip((span[0] + span[-1] - side) // 2, 0, max(0, length - side)))
        parts.append(slice(start, min(length, start + side)))
    return parts[0], parts[1]


def write_views(path: Path, views: Sequence[StudyViews]) -> None:
    """Keep views in an HDF5 file, whole or not at all."""
    with whole_file(path) as temporary, hdf5_written(temporary, track_order=True) as file:
        for number, one in enumerate(views):
            group = file.create_group(f"{number:04d}")
            group.attrs["study"] = one.study
            group.attrs["film_slice"] = one.film_slice
            group.attrs["frames"] = np.array(one.frames, dtype=np.int64)
            group.attrs["slices"] = np.array(one.slices, dtype=np.int64)
            group.create_dataset("image", data=one.image, compression="gzip")
            group.create_dataset("film", data=one.film)
            for kind, labels in (("labels", one.labels), ("film_labels", one.film_labels)):
                for number_of, (name, values) in enumerate(labels.items()):
                    kept = group.create_dataset(
                        f"{kind}/{number_of:03d}", data=values, compression="gzip"
                    )
                    kept.attrs["scenario"] = name


def read_views(path: Path) -> list[StudyViews]:
    """The views that ``write_views`` kept; none where an earlier version wrote the run."""
    if not path.exists():
        return []
    with reading_hdf5(path) as file:
        return [
            StudyViews(
                study=str(Attributes(group)["study"]),
                frames=tuple(int(t) for t in Attributes(group)["frames"]),
                slices=tuple(int(z) for z in Attributes(group)["slices"]),
                image=group["image"][:],
                labels=_labels(group.get("labels")),
                film_slice=int(Attributes(group)["film_slice"]),
                film=group["film"][:],
                film_labels=_labels(group.get("film_labels")),
            )
            for group in file.values()
        ]


def _labels(group: h5py.Group | None) -> dict[str, NDArray[np.int8]]:
    return {str(Attributes(one)["scenario"]): one[:] for one in group.values()} if group else {}

"""How much data a run works on."""

from collections.abc import Iterable, Sequence

import numpy as np

from semiqc.experiment.estimating.work import Extent
from semiqc.experiment.settings import Settings
from semiqc.files.store.format import BYTES_OF_VOXEL
from semiqc.files.store.reader import Store
from semiqc.files.tables import SplitRow
from semiqc.phantom.dataset import AORTA_FRAMES, SHORT_AXIS_FRAMES
from semiqc.study import Study
from semiqc.work.split import draw_split, read_split


def extent_of(split: Sequence[SplitRow], store: Store) -> Extent:
    """Of a store, with the roles of its studies."""
    bytes_of_store = store.path.stat().st_size
    return _extent([row.role for row in split], list(store), bytes_of_store)


def extent_of_settings(settings: Settings) -> Extent | None:
    """Of the data that settings name, as far as it can be told without importing it.

    None where the data is a folder or a table, which has to be read first.

    Raises:
        ValueError: If the data or its split cannot be read.
    """
    if settings.data is None:
        return _of_phantoms(settings)
    if settings.data.is_dir() or settings.data.suffix.lower() == ".csv":
        return None
    store = Store(settings.data)
    return extent_of(split_of(settings, list(store)), store)


def split_of(settings: Settings, studies: Sequence[Study]) -> list[SplitRow]:
    """Who would be used for what, by settings.

    Raises:
        ValueError: If there are too few studies.
    """
    if settings.split.file:
        return read_split(settings.split.file, studies)
    counts = settings.split.model_dump(include={"labelled", "qc", "validation", "test"})
    counts["unlabelled"] = settings.split.unlabelled
    try:
        return draw_split(studies, counts, settings.split.seed)
    except ValueError as error:
        raise ValueError(f"{settings.data or 'phantoms'}: {error}") from None


def _extent(roles: Iterable[str], studies: Sequence[Study], store_bytes: float) -> Extent:
    known = list(roles)
    shapes = np.array([study.image.shape[1:] for study in studies])
    labelled = [len(study.labelled_frames) for study in studies if study.labelled_frames]
    slices, rows, columns = np.rint(np.median(shapes[:, 1:], axis=0)).astype(int).tolist()
    return Extent(
        labelled=known.count("labelled"),
        qc=known.count("qc"),
        test=known.count("test"),
        unlabelled=known.count("unlabelled"),
        frames=float(shapes[:, 0].mean()),
        labelled_frames=float(np.mean(labelled)) if labelled else 0.0,
        size=(slices, rows, columns),
        store_bytes=store_bytes,
    )


def _of_phantoms(settings: Settings) -> Extent:
    """Of phantoms, which are all labelled in all frames."""
    phantom, split = settings.phantom, settings.split
    usual = AORTA_FRAMES if phantom.kind == "aorta" else SHORT_AXIS_FRAMES
    frames = phantom.frames or usual
    rest = phantom.studies - split.labelled - split.qc - split.validation - split.test
    unlabelled = rest if split.unlabelled is None else min(rest, split.unlabelled)
    size = (phantom.slices, phantom.size, phantom.size)
    voxels = phantom.studies * frames * phantom.slices * phantom.size**2
    counts = split.labelled, split.qc, split.test, max(0, unlabelled)
    return Extent(*counts, frames, frames, size, voxels * BYTES_OF_VOXEL)

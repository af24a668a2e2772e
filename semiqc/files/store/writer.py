"""Writes a store of studies, whole or not at all; see ``semiqc.files.store.format``."""

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from semiqc.doors.hdf5_file import MOST_CHUNKS
from semiqc.files.checksums import refuse_sealed
from semiqc.files.hdf5 import is_own, new_file
from semiqc.files.places import require_folder, require_space
from semiqc.files.sink import check_written
from semiqc.files.store.format import FORMAT, VERSION, header_of
from semiqc.schemes import UNLABELLED, LabelScheme
from semiqc.study import Study

FLOAT16_MAX = float(np.finfo(np.float16).max)


def check_replaceable(path: Path, *, overwrite: bool) -> None:
    """Make sure, before long work, that a store can be written.

    Raises:
        FileExistsError: If the file is there and ``overwrite`` is not set, it is no store, or part
            of what is finished.
        OSError: If nothing can be written there.
    """
    require_folder(path.absolute().parent)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path}: exists already; say --overwrite to replace it")
    if path.exists() and not is_own(path):
        raise FileExistsError(f"{path}: stands there and is no store; name another file")
    refuse_sealed(path)


class StoreWriter:
    """Writes a store, whole or not at all; a context manager.

    Args:
        path: File to write.
        scheme: Label values of every study.
        modalities: Names of the modalities, in the order of the image's first axis.

    Raises:
        FileExistsError: If the file is there and ``overwrite`` is not set, or it is no HDF5 file.
    """

    def __init__(
        self,
        path: Path,
        scheme: LabelScheme,
        modalities: tuple[str, ...] = ("cine",),
        *,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        check_replaceable(self.path, overwrite=overwrite)
        self.overwrite = overwrite
        self.scheme = scheme
        self.modalities = modalities
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._file = new_file(self._stack, self.path, replaces=self.overwrite)
        self._file.attrs["format"] = FORMAT
        self._file.attrs["version"] = VERSION
        self._file.attrs["scheme"] = json.dumps(self.scheme.to_json())
        self._file.attrs["modalities"] = json.dumps(self.modalities)
        self._file.create_group("studies")
        return self

    def __exit__(self, *failure: Any) -> None:  # noqa: ANN401
        self._stack.__exit__(*failure)

    def add(self, study: Study) -> None:
        """Append a study; only one frame of it stands in memory at a time.

        Raises:
            ValueError: If the name is taken or unfit, or the study does not suit the store.
        """
        self._check(study)
        try:
            self._add(study)
        except BaseException:
            # What was begun must not stand in the way of a study of that name.
            self._file["studies"].pop(study.name, None)
            raise

    def _add(self, study: Study) -> None:
        group = self._file["studies"].create_group(study.name)
        image, labels, drawn = _create_arrays(group, study)
        digest = hashlib.sha256()
        labelled = []
        for frame in range(study.image.shape[1]):
            pixels = _as_float16(study, frame)
            check_written(self._file)
            require_space(self.path, pixels.nbytes + pixels[0].size)
            image[:, frame] = pixels
            digest.update(pixels.tobytes())
            annotated = np.asarray(study.labels[frame], dtype=np.int8)
            if (annotated != UNLABELLED).any():
                labels[frame] = annotated
                digest.update(annotated.tobytes())
                if drawn is not None and study.source_labels is not None:
                    drawn[frame] = np.asarray(study.source_labels[frame], dtype=np.int8)
                    digest.update(drawn[frame].tobytes())
                labelled.append(frame)
        group.attrs["header"] = json.dumps(header_of(study, labelled, digest.hexdigest()))

    def _check(self, study: Study) -> None:
        """Refuse a study that does not suit the store.

        Raises:
            ValueError: If its name is taken or unfit, its modalities are others, or it has so
                many slices in all its frames that no reader would take it.
        """
        if not study.name or "/" in study.name or study.name in {".", ".."}:
            raise ValueError(f"study name {study.name!r} cannot name a file")
        if study.name in self._file["studies"]:
            raise ValueError(f"{study.name}: a study of that name is in the store already")
        if study.image.shape[0] != len(self.modalities):
            raise ValueError(
                f"{study.name}: {study.image.shape[0]} modalities, the store has"
                f" {len(self.modalities)}: {', '.join(self.modalities)}"
            )
        _, frames, slices, _, _ = study.image.shape
        if frames * slices > MOST_CHUNKS:
            raise ValueError(
                f"{study.name}: {frames} frames of {slices} slices, expected {MOST_CHUNKS} slices"
                " at most"
            )


def _create_arrays(
    group: h5py.Group, study: Study
) -> tuple[h5py.Dataset, h5py.Dataset, h5py.Dataset | None]:
    """Datasets for a study's image, its labels, and those on the grid of its source."""
    modalities, _, _, height, width = study.image.shape
    image = group.create_dataset(
        "image",
        study.image.shape,
        np.float16,
        chunks=(modalities, 1, 1, height, width),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
    )
    labels = _create_labels(group, "labels", study.labels.shape)
    drawn = study.source_labels
    source = None if drawn is None else _create_labels(group, "source_labels", drawn.shape)
    return image, labels, source


def _create_labels(group: h5py.Group, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
    """A dataset for labels ``[T, Z, Y, X]``, chunked by slice; unlabelled until written."""
    return group.create_dataset(
        name,
        shape,
        np.int8,
        chunks=(1, 1, *shape[2:]),
        compression="gzip",
        compression_opts=1,
        fillvalue=UNLABELLED,
    )


def _as_float16(study: Study, frame: int) -> NDArray[np.float16]:
    """One frame ``[M, Z, Y, X]`` as it is stored; what is too large becomes the largest number.

    Raises:
        ValueError: If a voxel is not finite.
    """
    pixels = np.asarray(study.image[:, frame])
    if not np.isfinite(pixels).all():
        raise ValueError(f"{study.name}: frame {frame} has voxels that are not finite")
    stored: NDArray[np.float16] = np.clip(pixels, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)
    return stored

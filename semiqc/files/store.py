"""Studies in one HDF5 file, read a slice at a time.

Layout: the root's attributes hold the format's version, the label scheme and the names of the
modalities as JSON; ``studies/NAME`` holds ``image [M, T, Z, Y, X]`` (float16) and ``labels
[T, Z, Y, X]`` (int8), both chunked by slice and compressed, and the study's header as JSON.
Frames nobody labelled take no room.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from semiqc.files.atomic import require_space, whole_file
from semiqc.schemes import UNLABELLED, LabelScheme
from semiqc.study import Geometry, Study

FORMAT = "semiqc-store"
VERSION = 1
FLOAT16_MAX = float(np.finfo(np.float16).max)


class StoreError(ValueError):
    """The file is not a store, or lacks what was asked of it."""


class H5Voxels:
    """An array in an HDF5 file that is opened once in each process, when it is first read.

    Args:
        path: The file.
        dataset: Name of the array in it.
        dtype: Type that indexing gives.
        scale: Multiplied with what is read, where not 1.
        labelled_frames: Frames with a label, where the array holds labels.
        version: Of the file, as ``file_version`` gives it; by default what stands there now.

    Raises:
        StoreError: If the file or the array cannot be read, or, when voxels are read, if the
            file was replaced since.
    """

    def __init__(
        self,
        path: Path,
        dataset: str,
        dtype: type[np.generic],
        *,
        scale: float = 1.0,
        labelled_frames: tuple[int, ...] | None = None,
        version: "Version | None" = None,
    ) -> None:
        self.path = path
        self.version = version or file_version(path)
        self.name = dataset
        self.dtype = np.dtype(dtype)
        self.scale = scale
        if labelled_frames is not None:
            self.labelled_frames = labelled_frames
        self._handle: tuple[int, h5py.Dataset] | None = None
        self.shape: tuple[int, ...] = tuple(self._dataset.shape)
        self.ndim = len(self.shape)

    @property
    def _dataset(self) -> h5py.Dataset:
        # A handle must not cross a fork: two processes would share one file position.
        if self._handle is None or self._handle[0] != os.getpid():
            file = open_h5(self.path, self.version)
            if self.name not in file:
                raise StoreError(f"{self.path}: holds no '{self.name}'")
            self._handle = (os.getpid(), file[self.name])
        return self._handle[1]

    def __getitem__(self, key: Any) -> NDArray[Any]:  # noqa: ANN401
        try:
            found = np.asarray(self._dataset[key], dtype=self.dtype)
        except OSError as error:
            raise StoreError(f"{self.path}: '{self.name}' is damaged ({error})") from error
        return found if self.scale == 1 else found * self.dtype.type(self.scale)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None}


Version = tuple[int, int]
"""Time of change and inode of a file: what tells one that was replaced."""

_open_files: dict[tuple[int, Path], tuple[Version, h5py.File]] = {}


def file_version(path: Path) -> Version:
    """What tells the file that stands at ``path`` from one that stood there before.

    Raises:
        StoreError: If there is no such file.
    """
    try:
        state = path.stat()
    except FileNotFoundError:
        raise StoreError(f"{path}: no such file") from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
    return state.st_mtime_ns, state.st_ino


def open_h5(path: Path, version: Version | None = None) -> h5py.File:
    """The file, opened for reading once per process and version of the file.

    Raises:
        StoreError: If there is no such file, it is not HDF5 or cut short, or it is not of the
            version that is asked for.
    """
    found = file_version(path)
    if version is not None and version != found:
        raise StoreError(f"{path}: was replaced since it was opened")
    key = (os.getpid(), path.resolve())
    known = _open_files.get(key)
    if known is None or known[0] != found:
        try:
            # A file that was replaced is not closed: whoever reads from it goes on with what it
            # held, and with the last reader HDF5 closes it.
            # Chunks are slices drawn at random: a cache would keep 1 MiB of each array in vain.
            _open_files[key] = (found, h5py.File(path, "r", rdcc_nbytes=0))
        except OSError as error:
            raise StoreError(f"{path}: not a readable HDF5 file ({error})") from error
    return _open_files[key][1]


class Store:
    """A data set in a file; cheap to open, reads what is asked for.

    Args:
        path: File that ``StoreWriter`` wrote.

    Raises:
        StoreError: If the file is not such a store.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._version = file_version(self.path)
        file = open_h5(self.path, self._version)
        attributes = file.attrs
        if attributes.get("format") != FORMAT:
            raise StoreError(f"{path}: an HDF5 file, but not one that `semiqc import` wrote")
        if attributes.get("version") != VERSION:
            raise StoreError(
                f"{path}: store of version {attributes.get('version')}, expected {VERSION};"
                " import the data anew"
            )
        try:
            self.scheme = LabelScheme.from_json(json.loads(attributes["scheme"]))
            self.modalities: tuple[str, ...] = tuple(json.loads(attributes["modalities"]))
            self._headers: dict[str, dict[str, Any]] = {
                name: json.loads(group.attrs["header"]) for name, group in file["studies"].items()
            }
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise StoreError(f"{path}: damaged store ({error})") from error

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the studies, sorted."""
        return tuple(sorted(self._headers))

    def __len__(self) -> int:
        return len(self._headers)

    def __iter__(self) -> Iterator[Study]:
        return (self.study(name) for name in self.names)

    def study(self, name: str) -> Study:
        """A study whose voxels are read when they are indexed.

        Raises:
            StoreError: If there is none of that name.
        """
        if name not in self._headers:
            raise StoreError(f"{self.path}: no study '{name}' among {len(self)}")
        header = self._headers[name]
        stored = header["geometry"]
        geometry = stored and Geometry(
            np.array(stored["affine"]),
            tuple(stored["shape"]),
            stored["source"],
            stored["to_source"],
        )
        return Study(
            name=name,
            image=H5Voxels(self.path, f"studies/{name}/image", np.float32, version=self._version),
            labels=H5Voxels(
                self.path,
                f"studies/{name}/labels",
                np.int8,
                labelled_frames=tuple(header["labelled_frames"]),
                version=self._version,
            ),
            spacing=tuple(header["spacing"]),
            group=header["group"],
            subject=header["subject"],
            split=header["split"],
            geometry=geometry,
        )

    def fingerprint(self) -> str:
        """A hash of the scheme, of every header and of every voxel as it was written."""
        content = json.dumps(
            [self.scheme.to_json(), self.modalities, sorted(self._headers.items())]
        )
        return hashlib.sha256(content.encode()).hexdigest()


class StoreWriter:
    """Writes a store, whole or not at all; a context manager.

    Args:
        path: File to write.
        scheme: Label values of every study.
        modalities: Names of the modalities, in the order of the image's first axis.

    Raises:
        FileExistsError: If the file is there and ``overwrite`` is not set.
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
        if self.path.exists() and not overwrite:
            raise FileExistsError(f"{path}: exists already; say --overwrite to replace it")
        self.scheme = scheme
        self.modalities = modalities
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._file = new_file(self._stack, self.path)
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
        group = self._file["studies"].create_group(study.name)
        modalities, frames, _, height, width = study.image.shape
        image = group.create_dataset(
            "image",
            study.image.shape,
            np.float16,
            chunks=(modalities, 1, 1, height, width),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        labels = group.create_dataset(
            "labels",
            study.labels.shape,
            np.int8,
            chunks=(1, 1, height, width),
            compression="gzip",
            compression_opts=1,
            fillvalue=UNLABELLED,
        )
        digest = hashlib.sha256()
        labelled = []
        for frame in range(frames):
            pixels = _as_float16(study, frame)
            require_space(self.path, pixels.nbytes + pixels[0].size)
            image[:, frame] = pixels
            digest.update(pixels.tobytes())
            annotated = np.asarray(study.labels[frame], dtype=np.int8)
            if (annotated != UNLABELLED).any():
                labels[frame] = annotated
                digest.update(annotated.tobytes())
                labelled.append(frame)
        group.attrs["header"] = json.dumps(_header(study, labelled, digest.hexdigest()))

    def _check(self, study: Study) -> None:
        if not study.name or "/" in study.name or study.name in {".", ".."}:
            raise ValueError(f"study name {study.name!r} cannot name a file")
        if study.name in self._file["studies"]:
            raise ValueError(f"{study.name}: a study of that name is in the store already")
        if study.image.shape[0] != len(self.modalities):
            raise ValueError(
                f"{study.name}: {study.image.shape[0]} modalities, the store has"
                f" {len(self.modalities)}: {', '.join(self.modalities)}"
            )


def new_file(stack: ExitStack, path: Path) -> h5py.File:
    """A file that takes its place at ``path`` once ``stack`` is left without a failure."""
    with ExitStack() as entered:
        temporary = entered.enter_context(whole_file(path))
        file = entered.enter_context(h5py.File(temporary, "w"))
        stack.push(entered.pop_all())
    return file


def _as_float16(study: Study, frame: int) -> NDArray[np.float16]:
    pixels = np.asarray(study.image[:, frame])
    if not np.isfinite(pixels).all():
        raise ValueError(f"{study.name}: frame {frame} has voxels that are not finite")
    stored: NDArray[np.float16] = np.clip(pixels, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)
    return stored


def _header(study: Study, labelled: list[int], digest: str) -> dict[str, Any]:
    geometry = study.geometry
    return {
        "spacing": [float(mm) for mm in study.spacing],
        "group": study.group,
        "subject": study.subject,
        "split": study.split,
        "labelled_frames": labelled,
        "sha256": digest,
        "geometry": geometry
        and {
            "affine": np.asarray(geometry.affine).tolist(),
            "shape": [int(n) for n in geometry.shape],
            "source": geometry.source,
            "to_source": dict(geometry.to_source),
        },
    }

"""Studies in one HDF5 file, read a slice at a time; see ``semiqc.files.store.format``."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from semiqc.doors.hdf5_file import Attributes
from semiqc.doors.json_file import parse_json
from semiqc.doors.regular import in_short
from semiqc.files.hdf5 import H5Voxels, StoreError, check_whole, file_version, open_h5
from semiqc.files.store.format import FORMAT, VERSION, checked_header, geometry_of
from semiqc.schemes import LabelScheme
from semiqc.study import Study


class Store:
    """A data set in a file; cheap to open, reads what is asked for.

    Args:
        path: File that ``StoreWriter`` wrote.
        is_checked: Whether the file's checksum is worked out, where voxels will be read.

    Raises:
        StoreError: If the file is not such a store, or not as it was written.
    """

    def __init__(self, path: Path, *, is_checked: bool = True) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise StoreError(
                f"{path}: a folder, expected a store; `semiqc import` makes one of a folder"
            )
        self._version = file_version(self.path)
        # A damaged file may make HDF5 hang; so its seal is looked at before.
        if is_checked:
            check_whole(self.path)
        file = open_h5(self.path, self._version)
        attributes = Attributes(file)
        _check_format(path, attributes)
        try:
            self._scheme_as_written: dict[str, Any] = parse_json(attributes["scheme"], "scheme")
            self.scheme = LabelScheme.from_json(self._scheme_as_written)
            self.modalities: tuple[str, ...] = tuple(
                map(str, parse_json(attributes["modalities"], "modalities"))
            )
            self._headers: dict[str, dict[str, Any]] = {
                name: checked_header(parse_json(Attributes(group)["header"], name), name)
                for name, group in file["studies"].items()
            }
        except Exception as error:
            said = in_short(error)
            raise StoreError(f"{path}: damaged store ({type(error).__name__}: {said})") from error

    def digest_of(self, name: str) -> str:
        """SHA-256 of a study's voxels as they stand in the file; see ``StoreWriter.add``.

        Raises:
            StoreError: If they cannot be read.
        """
        study, digest = self.study(name), hashlib.sha256()
        for frame in range(study.frames):
            digest.update(study.image[:, frame].astype(np.float16).tobytes())
            if frame in study.labelled_frames:
                digest.update(study.labels[frame].tobytes())
                if study.source_labels is not None:
                    digest.update(study.source_labels[frame].tobytes())
        return digest.hexdigest()

    def has_digest(self, name: str) -> bool:
        """Whether a study's voxels are those that its header tells of."""
        return self.digest_of(name) == self._headers[name].get("sha256")

    def told_digest(self, name: str) -> str:
        """SHA-256 of a study's voxels as its header tells it."""
        return str(self._headers[name]["sha256"])

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
        labelled = tuple(header["labelled_frames"])
        try:
            return Study(
                name=name,
                image=self._voxels(f"{name}/image", np.float32),
                labels=self._voxels(f"{name}/labels", np.int8, labelled_frames=labelled),
                spacing=tuple(header["spacing"]),
                group=header["group"],
                subject=header["subject"],
                split=header["split"],
                geometry=geometry_of(header),
                source_labels=self._source_labels(name),
                notes=tuple(header.get("notes", ())),
            )
        except StoreError:
            raise
        except ValueError as error:
            raise StoreError(f"{self.path}: damaged study ({in_short(error)})") from error

    def _source_labels(self, name: str) -> H5Voxels | None:
        """Labels of a study on the grid of its source; None where the store keeps none."""
        header = self._headers[name]
        if not header.get("has_source_labels", False):
            return None
        labelled = tuple(header["labelled_frames"])
        return self._voxels(f"{name}/source_labels", np.int8, labelled_frames=labelled)

    def _voxels(
        self,
        dataset: str,
        dtype: type[np.generic],
        *,
        labelled_frames: tuple[int, ...] | None = None,
    ) -> H5Voxels:
        """An array of the file as it was when the store was opened."""
        name = f"studies/{dataset}"
        return H5Voxels(
            self.path, name, dtype, labelled_frames=labelled_frames, version=self._version
        )

    @property
    def as_given(self) -> "Store":
        """The store as it stands in its file."""
        return self

    def fingerprint(self) -> str:
        """A hash of the scheme, every header and every voxel, all as they were written."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        content = json.dumps(
            [self._scheme_as_written, self.modalities, sorted(self._headers.items())]
        )
        return hashlib.sha256(content.encode()).hexdigest()


def _check_format(path: Path, attributes: Mapping[str, Any]) -> None:
    """Refuse an HDF5 file of another kind or version.

    Raises:
        StoreError: Naming what came and what was expected.
    """
    try:
        kind, version = attributes.get("format"), attributes.get("version")
    except Exception as error:
        raise StoreError(f"{path}: damaged store ({in_short(error)})") from error
    if kind != FORMAT:
        raise StoreError(f"{path}: an HDF5 file, but not one that `semiqc import` wrote")
    if version != VERSION:
        raise StoreError(
            f"{path}: store of version {version}, expected {VERSION}; import the data anew"
        )

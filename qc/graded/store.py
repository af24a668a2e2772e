"""Graded segmentations read from a file that ``GradedWriter`` wrote."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from qc.base import Graded
from qc.graded.writer import FORMAT, VERSION, GradedWriter
from semiqc.doors.hdf5_file import Attributes
from semiqc.doors.regular import refusing
from semiqc.files.hdf5 import H5Voxels, StoreError, check_whole, file_version, open_h5
from semiqc.files.store.reader import Store
from semiqc.files.uncertainty import GROUP, MAPS
from semiqc.images.frames import OneFrame
from semiqc.measuring.means import means_of_known
from semiqc.study import Prediction, Study, UncertaintyMaps

__all__ = ["GradedSet", "GradedWriter"]

_NAMES = ("studies", "sources")
_COLUMNS = ("study", "source", "frame", "row", "dice", "nsd", "multi_class_dice", "slices")
_SINCE = ("multi_class_nsd",)
"""Columns that a file written by an earlier version lacks."""
_TABLES = ("dice", "mvsf")
_UNCERTAINTY = ("evidence_row", "agreement", "confidence", "features")
"""Columns of a file some of whose segmentations have uncertainty."""


def store_of(path: Path) -> Path:
    """Where the store of a graded set was when the set was made.

    Raises:
        ValueError: If the file is not such a set.
    """
    attributes = Attributes(open_h5(Path(path)))
    with refusing(path, "graded segmentations"):
        kind, store = (_text(attributes, name) for name in ("format", "store"))
    if kind != FORMAT:
        raise StoreError(f"{path}: an HDF5 file, but not one of graded segmentations")
    return Path(store)


def _text(attributes: Mapping[str, Any], name: str) -> str:
    """An attribute that is a string, of fixed length or not; empty where there is none."""
    value = attributes.get(name, "")
    return value.decode() if isinstance(value, bytes) else str(value)


class _Reference(OneFrame):
    """Labels of a frame that is known to have some."""

    labelled_frames = (0,)


class GradedSet(Sequence[Graded]):
    """Graded segmentations in a file, each of one frame; voxels are read when they are indexed.

    A selection is of the same kind and reads from the same file.

    Args:
        path: File that ``GradedWriter`` wrote.
        store: The store that it was written for.

    Attributes:
        tolerance_mm: Surface distance that the surface Dice forgave.

    Raises:
        ValueError: If the file is not such a set, is damaged, or belongs to another store.
    """

    def __init__(self, path: Path, store: Store) -> None:
        self.path = Path(path)
        self.store = store
        self._version = file_version(self.path)
        check_whole(self.path)
        file = open_h5(self.path, self._version)
        try:
            self._check(Attributes(file))
            self._read_tables(file)
        except StoreError:
            raise
        except (
            LookupError,
            TypeError,
            ValueError,
            ArithmeticError,
            OSError,
            RuntimeError,
        ) as error:
            raise StoreError(f"{path}: damaged graded segmentations ({error})") from error
        self._chosen: NDArray[np.intp] = np.arange(len(self._columns["study"]))
        self._voxels: dict[str, tuple[Study, H5Voxels]] = {}
        self._maps: dict[str, H5Voxels] = {}

    def _read_tables(self, file: Any) -> None:  # noqa: ANN401
        self.tolerance_mm = float(Attributes(file)["tolerance_mm"])
        self._names = {key: np.char.decode(file["names"][key][:], "utf-8") for key in _NAMES}
        self._columns = {key: np.asarray(file["items"][key]) for key in _COLUMNS}
        later = (key for key in _SINCE if key in file["items"])
        self._columns |= {key: np.asarray(file["items"][key]) for key in later}
        self._slice_tables = {key: np.asarray(file["slices"][key]) for key in _TABLES}
        self._uncertainty: dict[str, NDArray[Any]] | None = None
        if _UNCERTAINTY[0] in file["items"]:
            self._uncertainty = {key: np.asarray(file["items"][key]) for key in _UNCERTAINTY}
            self._features = np.asarray(file[GROUP]["features"])

    def _check(self, attributes: Mapping[str, Any]) -> None:
        if _text(attributes, "format") != FORMAT:
            raise StoreError(f"{self.path}: an HDF5 file, but not one of graded segmentations")
        if attributes.get("version") != VERSION:
            raise StoreError(
                f"{self.path}: graded segmentations of version {attributes.get('version')},"
                f" expected {VERSION}; make them anew"
            )
        if _text(attributes, "fingerprint") != self.store.fingerprint():
            raise StoreError(
                f"{self.path}: was made for the store {_text(attributes, 'store')} as it then was,"
                f" which {self.store.path} is not"
            )

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> Graded: ...

    @overload
    def __getitem__(self, index: slice) -> "GradedSet": ...

    def __getitem__(self, index: int | slice) -> "Graded | GradedSet":
        if isinstance(index, slice):
            return self.subset(np.arange(len(self))[index])
        return self._graded(int(self._chosen[index]))

    def _graded(self, item: int) -> Graded:
        study, labels = self._read(str(self._names["studies"][self._columns["study"][item]]))
        frame, row = int(self._columns["frame"][item]), int(self._columns["row"][item])
        prediction = Prediction(
            study.name,
            OneFrame(study.image, frame),
            OneFrame(labels, row),
            study.spacing,
            uncertainty=self._uncertainty_of(item, study.name),
        )
        return Graded(
            prediction,
            reference=_Reference(study.labels, frame),
            source=str(self._names["sources"][self._columns["source"][item]]),
            group=study.group,
            dice=self._columns["dice"][item][None],
            nsd=self._columns["nsd"][item][None],
            multi_class_dice=self._columns["multi_class_dice"][item][None],
            multi_class_nsd=self._known("multi_class_nsd", item),
            subject=study.subject,
            slice_dice=self._of_slices("dice", item)[None],
            mvsf=self._of_slices("mvsf", item)[None],
        )

    def _known(self, column: str, item: int) -> NDArray[np.float64] | None:
        """What a column says, ``[1]``; None where the file lacks it."""
        return self._columns[column][item][None] if column in self._columns else None

    def _uncertainty_of(self, item: int, study: str) -> UncertaintyMaps | None:
        known = self._uncertainty
        if known is None or known["evidence_row"][item] < 0:
            return None
        row = int(known["evidence_row"][item])
        first, end = known["features"][item : item + 2]
        entropy, disagreement = (
            OneFrame(self._map(f"{GROUP}/{name}/{study}"), row) for name in MAPS
        )
        return UncertaintyMaps(
            entropy,
            disagreement,
            agreement=known["agreement"][item][None],
            confidence=known["confidence"][item][None],
            features=self._features[first:end][None],
        )

    def _map(self, name: str) -> H5Voxels:
        if name not in self._maps:
            self._maps[name] = H5Voxels(
                self.path, name, np.float32, scale=1 / 255, version=self._version
            )
        return self._maps[name]

    @property
    def dice(self) -> NDArray[np.float64]:
        """Dice of each structure, ``[N, S]``; NaN where it is in neither."""
        return self._column("dice")

    @property
    def nsd(self) -> NDArray[np.float64]:
        """Normalised surface Dice of each structure, ``[N, S]``; NaN where it is in neither."""
        return self._column("nsd")

    @property
    def multi_class_dice(self) -> NDArray[np.float64]:
        """Dice of all structures at once, ``[N]``; see ``qc.graded.truth``."""
        return self._column("multi_class_dice")

    @property
    def mean_dice(self) -> NDArray[np.float64]:
        """Mean Dice of the structures that are in either, ``[N]``; 0 where none is."""
        return means_of_known(self.dice, axis=1, unknown=0.0)

    @property
    def frames(self) -> NDArray[np.int64]:
        """Which of its study's frames each is of, ``[N]``."""
        return self._column("frame")

    @property
    def studies(self) -> NDArray[np.str_]:
        """Name of the study of each, ``[N]``."""
        return np.asarray(self._names["studies"][self._column("study")])

    @property
    def sources(self) -> NDArray[np.str_]:
        """What made each, ``[N]``, such as ``ladder-03``."""
        return np.asarray(self._names["sources"][self._column("source")])

    @property
    def groups(self) -> NDArray[np.str_]:
        """Group of the study of each, ``[N]``."""
        of_study = np.array([self._read(str(name))[0].group for name in self._names["studies"]])
        return np.asarray(of_study[self._column("study")])

    def slice_dice(self, index: int) -> NDArray[np.float64]:
        """Dice of each structure and slice of one, ``[S, Z]``; NaN where it is in neither."""
        return self._slices("dice", index)

    def mvsf(self, index: int) -> NDArray[np.float64]:
        """Mean volume similarity fraction, ``[S, Z]``; NaN where a structure is in neither."""
        return self._slices("mvsf", index)

    def subset(self, indices: Sequence[int] | NDArray[np.intp]) -> "GradedSet":
        """Those at ``indices``, in that order."""
        chosen = copy(self)
        chosen._chosen = self._chosen[np.asarray(indices, dtype=np.intp)]
        return chosen

    def of_studies(self, names: Iterable[str]) -> "GradedSet":
        """Those of the studies of these names.

        Raises:
            ValueError: If the store has no study of a name.
        """
        wanted = set(names)
        unknown = sorted(wanted - set(self.store.names))
        if unknown:
            raise ValueError(f"{self.store.path}: holds no study {', '.join(unknown)}")
        return self.subset(np.flatnonzero(np.isin(self.studies, sorted(wanted))))

    def _column(self, name: str) -> NDArray[Any]:
        return np.asarray(self._columns[name][self._chosen])

    def _slices(self, name: str, index: int) -> NDArray[np.float64]:
        return self._of_slices(name, int(self._chosen[index]))

    def _of_slices(self, name: str, item: int) -> NDArray[np.float64]:
        """A table's part of an item of the file, ``[S, Z]``."""
        first, end = self._columns["slices"][item : item + 2]
        return np.asarray(self._slice_tables[name][:, first:end])

    def _read(self, study: str) -> tuple[Study, H5Voxels]:
        if study not in self._voxels:
            try:
                labels = H5Voxels(self.path, f"labels/{study}", np.int8, version=self._version)
            except (KeyError, RuntimeError) as error:
                raise StoreError(f"{self.path}: damaged graded segmentations ({error})") from error
            self._voxels[study] = self.store.study(study), labels
        return self._voxels[study]

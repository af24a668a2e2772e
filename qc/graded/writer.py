"""Graded segmentations in one HDF5 file, written beside the store whose studies they segment.

Layout: the root's attributes hold the format's version and the fingerprint of the store;
``labels/STUDY [K, Z, Y, X]`` (int8, chunked by segmentation and compressed) the segmentations of
a study's frames, and ``evidence/NAME/STUDY`` the maps of its segmenters' uncertainty, where there
is some, in 8 bits; ``items`` a column for each thing known of a segmentation, and ``slices`` what
is known of its slices, one segmentation after the other. Images and references stay in the store.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from qc.graded.source import Made
from qc.graded.truth import mvsf
from semiqc.files.checksums import refuse_sealed
from semiqc.files.hdf5 import is_own, new_file
from semiqc.files.places import require_space
from semiqc.files.sink import check_written
from semiqc.files.store.reader import Store
from semiqc.files.uncertainty import GROUP, MAPS, in_8_bits
from semiqc.images.sizes import LARGEST_MM
from semiqc.measuring.masks import compared, frame_dice, slice_dice
from semiqc.measuring.metrics import NSD_TOLERANCE_MM
from semiqc.measuring.multi_class import multi_class_dice, surface_agreement
from semiqc.schemes import LabelScheme
from semiqc.study import Study, UncertaintyMaps

FORMAT = "semiqc-graded"
VERSION = 1


@dataclass(frozen=True, eq=False)
class _Item:
    """A segmentation and what is true of it.

    ``row`` is its place among its study's, ``uncertainty_row`` that among those with uncertainty.
    """

    study: str
    frame: int
    row: int
    source: str
    dice: NDArray[np.float64]
    nsd: NDArray[np.float64]
    multi_class_dice: float
    multi_class_nsd: float
    slice_dice: NDArray[np.float64]
    mvsf: NDArray[np.float64]
    uncertainty: UncertaintyMaps | None
    uncertainty_row: int


class GradedWriter:
    """Grades segmentations and writes them, whole or not at all; a context manager.

    Args:
        path: File to write.
        store: Holds the studies that are segmented, with their references.
        tolerance_mm: Surface distance that the surface Dice forgives.

    Raises:
        FileExistsError: If the file is there and ``overwrite`` is not set, or is of another kind.
        ValueError: If the tolerance is no distance.
    """

    def __init__(
        self,
        path: Path,
        store: Store,
        *,
        tolerance_mm: float = NSD_TOLERANCE_MM,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        if self.path.exists() and not overwrite:
            raise FileExistsError(f"{path}: exists already; say --overwrite to replace it")
        if self.path.exists() and not is_own(self.path):
            raise FileExistsError(f"{path}: stands there and is no graded set; name another file")
        refuse_sealed(self.path)
        if not 0 <= tolerance_mm <= LARGEST_MM:
            raise ValueError(f"tolerance must lie in [0, {LARGEST_MM:g}] mm, got {tolerance_mm}")
        self.store = store
        self.tolerance_mm = tolerance_mm
        self._items: list[_Item] = []
        self._studies: dict[str, Study] = {}

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            self._file = new_file(entered, self.path)
            entered.push(self._finish)
            self._stack = entered.pop_all()
        # Bytes, for HDF5 may never return from a string of variable length that is damaged.
        self._file.attrs["format"] = np.bytes_(FORMAT.encode())
        self._file.attrs["version"] = VERSION
        self._file.attrs["store"] = np.bytes_(str(self.store.path.resolve()).encode())
        self._file.attrs["fingerprint"] = np.bytes_(self.store.fingerprint().encode())
        self._file.attrs["tolerance_mm"] = self.tolerance_mm
        return self

    def __exit__(self, *failure: Any) -> None:  # noqa: ANN401
        self._stack.__exit__(*failure)

    def add(self, made: Made) -> None:
        """Append a segmentation; it is graded by the reference that the store has.

        Raises:
            ValueError: If the store has no such study, the frame no reference, or the labels do
                not suit it.
        """
        study = self._study(made.study.name)
        _check(made, study, self.store.scheme)
        labels = np.asarray(made.labels, dtype=np.int8)
        row = self._append(f"labels/{study.name}", labels)
        reference = np.asarray(study.labels[made.frame])
        scheme, masks = self.store.scheme, compared(labels, reference, self.store.scheme)
        nsd, of_all = surface_agreement(
            labels, reference, scheme, study.spacing, self.tolerance_mm
        )
        self._items.append(
            _Item(
                study.name,
                made.frame,
                row,
                made.source,
                dice=frame_dice(*masks),
                nsd=nsd,
                multi_class_dice=multi_class_dice(labels, reference),
                multi_class_nsd=of_all,
                slice_dice=slice_dice(*masks),
                mvsf=mvsf(*masks),
                uncertainty=made.uncertainty and _without_maps(made.uncertainty),
                uncertainty_row=self._append_maps(study.name, made.uncertainty),
            )
        )

    def _append_maps(self, study: str, uncertainty: UncertaintyMaps | None) -> int:
        """Where the maps were written; -1 where there are none."""
        if uncertainty is None:
            return -1
        for name in MAPS:
            row = self._append(f"{GROUP}/{name}/{study}", in_8_bits(getattr(uncertainty, name)[0]))
        return row

    def _study(self, name: str) -> Study:
        if name not in self._studies:
            self._studies[name] = self.store.study(name)
        return self._studies[name]

    def _append(self, name: str, voxels: NDArray[np.generic]) -> int:
        """Where the voxels of a segmentation, ``[Z, Y, X]``, are in an array of that name."""
        if name not in self._file:
            self._file.create_dataset(
                name, (0, *voxels.shape), voxels.dtype, maxshape=(None, *voxels.shape),
                chunks=(1, *voxels.shape), compression="gzip", compression_opts=1,
            )  # fmt: skip
        check_written(self._file)
        require_space(self.path, voxels.nbytes)
        dataset = self._file[name]
        row = int(dataset.shape[0])
        dataset.resize(row + 1, axis=0)
        dataset[row] = voxels
        return row

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the tables, unless the block failed."""
        if kind is not None:
            return
        if not self._items:
            raise ValueError(f"{self.path}: there is no graded segmentation to write")
        for name, column in _columns(self._items).items():
            self._file.create_dataset(name, data=column, compression="gzip")


def _columns(items: Sequence[_Item]) -> dict[str, Any]:
    """The tables of a file, by their names in it."""
    studies = sorted({item.study for item in items})
    sources = sorted({item.source for item in items})
    return {
        "names/studies": np.char.encode(studies, "utf-8"),
        "names/sources": np.char.encode(sources, "utf-8"),
        "items/study": np.array([studies.index(item.study) for item in items]),
        "items/source": np.array([sources.index(item.source) for item in items]),
        "items/frame": np.array([item.frame for item in items]),
        "items/row": np.array([item.row for item in items]),
        "items/dice": np.stack([item.dice for item in items]),
        "items/nsd": np.stack([item.nsd for item in items]),
        "items/multi_class_dice": np.array([item.multi_class_dice for item in items]),
        "items/multi_class_nsd": np.array([item.multi_class_nsd for item in items]),
        "items/slices": np.cumsum([0, *(item.mvsf.shape[1] for item in items)]),
        "slices/dice": np.concatenate([item.slice_dice for item in items], axis=1),
        "slices/mvsf": np.concatenate([item.mvsf for item in items], axis=1),
        **_uncertainty_columns(items),
    }


def _without_maps(uncertainty: UncertaintyMaps) -> UncertaintyMaps:
    nothing = np.zeros((1, 0, 0, 0), np.float32)
    return replace(uncertainty, entropy=nothing, disagreement=nothing)


def _uncertainty_columns(items: Sequence[_Item]) -> dict[str, NDArray[np.generic]]:
    """The tables of uncertainty; none where no segmentation has any."""
    if all(item.uncertainty is None for item in items):
        return {}
    unknown = np.full_like(items[0].dice, np.nan)
    features = [
        np.zeros(0) if e is None else e.features[0] for e in (i.uncertainty for i in items)
    ]
    return {
        "items/evidence_row": np.array([item.uncertainty_row for item in items]),
        "items/agreement": np.stack(
            [item.uncertainty.agreement[0] if item.uncertainty else unknown for item in items]
        ),
        "items/confidence": np.stack(
            [item.uncertainty.confidence[0] if item.uncertainty else unknown for item in items]
        ),
        # Segmenters differ in how many features they have.
        "items/features": np.cumsum([0, *(len(one) for one in features)]),
        f"{GROUP}/features": np.concatenate(features),
    }


def _check(made: Made, study: Study, scheme: LabelScheme) -> None:
    if made.frame not in study.labelled_frames:
        raise ValueError(f"{study.name}: frame {made.frame} has no reference to grade by")
    if made.labels.shape != study.labels.shape[1:]:
        raise ValueError(
            f"{study.name}: '{made.source}' gave labels of shape {made.labels.shape},"
            f" a frame has {study.labels.shape[1:]}"
        )
    _check_maps(made)
    classes = len(scheme.classes)
    if made.labels.min() < 0 or made.labels.max() >= classes:
        raise ValueError(
            f"{study.name}: '{made.source}' gave labels from {made.labels.min()} to"
            f" {made.labels.max()}, expected 0 to {classes - 1}"
        )


def _check_maps(made: Made) -> None:
    maps = [] if made.uncertainty is None else [getattr(made.uncertainty, name) for name in MAPS]
    for map_ in maps:
        if tuple(map_.shape) != (1, *made.labels.shape):
            raise ValueError(
                f"{made.study.name}: '{made.source}' gave uncertainty of shape"
                f" {tuple(map_.shape)}, expected {(1, *made.labels.shape)}"
            )

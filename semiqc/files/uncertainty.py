"""UncertaintyMaps of segmenters in an HDF5 group, a frame at a time."""

import h5py
import numpy as np
from numpy.typing import NDArray

from semiqc.study import UncertaintyMaps

GROUP = "evidence"
MAPS = ("entropy", "disagreement")
TABLES = ("agreement", "confidence", "features")
"""As in ``semiqc.study.UncertaintyMaps``; a file keeps the maps in 8 bits."""


class UncertaintyWriter:
    """Writes the uncertainty of one study.

    Args:
        group: Of the study; the uncertainty is written to a group in it.
        shape: ``[T, Z, Y, X]`` of the study.
    """

    def __init__(self, group: h5py.Group, shape: tuple[int, ...]) -> None:
        self._group = group.create_group(GROUP)
        for name in MAPS:
            self._group.create_dataset(
                name, shape, np.uint8, chunks=(1, 1, *shape[2:]), compression="gzip",
                compression_opts=1,
            )  # fmt: skip
        self._rows: dict[str, list[NDArray[np.float64]]] = {name: [] for name in TABLES}

    @property
    def written(self) -> int:
        """Number of frames so far."""
        return len(self._rows[TABLES[0]])

    def add(self, uncertainty: UncertaintyMaps) -> None:
        """Append the next frame's; its T is 1."""
        for name in MAPS:
            self._group[name][self.written] = in_8_bits(getattr(uncertainty, name)[0])
        for name in TABLES:
            self._rows[name].append(np.asarray(getattr(uncertainty, name)[0], np.float64))

    def finish(self) -> None:
        """Write the tables."""
        for name, rows in self._rows.items():
            self._group.create_dataset(name, data=np.stack(rows))


def in_8_bits(shares: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Shares in [0, 1] as 0 to 255."""
    found: NDArray[np.uint8] = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    return found

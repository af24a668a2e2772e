"""What HDF5 writes into, so that a full disk or an exceeded quota does not break HDF5 itself.

HDF5 cannot close a file whose writes fail: it says so at every object, and the process may crash
as it ends. Here HDF5 is told of no failure. What it writes after one is kept in memory, so that it
closes the file, which is thrown away.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from semiqc.files.interrupts import heard, stop_if_interrupted, undisturbed


class Sink:
    """A file for ``h5py`` to write, whose writes do not fail.

    Nor do interrupts end its methods: HDF5 would take them for failures.

    Args:
        path: Of the file, which is made empty.

    Attributes:
        failure: Of the system, the first.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        self._at = 0
        self._size = 0
        self._kept: list[tuple[int, bytes]] = []
        self.failure: OSError | None = None

    @undisturbed
    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = start + place
        return self._at

    @undisturbed
    def tell(self) -> int:
        """The place."""
        return self._at

    @undisturbed
    def write(self, data: Any) -> int:  # noqa: ANN401
        """Write all of the data, or keep it."""
        content, place = bytes(data), self._at
        self._at += len(content)
        self._size = max(self._size, self._at)
        if self.failure is None:
            try:
                self._put(place, content)
            except OSError as error:
                self.failure = error
        if self.failure is not None:
            self._kept.append((place, content))
        return len(content)

    def _put(self, place: int, content: bytes) -> None:
        """Write to the disk, which may take less at a time."""
        done = 0
        while done < len(content):
            done += os.pwrite(self._descriptor, content[done:], place + done)

    @undisturbed
    def read(self, size: int) -> bytes:
        """Read from the place on; what lies beyond the end is zero."""
        found = bytearray(size)
        self.readinto(found)
        return bytes(found)

    @undisturbed
    def readinto(self, target: Any) -> int:  # noqa: ANN401
        """Fill a buffer from the place on, from the disk and from what was kept."""
        view = memoryview(target).cast("B")
        content = os.pread(self._descriptor, len(view), self._at).ljust(len(view), b"\0")
        view[:] = content
        for place, kept in self._kept:
            first, last = max(place, self._at), min(place + len(kept), self._at + len(view))
            if first < last:
                view[first - self._at : last - self._at] = kept[first - place : last - place]
        self._at += len(view)
        return len(view)

    @undisturbed
    def truncate(self, size: int | None = None) -> int:
        """Set the size."""
        self._size = self._at if size is None else size
        if self.failure is None:
            try:
                os.ftruncate(self._descriptor, self._size)
            except OSError as error:
                self.failure = error
        return self._size

    @undisturbed
    def flush(self) -> None:
        """Nothing waits in memory."""

    def check(self) -> None:
        """Tell of the failure, if there was one.

        Raises:
            OSError: Of the system.
        """
        if self.failure is not None:
            raise OSError(self.failure.errno, self.failure.strerror)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class _Written(h5py.File):  # type: ignore[misc]
    """A file that knows what it is written into."""

    def __init__(self, sink: Sink, **how: Any) -> None:  # noqa: ANN401
        self.sink = sink
        super().__init__(sink, "w", **how)


@contextmanager
def hdf5_written(path: Path, **how: Any) -> Iterator[h5py.File]:  # noqa: ANN401
    """A new HDF5 file.

    Args:
        path: Of the file.
        how: As ``h5py.File`` takes it.

    Raises:
        OSError: Of the system, if the disk does not take it.
        KeyboardInterrupt: Also of one that fell where h5py cleans up: Python ignores it there, and
            HDF5 may have lost what it was writing.
    """
    with heard():
        sink = Sink(path)
        try:
            with _Written(sink, **how) as file:
                yield file
            sink.check()
        finally:
            sink.close()
        stop_if_interrupted()


def check_written(file: h5py.File) -> None:
    """Make sure that the disk took what was written so far into a file of ``hdf5_written``.

    Raises:
        OSError: Of the system, if it did not.
    """
    file.sink.check()

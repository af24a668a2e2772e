"""A store of which some studies have other labels, which stand in another file."""

import hashlib
from collections.abc import Mapping

from semiqc.files.store.reader import Store
from semiqc.study import OnlyFrames, Study


class LabelledStore(Store):
    """A store whose fingerprint tells of the labels, so that all that depends on it does, too.

    Args:
        store: As it stands in its file.
        labels: By study, the labels that it has here, ``[T, Z, Y, X]``.
        key: Tells these labels from others.
    """

    def __init__(self, store: Store, labels: Mapping[str, OnlyFrames], key: str) -> None:
        super().__init__(store.path, is_checked=False)
        self._given = store
        self._labels = labels
        self._key = key

    def study(self, name: str) -> Study:
        found = super().study(name)
        return found.with_labels(self._labels[name]) if name in self._labels else found

    def fingerprint(self) -> str:
        told = f"{self._given.fingerprint()} {self._key}"
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def as_given(self) -> Store:
        return self._given

"""Where the studies of a store were found, and how they lie there.

A store holds studies resampled and normalised. What is written for other programs had better lie
on the grid and have the intensities of the files that it comes from. So an import notes of each
study in which folder and layout it was found, and ``Origins`` reads it there again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from semiqc.doors.regular import one_study
from semiqc.exchange.readers.registry import find, whole
from semiqc.images.preparing import prepared
from semiqc.images.raw import Entry, Listing, RawStudy, UnusableError
from semiqc.schemes import LabelScheme
from semiqc.study import Study

FOUND = "found"
"""Key in a geometry's ``to_source``."""

ALIKE = 0.01
"""By which intensities may differ, of which 0 to 1 spans nearly all: a store has 16 bits."""


@dataclass(frozen=True)
class Origin:
    """Where studies were found.

    Args:
        source: File or folder that was imported.
        layout: Name of the reader that found them.
    """

    source: str
    layout: str

    @classmethod
    def of(cls, source: Path, listing: Listing) -> Self:
        """That of what was listed."""
        return cls(str(whole(Path(source))), listing.layout)

    def noted(self, study: Study) -> Study:
        """A copy of an imported study that tells it."""
        if study.geometry is None or not self.layout:
            return study
        recorded = {**study.geometry.to_source, FOUND: vars(self)}
        return replace(study, geometry=replace(study.geometry, to_source=recorded))


@dataclass
class Origins:
    """Reads studies of a store again where they were found; each folder is looked through once.

    Args:
        scheme: Of the store's labels.
    """

    scheme: LabelScheme
    _found: dict[Origin, Mapping[str, Entry]] = field(default_factory=dict)

    def read(self, study: Study) -> RawStudy:
        """A study as it lies in its source, without labels.

        Raises:
            UnusableError: If its source is not known, gone, or holds another image by now.
        """
        recorded = study.geometry.to_source if study.geometry else {}
        found = recorded.get(FOUND)
        if not isinstance(found, dict) or set(found) != set(Origin.__dataclass_fields__):
            raise UnusableError("not known in which files it was found")
        raw = self._entry(Origin(**{key: str(value) for key, value in found.items()}), study.name)
        if not _is_same(prepared(raw, recorded["study_spacing"][1]), study):
            raise UnusableError(f"{raw.source}: not the image that was imported")
        return raw

    def _entry(self, origin: Origin, name: str) -> RawStudy:
        """The study of that name.

        Raises:
            UnusableError: If it is gone, or cannot be read.
        """
        if origin not in self._found:
            self._found[origin] = self._listed(origin)
        entry = self._found[origin].get(name)
        if entry is None:
            raise UnusableError(f"{origin.source}: gone, or without the study by now")
        with one_study(name):
            return entry.read(False)

    def _listed(self, origin: Origin) -> Mapping[str, Entry]:
        """The studies that are found there today."""
        try:
            listing = find(Path(origin.source), origin.layout, self.scheme)
        except (ValueError, OSError):
            return {}
        # Of two studies of one name the first was imported.
        entries = sorted(listing.entries, key=lambda one: (one.name, str(one.source)))
        return {entry.name: entry for entry in reversed(entries)}


def _is_same(again: Study, study: Study) -> bool:
    """Whether a study that was read again is the one that a store holds."""
    if again.geometry is None or study.geometry is None:
        return False
    return (
        again.image.shape == tuple(study.image.shape)
        and again.geometry.shape == tuple(study.geometry.shape)
        and np.allclose(again.geometry.affine, study.geometry.affine, atol=1e-3)
        and bool(np.abs(again.image[:] - study.image[:]).max() <= ALIKE)
    )

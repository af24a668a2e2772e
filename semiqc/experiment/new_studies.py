"""The studies that are to be segmented: of a store, or in files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from semiqc.doors.regular import UnusableError, one_study
from semiqc.exchange.importing import Refusal, list_images
from semiqc.experiment.learned import Learned
from semiqc.files.hdf5 import StoreError, is_hdf5
from semiqc.files.store.reader import Store
from semiqc.images.regridding import at_spacing
from semiqc.study import Study


class NewStudies(Protocol):
    """Studies that are known by name, and read one at a time."""

    @property
    def names(self) -> Sequence[str]:
        """In their order."""
        ...

    @property
    def left_out(self) -> Sequence[Refusal]:
        """What cannot be used, as is known before anything is read."""
        ...

    def read(self, number: int) -> Study | Refusal:
        """An unlabelled study as a segmenter takes it, or why it cannot be used."""
        ...


def new_studies(learned: Learned, images: Path, layout: str) -> NewStudies:
    """The studies of a store, or the images of a folder on the segmenter's spacing.

    Raises:
        ValueError: If nothing is there, or it is of no known layout.
    """
    spacing, modalities = learned.spacing_mm, learned.modalities
    if is_hdf5(images):
        store = Store(images)
        return _Stored(store, store.names, spacing, modalities)
    return list_images(
        images, spacing=spacing, modalities=modalities, scheme=learned.scheme, layout=layout
    )


@dataclass(frozen=True)
class _Stored:
    """Studies of a store.

    Args:
        store: That holds them.
        names: Of the studies.
        spacing: In plane, in mm, that they are brought to.
        modalities: Number that each must have.
    """

    store: Store
    names: Sequence[str]
    spacing: float
    modalities: int
    left_out: Sequence[Refusal] = ()

    def read(self, number: int) -> Study | Refusal:
        name = self.names[number]
        try:
            with one_study(name):
                study = suited(self.store.study(name), self.spacing, self.modalities)
                return study.without_labels()
        except (StoreError, UnusableError) as error:
            return Refusal(name, str(error))


def suited(study: Study, spacing_mm: float, modalities: int) -> Study:
    """A study of a store as a segmenter takes it: resampled to its spacing.

    Raises:
        UnusableError: If the study has other modalities, or another size by far.
    """
    if study.image.shape[0] != modalities:
        raise UnusableError(
            f"{study.name}: {study.image.shape[0]} modalities, the run has {modalities}"
        )
    return at_spacing(study, spacing_mm)

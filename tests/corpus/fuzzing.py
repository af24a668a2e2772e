"""Files of each door, damaged at random for as long as one has time."""

import json
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import h5py
import numpy as np
import SimpleITK
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

from segmenters import pretrained

from .cases import BEFORE, READERS, Case, Read
from .damaging import damaged, damaged_json
from .images import write_images
from .running import answered


@dataclass(frozen=True)
class Fuzz:
    """A door with files to damage.

    Args:
        contents: Sound files.
        place: Writes one to a folder, and gives what is read.
        read: Reads it.
        damage: Content and number to the damaged content.
    """

    contents: Callable[[], list[bytes]]
    place: Callable[[Path, bytes], Path]
    read: Read
    damage: Callable[[bytes, int], bytes] = damaged

    def case(self, door: str, number: int) -> Case:
        """One damaged file; the same for the same number."""
        contents = self.contents()
        content = self.damage(contents[number % len(contents)], number)
        return Case(door, str(number), lambda folder: self.place(folder, content), self.read)


@cache
def _dicoms() -> list[bytes]:
    found = []
    for syntax in (ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.dcm"
            _dicom(path, syntax)
            found.append(path.read_bytes())
    return found


def _dicom(path: Path, syntax: str) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["a"])
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3.4"
    dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.InstanceNumber = "1.2.3", 5, 1
    dataset.PatientID, dataset.TriggerTime, dataset.CardiacNumberOfImages = "P1", 40.0, 2
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 4, 5, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation, dataset.PhotometricInterpretation = 0, "MONOCHROME2"
    dataset.PixelSpacing, dataset.ImagePositionPatient = [1.5, 1.5], [0, 0, 0]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.SpacingBetweenSlices, dataset.SliceThickness = 8.0, 6.0
    dataset.RescaleSlope, dataset.RescaleIntercept = 2.0, -1.0
    dataset.PixelData = np.arange(20, dtype=np.uint16).tobytes()
    dataset.save_as(path, enforce_file_format=True)


@cache
def _hdf5s() -> list[bytes]:
    found = []
    for packing in ({}, {"compression": "gzip", "chunks": (1, 8, 8)}):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.h5"
            with h5py.File(path, "w") as file:
                image = np.linspace(0, 1, 128, dtype=np.float32).reshape(2, 8, 8)
                file.create_dataset("image", data=image, **packing)
                file.create_dataset("label", data=(image > 0.5).astype(np.uint8), **packing)
            found.append(path.read_bytes())
    return found


@cache
def _niftis() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder))
        return [(Path(folder) / "a_sound.nii").read_bytes()]


@cache
def _itks(ending: str) -> list[bytes]:
    image = SimpleITK.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    image.SetSpacing((1.5, 1.5, 8.0))
    found = []
    for packed in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a{ending}"
            SimpleITK.WriteImage(image, str(path), packed)
            found.append(path.read_bytes())
    return found


MANIFEST = {
    "version": 1,
    "files": {"a.csv": {"size": 3, "sha256": "ab"}, "b/c.h5": {"size": 0, "sha256": ""}},
}
DATASET = {
    "channel_names": {"0": "MR"}, "labels": {"background": 0, "RV": 1, "MYO": [1, 2], "LV": 3},
    "numTraining": 1, "file_ending": ".nii.gz",
    "training": [{"image": "./a.nii.gz", "label": "./b.nii.gz"}],
}  # fmt: skip
MANIFEST_CSV = b"study,image,labels\na,a.nii,\nb,b.nii,c.nii\n"
FOLDS = [{"train": ["a", "b"], "val": ["c"]}, {"train": ["c"], "val": ["a"]}]


def _json(told: object) -> Callable[[], list[bytes]]:
    return lambda: [json.dumps(told).encode()]


def _before(name: str) -> Callable[[], list[bytes]]:
    return lambda: [(BEFORE / name).read_bytes()]


def _before_card() -> list[bytes]:
    return [(Path(pretrained.__file__).parent / "short-axis.json").read_bytes()]


FUZZES: dict[str, Fuzz] = {
    "DICOM": Fuzz(_dicoms, *READERS["DICOM"]),
    "HDF5": Fuzz(_hdf5s, *READERS["HDF5"]),
    "store": Fuzz(_before("store.h5"), *READERS["store"]),
    "MetaImage": Fuzz(partial(_itks, ".mha"), *READERS["MetaImage"]),
    "NRRD": Fuzz(partial(_itks, ".nrrd"), *READERS["NRRD"]),
    "manifest.json": Fuzz(_json(MANIFEST), *READERS["manifest.json"], damaged_json),
    "dataset.json": Fuzz(_json(DATASET), *READERS["dataset.json"], damaged_json),
    "folds": Fuzz(_json(FOLDS), *READERS["folds"], damaged_json),
    "card": Fuzz(_before_card, *READERS["card"], damaged_json),
    "settings": Fuzz(_before("run/settings.yaml"), *READERS["settings"]),
    "manifest": Fuzz(
        lambda: [b"study,image,labels\na,a.nii,\nb,b.nii,c.nii\n"], *READERS["manifest"]
    ),
    "split": Fuzz(_before("suite/split.csv"), *READERS["split"]),
    "NIfTI": Fuzz(_niftis, *READERS["NIfTI"]),
    "weights": Fuzz(_before("suite/svr.safetensors"), *READERS["estimator"]),
    "suite.json": Fuzz(_before("suite/suite.json"), *READERS["suite"], damaged_json),
    "run's data": Fuzz(_before("run/results/data.json"), *READERS["run's data"], damaged_json),
}


def fuzz(door: str, numbers: Iterable[int], seconds: float) -> dict[int, str]:
    """What was answered wrongly of these damages, as far as the seconds of processor go."""
    one, end, wrong = FUZZES[door], time.process_time() + seconds, {}
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            if fault := answered(one.case(door, number), Path(folder)).fault:
                wrong[number] = fault
        if time.process_time() > end:
            break
    return wrong

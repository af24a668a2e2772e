"""Predicted labels as DICOM segmentations, for studies that come from DICOM files.

::

    dicom-seg/NAME/NAME_frameTT.dcm    labels of frame TT; a segment for each class

They are made of the labels that were written as NIfTI, on the grid of the source.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from semiqc.doors.regular import UnusableError, one_study
from semiqc.exchange.export_dicom import DICOM_SEG, check_highdicom, write_segmentation
from semiqc.exchange.lineage import PSEUDO, ExportCase, Lineage, lineage_row
from semiqc.exchange.origin import Origins
from semiqc.experiment.learned import Learned
from semiqc.files.atomic import whole_folder
from semiqc.images.raw import RawStudy
from semiqc.nifti.files import read_header, read_voxels
from semiqc.study import Study


def segmentations_folder(output: Path, study: str) -> Path:
    """Where the segmentations of a study are written."""
    return output / DICOM_SEG / study


def told_of_misses(misses: Mapping[str, str]) -> list[str]:
    """That some studies got none, and why the first did not; nothing where all got some."""
    if not misses:
        return []
    name, reason = next(iter(misses.items()))
    return [f"{len(misses)} studies got no DICOM segmentation, such as {name}: {reason}"]


class PredictedDicom:
    """Writes segmentations of one study after another.

    Args:
        output: Folder that ``semiqc predict`` writes.
        learned: What segments.

    Raises:
        ValueError: If highdicom is not installed.
    """

    def __init__(self, output: Path, learned: Learned) -> None:
        check_highdicom()
        self.output = output
        self.learned = learned
        self._origins = Origins(learned.scheme)

    def write(self, study: Study, labels: Path, *, is_new: bool) -> str:
        """Write all frames of a study, together or not at all.

        Args:
            study: As it was segmented.
            labels: File of its labels in the geometry of its source.
            is_new: Whether they were written just now; segmentations of others may be there.

        Returns:
            Why there is none; empty where there is.
        """
        folder = segmentations_folder(self.output, study.name)
        if folder.exists() and not is_new:
            return ""
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with one_study(study.name):
                self._write(folder, study, self._origins.read(study), labels)
        except UnusableError as error:
            return str(error)
        return ""

    def _write(self, folder: Path, study: Study, raw: RawStudy, labels: Path) -> None:
        """Write all frames of a study.

        Raises:
            UnusableError: If it does not come from DICOM, or a file lacks what is repeated.
        """
        if not raw.dicom:
            raise UnusableError(f"{raw.source}: not DICOM")
        how = Lineage(PSEUDO, self.learned.key, reason=f"semiqc predict, {self.learned.scenario}")
        case = ExportCase(study, dict.fromkeys(range(study.frames), how), raw)
        with whole_folder(folder) as unfinished:
            for number, frame in enumerate(read_voxels(read_header(labels))):
                row = lineage_row(case, number, 1.0)
                write_segmentation(unfinished, raw, frame, self.learned.scheme, row)

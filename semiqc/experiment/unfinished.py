"""Where ``semiqc predict`` stands, so that the same command goes on after a kill.

Until the command is done, ``.unfinished`` in its output holds what it segments with, and a file
for each study that is done. A study counts as done while its image is the same and its labels are
what was written.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from semiqc.doors.json_file import read_object
from semiqc.doors.regular import UnusableError
from semiqc.exchange.origin import FOUND
from semiqc.experiment.predicted_dicom import segmentations_folder
from semiqc.experiment.predicted_study import DoneStudy, PredictedStudy
from semiqc.files.atomic import make_folder, write_text
from semiqc.files.checksums import damage_of, entry_of
from semiqc.files.store.format import header_of
from semiqc.study import Study
from semiqc.work.publishing import LOCK

UNFINISHED = ".unfinished"
COMMAND, STUDIES = "command.json", "studies"


def labels_file(output: Path, study: str) -> Path:
    """Where the labels of a study are written."""
    return output / f"{study}.nii.gz"


def remove_results(output: Path, study: str) -> None:
    """Remove the labels of a study, DICOM segmentations included."""
    labels_file(output, study).unlink(missing_ok=True)
    shutil.rmtree(segmentations_folder(output, study), ignore_errors=True)


def key_of(study: Study) -> str:
    """Hash of all that the result of a study depends on: its voxels, geometry, group and notes."""
    digest = hashlib.sha256()
    for frame in range(study.frames):
        digest.update(study.image[:, frame].tobytes())
    header = header_of(study, (), digest.hexdigest())
    # The same files in another folder are the same study.
    geometry = header["geometry"] and {**header["geometry"], "source": "", "to_source": {}}
    recorded = study.geometry.to_source if study.geometry else {}
    described = [study.name, study.image.shape, str(study.image.dtype), header, geometry]
    described.append({key: value for key, value in recorded.items() if key != FOUND})
    header["geometry"] = None
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


class Unfinished:
    """The studies of a command that are done.

    Args:
        output: Folder that the command writes; its lock must be held.
        key: Of what segments and judges.
        note: Told of what was done and has to be done anew.
        worker: Number of a worker, from 0, where the command has some; None for the command.

    Attributes:
        folder: That holds where it stands.
    """

    def __init__(
        self, output: Path, key: str, note: Callable[[str], None], worker: int | None = None
    ) -> None:
        self.output = output
        self.key = key
        self.note = note
        self.worker = worker
        self.folder = output / UNFINISHED
        self._used: set[str] = set()

    @property
    def voxels(self) -> Path:
        """Where the study at hand stands while it is worked on."""
        return self.folder / ("voxels.h5" if self.worker is None else f"voxels-{self.worker}.h5")

    def refuse_unless_ours(self) -> None:
        """Make sure, in a worker, that the same model and scenario began it.

        Raises:
            UnusableError: If not.
        """
        if not self._is_ours():
            raise UnusableError(f"{self.output}: another model or scenario is found here")

    def open(self, *, overwrite: bool) -> None:
        """Go on where the same command stood, or begin in a folder that is free.

        Args:
            overwrite: Whether another command's result may be replaced.

        Raises:
            FileExistsError: If there is something else and it may not.
        """
        if self._is_ours():
            return
        stands = {path.name for path in self.output.iterdir()} - {LOCK, UNFINISHED}
        if not overwrite and (self.folder / COMMAND).exists():
            raise FileExistsError(
                f"{self.output}: holds what another model, scenario, threshold or version of"
                " semiqc left unfinished; say --overwrite to begin anew"
            )
        if not overwrite and stands:
            raise FileExistsError(f"{self.output}: not empty; say --overwrite to write into it")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_ours(self) -> bool:
        """Whether the same model and scenario left it."""
        try:
            return read_object(self.folder / COMMAND).get("key") == self.key
        except (UnusableError, OSError):
            return False

    def find(self, study: Study) -> PredictedStudy | None:
        """What was told of a study, where it is done and sound; else None, and a note why."""
        self._used.add(study.name)
        path = self._file(study.name)
        if not path.exists():
            return None
        try:
            done = DoneStudy.read(path)
        except UnusableError as error:
            self.note(f"{error}; segmented anew")
            return None
        if done.key != key_of(study):
            self.note(f"{study.name}: its image was changed since; segmented anew")
            return None
        labels = labels_file(self.output, study.name)
        if reason := damage_of(labels, done.labels):
            self.note(f"{labels}: damaged, {reason}; segmented anew")
            return None
        return done.predicted

    def use(self, study: str) -> None:
        """Count a study as one of the images, which a worker has found among them."""
        self._used.add(study)

    def forget(self, study: str) -> None:
        """Leave nothing of a study that cannot be segmented or judged."""
        remove_results(self.output, study)
        self._file(study).unlink(missing_ok=True)

    def begin(self) -> None:
        """Tell what the output is of, before anything is written into it."""
        if not (self.folder / COMMAND).exists():
            make_folder(self.folder / STUDIES)
            write_text(self.folder / COMMAND, json.dumps({"key": self.key}) + "\n")

    def keep(self, study: Study, predicted: PredictedStudy) -> PredictedStudy:
        """Count a study as done, whose labels are written; what is read again of it.

        So a command that goes on tells the same, to the last digit, as one that was never killed.
        """
        labels = entry_of(labels_file(self.output, study.name))
        DoneStudy(key_of(study), labels, predicted).write(self._file(study.name))
        return self.told(study.name)

    def told(self, study: str) -> PredictedStudy:
        """What was told of a study that is done.

        Raises:
            UnusableError: If its file cannot be read, or is not what was written.
        """
        return DoneStudy.read(self._file(study)).predicted

    def finish(self) -> None:
        """Forget everything, once the result is complete."""
        for path in sorted((self.folder / STUDIES).glob("*.safetensors")):
            if path.stem not in self._used:
                remove_results(self.output, path.stem)
                self.note(f"{path.stem}: no longer among the images; its labels were removed")
        # What says whose it is goes last: until then the command can go on.
        shutil.rmtree(self.folder / STUDIES, ignore_errors=True)
        (self.folder / COMMAND).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, study: str) -> Path:
        return self.folder / STUDIES / f"{study}.safetensors"

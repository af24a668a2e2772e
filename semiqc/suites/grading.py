"""From segmentations in files to a graded set: references come from a store."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qc.graded import GradedWriter, Made
from semiqc.doors.regular import UnusableError, one_study
from semiqc.exchange.readers.members import MemberFolders
from semiqc.exchange.readers.nifti import LabelValues, checked_meaning
from semiqc.exchange.segmented import SegmentedFile, find_segmented, read_segmented
from semiqc.files.places import require_apart
from semiqc.files.store.reader import Store
from semiqc.images.raw import Refusal, safe_name
from semiqc.measuring.metrics import NSD_TOLERANCE_MM
from semiqc.suites.graded_members import MembersBeside
from semiqc.work.progress import Progress, untold

NAMED = 3
"""Reasons that a message lists."""


@dataclass
class GradedFiles:
    """What became of the files.

    Args:
        graded: Source, study and frame of each segmentation.
        unsegmented: Names of the studies with a reference that no file segments.
        left_out: Files that could not be graded.
    """

    graded: set[tuple[str, str, int]] = field(default_factory=set)
    unsegmented: Sequence[str] = ()
    left_out: list[Refusal] = field(default_factory=list)

    @property
    def studies(self) -> set[str]:
        """Names of the studies that were segmented."""
        return {study for _, study, _ in self.graded}


def grade_files(
    path: Path,
    folders: Sequence[Path],
    output: Path,
    *,
    members: Sequence[Path] = (),
    meaning: Mapping[int, int] | None = None,
    tolerance_mm: float = NSD_TOLERANCE_MM,
    overwrite: bool = False,
    on_progress: Progress = untold,
) -> GradedFiles:
    """Grade segmentations that any program made by the references of a store.

    Args:
        path: Store with references.
        folders: Each holds what one program made, which must not have learned from the studies;
            its name becomes that of the source.
        output: File of graded segmentations to write, whole or not at all.
        members: Folders of the folds of one folder's ensemble; see ``MembersBeside``.
        meaning: Value of the store's scheme of each other label value in the files; 0 stays 0.
        tolerance_mm: Surface distance that the surface Dice forgives.
        overwrite: Replace a file that is there.
        on_progress: Told the number of files dealt with, and of all, after each.

    Raises:
        FileExistsError: If the file is there and ``overwrite`` is not set.
        ValueError: If two folders share a name, nothing can be graded, or members are of several.
    """
    _check_folders(output, path, folders, members)
    store = Store(path)
    values = LabelValues(store.scheme, checked_meaning(meaning, store.scheme))
    found = GradedFiles()
    writer = GradedWriter(output, store, tolerance_mm=tolerance_mm, overwrite=overwrite)
    files = _find(folders, store, found)
    beside = _beside(members, values, files)
    with writer:
        _grade_all(writer, files, values, found, beside, on_progress)
        _refuse_nothing(found.graded, folders, found)
    found.unsegmented = _unsegmented(store, found)
    return found


def _check_folders(
    output: Path, store: Path, folders: Sequence[Path], members: Sequence[Path]
) -> None:
    """Refuse to write into what is read, and members of several folders.

    Raises:
        ValueError: If so.
    """
    require_apart(output, store, *folders, *members)
    if members and len(folders) > 1:
        raise ValueError(
            f"members: of one folder's segmentations, got {len(folders)} folders; grade each into"
            " a file of its own"
        )


def _beside(
    members: Sequence[Path], values: LabelValues, files: Sequence[tuple[str, SegmentedFile]]
) -> MembersBeside | None:
    """The members beside the files; None where there are none."""
    if not members:
        return None
    return MembersBeside.of(MemberFolders(members, values), [file for _, file in files])


def _unsegmented(store: Store, found: GradedFiles) -> list[str]:
    """Names of the studies with a reference of which no file was graded."""
    labelled = {study.name for study in store if study.labelled_frames}
    return sorted(labelled - found.studies)


def _find(
    folders: Sequence[Path], store: Store, found: GradedFiles
) -> list[tuple[str, SegmentedFile]]:
    """Files to grade with the name of their source.

    Raises:
        ValueError: If there are none.
    """
    files = []
    for source, folder in _sources(folders).items():
        of_folder, left_out = find_segmented(folder, store)
        files += [(source, file) for file in of_folder]
        found.left_out += left_out
    _refuse_nothing(files, list(folders), found)
    return files


def _sources(folders: Sequence[Path]) -> dict[str, Path]:
    """The folders by the name of their source, which ends before a hyphen.

    Raises:
        ValueError: If two have the same name.
    """
    named: dict[str, Path] = {}
    for folder in folders:
        if not folder.resolve().name:
            raise ValueError(f"{folder}: names no source; give a folder of segmentations")
        name = safe_name(folder.resolve().name.partition(".")[0]).replace("-", "_")
        if name in named:
            raise ValueError(
                f"{folder}: a source '{name}' as {named[name]}; give them names of their own"
            )
        named[name] = folder
    return named


def _refuse_nothing(
    files: Collection[object], folders: Sequence[Path], found: GradedFiles
) -> None:
    """Refuse to write a set of nothing.

    Raises:
        ValueError: With reasons.
    """
    if not files:
        reasons = "; ".join(f"{one.name}: {one.reason}" for one in found.left_out[:NAMED])
        named = ", ".join(map(str, folders))
        raise ValueError(f"{named}: nothing could be graded: {reasons}")


def _grade_all(
    writer: GradedWriter,
    files: Sequence[tuple[str, SegmentedFile]],
    values: LabelValues,
    found: GradedFiles,
    beside: MembersBeside | None,
    on_progress: Progress,
) -> None:
    """Grade file by file."""
    for number, one in enumerate(files, start=1):
        _add_or_leave_out(writer, *one, values, found, beside)
        on_progress(number, len(files))


def _add_or_leave_out(
    writer: GradedWriter,
    source: str,
    file: SegmentedFile,
    values: LabelValues,
    found: GradedFiles,
    beside: MembersBeside | None,
) -> None:
    """Grade the frames of a file, or say why not."""
    try:
        with one_study(file.path.name):
            _add(writer, source, file, values, found, beside)
    except UnusableError as error:
        found.left_out.append(Refusal(file.path.name, str(error)))


def _add(
    writer: GradedWriter,
    source: str,
    file: SegmentedFile,
    values: LabelValues,
    found: GradedFiles,
    beside: MembersBeside | None,
) -> None:
    """Grade the frames of a file.

    Raises:
        UnusableError: If it cannot be read, or another file of the source held one of its frames.
    """
    study = writer.store.study(file.study)
    frames = read_segmented(file, study, values)
    twice = found.graded.intersection((source, study.name, frame) for frame in frames)
    if twice:
        raise UnusableError(f"{file.path.name}: another file segments {study.name} there, too")
    uncertainty = beside.uncertainty(file, study, frames) if beside else {}
    for frame, labels in frames.items():
        writer.add(Made(study, frame, labels, source, uncertainty.get(frame)))
        found.graded.add((source, study.name, frame))

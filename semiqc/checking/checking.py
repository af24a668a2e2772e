"""Checks a folder: recognises its layout, surveys its studies, writes drafts."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from qc.suites.shipped import shipped_mm
from semiqc.checking.drafting import Draft, draft, settings_text
from semiqc.checking.plain import draft_manifest
from semiqc.checking.survey import Survey, survey
from semiqc.exchange.import_report import missing_classes, odd_splits
from semiqc.exchange.readers.formats import in_two_files
from semiqc.exchange.readers.nifti import Meaning
from semiqc.exchange.readers.registry import READERS, layout_of
from semiqc.files.alone import alone
from semiqc.files.atomic import make_folder, write_text
from semiqc.files.checksums import refuse_sealed
from semiqc.files.places import require_folder
from semiqc.schemes import LabelScheme
from semiqc.work.progress import Progress, untold

FEWEST_LABELLED = 2
MANIFEST, SETTINGS = "manifest.csv", "settings.yaml"


@dataclass(frozen=True)
class Checked:
    """What a check found and wrote.

    Args:
        layout: That was recognised, and by what, in words.
        survey: Of the studies.
        draft: What the data suggest; None where nothing can be used.
        written: Files that were drafted.
    """

    layout: str
    survey: Survey
    draft: Draft | None
    written: tuple[Path, ...]


def check_folder(
    source: Path,
    output: Path,
    *,
    scheme: LabelScheme | None = None,
    meaning: Meaning | None = None,
    subjects: Path | None = None,
    overwrite: bool = False,
    on_progress: Progress = untold,
) -> Checked:
    """Survey a source in any layout, or a plain folder of images, and draft what a run needs.

    Args:
        source: Folder, or a manifest.
        output: Folder for ``settings.yaml`` and, of a plain folder, ``manifest.csv``.
        scheme: Of the labels; by default what the layout says.
        meaning: Value of the scheme of each label value, where not as the layout says.
        subjects: Table of ``study`` and ``subject``.
        overwrite: Replace drafts that are there.
        on_progress: Told the number of studies dealt with, and of all, after each.

    Raises:
        FileExistsError: If a draft is there and may not be replaced.
        ValueError: If the source is of no known layout and holds no image.
    """
    source, output = Path(os.path.abspath(source)), Path(output)
    _check_free(source, output, overwrite)
    with _drafting(output):
        # Another may have drafted since.
        _check_free(source, output, overwrite)
        source, layout, words, written = _recognised(source, output, overwrite)
        with _removed_on_failure(written):
            found = survey(source, layout, scheme, meaning, subjects, on_progress)
            found.notes += [*_splits(found), *_classes(found)]
            drafted = _suggested(found)
            if drafted:
                text = settings_text(drafted, os.path.relpath(source, output), layout)
                write_text(output / SETTINGS, text)
                written.append(output / SETTINGS)
    return Checked(words, found, drafted, tuple(written))


def _suggested(found: Survey) -> Draft | None:
    """What the data suggest, if there is any that can be used; what it leaves out is noted."""
    if not found.studies:
        return None
    suggested = draft(found.studies, shipped_mm(found.scheme, found.modalities))
    found.notes += found.refused_at(suggested.spacing_mm)
    return suggested


@contextmanager
def _drafting(output: Path) -> Iterator[None]:
    """Keep other commands from a folder of drafts, of which none is left where nothing is drafted.

    Raises:
        BlockingIOError: If another process writes there.
    """
    was_there = output.exists()
    try:
        with alone(output, output):
            yield
    finally:
        if not was_there:
            # Holds drafts.
            with suppress(OSError):
                output.rmdir()


@contextmanager
def _removed_on_failure(written: Sequence[Path]) -> Iterator[None]:
    """Half a draft is in the way of the next."""
    try:
        yield
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _recognised(source: Path, output: Path, overwrite: bool) -> tuple[Path, str, str, list[Path]]:
    """What is read, its layout, by what that is known, and the manifest if one was drafted.

    Raises:
        FileExistsError: If another manifest is there and may not be replaced.
        ValueError: If it is of no known layout and holds no image.
    """
    layout = layout_of(source)
    if layout:
        return source, layout, f"{layout}: {READERS[layout].evidence}", []
    text = draft_manifest(source, output) if source.is_dir() else ""
    if not text:
        raise ValueError(f"{source}: no known layout, and no image file{in_two_files(source)}")
    manifest = output / MANIFEST
    # The same is there where a check was killed before it had drafted settings.
    if not overwrite and manifest.exists() and manifest.read_bytes() != text.encode():
        raise _is_there(manifest)
    make_folder(output)
    write_text(manifest, text)
    words = f"a plain folder of images; {MANIFEST} is drafted from their names"
    return manifest, "manifest", words, [manifest]


def _check_free(source: Path, output: Path, overwrite: bool) -> None:
    """Refuse to replace drafts, or a folder that takes none.

    Raises:
        FileExistsError: Naming the draft, or where it would replace what is checked.
        OSError: If nothing can be written there.
    """
    refuse_sealed(output)
    require_folder(output)
    if source == Path(os.path.abspath(output / MANIFEST)):
        raise FileExistsError(f"{source}: is what is checked; name another folder than {output}")
    if (output / SETTINGS).exists() and not overwrite:
        raise _is_there(output / SETTINGS)


def _is_there(path: Path) -> FileExistsError:
    """The refusal of a draft that is there."""
    return FileExistsError(f"{path}: is there; say --overwrite to replace it")


def _splits(found: Survey) -> list[str]:
    """Says of subjects on several sides of the data's own split, and of names of its sides."""
    splits: dict[str, set[str]] = defaultdict(set)
    for one in found.studies:
        splits[one.subject].add(one.split)
    leaks = [s for s, of in splits.items() if len(of - {""}) > 1]
    odd = odd_splits({one.name: one.split for one in found.studies})
    sides = {subject: " and ".join(sorted(splits[subject] - {""})) for subject in sorted(leaks)}
    return [*odd, *(f"leak: {subject} is in {of}" for subject, of in sides.items())]


def _classes(found: Survey) -> list[str]:
    """Says of classes that no study, or not every labelled one, has."""
    labelled = [one for one in found.studies if one.labelled]
    notes = []
    if len({one.subject for one in labelled}) < FEWEST_LABELLED:
        notes.append(f"a run needs {FEWEST_LABELLED} labelled subjects: to train and to test on")
    drawn = {v for one in labelled for v, ml in enumerate(one.volumes_ml) if ml}
    notes += missing_classes(found.scheme, drawn, len(labelled))
    for value, name in enumerate(found.scheme.classes[1:], start=1):
        lacking = [one.name for one in labelled if not one.volumes_ml[value]]
        if 0 < len(lacking) < len(labelled):
            named = ", ".join(lacking[:3])
            notes.append(f"no label {value} ({name}) in {len(lacking)} studies, such as {named}")
    return notes

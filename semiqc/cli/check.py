"""``semiqc check``: what a folder holds, before anything is made of it."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semiqc.cli.data import Scheme, Subjects
from semiqc.cli.options import Labels, Overwrite, meaning_of
from semiqc.cli.output import bar, next_command, note, print_left_out, print_table, say

if TYPE_CHECKING:
    from semiqc.checking import Checked
    from semiqc.checking.drafting import Draft
    from semiqc.checking.survey import Survey


def check(
    source: Annotated[Path, typer.Argument(help="Folder of images in any layout, or manifest.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for settings.yaml and manifest.csv.")
    ] = Path("checked"),
    scheme: Scheme = None,
    labels: Labels = None,
    subjects: Subjects = None,
    overwrite: Overwrite = False,
    is_timed: Annotated[
        bool, typer.Option("--time/--no-time", help="Say how long a run takes; half a minute.")
    ] = True,
) -> None:
    """Look at data: layout, labels, duplicates, leaks; draft settings, say what a run takes."""
    from semiqc.checking import check_folder
    from semiqc.checking.checking import SETTINGS
    from semiqc.schemes import read_scheme

    with bar("check") as tick:
        found = check_folder(
            source,
            output,
            scheme=read_scheme(scheme) if scheme else None,
            meaning=meaning_of(labels),
            subjects=subjects,
            overwrite=overwrite,
            on_progress=tick,
        )
    _print_checked(found)
    if found.draft and is_timed:
        _print_cost(found.draft, output / SETTINGS)
    if found.draft:
        next_command(shlex.join(["semiqc", "run", str(output / SETTINGS)]), "look at it, then run")


def _print_checked(found: "Checked") -> None:
    """All that was found; sizes in voxels, spacing in mm."""
    say("layout", found.layout)
    _print_studies(found.survey)
    _print_labels(found.survey)
    for line in found.survey.notes:
        note(line)
    print_left_out([(one.name, one.reason) for one in found.survey.left_out])
    for path in found.written:
        say(f"drafted {path.name}", path)


def _print_studies(survey: "Survey") -> None:
    """A line for each study, within 80 columns; columns that say nothing are left out."""
    told = {
        "study": [one.name for one in survey.studies],
        "subject": [one.subject if one.subject != one.name else "" for one in survey.studies],
        "group": [one.group for one in survey.studies],
        "split": [one.split for one in survey.studies],
        "labelled": [f"{one.labelled} of {one.shape[0]}" for one in survey.studies],
        "z, y, x": [" x ".join(map(str, one.shape[1:])) for one in survey.studies],
        "mm": [_mm(one.spacing) for one in survey.studies],
    }
    columns = [name for name, cells in told.items() if any(cells)]
    rows = list(zip(*(told[name] for name in columns), strict=True))
    print_table(f"{len(survey.studies)} studies can be used", columns, rows)


def _mm(spacing: tuple[float, float, float]) -> str:
    """Distance of slices, and length of pixels once where they are square."""
    z, y, x = (f"{mm:.3g}" for mm in spacing)
    return " x ".join((z, y) if x == y else (z, y, x))


def _print_labels(survey: "Survey") -> None:
    """Each class with the studies that have it and its volume in ml."""
    rows = []
    for value, name in enumerate(survey.scheme.classes[1:], start=1):
        found = [one.volumes_ml[value] for one in survey.studies if one.labelled]
        found = [ml for ml in found if ml]
        spread = f"{min(found):.1f} to {max(found):.1f}" if found else ""
        rows.append((value, name, len(found), spread))
    print_table(f"labels ({survey.scheme.name})", ("value", "class", "studies", "ml"), rows)


def _print_cost(draft: "Draft", settings: Path) -> None:
    """Time and disk of a run with settings that were drafted."""
    from semiqc.experiment import read_settings
    from semiqc.experiment.estimating import Extent, estimate_run

    extent = Extent(
        draft.labelled, draft.qc, draft.test, draft.unlabelled, draft.frames,
        draft.labelled_frames, draft.size, draft.store_bytes,
    )  # fmt: skip
    with bar("time a few steps of everything"):
        found = estimate_run(read_settings(settings), extent)
    said = f"{found.said}; timed by a few steps of everything, right within a factor of two"
    say("estimate", {"seconds": found.seconds, "disk_bytes": found.disk_bytes}, said)

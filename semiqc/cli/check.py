"""``semiqc check``: what a folder holds, before anything is made of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semiqc.cli.data import Scheme, Subjects
from semiqc.cli.options import Labels, Overwrite, meaning_of
from semiqc.cli.output import bar, console, print_left_out, print_table

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
) -> None:
    """Look at data: layout, labels, duplicates, leaks; draft settings, say what a run takes."""
    from semiqc.checking import check_folder
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


def _print_checked(found: "Checked") -> None:
    """All that was found; sizes in voxels, spacing in mm."""
    _say(f"layout: {found.layout}")
    _print_studies(found.survey)
    _print_labels(found.survey)
    for note in found.survey.notes:
        _say(f"note: {note}")
    print_left_out([(one.name, one.reason) for one in found.survey.left_out])
    if found.draft:
        _print_cost(found.draft)
    for path in found.written:
        _say(f"drafted: {path}")


def _print_studies(survey: "Survey") -> None:
    columns = ("study", "subject", "group", "split", "frames", "labelled", "z, y, x", "mm")
    rows = [
        (
            one.name, one.subject, one.group, one.split, one.shape[0], one.labelled,
            " x ".join(map(str, one.shape[1:])), " x ".join(f"{mm:.2f}" for mm in one.spacing),
        )
        for one in survey.studies
    ]  # fmt: skip
    print_table(f"{len(survey.studies)} studies can be used", columns, rows)


def _print_labels(survey: "Survey") -> None:
    """Each class with the studies that have it and its volume in ml."""
    rows = []
    for value, name in enumerate(survey.scheme.classes[1:], start=1):
        found = [one.volumes_ml[value] for one in survey.studies if one.labelled]
        found = [ml for ml in found if ml]
        spread = f"{min(found):.1f} to {max(found):.1f}" if found else ""
        rows.append((value, name, len(found), spread))
    print_table(f"labels ({survey.scheme.name})", ("value", "class", "studies", "ml"), rows)


def _print_cost(draft: "Draft") -> None:
    from semiqc.checking.drafting import seconds_of_run

    hours = seconds_of_run(draft) / 3600
    _say(
        f"a run takes about {hours:.1f} hours on this machine's processor (by a timed convolution;"
        f" right within a factor of three) and {draft.disk_bytes / 1e9:.1f} GB of disk"
    )


def _say(line: str) -> None:
    console.print(line, markup=False, highlight=False)

"""Commands that make a run, and those that use a finished one.

A run is a folder. ``semiqc run`` may be called again on it: finished stages are read, not
repeated, and a change of a setting repeats only what depends on it.
"""

import os
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semiqc.cli.options import (
    Address,
    Changes,
    EngineName,
    FlagBelow,
    Jobs,
    Output,
    Overwrite,
    RunFolder,
)
from semiqc.cli.output import (
    next_command,
    note,
    print_left_out,
    print_report_table,
    print_table,
    say,
    terminal,
)
from semiqc.cli.running import print_plan, print_settings, print_summary
from semiqc.scoring.threshold import FLAG_BELOW
from semiqc.work.engines.base import PROCESSES

if TYPE_CHECKING:
    from semiqc.experiment.predicting import Predicted

PAGE = "report.html"

Corrected = Annotated[
    Path | None,
    typer.Option(help="Folder of segmentations that an expert corrected; setting 'labels'."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, how long and how much disk.")
]
PrintConfig = Annotated[
    bool, typer.Option("--print-config", help="Print all settings as YAML, and end.")
]


def run(
    settings: Annotated[
        Path | None, typer.Argument(help="YAML file; without it, the phantom demo.")
    ] = None,
    changes: Changes = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; the setting 'output'.")
    ] = None,
    labels: Corrected = None,
    jobs: Jobs = None,
    engine: EngineName = PROCESSES,
    address: Address = None,
    dry_run: DryRun = False,
    print_config: PrintConfig = False,
) -> None:
    """Train, judge, retrain, compare and report; goes on where an earlier call stopped."""
    from semiqc.experiment import read_settings
    from semiqc.experiment import run as run_experiment
    from semiqc.work.engines.side import Side

    given = {"output": output, "labels": labels}
    chosen = [*(changes or ()), *(f"{key}={path}" for key, path in given.items() if path)]
    asked = read_settings(settings, chosen)
    if print_config:
        print_settings(asked)
    elif dry_run:
        print_plan(asked)
    else:
        report = run_experiment(asked, terminal(), Side(jobs, engine, address))
        # Of the processes of torchrun the first tells.
        if os.environ.get("RANK", "0") == "0":
            print_summary(report.parent)


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folder of a finished run; several are compared.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write, where several are compared."),
    ] = None,
) -> None:
    """Build the report of a run anew, or compare several runs on one page."""
    from semiqc.experiment import compare_runs, write_report

    if (len(runs) > 1) != (output is not None):
        expected = "a folder to write" if output is None else "two runs or more to compare"
        raise typer.BadParameter(f"expected {expected}", param_hint="--output")
    for run in runs:
        _tell_if_unchecked(run)
    if output is None:
        say("report", write_report(runs[0]))
        return
    for table in compare_runs(runs, output):
        print_report_table(table)
    say("report", output / PAGE)


def predict(
    run: Annotated[
        Path, typer.Argument(help="Folder of a finished run, or phantom: shipped weights.")
    ],
    images: Annotated[Path, typer.Argument(help="Image, folder in any layout, or store.")],
    output: Output,
    scenario: Annotated[
        str | None,
        typer.Option(help="Whose segmenter is used; default: what the report compares."),
    ] = None,
    layout: Annotated[str, typer.Option(help="As for import.")] = "auto",
    flag_below: FlagBelow = FLAG_BELOW,
    dicom_seg: Annotated[
        bool,
        typer.Option("--dicom-seg", help="Write DICOM segmentations, too, of what is DICOM."),
    ] = False,
    overwrite: Overwrite = False,
    jobs: Jobs = None,
    engine: EngineName = PROCESSES,
    address: Address = None,
) -> None:
    """Segment new studies, with curves, measures and a verdict on each."""
    from semiqc.experiment import predict_images
    from semiqc.work.engines.side import Side

    _tell_if_unchecked(run)
    found = predict_images(
        run, images, output, scenario=scenario, layout=layout, flag_below=flag_below,
        dicom_seg=dicom_seg, overwrite=overwrite, monitor=terminal(),
        side=Side(jobs, engine, address),
    )  # fmt: skip
    _print_predicted(found, output)
    if run.is_dir():
        command = shlex.join(["semiqc", "suggest", str(run), "-k", "5", "-o", "next"])
        next_command(command, "see which studies are best labelled next")


def _print_predicted(found: "Predicted", output: Path) -> None:
    """Tables of the studies that were segmented, and of what was left out."""
    print_table(
        f"segmented {len(found.rows)} studies into {output}",
        ("study", "", "verdict", "score", "measures", "why"),
        found.rows,
        listed="why",
    )
    print_left_out(found.left_out)
    say("report", output / PAGE)


def evaluate(
    run: RunFolder,
    store: Annotated[
        Path, typer.Argument(help="Store of labelled studies that the run did not use.")
    ],
    output: Output,
) -> None:
    """Compare the scenarios of a run on another data set, with a verdict and a page."""
    from semiqc.experiment import evaluate_elsewhere, for_terminal

    _tell_if_unchecked(run)
    found = evaluate_elsewhere(run, store, output, terminal())
    for table in found.tables:
        print_report_table(for_terminal(table))
    say("verdict", found.verdict)
    say("report", found.page)


def export(
    run: RunFolder,
    folder: Annotated[
        Path, typer.Argument(help="Folder to write; named like Dataset501_Heart, for nnU-Net.")
    ],
    scenario: Annotated[
        str | None,
        typer.Option(help="Whose pseudo-labels are exported; default: what the report compares."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the run; default: its first.")] = None,
    layout: Annotated[
        str, typer.Option(help="nnunet, decathlon, dicom-seg; auto tells by the folder's name.")
    ] = "auto",
    grid: Annotated[
        str, typer.Option(help="Whose grid and intensities images have: source or store.")
    ] = "source",
    overwrite: Overwrite = False,
) -> None:
    """Write what a scenario learned from as a data set for nnU-Net or others, with its lineage."""
    from semiqc.experiment import export_run

    _tell_if_unchecked(run)
    rows = export_run(
        run, folder, scenario=scenario, seed=seed, layout=layout, grid=grid,
        overwrite=overwrite, monitor=terminal(),
    )  # fmt: skip
    say("exported", folder, _exported(Counter(row.source for row in rows), folder))


def _tell_if_unchecked(run: Path) -> None:
    """Say that the files of a run of version 0.1 have no checksums."""
    from semiqc.files.checksums import MANIFEST
    from semiqc.work.folder import RESULT

    if (run / RESULT).exists() and not (run / MANIFEST).exists():
        note(f"{run}: written without checksums, so it is read as it is")


def _exported(frames: Counter[str], folder: Path) -> str:
    """How many frames of each source were written, in words; propagated ones only if any."""
    from semiqc.exchange.lineage import EXPERT, PROPAGATED, PSEUDO

    propagated = f", {frames[PROPAGATED]} propagated" if frames[PROPAGATED] else ""
    return (
        f"{frames[EXPERT]} expert's{propagated} and {frames[PSEUDO]} pseudo-labelled frames"
        f" to {folder}"
    )


def schema() -> None:
    """Print the JSON Schema of the settings file, for editors."""
    from semiqc.experiment import json_schema

    print(json_schema(), end="")

"""The ``semiqc`` command: words in, exit code out. All work is done elsewhere.

What is heavy to import is imported inside the commands, so that help is there at once.
"""

import logging
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from semiqc import __version__
from semiqc.cli import qc
from semiqc.cli.output import bar, console, print_table

app = typer.Typer(
    name="semiqc",
    help="Train segmenters on few labels, guarded by quality control.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(qc.app, name="qc")
app.command()(qc.score)
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it; some versions of Typer return it, others raise."""

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 2 the user's mistake."""
    # What Fabric says of each network's precision is of no use beside a progress bar.
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    try:
        code = int(app(args=arguments, standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if not _is_the_users(error):
            raise
        print(f"semiqc: {_in_one_line(error)}", file=sys.stderr)
        return 2
    if code == INTERRUPTED:
        print("semiqc: interrupted; the same command goes on where it stood", file=sys.stderr)
    return code


def _is_the_users(error: Exception) -> bool:
    """Whether the user can mend it: what a system call or one of our own checks refuses.

    A ``ValueError`` that comes out of a library was checked by nobody: that is a bug of ours.
    """
    # Typer carries a click of its own in some versions; a usage error knows how to format itself.
    if isinstance(error, OSError) or hasattr(error, "format_message"):
        return True
    raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
    ours = Path(__file__).resolve().parents[2]
    is_ours = any(
        Path(raised_in).is_relative_to(ours / package)
        for package in ("semiqc", "segmenters", "qc", "loops")
    )
    return isinstance(error, ValueError | FloatingPointError) and is_ours


def _in_one_line(error: Exception) -> str:
    format_message = getattr(error, "format_message", None)
    message = format_message() if format_message else str(error)
    return " ".join(message.split())


@app.callback(invoke_without_command=True)
def _semiqc(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        console.print(__version__, highlight=False)
        raise typer.Exit


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="Folder of studies, or a manifest CSV.")],
    store: Annotated[Path, typer.Argument(help="HDF5 file to write.")],
    layout: Annotated[
        str, typer.Option(help="acdc, mnms, nnunet, dicom, manifest, or auto to find out.")
    ] = "auto",
    scheme: Annotated[
        str | None,
        typer.Option(help="short-axis, aorta, tumour, or a YAML file of classes and structures."),
    ] = None,
    spacing: Annotated[
        float | None, typer.Option(help="In-plane spacing in mm; default the data's median.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Import studies into one store, and tell what was left out and why."""
    from semiqc.exchange.importing import import_data, read_scheme

    with bar("import") as tick:
        report = import_data(
            source,
            store,
            layout=layout,
            scheme=read_scheme(scheme) if scheme else None,
            spacing=spacing,
            overwrite=overwrite,
            observe=tick,
        )
    columns = ("study", "group", "frames", "labelled", "slices", "rows x columns", "spacing (mm)")
    print_table(
        f"imported {len(report.imported)} studies into {store}",
        columns,
        [
            (
                row.name,
                row.group,
                row.frames,
                len(row.labelled_frames),
                row.slices,
                f"{row.size[0]} x {row.size[1]}",
                " x ".join(f"{mm:.2f}" for mm in row.spacing),
            )
            for row in report.imported
        ],
    )
    for warning in report.warnings:
        console.print(f"note: {warning}", markup=False, highlight=False)
    if report.left_out:
        print_table(
            f"left out {len(report.left_out)}",
            ("what", "why"),
            [(row.name, row.reason) for row in report.left_out],
        )


@app.command()
def phantom(
    store: Annotated[Path, typer.Argument(help="HDF5 file to write.")],
    kind: Annotated[str, typer.Option(help="short-axis, aorta or tumour.")] = "short-axis",
    studies: Annotated[int, typer.Option(min=1, help="How many.")] = 40,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    size: Annotated[int, typer.Option(min=32, help="Rows and columns.")] = 96,
    slices: Annotated[int, typer.Option(min=1, help="Slices; the aorta has one.")] = 8,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Of the cardiac cycle; default 20, aorta 100.")
    ] = None,
    profiles: Annotated[
        list[str] | None, typer.Option("--profile", help="Scanner profile; may be repeated.")
    ] = None,
    artefacts: Annotated[float, typer.Option(min=0, max=1, help="How spoilt.")] = 0.3,
    overwrite: Overwrite = False,
) -> None:
    """Make phantoms with a full-cycle reference."""
    from semiqc.phantom import write_phantoms

    with bar("phantoms") as tick:
        write_phantoms(
            store,
            kind=kind,
            studies=studies,
            seed=seed,
            size=size,
            slices=slices,
            frames=frames,
            profiles=profiles or None,
            artefacts=artefacts,
            overwrite=overwrite,
            observe=tick,
        )
    console.print(f"wrote {studies} phantoms to {store}", highlight=False)


@app.command()
def run(
    settings: Annotated[
        Path | None, typer.Argument(help="YAML file; without it, the phantom demo.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as gate.k=5."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; the setting 'output'.")
    ] = None,
) -> None:
    """Train, judge, retrain, compare and report; goes on where an earlier call stopped."""
    from semiqc.experiment import Terminal, read_settings, write_summary
    from semiqc.experiment import run as run_experiment

    chosen = [*(changes or ()), *([f"output={output}"] if output else ())]
    report = run_experiment(read_settings(settings, chosen), Terminal(console))
    write_summary(report.parent, console)
    console.print(f"report: {report}", highlight=False)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
) -> None:
    """Build the report of a run anew."""
    from semiqc.experiment import write_report

    console.print(f"report: {write_report(run)}", highlight=False)


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    images: Annotated[Path, typer.Argument(help="Image, folder in any layout, or store.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    scenario: Annotated[str, typer.Option(help="Whose segmenter.")] = "semiqc",
    layout: Annotated[str, typer.Option(help="As for import.")] = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Segment new studies, with curves, measures and a verdict on each."""
    from semiqc.experiment import Terminal, predict_images

    found = predict_images(
        run,
        images,
        output,
        scenario=scenario,
        layout=layout,
        overwrite=overwrite,
        monitor=Terminal(console),
    )
    print_table(
        f"segmented {len(found.rows)} studies into {output}",
        ("study", "verdict", "score", "measures"),
        found.rows,
    )
    if found.left_out:
        print_table(f"left out {len(found.left_out)}", ("what", "why"), found.left_out)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    store: Annotated[Path, typer.Argument(help="Store of labelled studies it does not know.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
) -> None:
    """Compare the scenarios of a run on another data set."""
    from semiqc.experiment import Terminal, evaluate_elsewhere, show

    for table in evaluate_elsewhere(run, store, output, Terminal(console)):
        show(table, console)
    console.print(f"tables: {output}", highlight=False)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    folder: Annotated[Path, typer.Argument(help="To write, named like Dataset501_Heart.")],
    scenario: Annotated[str, typer.Option(help="Whose pseudo-labels.")] = "semiqc",
    seed: Annotated[int | None, typer.Option(help="Of the run; default: its first.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write what a scenario learned from as an nnU-Net data set, with its lineage."""
    from semiqc.exchange.exporting import EXPERT, PROPAGATED, PSEUDO
    from semiqc.experiment import Terminal, export_run

    rows = export_run(
        run, folder, scenario=scenario, seed=seed, overwrite=overwrite, monitor=Terminal(console)
    )
    sources = Counter(row.source for row in rows)
    carried = f", {sources[PROPAGATED]} propagated" if sources[PROPAGATED] else ""
    console.print(
        f"wrote {sources[EXPERT]} expert's{carried} and {sources[PSEUDO]} pseudo-labelled frames"
        f" to {folder}",
        highlight=False,
    )


@app.command()
def schema() -> None:
    """Print the JSON Schema of the settings file, for editors."""
    from semiqc.experiment import json_schema

    print(json_schema(), end="")

"""The ``semiqc qc`` commands and ``semiqc score``: suites that judge anybody's segmentations."""

from pathlib import Path
from typing import Annotated, Any

import typer

from semiqc.cli.output import bar, console, print_table
from semiqc.files.atomic import require_folder

app = typer.Typer(help="Fit and evaluate suites of quality estimators.", no_args_is_help=True)

SuiteFolder = Annotated[Path, typer.Argument(help="Folder that `semiqc qc fit` wrote.")]
Names = Annotated[
    str | None, typer.Option(help="Names, parted by commas; default: see docs/qc.md.")
]


@app.command()
def fit(
    store: Annotated[Path, typer.Argument(help="Store with labels.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    estimators: Names = None,
    sources: Names = None,
    calibrate: Annotated[
        int, typer.Option(min=0, help="Subjects that teach how to weigh the estimators.")
    ] = 0,
    test: Annotated[int, typer.Option(min=0, help="Subjects held out for `evaluate`.")] = 0,
    folds: Annotated[int, typer.Option(min=2, help="Of the cross-fitting.")] = 4,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    tolerance: Annotated[
        float, typer.Option(min=0, help="Distance in mm that the surface Dice forgives.")
    ] = 2.0,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME.KEY=VALUE", help="Such as cnn.steps=900."),
    ] = None,
) -> None:
    """Make segmentations of known quality, and fit estimators to them."""
    from semiqc.experiment import Terminal
    from semiqc.suites.making import SuiteMaker, SuiteSettings

    chosen: dict[str, Any] = {
        name: tuple(part.strip() for part in given.split(","))
        for name, given in (("estimators", estimators), ("sources", sources))
        if given
    }
    settings = SuiteSettings(
        **chosen,
        changes=tuple(changes or ()),
        calibrate=calibrate,
        test=test,
        folds=folds,
        seed=seed,
        tolerance_mm=tolerance,
    )
    suite = SuiteMaker(store, output, settings, Terminal(console)).make()
    learned = suite.training
    weighed = f", weighed by {len(learned.weighing)} others" if learned.weighing else ""
    console.print(
        f"fitted {', '.join(suite.estimators)} to {learned.segmentations} segmentations of"
        f" {learned.studies} studies{weighed}: {output}",
        highlight=False,
    )


@app.command()
def evaluate(
    suite: SuiteFolder,
    graded: Annotated[Path, typer.Argument(help="Graded segmentations, such as test.h5.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for tables and pictures, if wanted."),
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Their store, if it is not where it was.")
    ] = None,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="As many from each tenth of the Dice.")
    ] = False,
    threshold: Annotated[
        str, typer.Option(help="Dice from which a segmentation is good, such as 0.7 or LV=0.9,...")
    ] = "0.7",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Tell how well the estimators of a suite judge studies they never saw."""
    from qc.evaluation.judging import ALL
    from semiqc.pages.table import number_text
    from semiqc.suites.making import evaluate_suite

    bound = _threshold(threshold)
    if output is not None:
        require_folder(output)
        if not overwrite and output.exists() and any(output.iterdir()):
            raise FileExistsError(f"{output}: not empty; name another folder or say --overwrite")
    with bar("evaluate") as tick:
        found = evaluate_suite(
            suite, graded, store=store, balanced=balanced, threshold=bound, observe=tick
        )
    figures = found.evaluation.write(output) if output else found.evaluation.table()
    print_table(
        "mean over structures",
        ("estimator", "of", "n", "r", "MAE", "accuracy", "AURC", "error map", "ms"),
        [
            (
                row.estimator,
                row.quality,
                row.n,
                *(
                    number_text(value, 3)
                    for value in (row.pearson, row.mae, row.accuracy, row.aurc)
                ),
                number_text(row.error_map_dice, 3),
                number_text(row.ms, 0),
            )
            for row in figures
            if row.by == row.structure == ALL and row.quality != "multi_class"
        ],
    )
    if found.left_out:
        console.print(
            f"left out {len(found.left_out)} studies that taught the suite", highlight=False
        )
    if output:
        console.print(f"each structure, group and source, and pictures: {output}", highlight=False)


def score(
    suite: SuiteFolder,
    images: Annotated[Path, typer.Argument(help="NIfTI image, or folder of images.")],
    segmentations: Annotated[Path, typer.Argument(help="Segmentation, or folder of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    labels: Annotated[
        str | None,
        typer.Option(help="What the files' label values are in the suite, such as 1=3,2=2,3=1."),
    ] = None,
    flag_below: Annotated[float, typer.Option(min=0, max=1, help="Score that flags.")] = 0.7,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show where networks looked in flagged studies.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Judge segmentations that anybody made: tables, error maps and one page."""
    from semiqc.scoring import score_images

    with bar("score") as tick:
        report = score_images(
            suite,
            images,
            segmentations,
            output,
            meaning=_meaning(labels),
            flag_below=flag_below,
            explained=explain,
            overwrite=overwrite,
            observe=tick,
        )
    print_table(
        f"judged {len(report.studies)} studies, {len(report.flagged)} flagged",
        ("study", "", "score", "why"),
        [
            (
                study.study,
                "flagged" if study.flagged else "",
                f"{study.score:.3f}",
                "; ".join((*study.warnings, *study.reasons)),
            )
            for study in report.studies
        ],
    )
    if report.left_out:
        print_table(
            f"left out {len(report.left_out)}",
            ("what", "why"),
            [(refusal.name, refusal.reason) for refusal in report.left_out],
        )
    console.print(f"report: {output / 'report.html'}", highlight=False)


def _threshold(text: str) -> float | dict[str, float]:
    try:
        if "=" not in text:
            return float(text)
        pairs = [part.split("=") for part in text.split(",")]
        return {name.strip(): float(value) for name, value in pairs}
    except ValueError:
        raise typer.BadParameter(
            f"expected a number, or structure=number, parted by commas, got '{text}'",
            param_hint="--threshold",
        ) from None


def _meaning(labels: str | None) -> dict[int, int] | None:
    if labels is None:
        return None
    try:
        pairs = [part.split("=") for part in labels.split(",")]
        given = [(int(value), int(meaning)) for value, meaning in pairs]
    except ValueError:
        raise typer.BadParameter(
            f"expected value=value, parted by commas, got '{labels}'", param_hint="--labels"
        ) from None
    values = [value for value, _ in given]
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise typer.BadParameter(f"{twice[0]} is given twice", param_hint="--labels")
    return dict(given)

"""The ``semiqc qc`` commands: suites of quality estimators are fitted and evaluated.

``semiqc qc fit`` makes what ``semiqc qc evaluate`` and ``semiqc score`` read: a folder with the
fitted estimators, what they were fitted to and, if asked for, graded segmentations of held-out
subjects.
"""

import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semiqc.cli.cines import (
    evaluate_on_cines,
    print_own_figures,
    reviewed_of,
    say_left_out,
)
from semiqc.cli.grades import grades_of, print_grades
from semiqc.cli.options import (
    Arguments,
    Calibrate,
    Labels,
    Members,
    Names,
    Output,
    Overwrite,
    Seed,
    meaning_of,
    names_of,
    threshold_of,
)
from semiqc.cli.output import bar, next_command, note, print_left_out, print_table, say, terminal
from semiqc.cli.spoken import spoken
from semiqc.cli.suites import calibrate, finetune, pretrain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qc.evaluation.comparing import PairRow
    from qc.evaluation.figures import FigureRow
    from qc.suites.suite import Suite
    from semiqc.suites.evaluating import Evaluated
    from semiqc.suites.page import Judges

app = typer.Typer(help="Fit and evaluate suites of quality estimators.", no_args_is_help=True)
app.command()(spoken(pretrain))
app.command()(spoken(finetune))
app.command()(spoken(calibrate))

Tolerance = Annotated[
    float, typer.Option(min=0, help="Distance in mm that the surface Dice tolerates.")
]
Verdicts = Annotated[
    Path | None, typer.Option(help="A reader's verdicts on --segmentations, for curve.")
]
Preset = Annotated[
    str | None,
    typer.Option(help="For a GPU: paper, each estimator as in its paper; wang, as in Wang et al."),
]
GradedToLearn = Annotated[
    list[Path] | None,
    typer.Option(help="Graded segmentations to learn from; alone, without --sources."),
]
GradedFile = Annotated[
    Path, typer.Option("--output", "-o", help="File of graded segmentations to write.")
]
EvaluationFolder = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder for tables and plots, if wanted.")
]
Threshold = Annotated[
    str, typer.Option(help="Dice from which a segmentation is good, such as 0.7 or LV=0.9,...")
]


@app.command()
@spoken
def fit(
    store: Annotated[Path, typer.Argument(help="Store with labels.")],
    output: Output,
    estimators: Names = None,
    sources: Names = None,
    graded: GradedToLearn = None,
    calibrate: Calibrate = 0,
    test: Annotated[int, typer.Option(min=0, help="Subjects held out for `evaluate`.")] = 0,
    folds: Annotated[int, typer.Option(min=2, help="Of the cross-fitting.")] = 4,
    seed: Seed = 0,
    tolerance: Tolerance = 2.0,
    verdicts: Verdicts = None,
    images: Annotated[Path | None, typer.Option(help="Images of the verdicts.")] = None,
    segmentations: Annotated[Path | None, typer.Option(help="Whole cines of them.")] = None,
    preset: Preset = None,
    changes: Arguments = None,
) -> None:
    """Make segmentations of known quality, and fit estimators to them."""
    from semiqc.suites.making import SuiteMaker
    from semiqc.suites.settings import SuiteSettings

    chosen = names_of(estimators=estimators, sources=sources)
    settings = SuiteSettings(
        **({"sources": ()} if graded else {}) | chosen,
        graded=tuple(graded or ()),
        preset=preset,
        changes=tuple(changes or ()),
        calibrate=calibrate,
        test=test,
        folds=folds,
        seed=seed,
        tolerance_mm=tolerance,
        reviewed=reviewed_of(verdicts, images, segmentations),
    )
    suite = SuiteMaker(store, output, settings, terminal()).make()
    say("suite", output, f"{output}; {_fitted(suite)}")
    print_own_figures(suite)
    _say_next(output, is_tested=test > 0)


def _say_next(suite: Path, *, is_tested: bool) -> None:
    """What a suite is for."""
    if is_tested:
        words = ["semiqc", "qc", "evaluate", str(suite), str(suite / "test.h5")]
        next_command(shlex.join(words), "see how well it judges the subjects held out")
    words = ["semiqc", "score", str(suite), "IMAGES", "SEGMENTATIONS", "-o", "scores"]
    next_command(shlex.join(words), "judge segmentations")


def _fitted(suite: "Suite") -> str:
    """What a suite was fitted to, in words: estimators, and how many segmentations and studies."""
    learned = suite.training
    weighed = f", weighed by {len(learned.weighing)} others" if learned.weighing else ""
    return (
        f"fitted {', '.join(suite.estimators)} to {learned.segmentations} segmentations of"
        f" {learned.studies} studies{weighed}"
    )


@app.command()
@spoken
def grade(
    store: Annotated[Path, typer.Argument(help="Store with references.")],
    segmentations: Annotated[
        list[Path], typer.Argument(help="Folders, each with what one program segmented.")
    ],
    output: GradedFile,
    member: Members = None,
    labels: Labels = None,
    tolerance: Tolerance = 2.0,
    overwrite: Overwrite = False,
) -> None:
    """Grade segmentations that any program made, to fit and evaluate suites on."""
    from semiqc.suites.grading import grade_files

    with bar("grade") as tick:
        found = grade_files(
            store,
            segmentations,
            output,
            members=member or (),
            meaning=meaning_of(labels),
            tolerance_mm=tolerance,
            overwrite=overwrite,
            on_progress=tick,
        )
    print_left_out([(refusal.name, refusal.reason) for refusal in found.left_out])
    if found.unsegmented:
        note(
            f"not segmented: {len(found.unsegmented)} studies with references, such as"
            f" {found.unsegmented[0]}"
        )
    counts = f"{len(found.graded)} segmentations of {len(found.studies)} studies"
    say("graded", output, f"{counts}: {output}")


@app.command()
@spoken
def evaluate(
    suites: Annotated[
        list[Path], typer.Argument(help="Folders that `semiqc qc fit` wrote, side by side.")
    ],
    graded: Annotated[Path, typer.Argument(help="Graded segmentations: test.h5, test_cines.csv.")],
    output: EvaluationFolder = None,
    store: Annotated[
        Path | None, typer.Option(help="Their store, if it is not where it was.")
    ] = None,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Use as many from each tenth of the Dice.")
    ] = False,
    threshold: Threshold = "0.7",
    grades: Annotated[
        Path | None, typer.Option(help="Readers' grades: CSV of study, grade and source.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Tell how well the estimators of suites judge studies they never saw."""
    from semiqc.suites.evaluating import evaluate_suites
    from semiqc.suites.page import PAGE, Judges

    bound = threshold_of(threshold)
    given = grades_of(grades, graded)
    with _place(output, (graded, *suites), overwrite=overwrite) as place:
        if graded.suffix.lower() == ".csv":
            return evaluate_on_cines(suites, graded, place, store)
        with bar("evaluate") as tick:
            found = evaluate_suites(
                suites, graded, store=store, balanced=balanced, threshold=bound, observe=tick
            )
        _print_found(found, Judges(suites, graded, found.left_out, is_balanced=balanced), place)
        if given:
            print_grades(found.evaluation, given, place)
    if output:
        say("each structure, group, source and slice", output / PAGE)


def _print_found(found: "Evaluated", judges: "Judges", output: Path | None) -> None:
    """Means over structures on the console; all else into the folder, where one is named."""
    from semiqc.suites.page import write_evaluation_page

    evaluation = found.evaluation
    figures = evaluation.write(output) if output else evaluation.table()
    _print_means(figures)
    if len(judges.suites) > 1:
        _print_pairs(evaluation.pairs())
    say_left_out(found.left_out)
    if output:
        write_evaluation_page(evaluation, figures, found.scheme, judges, output)


@contextmanager
def _place(
    output: Path | None, read: "Sequence[Path]", *, overwrite: bool
) -> "Iterator[Path | None]":
    """Where to write what shall lie in ``output``; None where nothing is to be written.

    Raises:
        FileExistsError: If it holds something and ``overwrite`` is not set, or what is ``read``.
        OSError: If nothing can be written there.
    """
    from semiqc.files.atomic import filled_folder
    from semiqc.files.checksums import refuse_sealed
    from semiqc.files.places import require_apart, require_folder
    from semiqc.files.staying import is_empty

    if output is None:
        yield None
        return
    require_folder(output)
    if not overwrite and output.exists() and not is_empty(output):
        raise FileExistsError(f"{output}: not empty; name another folder or say --overwrite")
    require_apart(output, *read)
    refuse_sealed(output)
    with filled_folder(output, overwrite=overwrite) as place:
        yield place


def _print_means(figures: "Sequence[FigureRow]") -> None:
    """The figures of every estimator."""
    from qc.evaluation.judgement import ALL

    print_table(
        "mean over structures",
        ("estimator", "of", "n", "r", "MAE", "bias", "acc.", "AURC", "maps", "ms"),
        [
            _cells(row)
            for row in figures
            if row.by == row.structure == ALL and row.quality != "multi_class"
        ],
    )


def _print_pairs(pairs: "Sequence[PairRow]") -> None:
    """Every two estimators on the same segmentations, where there are two."""
    from qc.evaluation.judgement import ALL

    shown = [_pair_cells(row) for row in pairs if row.structure == ALL]
    if shown:
        columns = ("first", "second", "of", "MAE", "MAE", "subjects", "t", "Wilcoxon")
        print_table("errors on the same segmentations; p adjusted by Holm", columns, shown)


def _pair_cells(row: "PairRow") -> tuple[str | int, ...]:
    """The errors of two estimators, and the p-values of their difference."""
    from semiqc.pages.table import number_text, p_text

    errors = [number_text(one, 3) for one in (row.mae_first, row.mae_second)]
    tests = [p_text(one) for one in (row.t_holm, row.wilcoxon_holm)]
    return row.first, row.second, row.quality, *errors, row.subjects, *tests


def _cells(row: "FigureRow") -> tuple[str | int, ...]:
    """The figures of one estimator and quality, ratios with three decimals, times in whole ms."""
    from semiqc.pages.table import number_text

    ratios = (row.pearson, row.mae, row.bias, row.accuracy, row.aurc, row.error_map_dice)
    shown = [number_text(one, 3) for one in ratios]
    return row.estimator, row.quality, row.n, *shown, number_text(row.ms, 0)

"""``semiqc score``: a suite estimates the quality of segmentations of any program."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semiqc.cli.options import (
    Address,
    EngineName,
    FlagBelow,
    Jobs,
    Labels,
    Members,
    Output,
    Overwrite,
    meaning_of,
)
from semiqc.cli.output import bar, next_command, print_left_out, print_table, say, terminal
from semiqc.scoring.threshold import FLAG_BELOW
from semiqc.work.engines.base import PROCESSES

if TYPE_CHECKING:
    from semiqc.scoring import ScoreReport
    from semiqc.scoring.scores import StudyScore

Explain = Annotated[
    bool, typer.Option("--explain", help="Show where networks looked in flagged studies.")
]


def score(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[SUITE] IMAGES SEGMENTATIONS",
            help="Images: a file, a folder, or a source in any layout that predict takes."
            " Segmentations: a file or a folder. First the suite, where --suite does not name it.",
        ),
    ],
    output: Output,
    suite: Annotated[
        Path | None,
        typer.Option(help="Folder that `semiqc qc fit` wrote, or phantom: the one shipped."),
    ] = None,
    member: Members = None,
    labels: Labels = None,
    flag_below: FlagBelow = FLAG_BELOW,
    explain: Explain = False,
    overwrite: Overwrite = False,
    jobs: Jobs = None,
    engine: EngineName = PROCESSES,
    address: Address = None,
) -> None:
    """Judge segmentations that anybody made: tables, error maps and one page."""
    from semiqc.scoring import score_images
    from semiqc.work.engines.side import Side

    suite, images, segmentations = _named(paths, suite)
    with bar("score") as tick:
        report = score_images(
            suite, images, segmentations, output, members=member or (),
            meaning=meaning_of(labels), flag_below=flag_below, explained=explain,
            overwrite=overwrite, on_progress=tick, side=Side(jobs, engine, address),
            monitor=terminal(),
        )  # fmt: skip
    _print_report(report)
    say("report", output / "report.html")
    _say_next(images, segmentations, output)


def _say_next(images: Path, segmentations: Path, output: Path) -> None:
    """How to look at what was scored."""
    words = ["semiqc", "review", str(images), str(segmentations), "--scores", str(output)]
    next_command(shlex.join(words), "look at them, the lowest score first")


def _named(paths: list[Path], suite: Path | None) -> tuple[Path, Path, Path]:
    """Suite, images and segmentations.

    Raises:
        typer.BadParameter: If there are more or fewer.
    """
    named = [*([suite] if suite else []), *paths]
    if len(named) != 3:
        raise typer.BadParameter(
            f"expected a suite, images and segmentations, got {' '.join(map(str, named))}; the"
            " suite that is shipped is called phantom"
        )
    return named[0], named[1], named[2]


def _print_report(report: "ScoreReport") -> None:
    """Tables of the studies that were judged, and of what was left out.

    Flagged studies come first, lowest score first. ``why`` lists the estimators' reasons first
    where their score or verdict flags a study, and else warnings, of which one may flag it.
    """
    print_table(
        f"judged {len(report.studies)} studies, {len(report.flagged)} flagged",
        ("study", "", "score", "why"),
        [
            (
                study.study,
                "flagged" if study.flagged else "",
                study.score,
                "; ".join(why(study, report.flag_below)),
            )
            for study in report.studies
        ],
        listed="why",
    )
    print_left_out([(refusal.name, refusal.reason) for refusal in report.left_out])


def why(study: "StudyScore", flag_below: float) -> tuple[str, ...]:
    """Reasons and warnings, first those by which a study is flagged."""
    from semiqc.scoring.scores import is_flagged

    if is_flagged(study.score, study.qualities, flag_below):
        return (*study.reasons, *study.warnings)
    return (*study.warnings, *study.reasons)

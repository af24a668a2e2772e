"""The page: which segmentations to look at, and why.

Flagged studies come first, each with its picture; of the others the worst unfold. The very worst
move. All others are lines of a table. The page is one HTML file that holds its pictures and style;
its only script sorts tables.
"""

from dataclasses import dataclass
from pathlib import Path

from qc.suites.domain import TrainingDomain
from semiqc.pages.drawing import Picture, structure_colours
from semiqc.pages.html import write_html
from semiqc.pages.table import NOTHING, interval_text, number_text
from semiqc.schemes import LabelScheme
from semiqc.scoring.films import Film, film_picture, small_picture
from semiqc.scoring.pictures import frames_across, slice_picture, strip_picture
from semiqc.scoring.scores import ScoreReport, StudyScore, mean_slice_dice
from semiqc.scoring.worst import MOST_SHOWN, WorstSlice, WorstSlices

MOST_TOLD = MOST_SHOWN
"""Studies whose structures and slices the page tells; tables have those of all."""

MOST_LARGE = 30
"""Flagged studies that are shown unfolded; a page of more is not read."""

NEED_MAPS = "they need several segmentations of each image (--member), or uncertainty maps"


@dataclass(frozen=True)
class Bar:
    """A number in [0, 1] with a bar as long.

    Args:
        text: The number as it is read.
        percent: Length of the bar.
        ends: Of the number's interval, in the same percent; None where there is none.
    """

    text: str
    percent: float
    ends: tuple[float, float] | None = None

    @classmethod
    def of(cls, value: float | None, interval: tuple[float, float] | None = None) -> "Bar":
        """Without a bar where there is no number."""
        if value is None or value != value:
            return cls(NOTHING, 0)
        text, percent = number_text(value, 2), 100 * min(1.0, max(0.0, value))
        if interval is None:
            return cls(text, percent)
        low, high = interval
        return cls(f"{text} ({interval_text(interval, 2)})", percent, (100 * low, 100 * high))


@dataclass(frozen=True)
class Shown:
    """A study with its structures, its slices and, among the worst, a picture and a film.

    Args:
        score: What was said of it.
        is_large: Whether it is shown unfolded.
        picture: Its worst slice; None of those that are not among the worst.
        film: Likewise.
        columns: Estimator and measure of each column of ``bars``.
        bars: Of each structure, one for each column.
        strips: Dice of the slices of each structure; none where nobody gives it.
        frames_across: Whether frames are the columns of the strips, else slices are.
    """

    score: StudyScore
    is_large: bool
    picture: Picture | None
    film: Film | None
    columns: list[str]
    bars: list[tuple[str, list[Bar]]]
    strips: list[Picture]
    frames_across: bool


def write_page(report: ScoreReport, worst: WorstSlices, output: Path) -> None:
    """Write the page as one HTML file, whole or not at all.

    It holds its pictures and style, loads nothing and runs only the script that sorts tables.

    Args:
        report: What to show.
        worst: Slices of the studies that are shown.
        output: File to write; one that is there is replaced.
    """
    told = told_studies(report, worst)
    shown = [one for one in told if one.is_large]
    write_html(
        "semiqc.scoring",
        output,
        report=report,
        findings=findings(report),
        shown=shown,
        others=[one for one in told if not one.is_large],
        count_of_others=len(report.studies) - len(shown),
        structures=list(structure_colours(report.scheme).items()),
        trained_on=trained_on(report),
        bar=Bar.of,
        verdicts=any(one.verdict for one in report.studies),
    )


def findings(report: ScoreReport) -> list[str]:
    """What to know first, a sentence each."""
    flagged, count = len(report.flagged), len(report.studies)
    found = [
        f"{flagged} of {_counted(count, 'segmentation')} {_verb(flagged, 'is', 'are')} flagged,"
        " to be looked at."
    ]
    odd = sum(bool(one.warnings) for one in report.studies)
    if odd:
        found.append(
            f"{_counted(odd, 'study', 'studies')} {_verb(odd, 'has', 'have')} warnings;"
            f" {_verb(odd, 'its score is', 'their scores are')} less reliable."
        )
    if report.silent:
        silent = ", ".join(report.silent)
        found.append(f"{silent} of the suite judged nothing: {NEED_MAPS}.")
    if report.left_out:
        out = len(report.left_out)
        found.append(f'{_counted(out, "thing")} could not be judged; see "Left out" below.')
    return found


def trained_on(report: ScoreReport) -> list[tuple[str, str]]:
    """What the suite was made for and learned from: lines of a name and a text.

    Lines on what is not known, such as pixel sizes of a suite of before, are left out.
    """
    return [
        ("Estimators", ", ".join(report.estimators) or "none"),
        ("Labels", f"{report.scheme.name}: {', '.join(report.scheme.classes)}"),
        *(_learned_from(report.training) if report.training else ()),
    ]


def _learned_from(training: TrainingDomain) -> list[tuple[str, str]]:
    """What the estimators of a suite learned from."""
    low, high = training.slice_mm
    sources = ", ".join(f"{name or 'unnamed'} {n}" for name, n in sorted(training.sources.items()))
    return [
        ("Modalities", str(training.modalities)),
        ("Studies learned from", str(training.studies)),
        ("Segmentations learned from", f"{training.segmentations} ({sources})"),
        *_weighing(len(training.weighing)),
        ("Spacing in plane", f"{training.spacing_mm:.3g} mm; images are resampled to it"),
        *_acquired(training.acquired_mm),
        ("Slice distance", f"{low:.3g} to {high:.3g} mm"),
        *_tolerance(training.nsd_tolerance_mm),
    ]


def _weighing(count: int) -> list[tuple[str, str]]:
    """How many studies the weights of the consensus were fitted to, if any."""
    return [("Studies that the weights were fitted to", str(count))] if count else []


def _tolerance(mm: float | None) -> list[tuple[str, str]]:
    """The tolerance of the surface Dice, if the suite has one."""
    return [("Surface Dice (NSD)", f"surfaces up to {mm:g} mm apart agree")] if mm else []


def _acquired(known: tuple[float, float] | None) -> list[tuple[str, str]]:
    """The pixel sizes that studies were acquired with, if known."""
    return [("Acquired in plane", f"{known[0]:.3g} to {known[1]:.3g} mm")] if known else []


def told_studies(report: ScoreReport, worst: WorstSlices) -> list[Shown]:
    """The first ``MOST_TOLD`` studies, the worst first."""
    large = {one.study for one in report.flagged if worst.get(one.study)}
    large &= {one.study for one in report.flagged[:MOST_LARGE]}
    return [
        _told(report.whole(one), worst.get(one.study), report.scheme, is_large=one.study in large)
        for one in report.studies[:MOST_TOLD]
    ]


def _told(
    one: StudyScore, shown: WorstSlice | None, scheme: LabelScheme, *, is_large: bool
) -> Shown:
    """A study with all that is said of its structures and slices."""
    slices = mean_slice_dice(one.qualities)
    draw = slice_picture if is_large else small_picture
    return Shown(
        one,
        is_large,
        draw(one.study, shown, scheme) if shown else None,
        film_picture(one.study, shown, scheme) if shown else None,
        *_bars(one),
        [strip_picture(one.study, name, dice) for name, dice in slices.items()],
        any(frames_across(dice) for dice in slices.values()),
    )


def _bars(one: StudyScore) -> tuple[list[str], list[tuple[str, list[Bar]]]]:
    """Titles of the columns, estimator and Dice or NSD, and of each structure its bars."""
    given = {
        f"{name} {title}": (values, intervals)
        for name, quality in one.qualities.items()
        for title, values, intervals in (
            ("Dice", quality.dice, quality.interval),
            ("NSD", quality.nsd, {}),
        )
        if values
    }
    structures = dict.fromkeys(name for values, _ in given.values() for name in values)
    rows = [
        (name, [Bar.of(values.get(name), ends.get(name)) for values, ends in given.values()])
        for name in structures
    ]
    return list(given), rows


def _counted(count: int, one: str, several: str = "") -> str:
    """A number with its noun, in singular or plural."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def _verb(count: int, one: str, several: str) -> str:
    """The form of a verb that goes with a number."""
    return one if count == 1 else several

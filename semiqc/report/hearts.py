"""The row of moving studies: the best, the median, the worst and the most disputed one."""

import math
from dataclasses import dataclass

from semiqc.pages.drawing import Picture
from semiqc.pages.mosaic import film_of, row_of, tile
from semiqc.pages.table import number_text
from semiqc.report.data import ReportData
from semiqc.report.views import StudyViews

SIZE = 220
"""Pixels of a film along either axis, about."""


@dataclass(frozen=True)
class Heart:
    """One moving study.

    Args:
        what: Why it is shown.
        study: Its name.
        film: Moving picture.
        still: The first frame, for who does not want motion.
    """

    what: str
    study: str
    film: Picture
    still: str


def hearts(data: ReportData) -> list[Heart]:
    """Films of the studies that span what was achieved; none where nothing moves."""
    key = data.reference_scenario
    films = {one.study: one for one in data.views if key in one.film_labels}
    dice = data.overlap_of(key)
    chosen = chosen_studies(data, set(films))
    return [_heart(data, what, films[study], dice[study]) for what, study in chosen.items()]


def chosen_studies(data: ReportData, names: set[str]) -> dict[str, str]:
    """Why a study is shown, and which: those that span what the reference scenario achieved.

    Args:
        data: Of the run.
        names: Studies that can be shown.
    """
    found = data.overlap_of(data.reference_scenario).items()
    dice = {study: value for study, value in found if study in names and math.isfinite(value)}
    ranked = sorted(dice, key=lambda study: (dice[study], study))
    if not ranked:
        return {}
    places = {"best": ranked[-1], "median": ranked[len(ranked) // 2], "worst": ranked[0]}
    chosen = {what: study for what, study in places.items() if len(ranked) >= len(places)}
    chosen = chosen or {"best": ranked[-1]}
    if disputed := _disputed(data, set(dice) - set(chosen.values())):
        chosen["differs most"] = disputed
    return chosen


def _disputed(data: ReportData, names: set[str]) -> str:
    """The study whose Dice differs most between scenarios; empty without any."""
    found: dict[str, list[float]] = {}
    for key, _ in data.scenarios:
        for study, value in data.overlap_of(key).items():
            if study in names and math.isfinite(value):
                found.setdefault(study, []).append(value)
    spread = {study: max(values) - min(values) for study, values in found.items()}
    return max(spread, key=lambda study: (spread[study], study), default="")


def _heart(data: ReportData, what: str, views: StudyViews, dice: float) -> Heart:
    labels = views.film_labels[data.reference_scenario]
    pairs = zip(views.film, labels, strict=True)
    frames = [tile(image, drawn, data.scheme, size=SIZE) for image, drawn in pairs]
    caption = f"Dice {number_text(dice, 3)}, slice {views.film_slice + 1}"
    said = f"{views.study}, slice {views.film_slice + 1}, through the heart cycle."
    film = Picture(film_of(frames), said, caption, f"{what}: {views.study}")
    return Heart(what, views.study, film, row_of(frames[:1]))

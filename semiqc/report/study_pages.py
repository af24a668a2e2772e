"""A page part for each study: its slices under every scenario, its curves, what was said of it."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from semiqc.files.tables import CurveRow, JudgementRow
from semiqc.measuring.measures import curve_unit
from semiqc.pages.drawing import INK, Picture, structure_colours
from semiqc.pages.lines import Line, line_chart
from semiqc.pages.mosaic import row_of, tile
from semiqc.pages.table import NOTHING, number_text
from semiqc.report.data import CANDIDATES, MANUAL, ReportData
from semiqc.report.hearts import chosen_studies
from semiqc.report.views import StudyViews
from semiqc.report.worth_looking import worth_looking

MOST_TEST, MOST_POOL = 60, 24
"""Studies with a part of their own, the most telling ones."""


@dataclass(frozen=True)
class StudyPart:
    """All that the page says of one study.

    Args:
        study: Its name.
        anchor: Where links to it lead.
        role: ``test`` or ``unlabelled``, with its group.
        rows: Title, colour, figure and picture of each scenario.
        columns: Which frames and slices the pictures show, in words.
        curves: Of each structure.
        said: What estimators and gate said; name and text.
    """

    study: str
    anchor: str
    role: str
    rows: Sequence[tuple[str, str, str, Picture]]
    columns: str
    curves: Sequence[Picture]
    said: Sequence[tuple[str, str]]


def study_parts(data: ReportData) -> list[StudyPart]:
    """The test studies that tell most by name, then those of the pool."""
    test = {one.study: one for one in data.views if CANDIDATES not in one.labels}
    pool = {one.study: one for one in data.views if CANDIDATES in one.labels}
    first = [one.study for one in worth_looking(data)]
    judged = sorted(_judgements(data).values(), key=lambda row: (row.score, row.study))
    ends = [row.study for pair in zip(judged, reversed(judged), strict=True) for row in pair]
    shown = [*chosen_studies(data, set(test)).values(), *_from_the_worst(data)]
    drawer = _Drawer(data)
    return [
        drawer.part(one)
        for one in (
            *_told(test, [*first, *shown, *sorted(test)], MOST_TEST),
            *_told(pool, [*first, *ends], MOST_POOL),
        )
    ]


def how_chosen(data: ReportData) -> str:
    """Which test studies have a part, where these are not all; empty where they are."""
    count = sum(CANDIDATES not in one.labels for one in data.views)
    if count <= MOST_TEST:
        return ""
    return (
        f"{MOST_TEST} of {count} test studies: those that this page names, then those of the"
        " lowest Dice. Figures of all: results/overlap.csv."
    )


def _told(views: Mapping[str, StudyViews], names: Iterable[str], most: int) -> list[StudyViews]:
    """The first of the studies named, at most so many, by name."""
    found = [views[name] for name in dict.fromkeys(names) if name in views][:most]
    return sorted(found, key=lambda one: one.study)


def _from_the_worst(data: ReportData) -> list[str]:
    """The test studies by their Dice in the reference scenario; what failed comes first."""
    dice = data.overlap_of(data.reference_scenario)
    return sorted(dice, key=lambda study: (math.isfinite(dice[study]), dice[study], study))


def anchors(parts: Sequence[StudyPart]) -> dict[str, str]:
    """Where links to each study lead."""
    return {part.study: part.anchor for part in parts}


def _judgements(data: ReportData) -> dict[str, JudgementRow]:
    """By study, what was said in the reference scenario's first round and seed."""
    mine = [row for row in data.judgements if row.scenario == data.reference_scenario]
    first = min(((row.seed, row.round) for row in mine), default=None)
    return {row.study: row for row in mine if (row.seed, row.round) == first}


class _Drawer:
    """Draws the parts of studies out of rows that are sorted once."""

    def __init__(self, data: ReportData) -> None:
        self.data = data
        self.judged = _judgements(data)
        self.spoilt = {row.study: row.kind for row in data.dirty}
        self.groups = {row.study: row.group for row in data.split}
        self.dice = {key: data.overlap_of(key) for key, _ in data.scenarios}
        first = min((row.seed for row in data.curves), default=0)
        self.curves: dict[tuple[str, str], dict[str, list[CurveRow]]] = {}
        for row in data.curves:
            if row.seed == first:
                of_study = self.curves.setdefault((row.study, row.scenario), {})
                of_study.setdefault(row.structure, []).append(row)

    def part(self, views: StudyViews) -> StudyPart:
        """All that is told of one study."""
        is_test = CANDIDATES not in views.labels
        group = self.groups.get(views.study, "")
        role = "test study" if is_test else "unlabelled study"
        return StudyPart(
            views.study,
            f"study-{'test' if is_test else 'pool'}-{_slug(views.study)}",
            f"{role}, {group}" if group else role,
            self._rows(views),
            _columns(views),
            self._curves(views.study, is_test),
            self._said(views.study),
        )

    def _rows(self, views: StudyViews) -> list[tuple[str, str, str, Picture]]:
        """The reference first, then every scenario that segmented the study."""
        titles = {MANUAL: "Reference", CANDIDATES: "First segmenter", **dict(self.data.scenarios)}
        keys = [key for key in titles if key in views.labels]
        return [
            (
                titles[key],
                self.data.colours.get(key, INK),
                self._figure(key, views.study),
                self._picture(views, key, titles[key]),
            )
            for key in keys
        ]

    def _figure(self, key: str, study: str) -> str:
        if key == CANDIDATES and study in self.judged:
            truth = self.judged[study].true_dice
            return f"true Dice {number_text(truth, 3)}" if math.isfinite(truth) else ""
        dice = self.dice.get(key, {}).get(study)
        return "" if dice is None else f"Dice {number_text(dice, 3)}"

    def _picture(self, views: StudyViews, key: str, title: str) -> Picture:
        reference = views.labels.get(MANUAL) if key != MANUAL else None
        tiles = [
            tile(
                views.image[f, z],
                views.labels[key][f, z],
                self.data.scheme,
                None if reference is None else reference[f, z],
            )
            for f in range(len(views.frames))
            for z in range(len(views.slices))
        ]
        return Picture(row_of(tiles), f"{views.study}: slices as segmented by {title}.")

    def _curves(self, study: str, is_test: bool) -> list[Picture]:
        """A chart for each structure; manual end-diastolic and end-systolic volumes dashed."""
        data, pictures = self.data, []
        units = {one.name: curve_unit(one) for one in data.scheme.structures}
        keys = [CANDIDATES]
        if is_test:
            keys = list(dict.fromkeys([data.baseline_scenario, data.reference_scenario]))
        for structure in structure_colours(data.scheme):
            lines = [
                Line(data.colours.get(key, INK), _points(rows))
                for key in keys
                if (rows := self.curves.get((study, key), {}).get(structure)) and len(rows) > 1
            ]
            lines = [line for line in lines if line.points]
            if lines:
                lines += self._levels(study, structure, len(lines[0].points))
                said = f"Curve of {structure} of {study}."
                drawn = line_chart(lines, units[structure])
                pictures.append(Picture(drawn, said, title=structure))
        return pictures

    def _levels(self, study: str, structure: str, frames: int) -> list[Line]:
        """What the reader measured, as dashed levels over all frames."""
        return [
            Line(INK, [(0, row.value), (frames - 1, row.value)], is_level=True)
            for row in self.data.clinical
            if (row.scenario, row.study, row.structure) == (MANUAL, study, structure)
            and row.measure in {"EDV", "ESV", "largest", "smallest"}
            and math.isfinite(row.value)
        ]

    def _said(self, study: str) -> list[tuple[str, str]]:
        """What the gate decided in the first round, and every estimator's score."""
        row = self.judged.get(study)
        if row is None:
            return []
        decided = "admitted" if row.admitted else "rejected"
        said = [("Gate", f"{decided}: {row.reason}" if row.reason else decided)]
        if study in self.spoilt:
            said.append(("Spoilt", self.spoilt[study]))
        scores = [f"{name} {number_text(score, 2)}" for name, score in sorted(row.scores.items())]
        return [*said, ("Scores", ", ".join(scores) or NOTHING)]


def _points(rows: Sequence[CurveRow]) -> list[tuple[float, float]]:
    points = sorted((row.frame, row.value) for row in rows)
    return [(frame, value) for frame, value in points if math.isfinite(value)]


def _columns(views: StudyViews) -> str:
    """Which frames and slices are shown, counted from 1."""
    slices = ", ".join(str(z + 1) for z in views.slices)
    frames = " then ".join(str(t + 1) for t in views.frames)
    several = "frames" if len(views.frames) > 1 else "frame"
    return f"{several} {frames}, slices {slices}"


def _slug(name: str) -> str:
    """A name as an anchor may have it, apart from every other one's."""
    kept = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    return kept if kept == name else f"{kept}-{name.encode().hex()[:24]}"

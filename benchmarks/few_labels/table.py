"""The table: what arms left, as CSV with a row for each and as Markdown with means over seeds."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.few_labels.arms import DEFAULT, LOOPS, VARIANTS, Arm
from semiqc.files.atomic import write_text
from semiqc.files.rows import spread, write_rows
from semiqc.files.tables import OverlapRow, read_rows
from semiqc.measuring.bootstrap import bootstrap_difference
from semiqc.measuring.means import mean_of_known

PUBLISHED: dict[str, dict[int, float]] = {
    "nnU-Net, supervised": {3: 0.830, 7: 0.863},
    "UniMatch, last checkpoint": {3: 0.844, 7: 0.881},
    "BCP, best checkpoint": {3: 0.876, 7: 0.888},
}
"""Mean Dice on the same test patients by labelled patients, after many thousand steps on a GPU.

nnU-Net as the authors of nnFilterMatch ran it (https://github.com/Ordi117/nnFilterMatch),
UniMatch's last checkpoint as those of CrossMatch did (https://github.com/AiEson/CrossMatch), BCP
by its authors (Bai et al., CVPR 2023), who test what is best on the validation patients."""


FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s/:]+/)+")
"""Of absolute paths: where files lie on a machine is no part of a table."""


@dataclass(frozen=True)
class ArmRow:
    """Figures of one arm; ``dice_NAME`` of each structure, means over volumes."""

    arm: str
    loop: str
    start: str
    labelled: int
    draw: int
    seed: int
    variant: str
    steps: str
    batch_size: int
    patients: int
    dice: float
    sd: float
    hd95_mm: float
    missed: int
    training_minutes: float
    all_minutes: float
    device: str
    changes: str
    of_structure: Mapping[str, float] = spread("dice_")


@dataclass(frozen=True, eq=False)
class Result:
    """What an arm left.

    Args:
        arm: That was run.
        described: Its ``arm.json``.
        rows: Agreement with the reference of each test patient, frame and structure.
    """

    arm: Arm
    described: Mapping[str, Any]
    rows: Sequence[OverlapRow] = field(repr=False)

    @cached_property
    def by_patient(self) -> dict[str, float]:
        """Mean Dice over frames and structures."""
        found: dict[str, list[float]] = defaultdict(list)
        for row in self.rows:
            found[row.study].append(row.dice)
        return {name: mean_of_known(values) for name, values in sorted(found.items())}

    @property
    def dice(self) -> float:
        """Mean over the patients."""
        return mean_of_known(self.by_patient.values())

    @property
    def minutes(self) -> float:
        """Of the trainings that the segmenter comes from."""
        return float(self.described["training_seconds"]) / 60

    def of_structures(self) -> dict[str, float]:
        """Mean Dice over volumes, by structure."""
        found: dict[str, list[float]] = defaultdict(list)
        for row in self.rows:
            found[row.structure].append(row.dice)
        return {name: mean_of_known(values) for name, values in found.items()}

    @property
    def hd95_mm(self) -> float:
        """Mean over the structures of all volumes that were met at all; see ``missed``."""
        return mean_of_known(row.figures["hd95_mm"] for row in self.rows if row.dice > 0)

    @property
    def missed(self) -> int:
        """Structures of volumes with a Dice of 0: nothing was found, or all of it elsewhere."""
        return sum(row.dice == 0 for row in self.rows)

    def row(self) -> ArmRow:
        """Its line of the CSV."""
        given, arm = self.described, self.arm
        return ArmRow(
            arm=str(arm), loop=arm.loop, start=arm.start, labelled=arm.labelled, draw=arm.draw,
            seed=arm.seed, variant=arm.variant, steps=given["steps"],
            batch_size=given["batch_size"], patients=len(self.by_patient), dice=self.dice,
            sd=float(np.std(list(self.by_patient.values()), ddof=1)), hd95_mm=self.hd95_mm,
            missed=self.missed, training_minutes=self.minutes,
            all_minutes=given["all_seconds"] / 60, device=given["device"],
            changes=" ".join(given["changes"]), of_structure=self.of_structures(),
        )  # fmt: skip


def results(output: Path) -> list[Result]:
    """What the arms of a folder left, in the order of loops and variants."""
    found = []
    for file in sorted((output / "arms").glob("*/arm.json")):
        described = json.loads(file.read_text(encoding="utf-8"))
        rows = read_rows(file.parent / "overlap.csv", OverlapRow)
        found.append(Result(Arm.of(described["arm"]), described, rows))
    return sorted(found, key=lambda one: _order(one.arm))


def _order(arm: Arm) -> tuple[Any, ...]:
    variants = (DEFAULT, *VARIANTS)
    places = list(LOOPS).index(arm.loop), variants.index(arm.variant)
    return (arm.labelled, arm.draw, *places, arm.start != "scratch", arm.start, arm.seed)


def write_tables(output: Path, markdown: Path | None, command: str) -> list[Result]:
    """Write ``table.csv`` below ``output``, and the Markdown where a file is named."""
    found = results(output)
    write_rows(output / "table.csv", ArmRow, [one.row() for one in found])
    if markdown:
        write_text(markdown, page(found, FOLDERS.sub("", command)))
    return found


class Group:
    """One arm with all of its seeds.

    Args:
        results: Of one loop, start, number of labels, draw and variant.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = results
        self.arm = results[0].arm

    @property
    def by_seed(self) -> NDArray[np.float64]:
        """Mean Dice by patient and seed, ``[P, S]``."""
        return np.array([list(one.by_patient.values()) for one in self.results]).T

    @property
    def dice(self) -> float:
        """Mean over patients and seeds."""
        return float(self.by_seed.mean())

    def mean(self, figure: str) -> float:
        """Mean of an attribute of the results over the seeds."""
        return mean_of_known(getattr(one, figure) for one in self.results)

    def less(self, other: "Group") -> str:
        """How much better it is than another arm, with the interval."""
        low, high = bootstrap_difference(self.by_seed, other.by_seed)
        return f"{self.dice - other.dice:+.3f} ({low:+.3f} to {high:+.3f})"


def groups(found: Iterable[Result]) -> list[Group]:
    """Results by arm, the seeds of each together."""
    alike: dict[Any, list[Result]] = defaultdict(list)
    for one in found:
        arm = one.arm
        alike[arm.loop, arm.start, arm.labelled, arm.draw, arm.variant].append(one)
    return [Group(results) for results in alike.values()]


def page(found: Sequence[Result], command: str) -> str:
    """All tables in Markdown: one for each draw of labelled patients, and the ablation."""
    parts = ["# Few labels on ACDC's standard split", _preamble(found, command)]
    of_draw: dict[tuple[int, int], list[Group]] = defaultdict(list)
    ablations: dict[tuple[int, int], list[Group]] = defaultdict(list)
    for one in groups(found):
        key = one.arm.labelled, one.arm.draw
        if one.arm.variant == DEFAULT:
            of_draw[key].append(one)
        else:
            ablations[key].append(one)
    for key, members in of_draw.items():
        parts += [_title(*key), _table(members, _controls(members)), _standing(members)]
    for key, members in ablations.items():
        controls = {g.arm.start: g for g in of_draw[key] if g.arm.loop == "supervised"}
        parts += [f"{_title(*key)}: one change of the recipe at a time"]
        parts += [_table(members, controls)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _preamble(found: Sequence[Result], command: str) -> str:
    devices = ", ".join(dict.fromkeys(str(one.described["device"]) for one in found))
    return (
        f"Written by `{command}`; not to be edited. Machine: {devices}.\n\n"
        "Three-dimensional Dice of each volume (ED and ES of 20 test patients) in the geometry of"
        " ACDC's own files, mean of the structures; SD over the patients. The weights are those"
        " that the settings choose at the last step, their moving average by default; nothing is"
        " chosen by a test or validation patient. HD95 in mm is the mean over structures that were"
        " met; one whose Dice is 0 is counted as missed instead. Differences are from the"
        " supervised training of the same start, with a 95 % bootstrap interval over patients and,"
        " where there are several, seeds. Minutes are those of the trainings that a segmenter"
        " comes from, one thread each on a processor."
    )


def _title(labelled: int, draw: int) -> str:
    which = "" if draw == 0 else f", draw {draw}"
    return f"## {labelled} labelled patients{which}"


def _controls(members: Sequence[Group]) -> dict[str, Group]:
    """The supervised training of each start."""
    return {one.arm.start: one for one in members if one.arm.loop == "supervised"}


def _table(members: Sequence[Group], controls: Mapping[str, Group]) -> str:
    structures = list(members[0].results[0].of_structures())
    titles = ["Loop", "Start", *(["Change"] if members[0].arm.variant != DEFAULT else [])]
    titles += ["Steps", "Seeds", "Dice (SD)", *structures, "HD95 (mm)", "Missed"]
    titles += ["From supervised" if members[0].arm.variant == DEFAULT else "From default"]
    rows = [_cells(one, controls.get(one.arm.start)) for one in members]
    lines = [[*titles, "Minutes"], ["---"] * (len(titles) + 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(one: Group, control: Group | None) -> list[str]:
    arm = one.arm
    by_patient = one.by_seed.mean(axis=1)
    seeds = one.by_seed.mean(axis=0)
    of_structures = [result.of_structures() for result in one.results]
    spread_of_seeds = f" ({', '.join(f'{dice:.3f}' for dice in seeds)})" if len(seeds) > 1 else ""
    return [
        arm.loop,
        Path(arm.start).stem,
        *([arm.variant] if arm.variant != DEFAULT else []),
        ", ".join(dict.fromkeys(str(r.described["steps"]) for r in one.results)),
        f"{len(one.results)}{spread_of_seeds}",
        f"{one.dice:.3f} ({by_patient.std(ddof=1):.3f})",
        *(f"{np.mean([s[name] for s in of_structures]):.3f}" for name in of_structures[0]),
        f"{one.mean('hd95_mm'):.1f}",
        f"{one.mean('missed'):.3g}",
        "" if control is None or control is one else one.less(control),
        f"{one.mean('minutes'):.1f}",
    ]


def _standing(members: Sequence[Group]) -> str:
    """Where the best of a table stands against what was published; empty for other patients."""
    best = max(members, key=lambda one: one.dice)
    arm = best.arm
    published = {name: of[arm.labelled] for name, of in PUBLISHED.items() if arm.labelled in of}
    if arm.draw or not published:
        return ""
    against = "; ".join(f"{name} {n:.3f}: {best.dice - n:+.3f}" for name, n in published.items())
    return (
        f"Best here: {arm.loop} from {Path(arm.start).stem}, {best.dice:.3f} after"
        f" {best.mean('minutes'):.0f}"
        f" minutes. Difference from what is published: {against}. To be the best of"
        f" {len(members)} on the test patients is a choice by them, which makes it look a little"
        " better than it is."
    )

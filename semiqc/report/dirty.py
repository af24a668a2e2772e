"""How many of the spoilt studies of a dirty pool each gate admitted, by kind.

A gate that keeps rubbish out admits none of those whose segmentation is worthless. Some kinds
leave an image that can be segmented well, such as lost slices: what such a study is worth, its
true Dice says.
"""

from collections.abc import Sequence

from semiqc.files.tables import JudgementRow
from semiqc.measuring.means import mean_of_known
from semiqc.pages.table import Cell, Table, count, number, text
from semiqc.report.data import ReportData
from semiqc.spoiling import SPOILINGS

CLEAN = "clean"
"""Kind of the studies that were not spoilt."""

NOTE = (
    "Studies that each scenario admitted, in its last round, as a mean over seeds. Dice: mean"
    " true Dice of all judged segmentations of the kind in the first round, where the data set"
    " holds a reference; where nothing of the organ is left it is 0 if any is segmented, and"
    " unknown if none is. Spoilt studies and their kinds are listed in results/dirty.csv."
)


def dirty_tables(data: ReportData) -> list[Table]:
    """Admitted studies of each kind of spoiling, and of clean ones.

    Returns:
        One table with a row for each kind and one for the clean studies; none where no study was
        spoilt.
    """
    if not data.dirty:
        return []
    gates = [key for key, _ in data.scenarios if any(r.scenario == key for r in data.judgements)]
    kind_of = {row.study: row.kind for row in data.dirty}
    pool = [row.study for row in data.split if row.role == "unlabelled"]
    kinds = sorted(set(kind_of.values()), key=[*SPOILINGS].index)
    rows = [
        _row(data, kind, [s for s in pool if kind_of.get(s, CLEAN) == kind], gates)
        for kind in (CLEAN, *kinds)
    ]
    columns = [
        text("title", "Kind"),
        count("studies", "Studies"),
        number("dice", "Dice", 3),
        *(number(f"admitted {key}", data.scenario_title(key), 1) for key in gates),
    ]
    title = "Admitted studies of the dirty pool"
    return [Table("dirty", title, rows, columns, NOTE, "", section="control")]


def _row(
    data: ReportData, kind: str, studies: Sequence[str], gates: Sequence[str]
) -> dict[str, Cell]:
    """The row of one kind, with these of the unlabelled studies."""
    known = set(studies)
    judged = [row for row in data.judgements if row.study in known]
    return {
        "kind": kind,
        "title": SPOILINGS[kind].title if kind in SPOILINGS else kind,
        "studies": len(known),
        "dice": mean_of_known(row.true_dice for row in judged if row.round == 1),
        **{f"admitted {key}": _admitted(data, judged, key) for key in gates},
    }


def _admitted(data: ReportData, judged: Sequence[JudgementRow], scenario: str) -> float:
    """How many of the judged studies a scenario admitted in its last round; mean over seeds."""
    last: dict[int, int] = {}
    for row in data.judgements:
        if row.scenario == scenario:
            last[row.seed] = max(row.round, last.get(row.seed, row.round))
    admitted = sum(
        bool(row.admitted)
        for row in judged
        if row.scenario == scenario and row.round == last[row.seed]
    )
    return admitted / len(last)

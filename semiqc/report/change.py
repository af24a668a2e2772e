"""How each study's Dice changed against the baseline: do only easy studies gain?"""

import math
from collections.abc import Sequence

from semiqc.measuring.statistics import spearman, summarise
from semiqc.pages.table import Cell, Table, count, mean_sd, number, p_value, text
from semiqc.report.data import ReportData

COLUMNS = (
    text("title", "Scenario"),
    count("n", "Studies"),
    count("improved", "Improved"),
    mean_sd("hard", "Harder half", 3),
    mean_sd("easy", "Easier half", 3),
    number("oldham", "Correlation with difficulty", 2, signed=True),
    p_value("oldham p", "p"),
)

NOTE = (
    "Halves by the Dice of the baseline. The harder half seems to gain more even where all studies"
    " gain alike, because a study with a low Dice by chance has a higher one the next time"
    " (regression to the mean). The correlation is Spearman's of the change with the mean of both"
    " Dice (Oldham, Journal of Chronic Diseases 1962). Regression to the mean does not affect it"
    " as long as both scenarios vary alike. Above zero: easy studies gained more."
)


def change_table(data: ReportData) -> Table:
    """Change of Dice per study against the baseline.

    Reference:
        Ruijsink, Puyol-Antón et al., STACOM 2020, Figure 2.
        Oldham, "A note on the analysis of repeated measurements of the same subjects", Journal of
        Chronic Diseases 1962. https://doi.org/10.1016/0021-9681(62)90116-9

    Returns:
        A row for each scenario but the baseline; columns are the number of studies, how many
        improved, the mean change of the harder and the easier half, and the correlation of
        change and difficulty.
    """
    baseline = data.scenario_title(data.baseline_scenario)
    rows: list[dict[str, Cell]] = []
    for key, title in data.scenarios:
        pairs = _pairs(data, key)
        if key != data.baseline_scenario and pairs:
            rows.append({"scenario": key, "title": title, **_change(pairs)})
    return Table(
        "change",
        f"Change of Dice per study against {baseline}",
        rows,
        COLUMNS,
        NOTE,
        f"No test study has a result of {baseline} and of another scenario.",
        "change",
    )


def _pairs(data: ReportData, key: str) -> list[tuple[float, float]]:
    """Dice of the baseline and of a scenario for each study that has both, the hardest first.

    Both are means over the study's frames, structures and seeds. Ties are ordered by the second,
    so that the halves are the same in every run.
    """
    baseline = data.overlap_of(data.baseline_scenario)
    return sorted(
        (baseline[study], value)
        for study, value in data.overlap_of(key).items()
        if study in baseline and math.isfinite(value) and math.isfinite(baseline[study])
    )


def _change(pairs: Sequence[tuple[float, float]]) -> dict[str, Cell]:
    """Figures of how studies changed, out of Dice before and after, the hardest first."""
    changes = [after - before for before, after in pairs]
    middle = len(pairs) // 2
    hard, easy = summarise(changes[:middle]), summarise(changes[len(pairs) - middle :])
    # Against the mean of both, as Oldham has it: noise of the baseline stands in the change
    # with the opposite sign, and would tilt any plot against the baseline downwards.
    tilt = spearman([(before + after) / 2 for before, after in pairs], changes)
    return {
        "n": len(pairs),
        "improved": sum(change > 0 for change in changes),
        "hard mean": hard.mean,
        "hard sd": hard.sd,
        "easy mean": easy.mean,
        "easy sd": easy.sd,
        "oldham": tilt.coefficient,
        "oldham p": tilt.p,
    }

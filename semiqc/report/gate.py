"""What the gates admitted and rejected, beside its true quality.

The true Dice is known where the data set holds references of studies that the run used as
unlabelled. It is read after the run and is NaN elsewhere; such studies are counted but are in no
mean.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from semiqc.files.tables import JudgementRow
from semiqc.measuring.statistics import separation_p, spearman, summarise
from semiqc.pages.table import Cell, Column, Table, count, mean_sd, number, p_value, text
from semiqc.report.data import ReportData

ADMITTED_DICE = mean_sd("admitted dice", "Dice of admitted", 3)
RANKING = number("spearman", "ρ", 2, signed=True)  # noqa: RUF001
OF_CHOICE = (
    number("best possible", "Best possible", 3),
    number("regret", "Regret", 3),
    number("share of possible", "Share reached", 2, signed=True),
)
"""Columns that compare a choice with the best possible one."""

GATE_NOTE = (
    "Measured after the run, on the unlabelled studies whose reference the data set holds (known);"
    " no decision used it. p: Mann-Whitney, admitted against rejected. Best possible: mean Dice of"
    " as many studies if those with the highest true Dice are taken. Regret: best possible less"
    " the Dice of admitted. Share reached: 0 for a random choice, 1 for the best possible; below 0"
    " is worse than random. Changed: studies whose segmentation was repaired, or replaced by a"
    " better one. ρ: Spearman's of score and true Dice over all judged"  # noqa: RUF001
    " studies."
)

ESTIMATORS_NOTE = (
    "True Dice of as many studies as a gate admitted, taken by each estimator's score; columns as"
    " above. Known: studies with a reference that the estimator could judge. estimators.csv lists"
    " the chosen studies."
)


def gate_table(data: ReportData) -> Table:
    """True Dice of what each gate admitted and rejected, and of the best possible choice.

    Returns:
        A row for each scenario with a gate, round and seed.
    """
    rounds: dict[tuple[str, int, int], list[JudgementRow]] = {}
    for row in data.judgements:
        rounds.setdefault((row.scenario, row.round, row.seed), []).append(row)
    order = {key: rank for rank, (key, _) in enumerate(data.scenarios)}
    rows = [
        _gate_row(data, key, rounds[key])
        for key in sorted(rounds, key=lambda key: (order.get(key[0], len(order)), *key))
    ]
    missing = "No scenario has a gate, or nothing was judged."
    title = "True quality of what the gates admitted"
    return Table("gate", title, rows, _gate_columns(rows), GATE_NOTE, missing, "control")


def _gate_row(
    data: ReportData, key: tuple[str, int, int], judged: Sequence[JudgementRow]
) -> dict[str, Cell]:
    """The row of one scenario, round and seed.

    Args:
        data: For the scenario's title.
        key: Scenario, round from 1, seed.
        judged: All rows of the three; empty never.
    """
    scenario, number_of_round, seed = key
    return {
        "scenario": scenario,
        "title": data.scenario_title(scenario),
        "round": number_of_round,
        "seed": seed,
        "changed": sum(bool(row.repair) for row in judged),
        **_figures(judged),
        **_spoilt(data, judged),
    }


def _spoilt(data: ReportData, judged: Sequence[JudgementRow]) -> dict[str, Cell]:
    """How many spoilt studies were judged and admitted; nothing where none was spoilt."""
    if not data.dirty:
        return {}
    names = {row.study for row in data.dirty}
    spoilt = [row for row in judged if row.study in names]
    admitted = sum(bool(row.admitted) for row in spoilt)
    return {"spoilt admitted": admitted, "spoilt": len(spoilt)}


def _gate_columns(rows: Sequence[dict[str, Cell]]) -> list[Column]:
    """Rounds and seeds are shown where there are several."""
    several = [
        count(name, title)
        for name, title in (("round", "Round"), ("seed", "Seed"))
        if len({row[name] for row in rows}) > 1
    ]
    return [
        text("title", "Scenario"),
        *several,
        count("admitted", "Admitted"),
        count("left", "Rejected"),
        *([count("changed", "Changed")] if any(row["changed"] for row in rows) else []),
        *_spoilt_columns(rows),
        count("known", "Known"),
        ADMITTED_DICE,
        mean_sd("left dice", "Dice of rejected", 3),
        p_value("p", "p"),
        *OF_CHOICE,
        RANKING,
    ]


def _spoilt_columns(rows: Sequence[dict[str, Cell]]) -> list[Column]:
    """Spoilt studies are counted where there are some."""
    if not any("spoilt" in row for row in rows):
        return []
    return [count("spoilt admitted", "Spoilt admitted"), count("spoilt", "of spoilt")]


def estimators_table(data: ReportData) -> Table:
    """What each estimator would have admitted in the first round.

    As many as the reference scenario's gate, or the first that admits some and rejects others;
    half where none does. Gates judge the same studies, but repaired ones differ: gates without
    repair come first.

    Returns:
        A row for each estimator and seed.
    """
    looked_at = first_judged(data)
    rows = [
        _estimator_row(name, seed, _best(of_one, _admitted(looked_at, seed)))
        for (name, seed), of_one in sorted(by_estimator(looked_at).items())
    ]
    title = "What each estimator would have chosen"
    columns, missing = _estimator_columns(rows), "Nothing was judged."
    return Table("estimators", title, rows, columns, ESTIMATORS_NOTE, missing, "control")


def by_estimator(rows: Sequence[JudgementRow]) -> dict[tuple[str, int], list[JudgementRow]]:
    """Rows by estimator and seed, each with that estimator's score in place of the gate's."""
    found: dict[tuple[str, int], list[JudgementRow]] = {}
    for row in rows:
        for name, score in row.scores.items():
            found.setdefault((name, row.seed), []).append(replace(row, score=score))
    return found


def _estimator_row(name: str, seed: int, chosen: Sequence[JudgementRow]) -> dict[str, Cell]:
    """The row of one estimator, of which the chosen studies are marked as admitted."""
    studies = " ".join(row.study for row in chosen if row.admitted)
    return {"estimator": name, "seed": seed, **_figures(chosen), "studies": studies}


def _estimator_columns(rows: Sequence[dict[str, Cell]]) -> list[Column]:
    """Seeds are shown where there are several."""
    return [
        text("estimator", "Estimator"),
        *([count("seed", "Seed")] if len({row["seed"] for row in rows}) > 1 else []),
        count("known", "Known"),
        count("admitted", "Chosen"),
        RANKING,
        ADMITTED_DICE,
        *OF_CHOICE,
    ]


def first_judged(data: ReportData) -> list[JudgementRow]:
    """The first round's rows of a gate that admits some studies and rejects others, if any.

    Among several: gates without repair first, since their segmentations are as the segmenter made
    them, then the reference scenario's, then by name. Where no gate makes a choice, the first of
    them; where there is no gate, nothing.
    """
    gates: dict[str, list[JudgementRow]] = {}
    for row in data.judgements:
        if row.round == 1:
            gates.setdefault(row.scenario, []).append(row)
    names = sorted(
        gates,
        key=lambda name: (any(row.repair for row in gates[name]), name != data.reference_scenario),
    )
    cutting = [name for name in names if len({row.admitted for row in gates[name]}) == 2]
    return gates[[*cutting, *names][0]] if gates else []


def _admitted(looked_at: Sequence[JudgementRow], seed: int) -> int:
    """How many a gate admitted with a seed; half where it made no choice."""
    of_seed = [row for row in looked_at if row.seed == seed]
    found = sum(bool(row.admitted) for row in of_seed)
    return -(-len(of_seed) // 2) if found in (0, len(of_seed)) else found


def _best(judged: Sequence[JudgementRow], count_admitted: int) -> list[JudgementRow]:
    """The same rows, sorted by score, of which the best ``count_admitted`` are marked as admitted.

    Ties keep the order of the rows.
    """
    ranked = sorted(judged, key=lambda row: -row.score)
    return [replace(row, admitted=n < count_admitted) for n, row in enumerate(ranked)]


def _figures(judged: Sequence[JudgementRow]) -> dict[str, Cell]:
    """The figures of a choice: its size, its true Dice and how that compares with others."""
    admitted = [row.true_dice for row in judged if row.admitted]
    rejected = [row.true_dice for row in judged if not row.admitted]
    known = [row for row in judged if math.isfinite(row.true_dice)]
    of_admitted, of_rejected = summarise(admitted), summarise(rejected)
    rank = spearman([row.score for row in known], [row.true_dice for row in known])
    return {
        "admitted": len(admitted),
        "left": len(rejected),
        "known": len(known),
        "admitted dice mean": of_admitted.mean,
        "admitted dice sd": of_admitted.sd,
        "left dice mean": of_rejected.mean,
        "left dice sd": of_rejected.sd,
        "p": separation_p(admitted, rejected),
        **_against_best(of_admitted.mean, of_admitted.n, [row.true_dice for row in known]),
        "spearman": rank.coefficient,
        "spearman p": rank.p,
    }


def _against_best(admitted: float, n: int, known: Sequence[float]) -> dict[str, Cell]:
    """The mean Dice of ``n`` admitted studies beside that of the ``n`` truly best.

    Returns:
        Mean Dice of the best ``n`` of ``known``; the regret, that less ``admitted``; and the share
        (admitted - mean of known) / (best - mean of known), NaN where all are equally good.
    """
    ranked = sorted(known, reverse=True)
    best, at_random = summarise(ranked[:n]).mean, summarise(ranked).mean
    share = (admitted - at_random) / (best - at_random) if best > at_random else math.nan
    return {"best possible": best, "regret": best - admitted, "share of possible": share}

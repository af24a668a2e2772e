"""What gates admitted and left, beside the true quality of it."""

import math
from collections.abc import Sequence
from dataclasses import replace

from semiqc.files.tables import JudgementRow
from semiqc.measuring.statistics import separation_p, spearman, summarise
from semiqc.pages.table import Cell, Table, count, mean_sd, number, p_value, text
from semiqc.report.data import ReportData


def gate_table(data: ReportData) -> Table:
    """True Dice of what each gate admitted against what it left, and what was to be had."""
    rounds: dict[tuple[str, int, int], list[JudgementRow]] = {}
    for row in data.judgements:
        rounds.setdefault((row.scenario, row.round, row.seed), []).append(row)
    order = {key: rank for rank, (key, _) in enumerate(data.scenarios)}
    rows: list[dict[str, Cell]] = [
        {
            "scenario": scenario,
            "title": data.scenario_title(scenario),
            "round": number_of_round,
            "seed": seed,
            **_figures(judged),
        }
        for (scenario, number_of_round, seed), judged in sorted(
            rounds.items(), key=lambda item: (order.get(item[0][0], len(order)), *item[0])
        )
    ]
    columns = [text("title", "Scenario")]
    for name, title in (("round", "Round"), ("seed", "Seed")):
        if len({row[name] for row in rows}) > 1:
            columns.append(count(name, title))
    columns += [
        count("admitted", "Admitted"),
        count("left", "Left"),
        count("known", "Known"),
        mean_sd("admitted dice", "Their Dice", 3),
        mean_sd("left dice", "Dice of left", 3),
        p_value("p", "p"),
        number("best possible", "Best possible", 3),
        number("regret", "Regret", 3),
        number("share of possible", "Share reached", 2, signed=True),
        number("spearman", "ρ", 2, signed=True),  # noqa: RUF001
    ]
    return Table(
        "gate",
        "True quality of what the gates admitted",
        rows,
        columns,
        "Measured after everything else, on the unlabelled studies whose reference the data set"
        " holds (known); it decided nothing. p: Mann-Whitney, admitted against left. Best"
        " possible: mean Dice if the truly best had been taken, as many as were admitted. Regret:"
        " how much better that is. Share reached: 0 for taking at random, 1 for the best possible;"
        " below 0 is worse than chance. ρ: Spearman's of score and true Dice over all judged"  # noqa: RUF001
        " studies.",
        "No scenario has a gate, or nothing was judged.",
    )


def estimators_table(data: ReportData) -> Table:
    """What each estimator would have admitted in the first round.

    As many as the reference scenario's gate, or the first that admits some and leaves others;
    half where none does. Gates judge the same, but for what is repaired: those without repair
    come first.
    """
    judged: dict[tuple[str, int], list[JudgementRow]] = {}
    looked_at = _looked_at(data)
    for row in looked_at:
        for name, score in row.scores.items():
            judged.setdefault((name, row.seed), []).append(replace(row, score=score))
    rows: list[dict[str, Cell]] = [
        {
            "estimator": name,
            "seed": seed,
            **_figures(chosen := _best(of_one, _admitted(looked_at, seed))),
            "studies": " ".join(row.study for row in chosen if row.admitted),
        }
        for (name, seed), of_one in sorted(judged.items())
    ]
    columns = [text("estimator", "Estimator")]
    if len({row["seed"] for row in rows}) > 1:
        columns.append(count("seed", "Seed"))
    columns += [
        count("known", "Known"),
        count("admitted", "Chosen"),
        number("spearman", "ρ", 2, signed=True),  # noqa: RUF001
        mean_sd("admitted dice", "Their Dice", 3),
        number("best possible", "Best possible", 3),
        number("regret", "Regret", 3),
        number("share of possible", "Share reached", 2, signed=True),
    ]
    return Table(
        "estimators",
        "What each estimator would have chosen",
        rows,
        columns,
        "True Dice of as many studies as a gate admitted, the best by each estimator's score;"
        " columns as above. Known: of those that it could judge. Their names stand in"
        " estimators.csv.",
        "Nothing was judged.",
    )


def _looked_at(data: ReportData) -> list[JudgementRow]:
    """The first round's rows of a gate that admits some studies and leaves others, if one does."""
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
    """The same rows, of which the best by their scores are admitted."""
    ranked = sorted(judged, key=lambda row: -row.score)
    return [replace(row, admitted=n < count_admitted) for n, row in enumerate(ranked)]


def _figures(judged: Sequence[JudgementRow]) -> dict[str, Cell]:
    admitted = [row for row in judged if row.admitted]
    left = [row for row in judged if not row.admitted]
    known = [row for row in judged if math.isfinite(row.true_dice)]
    of_admitted = summarise(row.true_dice for row in admitted)
    of_left = summarise(row.true_dice for row in left)
    ranked = sorted((row.true_dice for row in known), reverse=True)
    best = summarise(ranked[: of_admitted.n]).mean
    by_chance = summarise(ranked).mean
    rank = spearman([row.score for row in known], [row.true_dice for row in known])
    return {
        "admitted": len(admitted),
        "left": len(left),
        "known": len(known),
        "admitted dice mean": of_admitted.mean,
        "admitted dice sd": of_admitted.sd,
        "left dice mean": of_left.mean,
        "left dice sd": of_left.sd,
        "p": separation_p([r.true_dice for r in admitted], [r.true_dice for r in left]),
        "best possible": best,
        "regret": best - of_admitted.mean,
        "share of possible": (
            (of_admitted.mean - by_chance) / (best - by_chance) if best > by_chance else math.nan
        ),
        "spearman": rank.coefficient,
        "spearman p": rank.p,
    }

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest
from report_builders import (
    SCENARIOS,
    built_report,
    empty_report,
    figures,
    full_report,
    judgement_rows,
    overlay,
    rings,
)

from semiqc.files.tables import (
    ClinicalRow,
    CurveRow,
    JudgementRow,
    OverlapRow,
    SplitRow,
    TrainingRow,
)
from semiqc.report import CANDIDATES, MANUAL, build_report, findings, summary_tables
from semiqc.report.clinical import corrections_table
from semiqc.report.gate import estimators_table
from semiqc.schemes import (
    AORTA,
    SHORT_AXIS,
    UNLABELLED,
    LabelScheme,
    Structure,
)

NAN, INFINITE = float("nan"), float("inf")
EVIL = "</pre><script>alert('$x$')</script>&\u5fc3"


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page_of(data, folder):
    build_report(data, folder / "report.html")
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def table_of(data, name):
    return next(table for table in summary_tables(data) if table.name == name)


@pytest.fixture(scope="module")
def full_page(tmp_path_factory):
    return page_of(full_report(seeds=2), tmp_path_factory.mktemp("report"))


def test_the_page_needs_nothing_beside_it(full_page):
    links = [v for _, name, v in full_page.attributes if name in {"src", "href"}]
    assert links
    assert all(link.startswith(("data:image/", "#")) for link in links)
    assert full_page.tags.count("script") == 1
    assert "link" not in full_page.tags


def test_every_link_within_the_page_arrives(full_page):
    identities = {value for _, name, value in full_page.attributes if name == "id"}
    targets = {v[1:] for _, name, v in full_page.attributes if name == "href"}
    assert targets <= identities


def test_every_image_says_what_it_shows(full_page):
    images = full_page.tags.count("img")
    said = [value for tag, name, value in full_page.attributes if (tag, name) == ("img", "alt")]
    assert images == len(said) > 20
    assert all(said)


def test_the_page_shows_every_part_of_a_run(full_page):
    for words in (
        "semiQCSeg",
        "Manual segmentation",
        "candidate000",
        "phantom worst",
        "validation dice",
        "patient007: image holds NaN",
        "seeds: [0]",
        "curve, seed 0",
    ):
        assert words in full_page.text


def test_the_same_results_give_the_same_file(tmp_path):
    for name in ("first.html", "second.html"):
        data = replace(full_report(studies=4), scenarios=SCENARIOS[3:])
        build_report(data, tmp_path / name)
    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "second.html").read_bytes()


def test_names_from_outside_are_text_and_never_markup(tmp_path):
    evil = LabelScheme("evil", ("none", EVIL), (Structure(EVIL, (1,)),))
    data = replace(
        empty_report(title=EVIL, settings=EVIL, left_out=[EVIL], environment={EVIL: EVIL}),
        scheme=evil,
        scenarios=[*SCENARIOS, (EVIL, EVIL)],
        split=[SplitRow(EVIL, EVIL, EVIL, EVIL)],
        overlap=[
            OverlapRow(0, key, EVIL + str(n), EVIL, 0, EVIL, figures(0.1 * n, 0.5, 3.0))
            for key in (EVIL, "few", "semiqc")
            for n in range(5)
        ],
        clinical=[ClinicalRow(0, key, EVIL, "", EVIL, EVIL, EVIL, 1.0) for key in (EVIL, MANUAL)],
        curves=[CurveRow(0, CANDIDATES, EVIL, EVIL, 0, 1.0, EVIL)],
        judgements=[JudgementRow(0, "semiqc", 1, EVIL, "", EVIL, 0.5, True, True, EVIL, 0.5)],
        training=[TrainingRow(EVIL, 1, EVIL, 0.5)],
        overlays=[replace(overlay(EVIL, "best"), study=EVIL, predicted=rings(40.0, 40.0) // 2)],
        estimator_figures={EVIL: {EVIL: 0.5}},
    )
    page = page_of(data, tmp_path)
    assert page.tags.count("script") == 1
    assert page.text.count("alert('$x$')") > 10


def test_a_run_without_anything_says_what_is_missing(tmp_path):
    page = page_of(empty_report(), tmp_path)
    assert "img" not in page.tags
    for words in (
        "No test study has a reference",
        "No clinical measure",
        "No scenario has a gate",
        "No training was recorded",
        "No test study could be shown",
    ):
        assert words in page.text


def broken_runs():
    full = replace(full_report(studies=5), scenarios=SCENARIOS[1::3])
    for value in (NAN, INFINITE):
        yield (
            f"every number {value}",
            replace(
                full,
                overlap=[
                    replace(row, figures=figures(value, value, value)) for row in full.overlap
                ],
                clinical=[replace(row, value=value) for row in full.clinical],
                curves=[replace(row, value=value) for row in full.curves],
                judgements=[replace(row, score=value, true_dice=value) for row in full.judgements],
                training=[replace(row, value=value) for row in full.training],
                overlays=[
                    replace(one, dice=value, image=one.image * value) for one in full.overlays
                ],
                estimator_figures={"curve": {"auc": value}},
            ),
        )
    for studies in (1, 2):
        yield f"{studies} test studies", replace(full_report(studies), scenarios=full.scenarios)
    yield (
        "every Dice alike",
        replace(
            full, overlap=[replace(r, figures=r.figures | {"dice": 0.5}) for r in full.overlap]
        ),
    )
    yield (
        "no RV",
        replace(
            full,
            overlap=[row for row in full.overlap if row.structure != "RV"],
            clinical=[row for row in full.clinical if row.structure != "RV"],
        ),
    )
    yield "the reference scenario alone", replace(full, scenarios=SCENARIOS[4:])
    yield "no reference scenario", replace(full, scenarios=SCENARIOS[:2])
    yield (
        "nothing admitted",
        replace(full, judgements=[replace(row, admitted=False) for row in full.judgements]),
    )
    yield (
        "no truth about the judged",
        replace(full, judgements=[replace(row, true_dice=NAN) for row in full.judgements]),
    )
    yield (
        "no manual measures",
        replace(full, clinical=[row for row in full.clinical if row.scenario != MANUAL]),
    )


@pytest.mark.parametrize(
    ("name", "data"), [pytest.param(*run, id=run[0]) for run in broken_runs()]
)
def test_a_run_that_lacks_something_still_has_a_report(name, data, tmp_path):
    page = page_of(data, tmp_path)
    assert "The run" in page.text
    assert not re.search(r"\b(nan|inf)\b", page.text)


def test_a_study_of_areas_alone_has_its_curves_and_measures(tmp_path):
    data = full_report(studies=4, scheme=AORTA)
    data = replace(
        data,
        curves=[replace(r, structure="aorta", unit="mm2") for r in data.curves],
        clinical=[
            ClinicalRow(0, key, f"s{n}", "", "aorta", "largest", "mm2", 700.0 + n)
            for key in (MANUAL, "few", "semiqc")
            for n in range(3)
        ],
        overlays=[
            replace(one, predicted=one.predicted // 3, reference=one.reference // 3)
            for one in data.overlays
        ],
    )
    page = page_of(data, tmp_path)
    assert "aorta largest (mm2)" in page.text
    assert "All structures" not in page.text


def test_the_dice_table_averages_frames_and_seeds_within_a_study_first():
    def row(seed, study, frame, structure, dice):
        return OverlapRow(seed, "semiqc", study, "", frame, structure, figures(dice, 0.5, 1.0))

    data = empty_report(
        overlap=[
            row(0, "a", 0, "LV", 0.9),
            row(0, "a", 1, "LV", 0.7),
            row(1, "a", 0, "LV", 0.6),
            row(0, "a", 0, "RV", NAN),
            row(0, "b", 0, "LV", 0.5),
            row(0, "b", 0, "RV", 0.3),
        ]
    )
    (found,) = table_of(data, "dice").rows
    assert found["LV mean"] == pytest.approx((0.7 + 0.5) / 2)
    assert found["RV n"] == 1
    # Study a: .8 in seed 0 and .6 in seed 1; study b: the mean of its two structures.
    assert found["all structures mean"] == pytest.approx((0.7 + 0.4) / 2)


def test_scenarios_are_starred_and_corrected_against_the_reference_scenario():
    data = full_report()
    cells = {row[0]: row for row in table_of(data, "dice").body}
    assert cells["Few labels"][2].endswith("*")
    assert not cells["semiQCSeg"][2].endswith("*")
    rows = table_of(data, "comparison").rows
    assert {row["scenario"] for row in rows} == {"full", "few", "random", "crf"}
    few = next(row for row in rows if (row["scenario"], row["structure"]) == ("few", "LV"))
    assert few["difference low"] < few["difference"] < few["difference high"]
    assert few["t p holm"] > few["t p"]


def test_a_structure_that_was_missed_weighs_in_the_comparison_as_nothing():
    data = full_report()
    missed = [
        replace(r, figures=r.figures | {"dice": 0.0})
        if (r.scenario, r.structure) == ("few", "RV")
        else r
        for r in data.overlap
    ]
    rows = table_of(replace(data, overlap=missed), "comparison").rows
    few = next(row for row in rows if (row["scenario"], row["structure"]) == ("few", "RV"))
    assert few["difference"] > 0.7


def test_errors_are_shown_before_and_after_failed_slices_are_replaced():
    # A third of 15 studies is off, by 8 points before and by 2 after.
    [row] = corrections_table(full_report()).rows

    assert (row["n"], row["changed"], row["slices"]) == (15, 5, 5)
    assert row["before mean"] == pytest.approx(8 / 3)
    assert row["after mean"] == pytest.approx(2 / 3)


def test_each_estimator_is_shown_with_what_it_would_have_chosen():
    # In the built judgements quality falls with the number; so does curve, while cnn rises.
    by_name = {row["estimator"]: row for row in estimators_table(full_report()).rows}

    assert by_name["curve"]["spearman"] > 0 > by_name["cnn"]["spearman"]
    assert by_name["curve"]["admitted dice mean"] > by_name["cnn"]["admitted dice mean"]
    assert by_name["curve"]["admitted"] == by_name["cnn"]["admitted"] == 8


def test_an_estimator_that_could_not_judge_all_chooses_as_many_of_the_others():
    # As where predictions were repaired, of which nobody else has an opinion.
    data = full_report()
    rows = [
        replace(row, repair="temporal", scores={"curve": row.score})
        if row.scenario == "semiqc" and row.admitted
        else row
        for row in data.judgements
    ]
    only_repaired = replace(data, judgements=[r for r in rows if r.scenario == "semiqc"])

    found = {row["estimator"]: row for row in estimators_table(only_repaired).rows}
    assert {name: (row["known"], row["admitted"]) for name, row in found.items()} == {
        "curve": (20, 8),
        "cnn": (12, 8),
    }
    # The control's predictions were not repaired: there all could be judged.
    assert {row["known"] for row in estimators_table(replace(data, judgements=rows)).rows} == {20}


def test_only_what_is_taken_by_chance_is_called_that():
    said = " ".join(findings(full_report()))
    assert said.count("(pseudo-labels chosen at random)") == 2

    said = " ".join(findings(replace(full_report(), at_random=["random"])))
    assert said.count("(pseudo-labels chosen at random)") == 1
    assert "semiQCSeg against Self-training, no QC (pseudo-labels chosen at random)" in said


def test_what_takes_all_studies_is_called_that():
    assert "without a choice" not in " ".join(findings(full_report()))

    said = " ".join(findings(replace(full_report(), at_all=["crf"])))
    assert "CRF (all pseudo-labels, without a choice)" in said


def test_the_gate_table_tells_a_good_choice_from_chance():
    rows = {row["scenario"]: row for row in table_of(full_report(), "gate").rows}
    good, chance = rows["semiqc"], rows["random"]
    assert (good["admitted"], good["left"], good["known"]) == (8, 12, 20)
    assert good["admitted dice mean"] > good["left dice mean"] + 0.1
    assert 0.7 < good["share of possible"] <= 1 > 0.5 > chance["share of possible"]


def test_the_gate_table_counts_what_was_changed_where_something_was():
    data = full_report()
    plain = table_of(data, "gate")
    rows = [
        replace(row, repair="views: all") if row.scenario == "semiqc" and row.score > 0.5 else row
        for row in data.judgements
    ]
    changed = table_of(replace(data, judgements=rows), "gate")

    assert "Changed" not in plain.header
    assert "Changed" in changed.header
    found = {row["scenario"]: row["changed"] for row in changed.rows}
    assert found["random"] == 0
    assert found["semiqc"] == sum(row.repair != "" for row in rows) > 0


def test_every_choice_is_compared_with_chance_study_by_study():
    data = full_report()
    rows = {row["scenario"]: row for row in table_of(data, "choices").rows}
    by_chance, chosen = data.overlap_of("random"), data.overlap_of("semiqc")

    assert set(rows) == {"crf", "semiqc"}
    assert rows["semiqc"]["n"] == 15
    expected = np.mean([chosen[study] - by_chance[study] for study in chosen])
    assert rows["semiqc"]["difference"] == pytest.approx(expected)
    assert rows["semiqc"]["p"] <= rows["semiqc"]["p holm"]
    assert rows["semiqc"]["control"] == data.scenario_title("random")
    found = data.compared("semiqc", "random")
    low, high = found.interval
    assert (rows["semiqc"]["difference low"], rows["semiqc"]["difference high"]) == (low, high)
    assert low < expected < high
    assert (rows["semiqc"]["p"], rows["semiqc"]["wilcoxon p"]) == (found.t_p, found.wilcoxon_p)
    for name in ("p", "wilcoxon p"):
        plain, adjusted = ([row[key] for row in rows.values()] for key in (name, f"{name} holm"))
        assert min(adjusted) == pytest.approx(2 * min(plain))
        assert max(adjusted) == pytest.approx(max(*plain, 2 * min(plain)))


def test_every_table_stands_on_the_page():
    data, (page, _) = full_report(), built_report()

    told = {t.name: t.title if t.rows else t.missing for t in summary_tables(data)}
    assert [name for name, words in told.items() if escape(words) not in page] == []
    empty = [escape(table.title) for table in summary_tables(data) if not table.rows]
    assert empty
    assert not any(title in page for title in empty)


def test_without_a_choice_by_chance_there_is_nothing_to_compare_with():
    data = full_report()

    assert not table_of(replace(data, by_chance={}), "choices").rows


def test_estimators_are_shown_whichever_scenario_judged():
    data = full_report()
    judged = [row for row in data.judgements if row.scenario == "random"]

    assert len(estimators_table(replace(data, judgements=judged)).rows) == 2


def test_the_best_choice_reaches_all_that_was_possible():
    names = [f"s{n}" for n in range(20)]
    rows = [r for r in judgement_rows(names) if r.scenario == "semiqc"]
    best = {r.study for r in sorted(rows, key=lambda r: -r.true_dice)[:5]}
    judged = [replace(r, admitted=r.study in best) for r in rows]
    (found,) = table_of(empty_report(judgements=judged), "gate").rows
    assert found["share of possible"] == pytest.approx(1)


def test_a_clinical_measure_that_failed_is_counted():
    data = full_report(studies=6)
    failed = [
        replace(r, value=NAN)
        if (r.scenario, r.study, r.structure) == ("few", "phantom002", "LV")
        else r
        for r in data.clinical
    ]
    rows = table_of(replace(data, clinical=failed), "agreement").rows
    few = next(
        r for r in rows if (r["scenario"], r["structure"], r["measure"]) == ("few", "LV", "EF")
    )
    assert (few["n"], few["failed"]) == (5, 1)


def test_only_easy_studies_that_gain_give_a_positive_correlation():
    def row(scenario, number, dice):
        return OverlapRow(0, scenario, f"s{number:02d}", "", 0, "LV", figures(dice, 0.5, 1.0))

    overlap = [row("few", n, 0.5 + 0.03 * n) for n in range(10)]
    overlap += [row("semiqc", n, 0.5 + 0.03 * n + 0.01 * (n > 5) * n) for n in range(10)]
    (found,) = table_of(empty_report(overlap=overlap), "change").rows
    assert found["oldham"] > 0.5
    assert found["easy mean"] > found["hard mean"]
    assert found["improved"] == 4


def test_the_findings_name_the_difference_and_the_share_of_the_gap():
    said = " ".join(findings(full_report(seeds=2)))
    assert "Highest mean Dice: Full data set" in said
    assert re.search(r"semiQCSeg against Few labels .*: \+0\.0[67]\d Dice, 95 % interval", said)
    assert re.search(r"semiQCSeg closed (4|5)\d %", said)
    assert "Limits: 15 test studies can show large differences only" in said


def test_the_findings_do_not_call_noise_a_difference():
    data = full_report(studies=6)
    generator = np.random.default_rng(0)
    noise = [
        replace(r, figures=r.figures | {"dice": float(generator.uniform(0.6, 0.9))})
        for r in data.overlap
    ]
    data = replace(data, overlap=noise)
    assert "*" not in str(table_of(data, "dice").body)
    said = " ".join(findings(data))
    assert "The interval holds zero" in said
    assert "these studies do not show that this difference is more than chance" in said
    assert "is not clearly above zero" in said
    assert "Better" not in said


def test_a_scenario_that_is_worse_is_called_worse():
    data = replace(full_report(), reference_scenario="few", baseline_scenario="random")
    assert "Worse: the interval lies below zero" in " ".join(findings(data))


def test_tables_keep_every_digit_for_their_file():
    table = table_of(full_report(), "dice")
    header, first, *_ = table.csv_text().splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True))
    assert float(cells["LV mean"]) == table.rows[0]["LV mean"]
    assert table_of(empty_report(), "dice").csv_text() == ""


def test_every_table_has_as_many_cells_as_titles():
    for table in summary_tables(full_report(seeds=2)):
        assert table.rows, table.name
        assert {len(row) for row in table.body} == {len(table.header)}


def test_an_overlay_without_any_label_is_shown_whole(tmp_path):
    nothing = np.full((40, 52), UNLABELLED, dtype=np.int8)
    blank = replace(
        overlay("few", "worst"),
        image=np.zeros((40, 52), dtype=np.float32),
        predicted=np.zeros((40, 52), dtype=np.int8),
        reference=nothing,
        dice=NAN,
    )
    page = page_of(empty_report(overlays=[blank], scheme=SHORT_AXIS), tmp_path)
    assert page.tags.count("img") == 1


def test_a_report_that_fails_leaves_the_one_before(tmp_path):
    build_report(empty_report(), tmp_path / "report.html")
    before = (tmp_path / "report.html").read_bytes()
    shapeless = replace(overlay("few", "best"), image=np.zeros(3, dtype=np.float32))
    with pytest.raises((IndexError, ValueError)):
        build_report(empty_report(overlays=[shapeless]), tmp_path / "report.html")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_bytes() == before


def test_each_clinical_measure_has_a_bland_altman_plot_and_its_studies_a_table():
    data, (page, tables) = full_report(), built_report()

    rows = tables["agreement_studies"].rows
    assert all(r["difference"] == r["automatic"] - r["manual"] for r in rows)
    assert {row["scenario"] for row in rows} <= {key for key, _ in data.scenarios}
    assert "Bland-Altman plot of LV EF of" in page
    assert re.search(r"Bias [+\u2212][0-9.]+ %, limits of agreement", page)

"""The first screen of the report: the answer, the forest plot, what to look at and what to do."""

import base64
import hashlib
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from report_builders import SCENARIOS, empty_report, full_report, rings

from semiqc.files.tables import SpoiltRow
from semiqc.report import CANDIDATES, MANUAL, answers, build_report, study_pages
from semiqc.report.answer import HELPED, HURT, NO, NOT_SHOWN, TOO_FEW, UNKNOWN, YES
from semiqc.report.forest import forest
from semiqc.report.hearts import chosen_studies
from semiqc.report.next_steps import next_steps
from semiqc.report.paired import LEAST_SUBJECTS, compare
from semiqc.report.side_by_side import side_by_side
from semiqc.report.study_pages import how_chosen, study_parts
from semiqc.report.telling_apart import told_apart
from semiqc.report.views import StudyViews
from semiqc.report.worth_looking import worth_looking


def noisy(data):
    """The same run with Dice that say nothing."""
    generator = np.random.default_rng(0)
    rows = [
        replace(r, figures=r.figures | {"dice": float(generator.uniform(0.6, 0.9))})
        for r in data.overlap
    ]
    return replace(data, overlap=rows)


def views(study, *names):
    """Two frames of three slices, and a film of four frames."""
    image = np.tile(np.arange(104, dtype=np.uint8), (2, 3, 96, 1))
    labels = np.broadcast_to(rings(48.0, 50.0), image.shape).astype(np.int8)
    film = np.repeat(image[:1, 0], 4, axis=0)
    drawn = {name: labels for name in names}
    films = {name: labels[:1, 0].repeat(4, axis=0) for name in names}
    return StudyViews(study, (0, 9), (1, 2, 3), image, drawn, 2, film, films)


def words(data):
    return [one.word for one in answers(data)]


def test_the_answer_names_comparison_difference_interval_and_how_many_are_better():
    helped, unlabelled = answers(full_report())

    assert helped.word == unlabelled.word == HELPED
    assert "semiQCSeg against Self-training, no QC" in helped.compared
    assert "by chance" in helped.compared
    assert "semiQCSeg against Few labels" in unlabelled.compared
    assert re.fullmatch(
        r"\+0\.0[67]\d Dice, 95 % interval 0\.0\d\d to 0\.0\d\d; 1[45] of 15 test studies better",
        unlabelled.figures,
    )


def test_the_answer_claims_no_more_than_the_interval():
    assert words(noisy(full_report())) == [NOT_SHOWN, NOT_SHOWN]
    worse = replace(full_report(), reference_scenario="few", baseline_scenario="random")
    assert words(worse)[1] == HURT
    assert words(empty_report()) == [UNKNOWN, UNKNOWN]
    alone = replace(full_report(), by_chance={}, at_random=[])
    assert words(alone) == [UNKNOWN, HELPED]


def apart(**changes):
    """The answer where each judgement of the run is changed."""
    data = full_report()
    rows = [replace(row, **{k: of(row) for k, of in changes.items()}) for row in data.judgements]
    return told_apart(replace(data, judgements=rows))


def test_whether_good_is_told_from_bad_is_asked_of_the_references():
    found = apart()

    assert found.word == YES
    assert re.fullmatch(
        r"true Dice 0\.7\d\d of the admitted, 0\.5\d\d of the rejected", found.figures
    )
    assert re.search(r" \d\d % of the way from a random choice to the best", found.compared)
    assert apart(admitted=lambda row: not row.admitted).word == NO
    by_name = apart(true_dice=lambda row: int(row.study[-3:]) * 7 % 20 / 20)
    assert by_name.word == NOT_SHOWN
    assert apart(true_dice=lambda row: 0.5).word == NOT_SHOWN
    assert apart(true_dice=lambda row: math.nan).word == UNKNOWN
    assert apart(admitted=lambda row: True).word == UNKNOWN
    assert "has no gate" in told_apart(empty_report()).meaning


def test_whether_good_is_told_from_bad_is_not_inferred_from_a_handful():
    rows = [row for row in full_report().judgements if row.scenario == "semiqc"]
    few = {
        row.study for side in (True, False) for row in [r for r in rows if r.admitted == side][:2]
    }

    found = apart(true_dice=lambda row: row.true_dice if row.study in few else math.nan)

    assert len(few) == 4
    assert found.word == TOO_FEW


@pytest.mark.parametrize("studies", range(1, LEAST_SUBJECTS))
def test_nothing_is_inferred_from_a_handful_of_studies(studies):
    values = {str(n): 0.9 - 0.01 * n for n in range(studies)}
    found = compare(
        values, {name: value - 0.1 - 0.01 * int(name) for name, value in values.items()}
    )

    assert found.mean_difference > 0.09
    assert np.isnan([*found.interval, found.t_p, found.wilcoxon_p]).all()
    assert set(words(full_report(studies))) <= {TOO_FEW, UNKNOWN}


def test_many_studies_of_a_few_subjects_are_a_handful():
    data = full_report()
    of_three = [replace(row, subject=f"subject {n % 3}") for n, row in enumerate(data.split)]

    assert words(replace(data, split=of_three)) == [TOO_FEW, TOO_FEW]


def test_the_forest_has_every_scenario_and_its_studies_within_the_axis():
    found = forest(full_report())

    assert found.baseline == "Few labels"
    assert [row.title for row in found.rows] == [title for key, title in SCENARIOS if key != "few"]
    semiqc = found.rows[-1]
    assert semiqc.is_reference
    assert semiqc.ends[0] < semiqc.place < semiqc.ends[1]
    assert found.zero < semiqc.ends[0]
    assert len(semiqc.dots) == 15
    assert all(0 <= dot <= 100 for row in found.rows for dot in row.dots)
    assert forest(empty_report()) is None


def test_the_studies_to_look_at_have_reasons_and_stand_once():
    data = full_report()
    spoilt = replace(data, dirty=[SpoiltRow("candidate003", "", "upside_down")])
    found = worth_looking(spoilt)

    assert found[0].study == "candidate003"
    assert "admitted although spoilt (upside_down)" in found[0].why
    assert "most disputed" in " ".join(one.why for one in found)
    assert "lowest Dice" in " ".join(one.why for one in found)
    assert len({one.study for one in found}) == len(found) <= 5
    assert worth_looking(empty_report()) == []


def test_the_next_command_follows_from_the_answer():
    def commands(data):
        return [one.command for one in next_steps(replace(data, folder="my run"))]

    assert commands(full_report()) == [
        "semiqc predict 'my run' IMAGES -o segmented --scenario semiqc"
    ]
    assert "'seeds=[0, 1, 2]'" in commands(noisy(full_report()))[0]
    assert "split.test=" in commands(full_report(studies=3))[0]
    assert next_steps(full_report()) == []


def test_every_study_has_a_part_that_links_lead_to(tmp_path):
    keys = (MANUAL, "few", "semiqc")
    shown = [views("phantom003", *keys), views("candidate001", CANDIDATES)]
    data = replace(full_report(), views=shown)
    test, pool = study_parts(data)

    assert [row[0] for row in test.rows] == ["Reference", "Few labels", "semiQCSeg"]
    assert test.columns == "frames 1 then 10, slices 2, 3, 4"
    assert pool.said[0] == ("Gate", "admitted: rank 2 of 20")
    assert [one.title for one in pool.curves] == ["LV", "MYO", "RV"]
    build_report(data, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for part in (test, pool):
        assert f'href="#{part.anchor}"' in page
        assert page.count(f'id="{part.anchor}"') == 1
    assert "prefers-reduced-motion" in page
    assert "The same slice under every scenario" in page


@pytest.mark.parametrize("most", [5, 10])
def test_of_many_studies_those_that_the_page_names_and_the_worst_have_a_part(monkeypatch, most):
    monkeypatch.setattr(study_pages, "MOST_TEST", most)
    data = full_report(studies=30)
    test = [row.study for row in data.split if row.role == "test"]
    data = replace(data, views=[views(name, MANUAL, "few", "semiqc") for name in test])
    shown = {part.study for part in study_parts(data)}
    dice = data.overlap_of("semiqc")
    named = {one.study for one in worth_looking(data) if one.study in dice}
    spanning = {one.study for one in side_by_side(data).rows}
    ranked = sorted(dice, key=dice.get)

    assert len(shown) == most
    assert shown >= named | spanning
    assert shown >= set(ranked[: most - len(named | spanning)])
    assert f"{most} of 30 test studies" in how_chosen(data)
    assert how_chosen(replace(data, views=data.views[:5])) == ""


def test_the_policy_allows_the_one_script_of_the_page(tmp_path):
    build_report(full_report(studies=2), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    script = page.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

    assert f"script-src 'sha256-{digest}'" in page


def test_the_same_slice_stands_under_every_scenario_beside_the_reference():
    keys = (MANUAL, *(key for key, _ in SCENARIOS))
    shown = [views(f"phantom{n:03d}", *keys) for n in range(5)]
    missed = np.zeros_like(shown[0].labels["few"])
    shown[0] = replace(shown[0], labels=shown[0].labels | {"few": missed})
    data = replace(full_report(), views=shown)
    found = side_by_side(data)

    assert [title for title, _ in found.columns] == ["Reference", *(t for _, t in SCENARIOS)]
    assert [row.what for row in found.rows] == ["best", "median", "worst", "differs most"]
    assert all(
        len(row.pictures) == len(keys) and row.study in data.test_studies for row in found.rows
    )
    assert {row.where for row in found.rows} == {"frame 1, slice 3"}
    by_study = {row.study: row for row in found.rows}
    captions = [picture.caption for picture in by_study["phantom000"].pictures]
    assert captions[keys.index("few")] == "Dice 0.00"
    assert captions[keys.index("semiqc")] == "Dice 1.00"
    assert side_by_side(full_report()) is None


def test_the_studies_that_span_the_results_are_no_more_than_there_are():
    assert list(chosen_studies(full_report(), {"phantom001"})) == ["best"]
    chosen = chosen_studies(full_report(), {f"phantom{n:03d}" for n in range(4)})
    assert list(chosen) == ["best", "median", "worst", "differs most"]
    assert len(set(chosen.values())) == 4

from dataclasses import replace

import numpy as np
import pytest

from qc.evaluation import (
    Judgement,
    LearningRow,
    balance_histogram,
    error_boxes,
    learning_curves,
    risk_coverage_curves,
    save,
    scatter,
)
from qc.evaluation.plots import pictures
from qc.evaluation.table import table_of

NAN = float("nan")


def judgements_of(estimator, true, dice, *, group="DCM", nsd=None, structure="A"):
    """One row for each study and structure; a Dice of None leaves only a score."""
    return [
        Judgement(
            estimator=estimator,
            item=item,
            study=f"s{item}",
            subject=f"s{item}",
            source="",
            group=group,
            structure=name,
            verdict="",
            score=0.5 if dice is None else dice[item],
            true_dice=true[item],
            dice=NAN if dice is None else dice[item],
            true_nsd=NAN if nsd is None else true[item],
            nsd=NAN if nsd is None else nsd[item],
            true_multi_class=NAN,
            error_map_dice=NAN,
            covered=NAN,
            length=NAN,
            ms=1.0,
        )
        for item in range(len(true))
        for name in ("all", structure)
    ]


def points(axes):
    found = np.concatenate([np.asarray(drawn.get_offsets()) for drawn in axes.collections])
    return sorted(map(tuple, np.ma.filled(found, np.nan).tolist()))


def texts(axes):
    return " ".join([axes.get_title(), *(text.get_text() for text in axes.texts)])


def test_a_panel_shows_every_prediction_and_says_how_many():
    rows = judgements_of("first", [0.2, 0.6, 1.0], [0.3, 0.5, 0.9])
    rows += judgements_of("second", [0.2, 0.6, 1.0], [0.2, 0.6, 1.0])

    first, second = scatter(rows).axes

    assert points(first) == [(0.2, 0.3), (0.6, 0.5), (1.0, 0.9)]
    assert "n = 3 of 3 studies" in texts(first)
    assert "MAE 0.100" in texts(first)
    assert "MAE 0.000" in texts(second)
    assert len(first.lines) == 1


def test_groups_have_colours_and_a_legend():
    rows = judgements_of("e", [0.2], [0.3]) + judgements_of("e", [0.4], [0.5], group="HCM")

    figure = scatter(rows)

    colours = {tuple(drawn.get_facecolor()[0]) for drawn in figure.axes[0].collections}
    assert len(colours) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["DCM", "HCM"]


def test_a_score_has_no_line_of_identity():
    (axes,) = scatter(judgements_of("curve", [0.2, 0.6], None)).axes

    assert not axes.lines
    assert axes.get_ylabel() == "Score"


def test_a_box_shows_signed_errors_about_their_median():
    rows = judgements_of("e", [0.5, 0.5, 0.5], [0.6, 0.4, 0.3])

    (axes,) = error_boxes(rows).axes

    medians = [line.get_ydata().tolist() for line in axes.lines if line.get_linewidth() == 1.5]
    assert medians == [pytest.approx([-0.1, -0.1])]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["e\nn = 3"]


def test_balancing_leaves_as_many_in_every_bin():
    dice = np.array([0.05, 0.55, 0.56, 0.57, 0.95, 0.96, NAN])

    figure = balance_histogram(dice)

    (axes,) = figure.axes
    before, after = ([bar.get_height() for bar in container] for container in axes.containers)
    assert before == [1, 0, 0, 0, 0, 3, 0, 0, 0, 2]
    assert after == [1, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == ["before balancing, n = 6", "after balancing, n = 3"]


def test_a_set_that_is_balanced_already_is_shown_beside_what_it_was_drawn_from():
    drawn, population = np.array([0.05, 0.55]), np.array([0.05, 0.55, 0.56, NAN])

    (axes,) = balance_histogram(drawn, population).axes

    before, after = ([bar.get_height() for bar in container] for container in axes.containers)
    assert (sum(before), sum(after)) == (3, 2)


def test_risk_is_drawn_beside_the_best_and_a_random_order():
    figure = risk_coverage_curves(judgements_of("e", [0.5, 1.0], [0.9, 0.1]))

    own, best, chance = figure.axes[0].lines
    assert own.get_ydata() == pytest.approx([0.5, 0.25])
    assert best.get_ydata() == pytest.approx([0, 0.25])
    assert list(chance.get_ydata()) == pytest.approx([0.25, 0.25])
    assert figure.legends[0].get_texts()[0].get_text() == "e: 0.375 (n = 2)"


def test_learning_is_drawn_with_its_intervals():
    rows = [
        LearningRow(share, studies, studies, "dice", "all", 9, 3, mae, mae - 0.01, mae + 0.02, 0.5)
        for share, studies, mae in ((0.5, 4, 0.2), (1.0, 8, 0.1))
    ]

    figure = learning_curves({"e": rows})

    (axes,) = figure.axes
    assert axes.lines[0].get_ydata() == pytest.approx([0.2, 0.1])
    bars = axes.collections[0].get_segments()
    assert [segment[:, 1].tolist() for segment in bars] == [
        pytest.approx([0.19, 0.22]),
        pytest.approx([0.09, 0.12]),
    ]
    assert "n = 9 of 3 test studies" in figure.legends[0].get_texts()[0].get_text()
    with pytest.raises(ValueError, match="no learning curve has nsd of all"):
        learning_curves({"e": rows}, "nsd")


def test_odd_sets_can_be_drawn(tmp_path):
    one = judgements_of("one", [0.5], [0.5], nsd=[0.4])
    unknown = judgements_of("$x^$ 量", [0.5, 0.6], [NAN, 0.6], group="a$b", nsd=[NAN, NAN])
    constant = judgements_of("constant", [0.5, 0.5], [0.5, 0.5], group="")
    empty = judgements_of("empty", [NAN, NAN], [0.5, 0.5], structure="B")

    for number, (name, figure) in enumerate(pictures(one + unknown + constant + empty).items()):
        save(figure, tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").read_bytes().startswith(b"\x89PNG"), name


def test_nothing_is_drawn_of_an_evaluation_without_true_qualities():
    assert pictures(judgements_of("curve", [NAN, NAN], None)) == {}


def test_figures_are_as_sure_with_two_studies_of_each_subject_as_with_one():
    rows = judgements_of("e", [0.1, 0.4, 0.6, 0.9, 0.8], [0.2, 0.3, 0.8, 0.7, 0.9])
    again = [replace(row, study=f"{row.study} again", subject=row.study) for row in rows]
    bounds = {"all": 0.5, "A": 0.5}

    once, often = table_of(rows, bounds)[0], table_of([*rows, *again], bounds)[0]
    assert often.studies == 2 * once.studies
    for name in ("mae_low", "mae_high", "pearson_low", "pearson_high"):
        assert getattr(often, name) == pytest.approx(getattr(once, name))

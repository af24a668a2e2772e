import numpy as np
import pytest

from qc.base import Quality
from qc.gates import (
    GATES,
    All,
    BestK,
    Calibration,
    Decision,
    Diverse,
    Fraction,
    Oracle,
    RandomK,
    RiskControlled,
    Squared,
    Threshold,
    Weighted,
    descriptors_of,
)
from qc.gates.context import GateContext
from semiqc.schemes import AORTA, SHORT_AXIS
from semiqc.study import Prediction


def judged(**scores):
    return [Quality(study, score) for study, score in scores.items()]


def admitted(decisions):
    return {decision.study for decision in decisions if decision.admitted}


SIZES = {"a": [1.0], "b": [2.0], "c": [3.0], "d": [3.0], "e": [9.0]}
TRUE = {"a": 0.1, "b": 0.9, "c": 0.9, "d": 0.9, "e": 0.2}
CALIBRATION = Calibration([0.6] * 40, [0.95] * 40)

ALL_GATES = [
    *(BestK(2), Fraction(0.5), Threshold(0.5), RandomK(2), All(), Weighted(0.3, 0.8)),
    *(Oracle(2, TRUE), Diverse(2, SIZES, 0.5), RiskControlled(CALIBRATION)),
    Squared(CALIBRATION, (1, 2), early_share=0.5),
]


@pytest.mark.parametrize("gate", ALL_GATES)
def test_every_study_gets_one_decision_in_order_with_a_reason(gate):
    decisions = gate(judged(b=0.2, a=0.9, c=0.5))

    assert [decision.study for decision in decisions] == ["b", "a", "c"]
    assert all(decision.reason for decision in decisions)
    assert gate([]) == []


@pytest.mark.parametrize("gate", ALL_GATES)
def test_the_choice_does_not_depend_on_the_order(gate):
    qualities = judged(a=0.4, b=0.7, c=0.7, d=0.7, e=0.1)

    assert admitted(gate(qualities)) == admitted(gate(qualities[::-1]))


@pytest.mark.parametrize("gate", ALL_GATES)
def test_a_study_judged_twice_is_refused(gate):
    with pytest.raises(ValueError, match="got several of a"):
        gate([*judged(a=0.4, b=0.3), Quality("a", 0.5)])


def test_the_best_are_admitted():
    assert admitted(BestK(2)(judged(a=0.4, b=0.8, c=0.6))) == {"b", "c"}


def test_equal_scores_are_ranked_by_name():
    assert admitted(BestK(2)(judged(c=0.5, b=0.5, a=0.5))) == {"a", "b"}


def test_more_than_there_are_admits_all_and_says_so():
    decisions = BestK(30)(judged(a=0.4, b=0.8))

    assert admitted(decisions) == {"a", "b"}
    assert decisions[0].reason == (
        "rank 2 of 2 by score 0.400, k = 30; only 2 to choose from, 30 wanted"
    )
    assert "only 2 to choose from" in RandomK(3)(judged(a=0.4, b=0.8))[0].reason
    assert "only" not in BestK(2)(judged(a=0.4, b=0.8))[0].reason


@pytest.mark.parametrize("gate", [BestK, Fraction, Threshold])
def test_what_is_called_erroneous_is_ranked_by_score_unless_only_good_is_asked(gate):
    qualities = [Quality("a", 0.9, is_good=False), Quality("b", 0.6, is_good=True)]

    assert "a" in admitted(gate()(qualities))
    strict = gate(only_good=True)(qualities)
    assert admitted(strict) == {"b"}
    assert strict[0].reason == "called erroneous, score 0.900"


def test_without_a_verdict_nothing_is_called_erroneous():
    assert admitted(BestK(1, only_good=True)(judged(a=0.4))) == {"a"}


def test_only_good_admits_fewer_rather_than_worse():
    qualities = [Quality(n, s, is_good=s > 0.5) for n, s in (("a", 0.9), ("b", 0.4), ("c", 0.3))]

    assert admitted(BestK(2, only_good=True)(qualities)) == {"a"}


def test_a_study_exactly_at_the_threshold_is_admitted():
    decisions = Threshold(0.5)(judged(a=0.5, b=0.49))

    assert admitted(decisions) == {"a"}
    assert [d.reason for d in decisions] == ["score 0.500 reaches 0.5", "score 0.490 is below 0.5"]


@pytest.mark.parametrize(("share", "count"), [(0.3, 3), (0.31, 4), (0.01, 1), (1.0, 10)])
def test_a_fraction_is_rounded_up(share, count):
    qualities = [Quality(f"s{i}", i / 10) for i in range(10)]

    best = {f"s{i}" for i in range(10 - count, 10)}
    assert admitted(Fraction(share)(qualities)) == best


def test_a_fraction_is_not_rounded_up_from_what_floats_add():
    qualities = [Quality(f"s{i}", 0.5) for i in range(100)]

    assert 0.07 * 100 > 7
    assert len(admitted(Fraction(0.07)(qualities))) == 7


def test_chance_looks_at_names_and_seed_and_not_at_scores():
    names = [f"s{i}" for i in range(20)]
    low_to_high = [Quality(name, i / 20) for i, name in enumerate(names)]
    all_equal = [Quality(name, 0.5) for name in names]

    choices = [admitted(RandomK(8, seed)(low_to_high)) for seed in range(30)]

    assert all(len(choice) == 8 for choice in choices)
    assert choices[3] == admitted(RandomK(8, 3)(all_equal))
    # Each of 20 names is as likely as the next: 30 x 8 / 20 = 12 times expected.
    drawn = [sum(name in choice for choice in choices) for name in names]
    assert min(drawn) > 3
    assert max(drawn) < 22


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BestK(0), "k must be at least 1, got 0"),
        (lambda: RandomK(0), "k must be at least 1, got 0"),
        (lambda: Fraction(0), r"share must lie in \(0, 1\], got 0"),
        (lambda: Threshold(1.5), r"min_score must lie in \[0, 1\], got 1.5"),
        (lambda: Oracle(0), "k must be at least 1, got 0"),
        (lambda: Diverse(0), "k must be at least 1, got 0"),
        (lambda: Diverse(trade_off=2), r"trade_off must lie in \[0, 1\], got 2"),
        (lambda: Weighted(0.6, 0.5), r"must rise within \[0, 1\], got 0.6 and 0.5"),
        (lambda: Weighted(least=-1), r"least must lie in \[0, 1\], got -1"),
        (lambda: Decision("a", True, "", 0.0), r"a: weight must lie in \(0, 1\], got 0.0"),
    ],
)
def test_a_senseless_setting_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_every_gate_can_be_named():
    assert set(GATES.values()) == {type(gate) for gate in ALL_GATES}


def test_all_admits_the_worst_too():
    assert admitted(All()(judged(a=0.0, b=1.0))) == {"a", "b"}


def test_the_oracle_looks_at_the_truth_and_not_at_scores():
    decisions = Oracle(2, {"a": 0.2, "b": 0.9, "c": 0.8})(judged(a=0.9, b=0.1, c=0.3))

    assert admitted(decisions) == {"b", "c"}
    assert decisions[0].reason == "rank 3 of 3 by true quality 0.200, k = 2"


def test_the_oracle_leaves_out_what_has_no_true_quality():
    decisions = Oracle(2, {"a": float("nan"), "b": 0.5})(judged(a=0.9, b=0.1))

    assert admitted(decisions) == {"b"}
    assert decisions[0].reason == "its true quality is not defined"
    assert decisions[1].reason.endswith("only 1 to choose from, 2 wanted")


def test_an_oracle_that_was_not_told_of_a_study_says_which():
    with pytest.raises(ValueError, match="not told the true quality of b"):
        Oracle(1, {"a": 0.5})(judged(a=0.9, b=0.1))


def test_weights_rise_on_a_straight_line_between_two_scores():
    decisions = Weighted(low=0.4, high=0.8, least=0.2)(judged(a=0.3, b=0.4, c=0.6, d=0.8, e=1.0))

    # Halfway between .4 and .8: .2 + .8 / 2 = .6.
    assert [d.weight for d in decisions] == pytest.approx([0.2, 0.2, 0.6, 1.0, 1.0])
    assert len(admitted(decisions)) == 5
    assert decisions[2].reason == "score 0.600 has weight 0.60"


def test_what_has_no_weight_is_left_out():
    decisions = Weighted(low=0.4, high=0.8, least=0.0)(judged(a=0.4, b=0.5))

    assert admitted(decisions) == {"b"}
    assert decisions[0].reason == "score 0.400 has no weight, up to 0.4"


def test_what_a_verdict_calls_erroneous_gets_no_weight_where_that_is_asked_for():
    said = [Quality("a", 0.9, is_good=False), Quality("b", 0.9, is_good=True)]

    assert admitted(Weighted(only_good=True)(said)) == {"b"}
    assert admitted(Weighted()(said)) == {"a", "b"}


def test_other_gates_give_full_weight():
    assert {d.weight for d in BestK(1)(judged(a=0.4, b=0.5))} == {1.0}


def test_without_a_trade_off_the_diverse_are_the_best():
    qualities = judged(a=0.4, b=0.7, c=0.7, d=0.7, e=0.1)

    for k in range(1, 6):
        assert admitted(Diverse(k, SIZES, 0.0)(qualities)) == admitted(BestK(k)(qualities))


def test_a_study_unlike_the_best_is_preferred_to_its_twin():
    sizes = {"a": [5.0], "b": [5.0], "c": [1.0], "d": [2.0]}
    qualities = judged(a=0.9, b=0.8, c=0.7, d=0.1)

    decisions = Diverse(2, sizes, 0.5)(qualities)

    # Ranks of scores are 1, 2/3, 1/3, 0; of sizes 5/6, 5/6, 0, 1/3. After a, at equal parts:
    # b (2/3 + 0) / 2 = .33, c (1/3 + 5/6) / 2 = .58, d (0 + 1/2) / 2 = .25.
    assert admitted(decisions) == {"a", "c"}
    assert decisions[2].reason == "choice 2 by score 0.700, 0.83 from the nearest before it"
    assert decisions[1].reason == "score 0.800, not among the 2 chosen"


def test_looking_at_distance_alone_takes_the_most_distant_each_time():
    places = {"a": [0.0, 0.0], "b": [0.0, 9.0], "c": [9.0, 0.0], "d": [9.0, 9.0]}

    assert admitted(Diverse(2, places, 1.0)(judged(a=0.9, b=0.8, c=0.7, d=0.0))) == {"a", "d"}


def test_distance_is_to_the_nearest_of_all_that_were_chosen():
    places = {"a": [0.0], "b": [1.0], "c": [5.0], "d": [9.0]}

    # After a and d, b and c are each a third from the nearest, and c is no nearer to a.
    # Ranks are 0, 1/3, 2/3, 1: were it the last chosen alone, b would be 2/3 from d.
    decisions = Diverse(3, places, 0.9)(judged(a=0.9, b=0.2, c=0.3, d=0.1))

    assert admitted(decisions) == {"a", "c", "d"}
    assert decisions[2].reason == "choice 3 by score 0.300, 0.33 from the nearest before it"


def test_a_descriptor_given_twice_changes_nothing():
    qualities = judged(a=0.9, b=0.8, c=0.7, d=0.1, e=0.5)

    twice = {name: size * 2 for name, size in SIZES.items()}
    assert Diverse(3, twice, 0.5)(qualities) == Diverse(3, SIZES, 0.5)(qualities)


def test_one_outlier_is_no_further_than_its_rank():
    plain = {"a": [1.0], "b": [2.0], "c": [3.0], "d": [4.0]}
    wild = plain | {"d": [4e9]}
    qualities = judged(a=0.9, b=0.8, c=0.7, d=0.0)

    decisions = Diverse(2, wild, 0.4)(qualities)

    assert decisions == Diverse(2, plain, 0.4)(qualities)


def test_the_diverse_pass_over_what_is_erroneous():
    qualities = [Quality("a", 0.9, is_good=False), Quality("b", 0.6), Quality("c", 0.1)]

    decisions = Diverse(5, SIZES, 0.5, only_good=True)(qualities)

    assert admitted(decisions) == {"b", "c"}
    assert decisions[0].reason == "called erroneous, score 0.900"
    assert "only 2 to choose from, 5 wanted" in decisions[1].reason
    assert Diverse(2, SIZES, only_good=True)(qualities[:1])[0].admitted is False


@pytest.mark.parametrize(
    ("descriptors", "message"),
    [
        ({"a": [1.0]}, "no descriptors of b"),
        ({"a": [1.0], "b": [1.0, 2.0]}, r"b: descriptors have shape \(2,\), those of a \(1,\)"),
        ({"a": [1.0], "b": [float("nan")]}, "b: descriptors must be finite"),
    ],
)
def test_descriptors_that_cannot_be_compared_are_refused(descriptors, message):
    with pytest.raises(ValueError, match=message):
        Diverse(1, descriptors)(judged(a=0.4, b=0.5))


def test_descriptors_are_sizes_looks_and_groups():
    labels = np.zeros((2, 1, 4, 5), np.int8)
    labels[0, 0, 0, :4] = 3
    labels[1, 0, 0, :2] = 3
    image = np.where(labels == 3, 2.0, 7.0).astype(np.float32)[None]
    image[0, 0, 0, 0, 0] = 6.0
    spacing = (8.0, 1.5, 1.0)
    empty = Prediction("empty", image, np.zeros_like(labels), spacing)

    found = descriptors_of(
        [Prediction("a", image, labels, spacing), empty], SHORT_AXIS, {"a": "x"}
    )

    # LV has 4 and 2 voxels of 12 mm3: 36 mm3. Mean of 6, 2, 2, 2 is 3, of 2, 2 is 2; SD 1.732, 0.
    assert found["a"] == pytest.approx([36, 0, 0, 2.5, np.sqrt(3) / 2, 0, 1])
    assert found["empty"][:3].tolist() == [0, 0, 0]
    assert found["empty"][-2:].tolist() == [1, 0]
    assert np.isfinite(found["empty"]).all()


def test_descriptors_of_no_studies_are_none():
    assert descriptors_of([], AORTA, {}) == {}


def test_what_reaches_the_threshold_weighs_the_square_of_its_score():
    decisions = Squared(min_score=0.5)(judged(a=0.49, b=0.5, c=0.9))

    assert [(one.admitted, round(one.weight, 4)) for one in decisions] == [
        (False, 1.0),
        (True, 0.25),
        (True, 0.81),
    ]
    assert "is below 0.500, as set, for nothing can be promised" in decisions[0].reason


def test_the_threshold_of_squared_scores_is_what_can_be_promised():
    gate = Squared(CALIBRATION, min_score=0.9)

    assert admitted(gate(judged(a=0.59, b=0.6))) == {"b"}


def test_worse_studies_enter_later():
    said = judged(a=0.9, b=0.8, c=0.7, d=0.6, e=0.2)

    rounds = [admitted(Squared(progress=(n, 3), early_share=0.25)(said)) for n in (1, 2, 3)]

    assert rounds == [{"a"}, {"a", "b", "c"}, {"a", "b", "c", "d"}]
    assert admitted(Squared(progress=(1, 1), early_share=0.25)(said)) == rounds[2]


def test_a_score_of_zero_has_no_weight():
    assert admitted(Squared(min_score=0)(judged(a=0.0, b=0.1))) == {"b"}


def test_a_run_draws_by_its_own_seed():
    qualities = judged(**{name: 0.5 for name in "abcdefgh"})
    of_run = RandomK.for_run(GateContext(seed=3), k=3)

    assert of_run == RandomK(3, 3)
    assert admitted(of_run(qualities)) == admitted(RandomK(3, 3)(qualities))
    assert len({frozenset(admitted(RandomK(3, seed)(qualities))) for seed in range(9)}) > 1

import pytest

from qc.base import Quality
from qc.gates import GATES, BestK, Fraction, RandomK, Threshold


def judged(**scores):
    return [Quality(study, score) for study, score in scores.items()]


def admitted(decisions):
    return {decision.study for decision in decisions if decision.admitted}


ALL_GATES = [BestK(2), Fraction(0.5), Threshold(0.5), RandomK(2)]


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
    ],
)
def test_a_senseless_setting_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_every_gate_can_be_named():
    assert set(GATES.values()) == {BestK, Threshold, Fraction, RandomK}

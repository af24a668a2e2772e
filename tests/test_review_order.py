import pytest
from review_builders import item

from semiqc.review.order import places, seed_of

ITEMS = [
    item("a", scores={"svr": 0.9, "cnn": 0.8}),
    item("b"),
    item("c", scores={"svr": 0.2, "cnn": 0.3}),
    item("d", scores={"svr": 0.9, "cnn": 0.3, "curve": float("nan")}),
]


def names(order, repeat=0.0, seed=0, items=ITEMS):
    return [one.study for one in places(items, order, repeat, seed)]


def test_studies_come_as_given_or_by_what_estimators_say():
    assert names("given") == list("abcd")
    assert names("score") == list("cdab")
    assert names("disagreement") == list("dacb")


def test_a_random_order_is_the_readers_own_and_stays():
    many = [item(str(number)) for number in range(30)]
    ann, bob = (names("random", seed=seed_of(who, 3), items=many) for who in ("ann", "bob"))

    assert sorted(ann) == sorted(bob) == sorted(one.study for one in many)
    assert ann != bob
    assert ann == names("random", seed=seed_of("ann", 3), items=many)


@pytest.mark.parametrize("seed", range(5))
def test_a_repeated_study_comes_back_when_half_of_the_others_were_seen(seed):
    many = [item(str(number)) for number in range(20)]
    found = places(many, "random", 0.25, seed)
    twice = [one for one in found if one.showing == 2]

    assert len(found) == 25
    assert len({one.study for one in twice}) == 5
    for one in twice:
        before = next(n for n, other in enumerate(found) if other.study == one.study)
        assert before + 10 <= found.index(one) or found.index(one) >= 20


def test_a_share_beyond_all_is_refused():
    with pytest.raises(ValueError, match="repeat must lie in"):
        places(ITEMS, "given", 1.5, 0)

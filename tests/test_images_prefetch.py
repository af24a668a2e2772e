"""Batches made ahead in a thread."""

import threading
import time

import numpy as np
import pytest

from semiqc.images.prefetch import ahead


def endless(made):
    number = 0
    while True:
        made.append(number)
        yield number
        number += 1


def failing():
    yield from (1, 2)
    raise OSError("disk gone")


def test_batches_keep_their_order():
    assert list(ahead(iter(range(50)), depth=3)) == list(range(50))


def test_a_failure_is_raised_behind_the_batches_before_it():
    batches = ahead(failing())

    assert [next(batches), next(batches)] == [1, 2]
    with pytest.raises(OSError, match="disk gone"):
        next(batches)


@pytest.mark.parametrize("taken", [1, 7])
def test_the_thread_ends_when_no_more_batches_are_asked_for(taken):
    before, made = threading.active_count(), []
    batches = ahead(endless(made), depth=2)
    for _ in range(taken):
        next(batches)
    assert threading.active_count() == before + 1
    batches.close()

    assert threading.active_count() == before
    assert len(made) <= taken + 4


def test_the_thread_ends_when_the_training_fails():
    before = threading.active_count()

    def training():
        for _ in ahead(endless([])):
            raise FloatingPointError

    with pytest.raises(FloatingPointError):
        training()
    assert threading.active_count() == before


def test_batches_are_made_while_none_is_asked_for_and_draw_as_without_a_thread():
    made, rng = [], np.random.default_rng(0)
    batches = ahead((made.append(0) or rng.random() for _ in range(6)), depth=3)
    first = next(batches)
    end = time.monotonic() + 10
    while len(made) < 4 and time.monotonic() < end:
        time.sleep(0.01)

    assert len(made) >= 4
    assert [first, *batches] == np.random.default_rng(0).random(6).tolist()

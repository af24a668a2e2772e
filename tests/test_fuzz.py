"""Sound files of every door, damaged at random: read, or refused in one line, never worse."""

import itertools
import os
import time

import pytest
from corpus.damaging import damaged, damaged_json
from corpus.fuzzing import FUZZES, fuzz

SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
"""For each door, in `make slow`."""


@pytest.mark.parametrize("door", FUZZES)
def test_a_damaged_file_is_read_or_refused(door):
    assert fuzz(door, range(12), seconds=10) == {}


FOUND = {
    "DICOM": (1712634317202, 1712634320386, 1712634397365),
    "store": (1712583892281, 1712635023809),
    "MetaImage": (1712583930379, 1712583930386),
    "NRRD": (1712583968554, 1712583968699),
    "run's data": (1712584389116,),
}
"""Damages that were answered wrongly once."""


@pytest.mark.parametrize("door", FOUND)
def test_what_a_fuzz_found_is_answered_rightly(door):
    assert fuzz(door, FOUND[door], seconds=10) == {}


@pytest.mark.slow
@pytest.mark.parametrize("door", FUZZES)
def test_a_damaged_file_is_read_or_refused_for_long(door):
    assert fuzz(door, itertools.count(time.time_ns() >> 20), SECONDS) == {}


def test_the_same_number_does_the_same_damage():
    assert damaged(b"0123456789" * 9, 7) == damaged(b"0123456789" * 9, 7) != b"0123456789" * 9
    assert damaged_json(b'{"a": [1, 2]}', 7) == damaged_json(b'{"a": [1, 2]}', 7)

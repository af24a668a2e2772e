"""Stages of many studies are parted, so that workers share them; few are one stage as before."""

import pytest

from semiqc.experiment import parts
from semiqc.experiment.parts import in_parts
from semiqc.work.stages import RunFolder


@pytest.fixture
def made(tmp_path, monkeypatch):
    """What is made of items, and the names that the parts had."""
    monkeypatch.setattr(parts, "PART", 3)
    names = []

    def of(count):
        names.clear()

        def make(which, some):
            names.append(which)
            return [2 * one for one in some]

        return in_parts(RunFolder(tmp_path), range(count), make), list(names)

    return of


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_studies_are_one_stage_of_the_usual_name(made, count):
    assert made(count) == ([2 * one for one in range(count)], [""])


def test_many_are_parted_and_come_in_their_order(made):
    assert made(7) == ([0, 2, 4, 6, 8, 10, 12], ["-part1", "-part2", "-part3"])

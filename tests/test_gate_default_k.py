"""How many studies a gate takes that is not told, and what is said where it made no choice."""

from dataclasses import replace

import pytest
from report_builders import full_report

from qc import Quality
from qc.gates import BestK, Diverse, Oracle, RandomK
from semiqc.experiment.scenarios import SCENARIOS
from semiqc.experiment.settings import Settings
from semiqc.report import findings


@pytest.mark.parametrize(("candidates", "expected"), [(17, 6), (3, 1), (1, 1), (90, 30)])
def test_a_gate_takes_a_third_where_it_is_not_told_how_many(candidates, expected):
    names = [f"s{n:02}" for n in range(candidates)]
    qualities = [Quality(name, n / candidates) for n, name in enumerate(names)]
    places = {name: [float(n)] for n, name in enumerate(names)}
    true = {name: 0.5 for name in names}

    for gate in (BestK(), RandomK(), Oracle(true=true), Diverse(descriptors=places)):
        assert sum(one.admitted for one in gate(qualities)) == expected, gate


def test_the_title_of_such_a_gate_says_so():
    titles = {
        one.title for one in Settings(gates=("svr", "random"), scenarios=()).compared().values()
    }

    assert titles == {"Gate: a third, best by svr", "Gate: a third, at random"}


@pytest.mark.parametrize(
    ("admitted", "words"), [(True, "admitted every study"), (False, "admitted nothing")]
)
def test_a_gate_that_made_no_choice_is_said(admitted, words):
    data = full_report(studies=4)
    key = data.reference_scenario
    rows = [replace(row, admitted=admitted) for row in data.judgements if row.scenario == key]
    data = replace(data, judgements=rows, choosing=[key])

    said = [line for line in findings(data) if line.startswith("Warning: the gate of")]
    assert len(said) == 1
    assert words in said[0]


def test_nothing_is_said_of_a_gate_that_chose():
    data = full_report(studies=4)

    chosen = replace(data, choosing=[data.reference_scenario])
    assert not any("no choice" in line for line in findings(chosen))


def test_labels_of_the_qc_studies_can_be_spent_on_training():
    assert SCENARIOS["few_qc"].experts == "few and qc"
    with pytest.raises(ValueError, match=r"few_qc learns from the qc studies; set split\.qc"):
        Settings(scenarios=("few_qc",), split={"qc": 0})

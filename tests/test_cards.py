from report_builders import full_report

from qc import Suite
from semiqc.experiment import read_settings
from semiqc.experiment.card import card_of_run
from semiqc.suites.suite_card import CARD, write_card


def test_the_card_of_a_run_tells_data_models_results_and_limits():
    text = card_of_run(read_settings(None), full_report(), {"semiqc": "0.1.0", "device": "cpu"})

    assert text.startswith("# Phantom demo")
    assert "not a medical device" in text
    assert "- made with semiqc 0.1.0, device cpu" in text
    assert "- Did quality control help? " in text
    assert "| Scenario | Studies |" in text
    assert "nan" not in text


def test_the_card_of_a_suite_tells_what_it_learned_from(tmp_path):
    suite = Suite.load("phantom")
    write_card(suite, tmp_path)
    text = (tmp_path / CARD).read_text(encoding="utf-8")

    assert f"of {suite.training.studies} studies" in text
    assert all(f"- {name} (" in text for name in suite.estimators)

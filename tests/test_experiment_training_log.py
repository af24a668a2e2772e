import math

from semiqc.experiment.training_log import FILE, TrainingLog, last_value, read_log
from semiqc.files.tables import TrainingRow, read_rows, write_rows


def steps(folder):
    return [(row.step, row.value) for row in read_rows(folder / FILE, TrainingRow)]


def log(folder, values):
    with TrainingLog(folder, "few") as keep:
        for step, value in values:
            keep(step, {"loss": value})


def test_a_log_goes_on_where_the_training_goes_on(tmp_path):
    log(tmp_path, [(10, 0.5), (20, 0.4), (30, 0.3)])
    log(tmp_path, [(20, 0.41), (30, 0.31)])

    assert steps(tmp_path) == [(10, 0.5), (20, 0.41), (30, 0.31)]


def test_a_line_cut_short_by_a_kill_is_dropped(tmp_path):
    log(tmp_path, [(10, 0.5), (20, 0.4)])
    path = tmp_path / FILE
    path.write_text(path.read_text() + "few,30,lo")
    log(tmp_path, [(30, 0.3)])

    assert steps(tmp_path) == [(10, 0.5), (20, 0.4), (30, 0.3)]


def test_the_last_value_of_a_term_is_that_of_the_last_step(tmp_path):
    log(tmp_path, [(10, 0.5), (20, 0.4)])

    assert last_value(tmp_path / FILE, "loss") == 0.4
    assert math.isnan(last_value(tmp_path / FILE, "validation_loss"))


def test_a_log_of_version_0_1_is_read_by_todays_names(tmp_path):
    write_rows(tmp_path / FILE, TrainingRow, [TrainingRow("few", 10, "dice", 0.5)])

    assert [(row.term, row.value) for row in read_log(tmp_path / FILE)] == [("dice_loss", 0.5)]
    assert last_value(tmp_path / FILE, "dice_loss") == 0.5


def test_a_log_that_nothing_was_told_leaves_no_file(tmp_path):
    log(tmp_path, [])

    assert list(tmp_path.iterdir()) == []

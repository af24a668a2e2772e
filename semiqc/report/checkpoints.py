"""The table of the weights that the trainings saved: last, moving average and best.

It shows what ``training.checkpoint`` would have changed. It does not choose: to choose by test
figures would make them optimistic.
"""

from semiqc.pages.table import Cell, Table, number, text
from semiqc.report.data import ReportData


def checkpoints_tables(data: ReportData) -> list[Table]:
    """Mean Dice of the weights of the last step, of their average and of the best ones.

    Returns:
        One table with a row for each seed, scenario and checkpoint; none where the trainings saved
        weights of one kind only.
    """
    if not data.checkpoints:
        return []
    rows: list[dict[str, Cell]] = [
        {
            "seed": row.seed,
            "scenario": row.scenario,
            "title": data.scenario_title(row.scenario),
            "checkpoint": row.checkpoint,
            "used": "yes" if row.is_used else "",
            "validation dice": row.validation_dice,
            "dice": row.dice,
        }
        for row in data.checkpoints
    ]
    columns = [
        text("title", "Scenario"),
        number("seed", "Seed", 0),
        text("checkpoint", "Checkpoint"),
        text("used", "Used"),
        number("validation dice", "Dice, validation", 3),
        number("dice", "Dice, test", 3),
    ]
    table = Table(
        "checkpoints",
        "Mean Dice of each checkpoint",
        rows,
        columns,
        "Last: the weights of the last step. EMA: their moving average. Best: those with the"
        " lowest loss on the validation studies. All other tables are of the checkpoint that is"
        " used (training.checkpoint). One chosen by these test figures would look too good.",
        section="training",
    )
    return [table]

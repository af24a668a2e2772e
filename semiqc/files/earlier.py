"""Tables as earlier versions wrote them, in the columns of today."""

from collections.abc import Collection

import pandas as pd


def in_current_columns(table: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """The same table, with one figure in each cell.

    Version 0.1 packed the scores of all estimators into ``scores`` (``curve=0.5;svr=0.25``) and
    the frames that have a pseudo-label into ``frames`` (``0 7``). Now each estimator has a column
    ``score_NAME``, and each frame a row.

    Args:
        table: Cells as text, as read from the file.
        names: Fields of the rows that are read.
    """
    if "scores" in names and "scores" in table:
        table = pd.concat([table.drop(columns="scores"), _scores(table["scores"])], axis=1)
    if "frame" in names and "frames" in table:
        table = table.assign(frame=table["frames"].str.split()).drop(columns="frames")
        table = table.explode("frame").dropna(subset="frame").reset_index(drop=True)
    return table


def _scores(packed: "pd.Series[str]") -> pd.DataFrame:
    """A column ``score_NAME`` of each estimator; empty where it gave no score."""
    cells = [dict(part.split("=") for part in cell.split(";") if part) for cell in packed]
    return pd.DataFrame(cells, index=packed.index).add_prefix("score_").fillna("")

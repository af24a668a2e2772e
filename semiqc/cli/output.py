"""How commands show what they do.

Everything goes to one Rich console, which leaves out colours and progress bars where the output
is no terminal. Errors are not printed here; see ``semiqc.cli.app.main``.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console

MOST_PRINTED = 200
"""Rows of a table; nobody reads more in a terminal."""

console = Console(markup=False)
"""Without markup: names and paths may have brackets."""


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that is told how much is done, and of how much.

    Yields:
        To be called with the number done and the number of all. The bar moves without an end until
        the first call, and is wiped when the block ends.
    """
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, is_wide: bool = False
) -> None:
    """A table with a title above it; of very many rows the first, and how many there are beside.

    Args:
        title: Printed even where there are no rows.
        columns: Headings.
        rows: Cells in the order of ``columns``; each is shown as ``str`` gives it. Brackets are no
            markup, for names of studies may have some.
        is_wide: Whether there are many columns, which then have no lines between them.
    """
    from rich.box import HEAVY_HEAD, SIMPLE_HEAD
    from rich.table import Table

    box, left = (SIMPLE_HEAD, 0) if is_wide else (HEAVY_HEAD, 1)
    table = Table(title=title, title_justify="left", box=box, padding=(0, 1, 0, left))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows[:MOST_PRINTED]:
        table.add_row(*(str(cell) for cell in row))
    console.print(table, markup=False)
    if len(rows) > MOST_PRINTED:
        console.print(f"and {len(rows) - MOST_PRINTED} more", highlight=False)


def print_left_out(refusals: Sequence[tuple[str, str]]) -> None:
    """A table of what was left out and why; nothing where all was used."""
    if refusals:
        print_table(f"left out {len(refusals)}", ("what", "why"), refusals)

"""``semiqc review``: a local page on which a person judges segmentations."""

from pathlib import Path
from typing import Annotated

import typer

from semiqc.cli.output import console


def review(
    path: Annotated[Path, typer.Argument(help="Store of studies with labels.")],
    reader: Annotated[str, typer.Option(help="Who judges.")] = "reader",
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
) -> None:
    """Judge segmentations on a local page; each verdict is kept before the next study shows."""
    try:
        from semiqc.review.serving import serve
    except ModuleNotFoundError as error:
        raise ValueError(
            f"semiqc review needs {error.name}: `pip install 'semiqc[review]'`"
        ) from None
    from semiqc.review.desk import Desk
    from semiqc.review.records import Records
    from semiqc.review.sources import find_items

    items = find_items(path)
    with Records(path.with_name(f"{path.stem}.review.sqlite")) as records:
        serve(Desk(items, records), host=host, port=port, reader=reader, on_ready=_tell)


def _tell(address: str) -> None:
    console.print(f"review: {address}", markup=False, highlight=False, soft_wrap=True)
    console.print("Ctrl-C ends it; verdicts are kept.", highlight=False)

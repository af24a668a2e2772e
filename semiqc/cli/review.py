"""``semiqc review``: a local page on which a person judges segmentations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semiqc.cli.options import Labels, Overwrite, meaning_of
from semiqc.cli.output import console, print_left_out, print_table, say

if TYPE_CHECKING:
    from semiqc.review.agreement import Agreement
    from semiqc.review.items import Item

Reader = Annotated[str, typer.Option(help="Who judges.")]
Order = Annotated[
    str, typer.Option(help="given, random, score (lowest first) or disagreement of estimators.")
]
Repeat = Annotated[
    float, typer.Option(min=0, max=1, help="Share shown twice, for intra-reader agreement.")
]
Blind = Annotated[
    bool | None,
    typer.Option(
        "--blind/--open",
        help="Hide estimates and references; default: where verdicts train an estimator.",
    ),
]
Export = Annotated[
    Path | None, typer.Option(help="Write what was said as CSV into a folder, and end.")
]
Import = Annotated[
    Path | None,
    typer.Option("--import", help="Take a reader's verdicts from a CSV file, and end."),
]

Reviewed = Annotated[
    Path, typer.Argument(help="Run folder, store of labelled studies, or images in files.")
]
Segmentations = Annotated[
    Path | None, typer.Argument(help="Of images in files: a segmentation, or a folder of them.")
]
Scores = Annotated[
    Path | None, typer.Option(help="Folder that `semiqc score` wrote of the same files.")
]
Scheme = Annotated[
    str, typer.Option(help="Of labels in files: short-axis, aorta, tumour, or a YAML file.")
]
Verdicts = Annotated[
    Path | None,
    typer.Option(help="SQLite file of what is said; default: in the run, or beside the labels."),
]


def review(
    path: Reviewed,
    segmentations: Segmentations = None,
    scores: Scores = None,
    scheme: Scheme = "short-axis",
    labels: Labels = None,
    verdicts: Verdicts = None,
    reader: Reader = "reader",
    order: Order = "random",
    repeat: Repeat = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of order and repeats.")] = 0,
    blind: Blind = None,
    export: Export = None,
    overwrite: Overwrite = False,
    import_: Import = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
) -> None:
    """Judge segmentations on a local page; each verdict is kept before the next study shows."""
    from semiqc.review.records import Records
    from semiqc.review.sources import records_of
    from semiqc.review.tables import read_into, write_tables

    items = _items(path, segmentations, scores, scheme, labels)
    with Records(verdicts or records_of(segmentations or path)) as records:
        if import_ is not None:
            say("taken", read_into(records, items, import_, reader))
        elif export is not None:
            _print_agreement(write_tables(records, items, export, overwrite=overwrite))
            say("tables", export)
        else:
            how = {"order": order, "repeat": repeat, "seed": seed, "blind": blind}
            _serve(items, records, reader, host, port, how)


def _items(
    path: Path, segmentations: Path | None, scores: Path | None, scheme: str, labels: str | None
) -> "list[Item]":
    """What is to be judged; what cannot be is told."""
    from semiqc.review.files import ScoredFolder, of_files
    from semiqc.review.sources import find_items
    from semiqc.schemes import read_scheme

    if segmentations is None:
        if scores is not None or labels is not None:
            raise ValueError("--scores and --labels are of segmentations in files; name them, too")
        return find_items(path)
    scored = ScoredFolder.read(scores) if scores else None
    known = scored.scheme if scored else read_scheme(scheme)
    items, left_out = of_files(
        path, segmentations, known, meaning=meaning_of(labels), scored=scored
    )
    print_left_out([(one.name, one.reason) for one in left_out])
    return items


def _serve(
    items: Any,  # noqa: ANN401
    records: Any,  # noqa: ANN401
    reader: str,
    host: str,
    port: int,
    how: dict[str, Any],
) -> None:
    try:
        from semiqc.review.serving import serve
    except ModuleNotFoundError as error:
        needs = f"semiqc review needs {error.name}: `pip install 'semiqc[review]'`"
        raise ValueError(needs) from None
    from semiqc.review.desk import Desk

    serve(Desk(items, records, **how), host=host, port=port, reader=reader, on_ready=_tell)


def _tell(address: str) -> None:
    say("review", address)
    console.print("Ctrl-C ends it; what was said is kept.", highlight=False)


def _print_agreement(found: "list[Agreement]") -> None:
    if not found:
        return
    print_table(
        "agreement of readers",
        ("reader", "and", "studies", "same", "kappa", "Dice of the good"),
        [
            (one.first, one.second, one.studies, f"{one.same:.2f}", f"{one.kappa:.2f}",
             f"{one.admitted:.2f}")
            for one in found
        ],
    )  # fmt: skip

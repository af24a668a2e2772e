"""Commands that make stores: ``semiqc import``, ``semiqc phantom`` and ``semiqc spoil``.

Each writes one HDF5 file, whole or not at all, and refuse to replace one without ``--overwrite``.
"""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semiqc.cli.options import Labels, NewStore, Overwrite, Seed, meaning_of
from semiqc.cli.output import bar, next_command, note, print_left_out, print_table, say

if TYPE_CHECKING:
    from semiqc.exchange.importing import Imported

Layout = Annotated[
    str,
    typer.Option(help="auto, or one of the layouts of docs/data.md, such as acdc or dicom."),
]
Scheme = Annotated[
    str | None,
    typer.Option(help="short-axis, aorta, tumour, or a YAML file of classes and structures."),
]
Spacing = Annotated[
    float | None, typer.Option(help="In-plane spacing in mm; default the data's median.")
]
Subjects = Annotated[
    Path | None,
    typer.Option(help="CSV of study and subject; default: told by DICOM or the names."),
]
Frames = Annotated[
    int | None, typer.Option(min=1, help="Of the cardiac cycle; default 20, aorta 100.")
]
Profiles = Annotated[
    list[str] | None, typer.Option("--profile", help="Scanner profile; may be repeated.")
]

Pixel = Annotated[
    float | None,
    typer.Option(help="In-plane spacing in mm; default the kind's field of view over the size."),
]
Variety = Annotated[
    str,
    typer.Option(help="usual, or random: short-axis hearts and scanners of no kind, to teach."),
]
Share = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Of the studies that may be spoilt; default a third."),
]


def import_(
    source: Annotated[Path, typer.Argument(help="Folder of studies, or a manifest CSV.")],
    store: NewStore,
    layout: Layout = "auto",
    scheme: Scheme = None,
    labels: Labels = None,
    spacing: Spacing = None,
    subjects: Subjects = None,
    overwrite: Overwrite = False,
) -> None:
    """Import studies into one store, and tell what was left out and why."""
    from semiqc.exchange.importing import import_data, read_scheme
    from semiqc.exchange.readers.registry import recognised

    with bar("import") as tick:
        report = import_data(
            source,
            store,
            layout=layout,
            scheme=read_scheme(scheme) if scheme else None,
            meaning=meaning_of(labels),
            spacing=spacing,
            subjects=subjects,
            overwrite=overwrite,
            on_progress=tick,
        )
    if layout == "auto":
        say("layout", recognised(source))
    _print_imported(report.imported, store)
    for warning in report.warnings:
        note(warning)
    print_left_out([(row.name, row.reason) for row in report.left_out])
    next_command(shlex.join(["semiqc", "info", str(store)]), "see what the store holds")
    _next_run(store)


def _print_imported(studies: "tuple[Imported, ...]", store: Path) -> None:
    """A table of the studies in a store; sizes in voxels, spacing in mm, ordered z, y, x."""
    columns = ("study", "subject", "group", "frames", "labelled", "slices", "rows x columns")
    print_table(
        f"imported {len(studies)} studies into {store}",
        (*columns, "spacing (mm)"),
        [
            (
                row.name,
                row.subject,
                row.group,
                row.frames,
                len(row.labelled_frames),
                row.slices,
                f"{row.size[0]} x {row.size[1]}",
                " x ".join(f"{mm:.2f}" for mm in row.spacing),
            )
            for row in studies
        ],
    )


Papillary = Annotated[
    str, typer.Option(help="Papillary muscles and trabeculae: cavity, class or none.")
]


def phantom(
    store: NewStore,
    kind: Annotated[str, typer.Option(help="short-axis, aorta or tumour.")] = "short-axis",
    studies: Annotated[int, typer.Option(min=1, help="Number of studies.")] = 40,
    seed: Seed = 0,
    size: Annotated[int, typer.Option(min=32, help="Rows and columns.")] = 96,
    slices: Annotated[int, typer.Option(min=1, help="Slices; the aorta has one.")] = 8,
    frames: Frames = None,
    profiles: Profiles = None,
    artefacts: Annotated[
        float, typer.Option(min=0, max=1, help="Share of studies with marked artefacts.")
    ] = 0.3,
    variety: Variety = "usual",
    spacing: Pixel = None,
    papillary: Papillary = "cavity",
    overwrite: Overwrite = False,
) -> None:
    """Make phantoms with a full-cycle reference."""
    from semiqc.phantom import write_phantoms

    with bar("phantoms") as tick:
        write_phantoms(
            store,
            kind=kind,
            studies=studies,
            seed=seed,
            size=size,
            slices=slices,
            frames=frames,
            profiles=profiles or None,
            artefacts=artefacts,
            variety=variety,
            pixel_mm=spacing,
            papillary=papillary,
            overwrite=overwrite,
            on_progress=tick,
        )
    say("store", store, f"{store}, {studies} phantoms")
    _next_run(store)


def _next_run(store: Path) -> None:
    """How a run on a store begins."""
    words = ["semiqc", "run", "--set", f"data={store}", "-o", "run", "--dry-run"]
    next_command(shlex.join(words), "see what a run would do; without --dry-run it does it")


def spoil(
    store: Annotated[Path, typer.Argument(help="Store as it is.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="HDF5 file to write.")],
    share: Share = None,
    kinds: Annotated[
        str | None, typer.Option(help="Names, parted by commas; default: all of docs/dirty.md.")
    ] = None,
    seed: Seed = 0,
    split: Annotated[
        Path | None,
        typer.Option(help="CSV of study and role: only the unlabelled are spoilt."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Spoil a share of a store's studies as an archive does; writes a CSV of what was done."""
    from semiqc.files.places import require_apart
    from semiqc.files.store.reader import Store
    from semiqc.spoiling import spoil_store
    from semiqc.work.split import read_split

    chosen: dict[str, Any] = {} if share is None else {"share": share}
    chosen |= {"kinds": [name.strip() for name in kinds.split(",")]} if kinds else {}
    if split and output.name:
        require_apart(output.with_suffix(".csv"), split)
    rows = read_split(split, list(Store(store))) if split else None
    with bar("spoil") as tick:
        spoilt = spoil_store(
            store,
            output,
            **chosen,
            seed=seed,
            roles={row.study: row.role for row in rows} if rows else None,
            overwrite=overwrite,
            on_progress=tick,
        )
    print_table(
        f"spoilt {len(spoilt)} of {len(Store(store))} studies in {output}",
        ("study", "kind"),
        [(row.study, row.kind) for row in spoilt],
    )

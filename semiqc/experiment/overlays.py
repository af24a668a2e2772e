"""Overlays of the best, the median and the worst study of a scenario.

They are kept in ``results/overlays.h5``, a group for each, so that a report can be built anew
without the data.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from semiqc.doors.hdf5_file import Attributes, reading_hdf5
from semiqc.files.atomic import whole_file
from semiqc.files.sink import hdf5_written
from semiqc.files.tables import OverlapRow
from semiqc.measuring.means import mean_of_known
from semiqc.report import Overlay
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction, Study


def overlays(
    rows: Iterable[OverlapRow],
    predictions: Sequence[Prediction],
    studies: Sequence[Study],
    scheme: LabelScheme,
    scenario: str,
) -> list[Overlay]:
    """The best, the median and the worst study by mean Dice, in their worst frame."""
    dice = _by_study(rows)
    means = {name: mean_of_known(row.dice for row in own) for name, own in dice.items()}
    ranked = sorted((name for name in means if not np.isnan(means[name])), key=means.__getitem__)
    if not ranked:
        return []
    by_name = {p.study: (p, s) for p, s in zip(predictions, studies, strict=True)}
    chosen = {"best": ranked[-1], "median": ranked[len(ranked) // 2], "worst": ranked[0]}
    return [
        _overlay(*by_name[name], dice[name], means[name], scheme, scenario, rank)
        for rank, name in chosen.items()
    ]


def _by_study(rows: Iterable[OverlapRow]) -> dict[str, list[OverlapRow]]:
    """Rows of each study, in the order in which studies come."""
    found: dict[str, list[OverlapRow]] = {}
    for row in rows:
        found.setdefault(row.study, []).append(row)
    return found


def _overlay(
    prediction: Prediction,
    study: Study,
    rows: Sequence[OverlapRow],
    dice: float,
    scheme: LabelScheme,
    scenario: str,
    rank: str,
) -> Overlay:
    frames = sorted({row.frame for row in rows})
    frame = min(frames, key=lambda t: mean_of_known(row.dice for row in rows if row.frame == t))
    reference = study.labels[frame]
    foreground = np.zeros(reference.shape, dtype=bool)
    for structure in scheme.structures:
        foreground |= structure.mask(reference)
    # The slice in the middle of the labelled ones shows every structure.
    labelled = np.flatnonzero(foreground.any(axis=(1, 2)))
    z = int(labelled[len(labelled) // 2]) if len(labelled) else reference.shape[0] // 2
    return Overlay(
        scenario=scenario,
        rank=rank,
        study=study.name,
        frame=frame,
        slice=z,
        image=study.image[0, frame, z],
        predicted=prediction.labels[frame, z],
        reference=reference[z],
        dice=dice,
    )


def write_overlays(path: Path, overlays: Sequence[Overlay]) -> None:
    """Keep overlays in an HDF5 file, whole or not at all."""
    with whole_file(path) as temporary, hdf5_written(temporary) as file:
        for number, overlay in enumerate(overlays):
            group = file.create_group(f"{number:04d}")
            for name in ("image", "predicted", "reference"):
                group.create_dataset(name, data=getattr(overlay, name), compression="gzip")
            for name in ("scenario", "rank", "study", "frame", "slice", "dice"):
                group.attrs[name] = getattr(overlay, name)


def read_overlays(path: Path) -> list[Overlay]:
    """The overlays that ``write_overlays`` kept."""
    with reading_hdf5(path) as file:
        return [
            Overlay(
                scenario=str(Attributes(group)["scenario"]),
                rank=str(Attributes(group)["rank"]),
                study=str(Attributes(group)["study"]),
                frame=int(Attributes(group)["frame"]),
                slice=int(Attributes(group)["slice"]),
                image=group["image"][:],
                predicted=group["predicted"][:],
                reference=group["reference"][:],
                dice=float(Attributes(group)["dice"]),
            )
            for group in file.values()
        ]

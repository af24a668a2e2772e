"""The data of a run: a store, what is imported into one, or phantoms.

Imports and phantoms are stages: they are made anew where their settings, or what stands in any
file that was read, changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from semiqc.experiment.sections import FramesSettings, ImportSettings
from semiqc.experiment.settings import Settings
from semiqc.files.atomic import write_text
from semiqc.files.checksums import sha256_of
from semiqc.files.store.reader import Store
from semiqc.files.tables import SpoiltRow
from semiqc.files.walking import files_within
from semiqc.images.notes import summed_up
from semiqc.measuring.measures import curve
from semiqc.phantom import write_phantoms
from semiqc.schemes import LabelScheme, read_scheme
from semiqc.study import Study
from semiqc.work.monitor import Monitor
from semiqc.work.stages import RunFolder

LEFT_OUT = "left_out.txt"
STORE = "store.h5"


@dataclass(frozen=True)
class LabelRow:
    """A frame that an expert labelled since the store was made.

    Args:
        study: Its name.
        frame: From 0.
        file: With the labels on the grid of the store, relative to the run folder.
    """

    study: str
    frame: int
    file: str


@dataclass(frozen=True)
class Data:
    """What a run works on.

    Args:
        store: The studies.
        left_out: What was left out when it was made, a line each.
        spoilt: By name, studies of a dirty pool that take the place of those of the store.
        spoilt_store: File that holds these; None without any.
        dirty: How each of these was spoilt.
        files: SHA-256 by path of all files that were imported; none where the data is a store.
        labels: Frames that an expert labelled since; the store has their labels.
    """

    store: Store
    left_out: tuple[str, ...] = ()
    spoilt: Mapping[str, Study] = field(default_factory=dict)
    spoilt_store: Path | None = None
    dirty: tuple[SpoiltRow, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[LabelRow, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the studies' files, a line each."""
        return summed_up((study.name, study.notes) for study in self.store)

    def study(self, name: str) -> Study:
        """The study of that name as the run uses it."""
        return self.spoilt[name] if name in self.spoilt else self.store.study(name)


def open_data(settings: Settings, folder: RunFolder, monitor: Monitor) -> Data:
    """The data that the settings name; imported or made where need be.

    Raises:
        ValueError: If there is no such file, or nothing in it can be used.
    """
    if settings.data is None:
        return Data(_phantoms(settings, folder, monitor))
    if settings.data.is_dir() or settings.data.suffix.lower() == ".csv":
        return _imported(settings, folder, monitor)
    return Data(Store(settings.data))


def _phantoms(settings: Settings, folder: RunFolder, monitor: Monitor) -> Store:
    """A store of phantoms by the section ``phantom``, made once in the run folder."""
    phantom = settings.phantom

    def make(unfinished: Path) -> None:
        with monitor.progress("phantoms", phantom.studies) as tick:
            write_phantoms(
                unfinished / STORE,
                **phantom.model_dump(),
                overwrite=True,
                on_progress=lambda done, total: tick(done, {}),
            )

    stage = folder.stage("phantom", phantom.model_dump(mode="json"), make)
    return Store(stage.folder / STORE)


def _imported(settings: Settings, folder: RunFolder, monitor: Monitor) -> Data:
    # Readers bring all formats with them, and most runs begin with a store or phantoms.
    from semiqc.exchange.importing import import_data
    from semiqc.exchange.readers.registry import check_layout

    source, importing = settings.data, settings.importing
    if source is None:
        raise ValueError("data: names nothing to import")
    scheme = read_scheme(importing.scheme) if importing.scheme else None
    check_layout(source, importing.layout)
    files = _files_of(source, settings.output, monitor)
    depends = {
        "importing": _written(importing),
        "scheme": scheme.to_json() if scheme else None,
        "files": [list(one) for one in files.items()],
    }

    def make(unfinished: Path) -> None:
        report = import_data(
            source,
            unfinished / STORE,
            layout=importing.layout,
            scheme=scheme,
            meaning=importing.labels,
            spacing=importing.spacing,
            subjects=importing.subjects,
            overwrite=True,
        )
        lines = [f"{one.name}: {one.reason}" for one in report.left_out]
        for note in report.warnings:
            monitor.note(note)
        write_text(unfinished / LEFT_OUT, "".join(f"{line}\n" for line in lines))

    stage = folder.stage("import", depends, make)
    lines = (stage.folder / LEFT_OUT).read_text(encoding="utf-8").splitlines()
    return Data(Store(stage.folder / STORE), tuple(lines), files=files)


def _files_of(source: Path, output: Path, monitor: Monitor) -> dict[str, str]:
    """SHA-256 by path of each file in a folder, or named by a manifest; those of the run not."""
    from semiqc.exchange.readers.manifest import named_files

    named = named_files(source) if source.is_file() else [source]
    found = [file for one in named for file in ([one] if one.is_file() else files_within(one))]
    run = output.absolute()
    others = [path for path in found if not path.absolute().is_relative_to(run)]
    sums = {}
    with monitor.progress("look at the files", len(others)) as tick:
        for done, path in enumerate(others, start=1):
            sums[str(path)] = sha256_of(path)
            tick(done, {})
    return sums


def _written(importing: ImportSettings) -> dict[str, Any]:
    """What an import depends on; settings of later versions count only where they are given."""
    written = importing.model_dump(mode="json")
    subjects = importing.subjects
    text = subjects.read_text(encoding="utf-8-sig") if subjects else ""
    later = {"labels": written.pop("labels"), "subjects": written.pop("subjects") and text}
    return written | {name: value for name, value in later.items() if value}


def training_frames(
    study: Study, settings: FramesSettings, scheme: LabelScheme, seed: int
) -> tuple[int, ...]:
    """The labelled frames of a study that are learned from, in order; see ``FramesSettings``.

    Extremes are those of largest and smallest volume or area of the scheme's first measured
    structure; a study with two labelled frames or fewer keeps them all. Random frames depend on
    the seed and the study's name alone.
    """
    frames = study.labelled_frames
    if settings.use == "random" and len(frames) > settings.count:
        # A study keeps its frames whatever other studies there are.
        rng = np.random.default_rng([seed, *study.name.encode()])
        return tuple(sorted(int(t) for t in rng.choice(frames, settings.count, replace=False)))
    measured = [s for s in scheme.structures if s.measure]
    if settings.use == "extremes" and len(frames) > 2 and measured:
        sizes = curve(study.labels, study.spacing, measured[0])
        by_size = sorted(frames, key=lambda t: sizes[t])
        return tuple(sorted({by_size[0], by_size[-1]}))
    return frames


def with_training_frames(
    studies: Sequence[Study], settings: FramesSettings, scheme: LabelScheme, seed: int
) -> list[Study]:
    """Copies of the studies in which only the frames that train have labels."""
    return [study.keeping(training_frames(study, settings, scheme, seed)) for study in studies]

"""A suite that only phantoms teach: ``semiqc qc pretrain``.

Phantoms, their segmentations and each estimator are stages, so that a killed command goes on. All
of it lies beside the suite in a folder that is removed at the end.
"""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from qc.consensus.blend import Blend
from qc.estimators.registry import ESTIMATORS
from qc.graded import SOURCES
from qc.suites.card import suite_digest
from qc.suites.shipped import CARD, SUITE, SuiteCard
from qc.suites.suite import Suite
from semiqc.files.atomic import take_place, unfinished_folder
from semiqc.files.staying import is_empty, stays
from semiqc.phantom.settings import PhantomSettings
from semiqc.suites.making import SuiteMaker
from semiqc.suites.settings import SuiteSettings
from semiqc.work.bounds import Count, Folds, Number, SeedNumber
from semiqc.work.folder import claim, environment
from semiqc.work.monitor import Monitor, Tick
from semiqc.work.sections import OneOf
from semiqc.work.stages import RunFolder

PHANTOMS = "phantoms.h5"
USUAL = (
    "seggen.times=2",
    "failures.kinds=[missing, eroded, dilated, leaked]",
    "second_opinion.calibrate=false",
)
"""Arguments where nothing else is said. Many hearts teach more than many failures, and what spoilt
references of phantoms teach of agreement does not hold for what networks make of patients."""


class SuitePretraining(PhantomSettings):
    """What ``semiqc qc pretrain`` makes; the card of what is shipped tells how that was made."""

    phantoms: Count = 60
    """How many are drawn; those of the short axis are of no kind in particular."""
    seed: SeedNumber = 0
    """Of all that is drawn."""
    estimators: Annotated[tuple[str, ...], OneOf(ESTIMATORS)] = ("second_opinion", "physiology")
    """Who judges."""
    sources: Annotated[tuple[str, ...], OneOf(SOURCES)] = ("seggen", "failures")
    """Who makes the segmentations of known quality."""
    calibrate: Number = 0
    """Phantoms that the weights of the consensus are fitted to; without any, the first of the
    estimators decides alone."""
    folds: Folds = 2
    """Of the cross-fitting."""
    changes: tuple[str, ...] = ()
    """``NAME.ARGUMENT=VALUE`` of estimators and sources, beside ``USUAL``."""

    def making(self) -> SuiteSettings:
        """Settings of the suite, once the phantoms are there."""
        chosen = {*self.estimators, *self.sources}
        usual = tuple(change for change in USUAL if change.partition(".")[0] in chosen)
        return SuiteSettings(
            estimators=self.estimators,
            sources=self.sources,
            changes=(*usual, *self.changes),
            calibrate=self.calibrate,
            folds=self.folds,
            seed=self.seed,
        )


def pretrain_suite(
    settings: SuitePretraining, output: Path, monitor: Monitor, *, command: str
) -> SuiteCard:
    """Make phantoms, fit a suite to segmentations of them, and write it with its card.

    Args:
        settings: Of phantoms and suite.
        output: Folder to write.
        monitor: Told how it goes on.
        command: What the card says that made the suite.

    Returns:
        The card. It tells no figures: who measures the suite adds them.

    Raises:
        FileExistsError: If the folder holds something.
        ValueError: If settings contradict each other.
    """
    beside = output.with_name(f"{output.name}.unfinished")
    folder = unfinished_folder(output) if stays(output) else beside
    if known := _tidied_up(command, output, folder):
        return known
    if output.exists() and (not output.is_dir() or not is_empty(output)):
        raise FileExistsError(f"{output}: exists and is not empty; name another folder")
    making = settings.making()
    with claim(folder, settings.model_dump(mode="json")):
        store = _phantoms(settings, RunFolder(folder, monitor.stage, monitor.note), monitor)
        made = folder / "suite"
        if not (made / SUITE).exists():
            SuiteMaker(store, made, making, monitor).make()
        card = _published(settings, Suite.load(made), folder / "finished", command)
        take_place(folder / "finished", output)
    shutil.rmtree(folder)
    return card


def _tidied_up(command: str, output: Path, folder: Path) -> SuiteCard | None:
    """The card of a suite whose command was killed when it had but to remove its ``folder``."""
    try:
        card = SuiteCard.read(output / CARD) if folder.exists() else None
        if not card or card.command != command:
            return None
        if card.sha256 != suite_digest(Suite.load(output), output):
            return None
    except ValueError:
        return None
    shutil.rmtree(folder)
    return card


def _published(settings: SuitePretraining, made: Suite, folder: Path, command: str) -> SuiteCard:
    """Write suite and card into a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    suite = _for_strangers(made, settings.seed)
    if suite.blend is None:
        suite = replace(suite, blend=Blend(suite.scheme).fit({settings.estimators[0]: []}, []))
    suite.save(folder)
    own = settings.model_dump(mode="json", exclude=set(PhantomSettings.model_fields))
    card = SuiteCard(
        scheme=settings.scheme,
        sha256=suite_digest(suite, folder),
        command=command,
        phantoms=settings.described(),
        versions=environment(),
        suite=own | {"changes": settings.making().changes},
    )
    card.write(folder / CARD)
    return card


def _phantoms(settings: SuitePretraining, work: RunFolder, monitor: Monitor) -> Path:
    """The store of the phantoms."""

    def make(unfinished: Path) -> None:
        with monitor.progress("phantoms", settings.phantoms) as tick:
            settings.recipe.write(
                unfinished / PHANTOMS,
                range(settings.phantoms),
                overwrite=True,
                on_progress=partial(_tell, tick),
            )

    return work.stage("phantoms", settings.described(), make).folder / PHANTOMS


def _tell(tick: Tick, done: int, _: int) -> None:
    tick(done, {})


def _for_strangers(suite: Suite, seed: int) -> Suite:
    """The suite whose phantoms have names that tell them from those of another seed.

    Else a user's own phantoms, which have the same names, would count as learned from. Where the
    axes of a phantom point is nothing to warn by: images lie as scanners lay them.
    """
    learned = suite.training
    named = [
        tuple(f"{name} of seed {seed}" for name in names)
        for names in (learned.names, learned.weighing, learned.subjects)
    ]
    names, weighing, subjects = named
    training = replace(learned, names=names, weighing=weighing, subjects=subjects)
    return replace(suite, training=replace(training, directions=()))

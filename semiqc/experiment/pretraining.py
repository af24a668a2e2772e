"""Weights that only phantoms teach: ``semiqc pretrain``.

Phantoms are written in parts, and the training keeps its state, so that a killed command goes on.
All of it lies beside the weights in a folder that is removed at the end.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from segmenters import SEGMENTERS, NetworkSegmenter, TrainingSettings
from segmenters.pretrained.card import Card, card_file
from segmenters.training import WITHOUT_EFFECT
from semiqc.experiment.sections import SegmenterSettings
from semiqc.experiment.settings_file import checked_settings
from semiqc.experiment.trained import TO_CHANGE, WEIGHTS
from semiqc.experiment.training_log import TrainingLog
from semiqc.files.atomic import move
from semiqc.files.checksums import refuse_sealed, sha256_of
from semiqc.files.places import refuse_mount
from semiqc.files.store.reader import Store
from semiqc.loop_state import empty_without_state
from semiqc.phantom.dataset import CONTENTS
from semiqc.phantom.settings import PhantomSettings
from semiqc.study import Study
from semiqc.work.diverging import named_if_diverged
from semiqc.work.folder import claim, environment
from semiqc.work.monitor import Monitor
from semiqc.work.stages import RunFolder

PART = 50
"""Phantoms in a file."""


class PretrainingSettings(PhantomSettings):
    """What ``semiqc pretrain`` makes."""

    segmenter: SegmenterSettings = SegmenterSettings()
    """The network."""
    training: TrainingSettings = TrainingSettings(steps=5000, foreground=0.6)
    """How it is trained; phantoms start from random weights. More crops than usual lie away from
    the structures, so that what is far from them is learned too."""

    def blank(self) -> NetworkSegmenter:
        """The segmenter before its training."""
        scheme, modalities = CONTENTS[self.scheme]
        return SEGMENTERS[self.segmenter.kind](
            scheme,
            len(modalities),
            **self.segmenter.arguments,
            training=self.training,
        )


def read_pretraining(changes: Sequence[str]) -> PretrainingSettings:
    """Settings changed by ``key=value`` pairs, such as ``training.steps=100``.

    Raises:
        SettingsError: In words that name the setting.
    """
    return checked_settings(PretrainingSettings, changes)


def pretrain(
    settings: PretrainingSettings,
    weights: Path,
    monitor: Monitor,
    *,
    command: str,
    overwrite: bool = False,
) -> Card:
    """Make phantoms, train on them, and write weights and their card.

    Args:
        settings: Of phantoms, network and training.
        weights: File to write; the card lies beside it, with the suffix ``.json``.
        monitor: Told how it goes on.
        command: What the card says that made the weights.
        overwrite: Replace weights that are there.

    Returns:
        The card. It tells no figures: who measures the weights adds them.

    Raises:
        FileExistsError: If the weights are there and may not be replaced, or another program's
            file stands where their card belongs.
        ValueError: If the name does not end in ``.safetensors``.
    """
    folder = weights.with_suffix(".unfinished")
    if not overwrite and (made := _tidied_up(command, weights, folder)):
        return made
    _check(weights, overwrite=overwrite)
    with claim(folder, settings.model_dump(mode="json")):
        work = RunFolder(folder, monitor.stage, monitor.note)
        trained = _trained(settings, _phantoms(settings, work, monitor), work, monitor)
        segmenter = settings.blank().load(trained)
        segmenter.save(folder / WEIGHTS)
        card = _card(settings, segmenter, folder / WEIGHTS, command)
        # Killed between the two, the same command goes on, for the weights are not there yet.
        card.write(card_file(weights))
        move(folder / WEIGHTS, weights)
    shutil.rmtree(folder)
    return card


def _tidied_up(command: str, weights: Path, folder: Path) -> Card | None:
    """The card of weights whose command was killed when it had but to remove its ``folder``."""
    try:
        card = Card.read(card_file(weights)) if folder.exists() else None
    except ValueError:
        return None
    if not card or card.command != command or not weights.exists():
        return None
    if card.sha256 != sha256_of(weights):
        return None
    shutil.rmtree(folder)
    return card


def _check(weights: Path, *, overwrite: bool) -> None:
    """Make sure that weights and their card may be written, and replace nothing else.

    Raises:
        FileExistsError: If something else stands there.
        ValueError: If the name does not end in ``.safetensors``.
    """
    if weights.suffix != ".safetensors":
        raise ValueError(f"{weights}: weights are written to a file named *.safetensors")
    if weights.exists() and not overwrite:
        raise FileExistsError(f"{weights}: exists; say --overwrite to replace it")
    card = card_file(weights)
    for path in (weights, card):
        refuse_sealed(path)
        refuse_mount(path)
    if not card.exists():
        return
    try:
        Card.read(card)
    except ValueError:
        raise FileExistsError(f"{card}: is no card of weights; name others to write") from None


def _phantoms(settings: PretrainingSettings, work: RunFolder, monitor: Monitor) -> list[Study]:
    """The phantoms, each part made once; their voxels are read when they are needed."""
    recipe, studies = settings.recipe, list[Study]()
    with monitor.progress("phantoms", settings.phantoms) as tick:
        for first in range(0, settings.phantoms, PART):
            numbers = range(first, min(first + PART, settings.phantoms))

            def make(unfinished: Path, numbers: range = numbers) -> None:
                recipe.write(
                    unfinished / "phantoms.h5",
                    numbers,
                    overwrite=True,
                    on_progress=lambda done, _: tick(numbers[0] + done, {}),
                )

            depends = {**asdict(recipe), "first": first, "count": len(numbers)}
            part = work.stage(f"phantoms-{first}", depends, make)
            studies += Store(part.folder / "phantoms.h5")
            tick(numbers[-1] + 1, {})
    return studies


def _trained(
    settings: PretrainingSettings, studies: Sequence[Study], work: RunFolder, monitor: Monitor
) -> Path:
    """The file with the weights that a training on the phantoms leaves."""

    def make(unfinished: Path) -> None:
        empty_without_state(unfinished)
        with (
            TrainingLog(unfinished, "pretraining") as log,
            monitor.progress("pretraining", settings.training.steps) as tick,
        ):

            def observe(step: int, terms: Mapping[str, float]) -> None:
                log(step, terms)
                tick(step, {term: value for term, value in terms.items() if "/" not in term})

            with named_if_diverged("on phantoms", TO_CHANGE):
                fitted = settings.blank().fit(studies, observe=observe, folder=unfinished)
        fitted.save(unfinished / WEIGHTS)

    depends = settings.model_dump(mode="json")
    for setting in WITHOUT_EFFECT:
        del depends["training"][setting]
    stage = work.stage("pretraining", depends, make)
    return stage.folder / WEIGHTS


def _card(
    settings: PretrainingSettings, segmenter: NetworkSegmenter, weights: Path, command: str
) -> Card:
    """What is written beside the weights."""
    network: dict[str, Any] = segmenter.described()
    return Card(
        scheme=settings.scheme,
        segmenter=settings.segmenter.model_dump(mode="json"),
        network=network,
        spacing_mm=settings.spacing,
        sha256=sha256_of(weights),
        command=command,
        phantoms=settings.described(),
        training=asdict(settings.training),
        versions=environment(),
    )

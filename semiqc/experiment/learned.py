"""What segments and judges new studies: the result of a run, or weights that phantoms taught."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import isclose
from pathlib import Path
from typing import Any

from qc import CONSENSUS, ESTIMATORS, Blend
from qc.consensus.panel import Panel
from qc.saving import load_estimator
from qc.suites.card import suite_digest
from qc.suites.shipped import PHANTOM, is_shipped
from qc.suites.suite import Suite
from segmenters import SEGMENTERS, Segmenter
from segmenters.pretrained import Card, card_of, shipped_file
from segmenters.training import WITHOUT_EFFECT
from semiqc import __version__
from semiqc.experiment.finished import Finished, RunError
from semiqc.experiment.pretraining import PretrainingSettings
from semiqc.experiment.results import estimator_file, model_file
from semiqc.files.checksums import sha256_of
from semiqc.schemes import LabelScheme
from semiqc.suites.suiting import SAME_SPACING
from semiqc.work.arguments import unknown


@dataclass(frozen=True)
class Learned:
    """A fitted segmenter, who judges its results, and what images suit it.

    Args:
        segmenter: The segmenter.
        panel: Fitted estimators; empty where nobody judges.
        scheme: Of its labels.
        spacing_mm: In plane, of the images that it learned from.
        modalities: Number of modalities that it takes.
        clean: Whether only the largest component of each class is kept.
        by: Estimator whose verdict comes first.
        scenario: Whose segmenter it is.
        seed: Of the run.
        key: Hash of all that its results depend on, beside the images.
    """

    segmenter: Segmenter
    panel: Panel
    scheme: LabelScheme
    spacing_mm: float
    modalities: int
    clean: bool
    by: str
    scenario: str
    seed: int
    key: str = ""


def find_learned(run: Path, scenario: str | None = None) -> Learned:
    """What a run learned; where ``run`` is ``phantom`` or ``phantom:SCHEME``, shipped weights.

    A folder of that name is a run. Without a scenario it is that of reference, which the report
    compares with the others.

    Raises:
        RunError: If there is no finished run, or it did not train the scenario.
        ValueError: If no weights are shipped for the scheme, or they are damaged.
    """
    name, _, scheme = str(run).partition(":")
    if name == PHANTOM and not run.exists():
        return of_phantoms(scheme or PretrainingSettings().scheme)
    finished = Finished.read(run)
    return of_run(finished, scenario or finished.reference)


def of_run(finished: Finished, scenario: str) -> Learned:
    """What a finished run learned in a scenario: its first seed's segmenter and estimators.

    Raises:
        RunError: If the run did not train it.
    """
    settings = finished.settings
    return Learned(
        segmenter=load_segmenter(finished, scenario),
        panel=load_panel(finished),
        scheme=finished.scheme,
        spacing_mm=finished.data["spacing_mm"],
        modalities=len(finished.data["modalities"]),
        clean=settings.segmenter.clean,
        by=settings.gate.by,
        scenario=scenario,
        seed=settings.seeds[0],
        key=_key_of_run(finished, scenario),
    )


def _key_of_run(finished: Finished, scenario: str) -> str:
    """Hash of a run's segmenter and estimators, and of the settings that they work by."""
    run, settings, data = finished.folder, finished.settings, finished.data
    seed = settings.seeds[0]
    judging = [estimator_file(run, name, seed) for name in (*settings.estimators, CONSENSUS)]
    files = [model_file(run, scenario, seed), *judging]
    training = {k: v for k, v in asdict(settings.training).items() if k not in WITHOUT_EFFECT}
    return _hash(
        {
            "scenario": scenario,
            "seed": seed,
            "data": {name: data[name] for name in ("scheme", "spacing_mm", "modalities")},
            "segmenter": settings.segmenter.model_dump(mode="json"),
            "training": training,
            "by": settings.gate.by,
            "files": {one.name: sha256_of(one) for one in files if one.exists()},
        }
    )


def _hash(depends: Mapping[str, Any]) -> str:
    described = json.dumps([__version__, depends], sort_keys=True, default=str)
    return hashlib.sha256(described.encode()).hexdigest()


def of_phantoms(scheme: str) -> Learned:
    """The segmenter of a label scheme that only phantoms taught, and the suite that they taught.

    Nobody judges its results where no suite is shipped for such images.

    Raises:
        ValueError: If no weights are shipped, or something that is shipped is damaged.
    """
    card = card_of(scheme)
    found = of_card(card, shipped_file(scheme))
    if not is_shipped(scheme):
        return found
    named = f"{PHANTOM}:{scheme}"
    suite = Suite.load(named)
    if not isclose(suite.training.spacing_mm, found.spacing_mm, rel_tol=SAME_SPACING):
        return found
    key = _hash({"segmenter": found.key, "suite": suite_digest(suite, named)})
    return replace(found, panel=suite.panel, by=suite.names[-1], key=key)


def of_card(card: Card, weights: Path) -> Learned:
    """The segmenter that a card tells of.

    Raises:
        ValueError: If the weights are missing, damaged or of another network.
    """
    card.check(weights)
    settings = PretrainingSettings.model_validate(
        {"scheme": card.scheme, "segmenter": card.segmenter, "training": card.training}
    )
    blank = settings.blank()
    return Learned(
        segmenter=blank.load(weights),
        panel=Panel({}),
        scheme=blank.scheme,
        spacing_mm=card.spacing_mm,
        modalities=blank.modalities,
        clean=settings.segmenter.clean,
        by="",
        scenario=PHANTOM,
        seed=card.training["seed"],
        key=_hash(asdict(card)),
    )


def load_segmenter(finished: Finished, scenario: str, seed: int | None = None) -> Segmenter:
    """The fitted segmenter of a scenario; of the run's first seed, where none is said.

    Raises:
        RunError: If the run did not train it.
    """
    settings = finished.settings
    known = list(settings.compared())
    if scenario not in known:
        raise RunError(f"{finished.folder}: scenario {unknown(scenario, known)}")
    network = settings.segmenter
    blank = SEGMENTERS[network.kind](
        finished.scheme,
        len(finished.data["modalities"]),
        **network.arguments,
        training=settings.training,
    )
    chosen = settings.seeds[0] if seed is None else seed
    return blank.load(model_file(finished.folder, scenario, chosen))


def load_panel(finished: Finished) -> Panel:
    """The fitted estimators and the blend of a run's first seed, as far as it has some."""
    scheme, seed = finished.scheme, finished.settings.seeds[0]
    names = finished.settings.estimators
    files = {name: estimator_file(finished.folder, name, seed) for name in names}
    estimators = {
        name: load_estimator(file, ESTIMATORS, scheme)
        for name, file in files.items()
        if file.exists()
    }
    blend = estimator_file(finished.folder, CONSENSUS, seed)
    if not blend.exists():
        return Panel(estimators)
    return Panel(estimators, load_estimator(blend, {CONSENSUS: Blend}, scheme))

"""Teaching the quality estimators, and letting them judge, within a run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from qc import (
    ESTIMATORS,
    Graded,
    Quality,
    QualityEstimator,
    SimulatedReader,
    balanced,
    read_verdicts,
    with_verdict,
)
from qc.estimators import make_estimator
from qc.saving import load_estimator, save_estimator
from semiqc.atomic import write_text
from semiqc.experiment.arguments import checked_arguments
from semiqc.experiment.settings import Rung, Settings
from semiqc.experiment.stages import Stage
from semiqc.experiment.workshop import Trained, Workshop
from semiqc.study import Prediction, Study

QUALITIES = "qualities.json"
ESTIMATOR = "estimator.safetensors"
PERCENT = 100


class Judges:
    """The quality estimators of a run, taught on predictions whose reference is known.

    Args:
        settings: Of the run.
        workshop: Trains the ladder of segmenters.
    """

    def __init__(self, settings: Settings, workshop: Workshop) -> None:
        self.settings = settings
        self.workshop = workshop
        self.fitted: dict[str, tuple[Stage, QualityEstimator]] = {}

    def learn(self, experts: Sequence[Study], spared: Sequence[Study]) -> None:
        """Teach every estimator.

        Args:
            experts: The labelled studies, which train the ladder.
            spared: Studies that train no segmenter. Where there are none, each fold of
                ``experts`` is judged by a ladder that is trained on the others.
        """
        if spared:
            graded = self._ladder("", experts, spared)
        else:
            graded = [
                one
                for number, (others, fold) in enumerate(self._folds(experts))
                for one in self._ladder(f"fold{number}-", others, fold)
            ]
        graded = self._with_verdicts(graded)
        key = [[*_origin(one.prediction), one.is_good] for one in graded]
        for name in self.settings.qc.estimators:
            self.fitted[name] = self._fit(name, graded, key)

    def judge(self, name: str, predictions: Sequence[Prediction]) -> list[Quality]:
        """What the estimator says of each prediction."""
        stage, estimator = self.fitted[name]
        depends = {"estimator": stage.key, "predictions": [_origin(p) for p in predictions]}

        def make(unfinished: Path) -> None:
            # One at a time: error maps of all studies would not fit into memory.
            rows = [_to_json(*estimator.predict([prediction])) for prediction in predictions]
            write_text(unfinished / QUALITIES, json.dumps(rows, indent=1))

        judged = self.workshop.folder.stage(
            f"judge-{name}-seed{self.workshop.seed}", depends, make
        )
        rows = json.loads((judged.folder / QUALITIES).read_text(encoding="utf-8"))
        return [_from_json(row) for row in rows]

    def _ladder(
        self, prefix: str, experts: Sequence[Study], judged: Sequence[Study]
    ) -> list[Graded]:
        graded = []
        hidden = [study.without_labels() for study in judged]
        for rung in self.settings.qc.ladder:
            few = experts[: max(1, round(len(experts) * rung.labelled))]
            trained = self.train(prefix, rung, few, is_whole=len(few) == len(experts))
            for source, snapshot in self.workshop.snapshots(trained, rung).items():
                predictions = self.workshop.predict(f"{prefix}qc-{source}", snapshot, hidden)
                graded += [
                    Graded(p, study.labels, None, source, study.group)
                    for p, study in zip(predictions, judged, strict=True)
                ]
        return graded

    def train(
        self, prefix: str, rung: Rung, experts: Sequence[Study], *, is_whole: bool
    ) -> Trained:
        """A rung; one that holds nothing back is the first segmenter of the scenarios."""
        is_first = is_whole and rung.width == rung.steps == 1
        name = "few" if is_first else f"ladder-{rung.name}"
        return self.workshop.train(f"{prefix}{name}", rung, experts)

    def _folds(self, experts: Sequence[Study]) -> list[tuple[list[Study], list[Study]]]:
        subjects = sorted({study.subject for study in experts})
        if len(subjects) < 2:
            raise ValueError(
                "quality control needs subjects to learn from: set split.qc above 0, or"
                f" split.labelled to at least 2, got {len(subjects)}"
            )
        parts = np.array_split(np.array(subjects), min(self.settings.qc.folds, len(subjects)))
        return [
            (
                [study for study in experts if study.subject not in part],
                [study for study in experts if study.subject in part],
            )
            for part in parts
        ]

    def _with_verdicts(self, graded: Sequence[Graded]) -> list[Graded]:
        qc = self.settings.qc
        if qc.verdicts is None:
            bounds = qc.reader.model_dump(exclude={"min_share"})
            strict = SimulatedReader(self.workshop.store.scheme, **bounds)
            reader = balanced(strict, graded, qc.reader.min_share)
            self.workshop.monitor.note(
                f"simulated reader: erroneous below Dice {reader.min_dice:.2f} or where EF is off"
                f" by more than {reader.max_ef_error:.1f} points"
            )
            return [with_verdict(one, reader(one)) for one in graded]
        verdicts = read_verdicts(qc.verdicts)
        seen_by_reader = f"{qc.ladder[0].name}@{self.settings.training.steps}"
        found = [
            replace(one, is_good=verdicts[one.prediction.study])
            for one in graded
            if one.source == seen_by_reader and one.prediction.study in verdicts
        ]
        if not found:
            raise ValueError(f"{qc.verdicts}: no verdict on any of the studies that teach")
        return found

    def _fit(
        self, name: str, graded: Sequence[Graded], key: Sequence[Any]
    ) -> tuple[Stage, QualityEstimator]:
        workshop = self.workshop
        given = self.settings.qc.arguments.get(name, {})
        arguments = checked_arguments(ESTIMATORS[name], given)
        modalities = len(workshop.store.modalities)
        depends = {"estimator": name, "arguments": arguments, "graded": key}

        def make(unfinished: Path) -> None:
            blank = make_estimator(
                name, workshop.store.scheme, modalities, seed=workshop.seed, **arguments
            )
            with workshop.monitor.progress(f"fit {name}", PERCENT) as tick:
                fitted = blank.fit(
                    graded, observe=lambda done, total: tick(PERCENT * done // total, {})
                )
            save_estimator(fitted, unfinished / ESTIMATOR)

        stage = workshop.folder.stage(f"qc-{name}-seed{workshop.seed}", depends, make)
        return stage, load_estimator(stage.folder / ESTIMATOR, ESTIMATORS)


def _origin(prediction: Prediction) -> list[str]:
    """Where a prediction stands; the folder's name holds the hash of how it was made."""
    path: Path = prediction.labels.path  # type: ignore[attr-defined]
    return [prediction.study, path.parent.name]


def _to_json(quality: Quality) -> dict[str, Any]:
    return {
        "study": quality.study,
        "score": quality.score,
        "is_good": quality.is_good,
        "dice": dict(quality.dice),
        "nsd": dict(quality.nsd),
        "slice_dice": {name: found.tolist() for name, found in quality.slice_dice.items()},
        "interval": dict(quality.interval),
        "reasons": list(quality.reasons),
    }


def _from_json(row: Mapping[str, Any]) -> Quality:
    read = {
        "slice_dice": {name: np.array(found) for name, found in row["slice_dice"].items()},
        "interval": {name: (low, high) for name, (low, high) in row["interval"].items()},
        "reasons": tuple(row["reasons"]),
    }
    return Quality(**{**row, **read})

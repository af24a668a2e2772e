"""Teaching the quality estimators, and letting them judge, within a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from qc import (
    CONSENSUS,
    ESTIMATORS,
    Blend,
    Graded,
    Quality,
    QualityEstimator,
    SimulatedReader,
    balanced,
    read_verdicts,
    with_verdict,
)
from qc.absence import absent_structures
from qc.calibration import true_dice
from qc.estimators import make_estimator
from qc.gates import Calibration
from qc.graded import subject_folds
from qc.saving import load_estimator, save_estimator
from semiqc.experiment.arguments import checked_arguments
from semiqc.experiment.quality_file import read_qualities, write_qualities
from semiqc.experiment.sections import Rung
from semiqc.experiment.settings import Settings
from semiqc.experiment.stages import Stage
from semiqc.experiment.workshop import Team, Workshop, origin
from semiqc.records import mean
from semiqc.study import Prediction, Study

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
        self.graded: list[Graded] = []
        self._held_out: dict[str, list[Quality | None]] = {}
        self._blend: Blend | None = None

    @property
    def blend(self) -> Blend | None:
        """Weighs the estimators, where there are several; taught."""
        return self._blend

    @property
    def names(self) -> list[str]:
        """Of all who judge; the consensus of several comes last."""
        return [*self.fitted, CONSENSUS] if self._blend else list(self.fitted)

    def learn(self, experts: Sequence[Study], spared: Sequence[Study]) -> None:
        """Teach every estimator.

        Args:
            experts: The labelled studies, which train the ladder.
            spared: Studies that train no segmenter. Where there are none, each fold of
                ``experts`` is judged by a ladder that is trained on the others.
        """
        teachers = spared or experts
        self._subjects = {study.name: study.subject for study in teachers}
        self._dealt = self._deal(teachers)
        graded = self._ladder("", experts, spared) if spared else self._cross_fitted(experts)
        self.graded = self._with_verdicts(graded)
        for name in self.settings.judges:
            self.fitted[name] = self._fit(name, self.graded)
        gates = (self.settings.gate, *self.settings.gates)
        if len(self.fitted) > 1 or any(gate.by == CONSENSUS for gate in gates):
            self._blend = self._learn_to_weigh()

    def judge(self, name: str, predictions: Sequence[Prediction]) -> list[Quality]:
        """What the estimator, or the consensus of all, says of each prediction."""
        if name != CONSENSUS:
            return self._judge(*self.fitted[name], name, predictions)
        assert self._blend is not None, "the consensus has not been learned"
        said = {one: self.judge_able(one, predictions) for one in self.fitted}
        return [
            self._blend.combine(
                {one: judged.get(prediction.study) for one, judged in said.items()},
                absent=absent_structures(prediction, self.workshop.store.scheme),
            )
            for prediction in predictions
        ]

    def judge_able(self, name: str, predictions: Sequence[Prediction]) -> dict[str, Quality]:
        """By study, what an estimator says of those predictions that it can judge."""
        if name == CONSENSUS:
            return {quality.study: quality for quality in self.judge(name, predictions)}
        stage, estimator = self.fitted[name]
        able = [one for one in predictions if estimator.can_judge(one)]
        return {one.study: one for one in self._judge(stage, estimator, name, able)}

    def say(self, name: str, prediction: Prediction) -> Quality:
        """What is said of a single prediction, with error maps, and not kept."""
        if name != CONSENSUS:
            [quality] = self.fitted[name][1].predict([prediction])
            return quality
        assert self._blend is not None, "the consensus has not been learned"
        said = {
            one: estimator.predict([prediction])[0]
            for one, (_, estimator) in self.fitted.items()
            if estimator.can_judge(prediction)
        }
        scheme = self.workshop.store.scheme
        return self._blend.combine(said, absent=absent_structures(prediction, scheme))

    def calibration(self, name: str) -> Calibration:
        """Scores of what the whole first segmenter made of studies that taught nobody.

        Of each subject that teaches the estimators, as those judge it who learned from others.
        """
        last = self._last_source()
        qualities = self._qualities_held_out(name)
        true = true_dice(self.graded, self.workshop.store.scheme)
        chosen = [
            (quality.score, mean_dice, self._subjects[one.prediction.study])
            for one, quality, dice in zip(self.graded, qualities, true, strict=True)
            if quality is not None
            and one.source == last
            and math.isfinite(mean_dice := mean(dice))
        ]
        if not chosen:
            return Calibration([], [])
        return Calibration(*(list(column) for column in zip(*chosen, strict=True)))

    def with_error_maps(self, name: str, prediction: Prediction, quality: Quality) -> Quality:
        """The quality with the error maps of all who give some, which are not kept."""
        names = self.fitted if name == CONSENSUS else [name]
        maps: dict[str, list[Any]] = {}
        for one in names:
            estimator = self.fitted[one][1]
            if estimator.gives_maps and estimator.can_judge(prediction):
                [found] = estimator.predict([prediction])
                for structure, errors in found.error_maps.items():
                    maps.setdefault(structure, []).append(errors)
        means = {structure: np.mean(found, axis=0) for structure, found in maps.items()}
        return replace(quality, error_maps=means)

    def key(self, name: str) -> str:
        """Of the stage that taught the estimator; of the consensus, those of all."""
        names = self.fitted if name == CONSENSUS else [name]
        return ",".join(self.fitted[one][0].key for one in names)

    def _last_source(self) -> str:
        """Name of what the whole first segmenter made."""
        whole = [r for r in self.settings.qc.ladder if r.labelled == r.width == r.steps == 1]
        rung = whole[0] if whole else self.settings.qc.ladder[0]
        return f"{rung.name}@{max(1, round(self.settings.training.steps * rung.steps))}"

    def _judge(
        self,
        stage: Stage,
        estimator: QualityEstimator,
        name: str,
        predictions: Sequence[Prediction],
    ) -> list[Quality]:
        depends = {"estimator": stage.key, "predictions": [origin(p) for p in predictions]}

        def make(unfinished: Path) -> None:
            # One at a time: error maps of all studies would not fit into memory.
            judged = [replace(*estimator.predict([one]), error_maps={}) for one in predictions]
            write_qualities(unfinished, judged)

        stage = self.workshop.folder.stage(f"judge-{name}-seed{self.workshop.seed}", depends, make)
        return read_qualities(stage.folder)

    def _ladder(
        self, prefix: str, experts: Sequence[Study], judged: Sequence[Study]
    ) -> list[Graded]:
        graded = []
        hidden = [study.without_labels() for study in judged]
        for rung in self.settings.qc.ladder:
            few = experts[: max(1, round(len(experts) * rung.labelled))]
            team = self.train(prefix, rung, few, is_whole=len(few) == len(experts))
            for source, snapshot in self.workshop.snapshots(team, rung).items():
                predictions = self.workshop.predict(f"{prefix}qc-{source}", snapshot, hidden)
                graded += [
                    Graded(p, study.labels, None, source, study.group, subject=study.subject)
                    for p, study in zip(predictions, judged, strict=True)
                ]
        return graded

    def train(self, prefix: str, rung: Rung, experts: Sequence[Study], *, is_whole: bool) -> Team:
        """A rung; one that holds nothing back is the first segmenter of the scenarios."""
        is_first = is_whole and rung.width == rung.steps == 1
        if is_first:
            return self.workshop.train_team(f"{prefix}few", rung, experts)
        return self.workshop.train_team(f"{prefix}ladder-{rung.name}", rung, experts, members=1)

    def _deal(self, teachers: Sequence[Study]) -> list[list[Study]]:
        """Folds that share no subject, each with its share of every group; none of one subject."""
        if len({study.subject for study in teachers}) < 2:
            return []
        return subject_folds(teachers, self.settings.qc.folds, self.workshop.seed)

    def _cross_fitted(self, experts: Sequence[Study]) -> list[Graded]:
        """What ladders trained on the other folds make of each fold."""
        if not self._dealt:
            raise ValueError(
                "quality control needs subjects to learn from: set split.qc above 0, or"
                " split.labelled to at least 2, got 1"
            )
        graded = []
        for number, fold in enumerate(self._dealt):
            judged = {study.name for study in fold}
            others = [study for study in experts if study.name not in judged]
            graded += self._ladder(f"fold{number}-", others, fold)
        return graded

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
        is_seen = [
            one.source == seen_by_reader and one.prediction.study in verdicts for one in graded
        ]
        if not any(is_seen):
            raise ValueError(f"{qc.verdicts}: no verdict on any of the studies that teach")
        return [
            replace(one, is_good=verdicts[one.prediction.study]) if seen else one
            for one, seen in zip(graded, is_seen, strict=True)
        ]

    def _fit(
        self, name: str, graded: Sequence[Graded], part: str = ""
    ) -> tuple[Stage, QualityEstimator]:
        workshop = self.workshop
        key = [[*origin(one.prediction), one.is_good] for one in graded]
        given = self.settings.qc.arguments.get(name, {})
        arguments = checked_arguments(ESTIMATORS[name], given)
        modalities = len(workshop.store.modalities)
        depends = {"estimator": name, "arguments": arguments, "graded": key}

        def make(unfinished: Path) -> None:
            blank = make_estimator(
                name, workshop.store.scheme, modalities, seed=workshop.seed, **arguments
            )
            with workshop.monitor.progress(f"fit {name}{part}", PERCENT) as tick:
                fitted = blank.fit(
                    graded, observe=lambda done, total: tick(PERCENT * done // total, {})
                )
            save_estimator(fitted, unfinished / ESTIMATOR)

        stage = workshop.folder.stage(f"qc-{name}{part}-seed{workshop.seed}", depends, make)
        return stage, load_estimator(stage.folder / ESTIMATOR, ESTIMATORS)

    def _qualities_held_out(self, name: str) -> list[Quality | None]:
        """Of all that teaches, each judged by an estimator that others have taught.

        None where the others cannot teach it, or where there is a single subject.
        """
        if name == CONSENSUS:
            return self._consensus_held_out()
        if name not in self._held_out:
            found: dict[int, Quality] = {}
            for number, part in enumerate(self._parts()):
                others = [one for i, one in enumerate(self.graded) if i not in part]
                try:
                    fitted = self._fit(name, others, f"-fold{number}")
                except ValueError as error:
                    self.workshop.monitor.note(f"{name} cannot learn without a fold: {error}")
                    continue
                judged = [i for i in part if fitted[1].can_judge(self.graded[i].prediction)]
                predictions = [self.graded[i].prediction for i in judged]
                qualities = self._judge(*fitted, f"{name}-fold{number}", predictions)
                found |= dict(zip(judged, qualities, strict=True))
            self._held_out[name] = [found.get(i) for i in range(len(self.graded))]
        return self._held_out[name]

    def _consensus_held_out(self) -> list[Quality | None]:
        found: list[Quality | None] = [None] * len(self.graded)
        held_out = {name: self._qualities_held_out(name) for name in self.fitted}
        for part in self._parts():
            others = [i for i in range(len(self.graded)) if i not in part]
            blend = self._blended(held_out, others)
            for i in part:
                said = {name: judged[i] for name, judged in held_out.items()}
                absent = absent_structures(self.graded[i].prediction, self.workshop.store.scheme)
                found[i] = blend.combine(said, absent=absent)
        return found

    def _learn_to_weigh(self) -> Blend:
        held_out = {name: self._qualities_held_out(name) for name in self.fitted}
        return self._blended(held_out, range(len(self.graded)))

    def _blended(
        self, held_out: Mapping[str, Sequence[Quality | None]], chosen: Sequence[int]
    ) -> Blend:
        """Weights learned from some of what teaches."""
        graded = [self.graded[i] for i in chosen]
        return Blend(self.workshop.store.scheme).fit(
            {name: [judged[i] for i in chosen] for name, judged in held_out.items()},
            graded,
            subjects=[self._subjects[one.prediction.study] for one in graded],
        )

    def _parts(self) -> list[set[int]]:
        """Indices of what teaches, a part for each fold."""
        names = [{study.name for study in fold} for fold in self._dealt]
        return [
            {i for i, one in enumerate(self.graded) if one.prediction.study in fold}
            for fold in names
        ]

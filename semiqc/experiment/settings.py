"""Settings of a run: one documented model, the only place where a default is written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import ConfigDict, Field, model_validator, with_config

from qc import CONSENSUS, ESTIMATORS, QualityEstimator
from segmenters import SEGMENTERS, Augmentation, TrainingSettings
from semiqc.experiment.scenarios import (
    SCENARIOS,
    Rule,
    Scenario,
)
from semiqc.experiment.sections import (
    EvaluationSettings,
    FramesSettings,
    GateSettings,
    ImportSettings,
    PhantomSettings,
    QcSettings,
    Section,
    SegmenterSettings,
    SplitSettings,
    check_known,
)

# Settings that stand beside the code they steer are checked like those here.
_strict = with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))
_strict(TrainingSettings)
_strict(Augmentation)


RULES_OF_K = ("best", "diverse", "oracle", "random")
"""Those that admit ``k`` studies."""

JUDGES = list(ESTIMATORS)
"""Estimators that judge by themselves; the consensus is learned from all there are."""


class Settings(Section):
    """Settings of one run."""

    name: str = "phantom demo"
    """Title of the report."""
    data: Path | None = None
    """Store that ``semiqc import`` or ``semiqc phantom`` wrote, or a folder to import. Without
    it, phantoms are made."""
    phantom: PhantomSettings = PhantomSettings()
    """Phantoms that are made where ``data`` is not given."""
    importing: ImportSettings = ImportSettings()
    """How studies are read where ``data`` is a folder or manifest."""
    output: Path = Path("run")
    """Run folder. What it holds of an earlier run with the same settings is used again."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    """Each repeats the trainings and the random choices on the same split."""
    split: SplitSettings = SplitSettings()
    """How many subjects are used for what."""
    frames: FramesSettings = FramesSettings()
    """Which labelled frames of a study train and teach."""
    segmenter: SegmenterSettings = SegmenterSettings()
    """The network, and how it predicts."""
    training: TrainingSettings = TrainingSettings()
    """How networks are trained; the same in every scenario."""
    qc: QcSettings = QcSettings()
    """Which estimators judge, and what they learn from."""
    gate: GateSettings = GateSettings()
    """How the scenario ``semiqc`` chooses its pseudo-labels; also what ``gates`` do not say."""
    scenarios: tuple[str, ...] = tuple(SCENARIOS)
    """Names of scenarios, in the order of the tables."""
    gates: tuple[GateSettings, ...] = ()
    """More scenarios, one for each gate, which share the first segmenter and all judgements: an
    estimator's name, ``consensus`` or a rule, with a grain behind a slash if it is not the
    study, such as ``[random, curve, consensus, consensus/voxel, risk, oracle]``; or settings as
    of ``gate``. What is not said is as in ``gate``."""
    rounds: Annotated[int, Field(ge=1)] = 1
    """Rounds of self-training, at most; a gate may have its own."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """How the test studies are evaluated."""

    @model_validator(mode="before")
    @classmethod
    def _spell_out_gates(cls, given: Any) -> Any:  # noqa: ANN401
        if not isinstance(given, Mapping) or not isinstance(given.get("gates"), list | tuple):
            return given
        gate = given.get("gate", {})
        shared = gate.model_dump() if isinstance(gate, GateSettings) else gate
        if not isinstance(shared, Mapping):
            return given
        return {**given, "gates": [_spelt_out(one, shared) for one in given["gates"]]}

    def compared(self) -> dict[str, Scenario]:
        """All scenarios of the run by name, in the order of the tables."""
        gates = self._named_gates()
        of_gates = {name: Scenario(title, gate="quality") for name, (title, _) in gates.items()}
        return {name: SCENARIOS[name] for name in self.scenarios} | of_gates

    def gate_of(self, scenario: str) -> GateSettings | None:
        """What chooses the pseudo-labels of a scenario; None where there are none."""
        of_gates = self._named_gates()
        if scenario in of_gates:
            return of_gates[scenario][1]
        kind = SCENARIOS[scenario].gate
        if kind == "none":
            return None
        if kind == "quality":
            return self.gate
        return self.gate.model_copy(update={"rule": "random", "grain": "study", "repair": ()})

    def _named_gates(self) -> dict[str, tuple[str, GateSettings]]:
        """Title and settings of each of ``gates``, by the name of its scenario.

        Those that would share a name are told apart by the settings in which they differ.
        """
        alike: dict[str, list[GateSettings]] = {}
        for gate in self.gates:
            alike.setdefault(gate.name, []).append(gate)
        found = {}
        for gate in self.gates:
            name, title = gate.name, gate.title
            for setting, value in gate:
                if any(getattr(other, setting) != value for other in alike[gate.name]):
                    name += f"-{setting}-{value}"
                    title += f", {setting} {value}"
            found[name] = (title, gate)
        return found

    def by_chance(self, scenario: str) -> str | None:
        """The scenario that differs from this one in choosing by chance; None without one.

        See ``at_random``. Whole studies as they were predicted are taken before finer grains and
        repairs, and nothing that is refined.
        """
        compared = self.compared()
        controls = {n: gate for n, gate in self.at_random(scenario) if not compared[n].refine}
        alike = [
            (gate.grain != "study" or bool(gate.repair), name in self.scenarios, name)
            for name, gate in controls.items()
        ]
        return None if scenario in controls or not alike else min(alike)[-1]

    def at_random(self, scenario: str) -> list[tuple[str, GateSettings]]:
        """The scenarios with which one can be compared that choose by chance, and their gates.

        They have as many rounds, propagate experts' labels where this one does, and choose as
        many studies where its rule says how many.
        """
        gate = self.gate_of(scenario)
        if gate is None:
            return []
        return [
            (name, other)
            for name in self.compared()
            if (other := self.gate_of(name)) is not None
            and other.rule == "random"
            and other.propagate == gate.propagate
            and (other.k == gate.k or gate.rule not in RULES_OF_K)
            and self.rounds_of(name) == self.rounds_of(scenario)
        ]

    def rounds_of(self, scenario: str) -> int:
        """How often a scenario judges, chooses and trains anew, at most."""
        gate = self.gate_of(scenario)
        return gate.rounds if gate and gate.rounds else self.rounds

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        check_known("segmenter.kind", [self.segmenter.kind], SEGMENTERS)
        check_known("qc.estimators", self.judges, JUDGES)
        for gate in (self.gate, *self.gates):
            check_known("gate.by", [gate.by], [*self.judges, CONSENSUS])
            self._check_grain(gate)
            self._check_promise(gate)
        self._check_uncertainty()
        if self.training.chosen == "best" and not (self.split.validation or self.split.file):
            raise ValueError(
                "training.checkpoint: best needs validation studies; set split.validation"
            )
        if len(self._named_gates()) != len(self.gates):
            named = ", ".join(gate.name for gate in self.gates)
            raise ValueError(f"gates: two are alike: {named}")
        check_known("scenarios", self.scenarios, SCENARIOS)
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: some are given twice: {', '.join(map(str, self.seeds))}")
        names = [rung.name for rung in self.qc.ladder]
        if len(set(names)) != len(names):
            raise ValueError(f"qc.ladder: rungs share a name: {', '.join(names)}")
        if not self.qc.ladder:
            raise ValueError("qc.ladder: needs at least one rung")
        return self

    @property
    def judges(self) -> tuple[str, ...]:
        """Names of the estimators of the run."""
        if self.qc.estimators is not None:
            return self.qc.estimators
        able = self.has_uncertainty
        return tuple(n for n in JUDGES if able or not ESTIMATORS[n].needs_uncertainty)

    @property
    def has_uncertainty(self) -> bool:
        """Whether predictions carry the uncertainty of several segmenters, or of one's samples."""
        network = self.segmenter
        return network.members > 1 or network.samples > 0 or network.views > 0

    def _check_uncertainty(self) -> None:
        network = self.segmenter
        if network.samples and (network.samples < 2 or not network.dropout):
            raise ValueError("segmenter.samples: needs at least 2, and segmenter.dropout above 0")
        several = (network.members > 1, network.samples > 0, network.views > 0)
        if sum(several) > 1 or network.views == 1:
            raise ValueError(
                "segmenter: several opinions come from members, from samples or from views (at"
                " least 2), not from more than one of these"
            )
        blind = [name for name in self.judges if ESTIMATORS[name].needs_uncertainty]
        if blind and not self.has_uncertainty:
            raise ValueError(
                f"qc.estimators: {blind[0]} needs several opinions; set segmenter.members,"
                " segmenter.samples or segmenter.views"
            )

    def _check_grain(self, gate: GateSettings) -> None:
        names = self.judges if gate.by == CONSENSUS else (gate.by,)
        kinds = [ESTIMATORS[name] for name in names]
        of_maps = any(kind.gives_error_maps for kind in kinds)
        if gate.grain == "voxel" and not (of_maps or self.has_uncertainty):
            raise ValueError(
                f"{gate.name}: voxels are doubted by error maps, which {gate.by} does not give, or"
                " by several opinions; set segmenter.members"
            )
        gives_verdicts = gate.by != CONSENSUS and ESTIMATORS[gate.by].gives_verdicts
        if gate.only_good and (gate.rule == "risk" or not gives_verdicts):
            why = f"which {gate.by} does not give" if gate.rule != "risk" else "not for risk"
            raise ValueError(f"{gate.name}: only_good is of verdicts, {why}")
        if gate.max_error is not None and not of_maps:
            raise ValueError(
                f"{gate.name}: max_error is of error maps, which {gate.by} does not give"
            )
        if gate.repair:
            self._check_repair(gate, kinds)
        if "surrogate" in gate.repair and "manifold" not in self.judges:
            raise ValueError(f"{gate.name}: surrogates come from qc.estimators' manifold")
        of_slices = of_maps or any(kind.estimates_slices for kind in kinds)
        if gate.grain in ("frame", "slice", "structure") and not of_slices:
            raise ValueError(
                f"{gate.name}: {gate.by} does not judge slices, which this grain needs"
            )

    def _check_promise(self, gate: GateSettings) -> None:
        """What is promised is learned from predictions of the first segmenter, as they are."""
        rounds = gate.rounds or self.rounds
        if gate.rule == "risk" and (gate.repair or rounds > 1):
            raise ValueError(
                f"{gate.name}: the mean Dice is promised of what the first segmenter predicts, not"
                " of what is repaired or of later rounds; choose another rule for these"
            )
        if gate.rule == "risk" and not any(rung.reaches_end for rung in self.qc.whole):
            raise ValueError(
                f"{gate.name}: the mean Dice is promised of what the whole first segmenter"
                " predicts; qc.ladder needs a rung that holds nothing back, with a snapshot at 1"
            )
        if gate.rule == "weighted" and not gate.low < gate.high:
            raise ValueError(
                f"{gate.name}: low must be below high, got {gate.low} and {gate.high}"
            )

    def _check_repair(self, gate: GateSettings, kinds: Sequence[type[QualityEstimator]]) -> None:
        """A repaired prediction is no member's result any more, and carries no uncertainty."""
        able = [kind for kind in kinds if not kind.needs_uncertainty]
        if not able:
            raise ValueError(
                f"{gate.name}: repaired predictions carry no uncertainty, which"
                f" {gate.by} needs; choose another judge"
            )
        if "surrogate" in gate.repair and all(kind is ESTIMATORS["manifold"] for kind in able):
            raise ValueError(
                f"{gate.name}: the manifold would judge its own surrogates; let others judge"
            )
        has_maps = any(kind.gives_error_maps for kind in able)
        if gate.grain == "voxel" and not has_maps:
            raise ValueError(
                f"{gate.name}: repaired predictions carry no uncertainty; their"
                " voxels are doubted by error maps, which qc.estimators' qcresunet gives"
            )
        of_slices = has_maps or any(kind.estimates_slices for kind in able)
        if gate.grain in ("frame", "slice", "structure") and not of_slices:
            raise ValueError(
                f"{gate.name}: repaired predictions carry no uncertainty; their"
                " slices are judged by such as qc.estimators' slicewise"
            )


def _spelt_out(gate: Any, shared: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Settings of a gate that may be given in short."""
    if isinstance(gate, GateSettings):
        return gate
    if isinstance(gate, str):
        chooser, _, grain = gate.partition("/")
        chosen = {"rule": chooser} if chooser in get_args(Rule) else {"by": chooser}
        gate = chosen | ({"grain": grain} if grain else {})
    return {**shared, **gate} if isinstance(gate, Mapping) else gate

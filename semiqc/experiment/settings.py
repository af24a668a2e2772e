"""Settings of a run: one documented model, the only place where a default is written."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator, with_config

from loops import LOOPS
from loops.online.registry import METHODS, PEERS
from qc import CONSENSUS, ESTIMATORS, QualityEstimator
from segmenters import Augmentation, TrainingSettings
from semiqc.experiment.gates.checks import Offer, check_gate
from semiqc.experiment.gates.settings import GateSettings, spelt_out
from semiqc.experiment.looping import BANK, arguments_of
from semiqc.experiment.qc_settings import QcSettings
from semiqc.experiment.renamed import with_current_names
from semiqc.experiment.scenarios import SCENARIOS, Scenario
from semiqc.experiment.sections import (
    DirtySettings,
    EvaluationSettings,
    FramesSettings,
    ImportSettings,
    OnlineSettings,
    PhantomSettings,
    SegmenterSettings,
    SplitSettings,
    check_known,
)
from semiqc.work.bounds import Rounds, SeedNumber
from semiqc.work.sections import STRICT, OneOf, Section

# Settings that stand beside the code they steer are checked like those here.
_strict = with_config(STRICT)
_strict(TrainingSettings)
_strict(Augmentation)


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
    seeds: Annotated[tuple[SeedNumber, ...], Field(min_length=1)] = (0,)
    """Each repeats the trainings and the random choices on the same split."""
    split: SplitSettings = SplitSettings()
    """How many subjects are used for what."""
    labels: Path | None = None
    """Folder of segmentations that an expert corrected, named as ``semiqc suggest`` names them:
    these studies are labelled ones then, with these labels."""
    dirty: DirtySettings = DirtySettings(share=0)
    """Which of the unlabelled studies are spoilt; without this section none."""
    frames: FramesSettings = FramesSettings()
    """Which labelled frames of a study train the segmenter and the estimators."""
    segmenter: SegmenterSettings = SegmenterSettings()
    """The network, and how it predicts."""
    training: TrainingSettings = TrainingSettings()
    """How networks are trained; the same in every scenario."""
    qc: QcSettings = QcSettings()
    """Which estimators judge, and what they are fitted to."""
    gate: GateSettings = Field(default_factory=GateSettings)
    """How the scenario ``semiqc`` chooses its pseudo-labels; also what ``gates`` do not say."""
    scenarios: Annotated[tuple[str, ...], OneOf(SCENARIOS)] = tuple(
        name for name, scenario in SCENARIOS.items() if scenario.is_usual
    )
    """Names of scenarios, in the order of the tables. Online loops are named here where they are
    to learn from all unlabelled studies without a gate."""
    gates: tuple[GateSettings, ...] = ()
    """More scenarios, one for each gate, which share the first segmenter and all judgements: an
    estimator's name, ``consensus`` or a rule, with a grain behind a slash if it is not the
    study, such as ``[random, curve, consensus, consensus/voxel, risk, oracle]``; or settings as
    of ``gate``. What is not said is as in ``gate``."""
    rounds: Rounds = 1
    """Rounds of self-training, at most; a gate may have its own."""
    online: OnlineSettings = OnlineSettings()
    """Trainings of online loops, beside what ``training`` says."""
    loops: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By loop's name, arguments that shall not be the defaults, such as ``{fixmatch: {confidence:
    0.9}}``. The docstring of its method explains them."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """How the test studies are evaluated."""

    @model_validator(mode="before")
    @classmethod
    def _spell_out_gates(cls, given: Any) -> Any:  # noqa: ANN401
        if not isinstance(given, Mapping):
            return given
        given = with_current_names(given)
        if not isinstance(given.get("gates"), list | tuple):
            return given
        gate = given.get("gate", {})
        shared = gate.model_dump() if isinstance(gate, GateSettings) else gate
        if not isinstance(shared, Mapping):
            return given
        return {**given, "gates": [spelt_out(one, shared) for one in given["gates"]]}

    def compared(self) -> dict[str, Scenario]:
        """All scenarios of the run by name, in the order of the tables."""
        gates = self._named_gates()
        of_gates = {
            name: Scenario(title, gate.loop, gate="quality")
            for name, (title, gate) in gates.items()
        }
        own = {name: self._own_scenario(name) for name in self.scenarios}
        titled = {name: replace(one, title=self._title(one)) for name, one in own.items()}
        return titled | of_gates

    def _own_scenario(self, name: str) -> Scenario:
        """A built-in scenario; with a gate it has the gate's loop."""
        scenario = SCENARIOS[name]
        return scenario if scenario.gate == "none" else replace(scenario, loop=self.gate.loop)

    def _title(self, scenario: Scenario) -> str:
        """A scenario of a published method has its title only with the method's settings."""
        published = scenario.published.items()
        if all(getattr(self.gate, setting) == value for setting, value in published):
            return scenario.title
        return f"QC gate: {self.gate.by}"

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
        plain = {"rule": "random", "grain": "study", "repair": (), "candidates": ()}
        return self.gate.model_copy(update=plain)

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
                if value is not None and any(
                    getattr(other, setting) != value for other in alike[gate.name]
                ):
                    name += f"-{setting}-{value}"
                    title += f", {setting} {value}"
            found[name] = (title, gate)
        return found

    def by_chance(self, scenario: str) -> str | None:
        """The scenario that differs from this one in choosing by chance; None without one.

        See ``at_random``. One with the same candidates is preferred; then whole studies as they
        were predicted to finer grains and repairs. Nothing that is refined is taken.
        """
        compared, own = self.compared(), self.gate_of(scenario)
        controls = {n: gate for n, gate in self.at_random(scenario) if not compared[n].refine}
        alike = [
            (
                own is not None and gate.candidates != own.candidates,
                gate.grain != "study" or gate.changes_labels,
                name in self.scenarios,
                name,
            )
            for name, gate in controls.items()
        ]
        return None if scenario in controls or not alike else min(alike)[-1]

    def at_random(self, scenario: str) -> list[tuple[str, GateSettings]]:
        """The scenarios with which one can be compared that choose by chance, and their gates.

        They are of the same loop, have as many rounds, propagate experts' labels where this one
        does, and choose as many studies where its rule says how many.
        """
        gate = self.gate_of(scenario)
        return [
            (name, other)
            for name, other in self._gated_alike(scenario)
            if other.rule_kind.chooses_by_chance and gate and gate.count in (None, other.count)
        ]

    def at_all(self, scenario: str) -> list[str]:
        """Likewise, those that take every unlabelled study."""
        alike = self._gated_alike(scenario)
        return [name for name, other in alike if other.rule_kind.admits_all and name != scenario]

    def _gated_alike(self, scenario: str) -> list[tuple[str, GateSettings]]:
        """Scenarios with a gate, the same loop and as many rounds, which propagate alike."""
        gates = {name: gate for name in self.compared() if (gate := self.gate_of(name))}
        kinds = {n: (one.loop, one.propagate, self.rounds_of(n)) for n, one in gates.items()}
        own = kinds.get(scenario)
        return [(name, gate) for name, gate in gates.items() if kinds[name] == own]

    def rounds_of(self, scenario: str) -> int:
        """How often a scenario judges, chooses and trains anew, at most."""
        return self._rounds_of_gate(self.gate_of(scenario))

    def _rounds_of_gate(self, gate: GateSettings | None) -> int:
        if gate and gate.rounds:
            return gate.rounds
        return self.online.refreshes if gate and gate.loop in METHODS else self.rounds

    def loop_arguments(self, scenario: str) -> dict[str, Any]:
        """Of the loop of a scenario, by name."""
        compared = self.compared()[scenario]
        found = arguments_of(compared.loop, self.loops.get(compared.loop, {}))
        if compared.loop in METHODS:
            gate = self.gate_of(scenario)
            found = (BANK if gate and gate.changes_labels else {}) | found
            found["is_judged"] = gate is not None
            found["own_frames"] = self.online.own_frames
        return found

    @field_validator("loops")
    @classmethod
    def _loops_are_known(cls, loops: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        check_known("loops", list(loops), LOOPS)
        for name, given in loops.items():
            arguments_of(name, given)
        return loops

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if self.labels is not None and self.dirty.share:
            raise ValueError("labels: those of spoilt studies are not taken; set dirty.share to 0")
        self.segmenter.check(self.training)
        self.qc.check_alone()
        if self.qc.suite is None:
            kinds = {name: ESTIMATORS[name] for name in self.estimators}
            self.segmenter.check_has_uncertainty(kinds)
            self.qc.check_sources(kinds)
            self.check_gates((self.gate, *self.gates), kinds)
        if self.training.chosen == "best" and not (self.split.validation or self.split.file):
            raise ValueError(
                "training.checkpoint: best needs validation studies; set split.validation"
            )
        if len(self._named_gates()) != len(self.gates):
            raise ValueError(f"gates: two are alike: {', '.join(one.name for one in self.gates)}")
        if not (self.scenarios or self.gates):
            raise ValueError(
                "scenarios: none is named, and gates has none; nothing would be trained"
            )
        spends = [name for name in self.scenarios if SCENARIOS[name].experts == "few and qc"]
        if spends and not (self.split.qc or self.split.file):
            raise ValueError(f"scenarios: {spends[0]} learns from the qc studies; set split.qc")
        if len(set(self.scenarios)) != len(self.scenarios):
            raise ValueError(f"scenarios: some are given twice: {', '.join(self.scenarios)}")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: some are given twice: {', '.join(map(str, self.seeds))}")
        self.qc.check_ladder()
        return self

    @property
    def estimators(self) -> tuple[str, ...]:
        """Names of the estimators that the run may have; a suite says itself which it holds."""
        if self.qc.estimators is not None:
            return self.qc.estimators
        able = self.segmenter.has_uncertainty or self.qc.suite is not None
        return tuple(n for n in ESTIMATORS if able or not ESTIMATORS[n].needs_uncertainty)

    def check_gates(
        self, gates: Iterable[GateSettings], kinds: Mapping[str, type[QualityEstimator]]
    ) -> None:
        """Make sure that gates can work with these estimators.

        Args:
            gates: Of the run.
            kinds: Classes of all estimators that judge, by name.

        Raises:
            ValueError: Naming the gate, and what it needs.
        """
        for gate in gates:
            check_known("gate.by", [gate.by], [*kinds, CONSENSUS])
            check_gate(gate, self._offer(gate, kinds))

    def _offer(self, gate: GateSettings, kinds: Mapping[str, type[QualityEstimator]]) -> Offer:
        rounds = self._rounds_of_gate(gate)
        # Most online loops go on with one network; that of several is had before it starts.
        is_alone = gate.loop in METHODS and gate.loop not in PEERS
        is_lost = is_alone and rounds > 1 and self.segmenter.members > 1
        return Offer(
            kinds,
            self.segmenter.has_uncertainty and not is_lost,
            rounds,
            self.qc.why_uncalibrated(is_spared=bool(self.split.qc or self.split.file)),
        )

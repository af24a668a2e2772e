"""Settings of a gate: how pseudo-labels are chosen from what was judged.

Parameters of gates, grains and repairs come from their classes; see ``parameters.py``.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from loops import LOOPS
from loops.repair import MARGIN, REPAIRS, Unit
from qc import CONSENSUS
from qc.gates import GATES, Gate
from qc.grains.base import Grain
from qc.grains.registry import GRAINS
from semiqc.experiment.candidates import CANDIDATES
from semiqc.experiment.gates.parameters import Kind, gate_arguments, own_parameters
from semiqc.work.bounds import Rounds, Share
from semiqc.work.sections import OneOf, Section

BEST = "best"
OFFLINE = "offline"
WHOLE_STUDY = "study"
A_THIRD = "a third,"
"""Of the candidates, for the title of a gate that is not told how many."""
RENAMED_LOOPS = {"self_training": OFFLINE}
"""Names of before."""


class GateSettings(Section):
    """Which of the judged studies become pseudo-labels, and which of their voxels.

    Beside what is here it has the parameters of every registered gate, grain and repair.
    """

    model_config = ConfigDict(extra="allow")

    loop: Annotated[str, OneOf(LOOPS)] = OFFLINE
    """How the admitted studies are learned from: from scratch in rounds (``offline``), or by a
    training that goes on while its pseudo-labels change; a name in ``loops.LOOPS``."""
    by: str = CONSENSUS
    """The estimator whose score decides, or ``consensus`` of all."""
    rule: Annotated[str, OneOf(GATES)] = BEST
    """How studies are chosen; a name in ``qc.GATES``."""
    grain: Annotated[str, OneOf(GRAINS)] = WHOLE_STUDY
    """What is left unlabelled in an admitted study: nothing (``study``), or parts of low
    estimated quality; a name in ``qc.GRAINS``."""
    repair: Annotated[tuple[str, ...], OneOf(REPAIRS)] = ()
    """What is tried on every prediction before it is judged; names in ``loops.repair.REPAIRS``.
    What is judged better is kept."""
    candidates: Annotated[tuple[str, ...], OneOf(CANDIDATES)] = ()
    """Other segmentations of every study, of which the best takes the place of the usual one: of
    each network of the ensemble (``members``), of several ``views`` of the image, refined by a
    ``crf``, of the round ``before``, of weights that only a ``phantom`` taught. Repairs are tried
    on the best."""
    choose_by: Literal["quality", "truth"] = "quality"
    """What the best of the candidates is chosen by: the estimated quality; or, as an oracle that
    shows what could be had, the true Dice."""
    unit: Unit = "study"
    """What is taken from a candidate: the whole study, or frames or slices."""
    margin: Share = MARGIN
    """By which a candidate's score must be higher."""
    propagate: bool = False
    """Carry the experts' labels to the other frames of their studies by registration, and train
    on those too."""
    rounds: Rounds | None = None
    """Of self-training with this gate, or how often an online loop asks it; those of the run, or
    ``online.refreshes``, where not given."""

    @model_validator(mode="before")
    @classmethod
    def _check_arguments(cls, given: Any) -> Any:  # noqa: ANN401
        if not isinstance(given, Mapping):
            return given
        own = {name: value for name, value in given.items() if name in cls.model_fields}
        if "loop" in own:
            own["loop"] = RENAMED_LOOPS.get(own["loop"], own["loop"])
        others = {name: value for name, value in given.items() if name not in own}
        checked = gate_arguments().model_validate(others)
        return own | {name: getattr(checked, name) for name in type(checked).model_fields}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler.resolve_ref_schema(handler(schema))
        found["properties"] |= gate_arguments().model_json_schema()["properties"]
        found["additionalProperties"] = False
        return found

    @property
    def rule_kind(self) -> type[Gate]:
        """The gate's class."""
        return GATES[self.rule]

    @property
    def grain_kind(self) -> type[Grain]:
        """The grain's class."""
        return GRAINS[self.grain]

    def arguments(self, kind: Kind) -> dict[str, Any]:
        """What the settings say of the parameters of a gate, grain or repair."""
        return {name: getattr(self, name) for name in own_parameters(kind)}

    @property
    def count(self) -> int | str | None:
        """How many studies are chosen, or in words; None where the rule does not say."""
        arguments = self.arguments(self.rule_kind)
        if "k" not in arguments:
            return None
        k: int | None = arguments["k"]
        return A_THIRD if k is None else k

    @property
    def name(self) -> str:
        """Of the scenario that this gate makes."""
        chooser = self.by if self.rule == BEST else self.rule
        loop = [self.loop] if self.loop != OFFLINE else []
        grain = [self.grain] if self.grain != WHOLE_STUDY else []
        parts = [*loop, chooser, *grain, *self._best_of, *self.repair]
        parts += ["propagated"] if self.propagate else []
        parts += [f"{self.rounds}rounds"] if self.rounds else []
        return "-".join(["gate", *parts])

    @property
    def _best_of(self) -> list[str]:
        """Of the candidates, for the name."""
        if not self.candidates:
            return []
        parts = ["best", *self.candidates, *([self.unit] if self.unit != WHOLE_STUDY else [])]
        return parts + (["truth"] if self.choose_by == "truth" else [])

    @property
    def changes_labels(self) -> bool:
        """Whether what is judged may be others' labels than the usual ones."""
        return bool(self.repair or self.candidates)

    @property
    def title(self) -> str:
        """As tables and figures show it."""
        words = self.arguments(self.rule_kind) | {"k": self.count}
        chooser = self.rule_kind.title.format(by=self.by, rule=self.rule, **words)
        grain = f", by {self.grain}" if self.grain != WHOLE_STUDY else ""
        best = f", best of ({', '.join(self.candidates)})" if self.candidates else ""
        best += f" by {self.unit}" if self.candidates and self.unit != WHOLE_STUDY else ""
        best += " by true Dice" if self.candidates and self.choose_by == "truth" else ""
        repaired = f", repaired ({', '.join(self.repair)})" if self.repair else ""
        propagated = ", experts' labels propagated" if self.propagate else ""
        rounds = f", {self.rounds} rounds" if self.rounds else ""
        loop = f", {self.loop}" if self.loop != OFFLINE else ""
        return f"Gate: {chooser}{grain}{best}{repaired}{propagated}{loop}{rounds}"


def spelt_out(gate: Any, shared: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Settings of a gate that may be given in short, with what ``shared`` says beside."""
    if isinstance(gate, GateSettings):
        return gate
    if isinstance(gate, str):
        chooser, _, grain = gate.partition("/")
        chosen = {"rule": chooser} if chooser in GATES else {"by": chooser}
        gate = chosen | ({"grain": grain} if grain else {})
    return {**shared, **gate} if isinstance(gate, Mapping) else gate

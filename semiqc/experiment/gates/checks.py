"""Whether a run has what a gate, its grain and its repairs need.

Needs are said by the classes (``needs_calibration``, ``needs_slices``, ``needs_voxels``,
``suggested_by``), so that nothing here knows a gate or an estimator by its name. Each check yields
what is wrong, in words that follow the gate's name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from loops import LOOPS, METHODS, supervised
from loops.repair import REPAIRS
from qc import CONSENSUS, ESTIMATORS, QualityEstimator
from qc.gates import GateContext
from semiqc.experiment.gates.settings import GateSettings
from semiqc.experiment.looping import learns_bank

NO_UNCERTAINTY = "repaired predictions carry no uncertainty"


@dataclass(frozen=True)
class Offer:
    """What a run offers to a gate.

    Args:
        estimators: Those of the run, by name.
        has_uncertainty: Whether predictions carry the uncertainty of several segmenters, in all
            rounds.
        rounds: Of self-training with the gate, or refreshes of an online loop.
        lacks_calibration: What is missing for segmentations of the whole first segmenter whose
            true Dice is known; empty where they are had.
    """

    estimators: Mapping[str, type[QualityEstimator]]
    has_uncertainty: bool
    rounds: int
    lacks_calibration: str


def check_gate(gate: GateSettings, offer: Offer) -> None:
    """Make sure that a gate can work in a run.

    Raises:
        ValueError: In words that begin with the gate's name.
    """
    kinds = offer.estimators if gate.by == CONSENSUS else {gate.by: ESTIMATORS[gate.by]}
    for wrong in (
        *_of_loop(gate, offer),
        *_of_rule(gate, offer),
        *_of_candidates(gate, list(kinds.values())),
        *_of_repairs(gate, offer, kinds),
        *_of_grain(gate, offer, list(kinds.values())),
    ):
        raise ValueError(f"{gate.name}: {wrong}")


def _of_loop(gate: GateSettings, offer: Offer) -> Iterator[str]:
    """A loop that uses pseudo-labels, whose networks give the uncertainty that is asked for."""
    if LOOPS[gate.loop] is supervised:
        yield f"the loop {gate.loop} uses no pseudo-labels; choose another"
    if gate.changes_labels and gate.loop in METHODS and not learns_bank(gate.loop):
        able = ", ".join(name for name in METHODS if learns_bank(name))
        yield (
            f"the loop {gate.loop} learns labels of its own networks, not those of candidates and"
            f" repairs; {able} can"
        )
    needs = gate.by != CONSENSUS and ESTIMATORS[gate.by].needs_uncertainty
    if needs and not offer.has_uncertainty:
        yield (
            f"{gate.by} needs uncertainty maps, and the loop {gate.loop} trains one network; set"
            " segmenter.tta or segmenter.samples, take cps, or let it judge once (rounds: 1)"
        )


def _of_rule(gate: GateSettings, offer: Offer) -> Iterator[str]:
    """What the rule needs: verdicts, the whole first segmenter, or other arguments."""
    kind = gate.rule_kind
    yield from _of_verdicts(gate)
    if kind.needs_calibration and (gate.changes_labels or offer.rounds > 1):
        yield (
            "the mean Dice is promised of what the first segmenter predicts, not of what is"
            " repaired or of later rounds; choose another rule for these"
        )
    if kind.needs_calibration and offer.lacks_calibration:
        yield (
            "the mean Dice is promised of what the whole first segmenter predicts;"
            f" {offer.lacks_calibration}"
        )
    try:
        kind.for_run(GateContext(), **gate.arguments(kind))
    except ValueError as error:
        yield str(error)


def _of_verdicts(gate: GateSettings) -> Iterator[str]:
    """``only_good`` needs a rule that asks for verdicts, and an estimator that gives them."""
    kind = gate.rule_kind
    is_judged = "only_good" in gate.arguments(kind) or kind.is_control
    gives_verdicts = gate.by != CONSENSUS and ESTIMATORS[gate.by].gives_verdicts
    if getattr(gate, "only_good", False) and not (is_judged and gives_verdicts):
        why = f"which {gate.by} does not give" if is_judged else f"not for {gate.rule}"
        yield f"only_good is of verdicts, {why}"


def _of_candidates(gate: GateSettings, kinds: Sequence[type[QualityEstimator]]) -> Iterator[str]:
    """Parts of candidates are chosen by estimators that judge parts."""
    tells = any(kind.estimates_slices or kind.gives_error_maps for kind in kinds)
    if gate.candidates and gate.unit != "study" and gate.choose_by == "quality" and not tells:
        yield f"{gate.by} does not judge slices, by which {gate.unit}s of candidates are chosen"


def _of_repairs(
    gate: GateSettings, offer: Offer, kinds: Mapping[str, type[QualityEstimator]]
) -> Iterator[str]:
    """A repaired prediction is no member's result any more, and carries no uncertainty."""
    able = {name for name, kind in kinds.items() if not kind.needs_uncertainty}
    if gate.changes_labels and not able:
        yield f"{NO_UNCERTAINTY}, which {gate.by} needs; choose another estimator"
    for name in gate.repair:
        source = REPAIRS[name].suggested_by
        if source and able <= {source}:
            yield f"the {source} would judge its own {name}s; let others judge"
        if source and source not in offer.estimators:
            yield f"{name}s come from qc.estimators' {source}"


def _of_grain(
    gate: GateSettings, offer: Offer, kinds: Sequence[type[QualityEstimator]]
) -> Iterator[str]:
    grain = gate.grain_kind
    has_maps = any(kind.gives_error_maps for kind in kinds)
    for name in grain.of_error_maps:
        if getattr(gate, name) is not None and not has_maps:
            yield f"{name} is of error maps, which {gate.by} does not give"
    has_uncertainty = offer.has_uncertainty and not gate.changes_labels
    if gate.changes_labels:
        kinds = [kind for kind in kinds if not kind.needs_uncertainty]
        has_maps = any(kind.gives_error_maps for kind in kinds)
    why = f"{NO_UNCERTAINTY}; " if gate.changes_labels else ""
    if grain.needs_voxels and not (has_maps or has_uncertainty):
        by_maps = ", ".join(name for name, one in ESTIMATORS.items() if one.gives_error_maps)
        also = "" if gate.changes_labels else ", or by several members; set segmenter.members"
        yield (
            f"{why}the grain {gate.grain} goes by error maps, which {gate.by} does not give but"
            f" {by_maps}{also}"
        )
    if grain.needs_slices and not (has_maps or any(kind.estimates_slices for kind in kinds)):
        of_slices = ", ".join(name for name, one in ESTIMATORS.items() if one.estimates_slices)
        yield (
            f"{why}{gate.by} does not judge slices, which the grain {gate.grain} needs;"
            f" {of_slices} would"
        )

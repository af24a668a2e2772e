"""Parameters of gates, grains and repairs, which stand side by side in the section ``gate``."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from loops.repair import REPAIRS, Repair
from qc.gates import GATES, Gate
from qc.grains.base import Grain
from qc.grains.registry import GRAINS
from semiqc.work.arguments import Parameter, parameters_of
from semiqc.work.booleans import no_booleans

Kind = type[Gate] | type[Grain] | type[Repair]


@lru_cache(maxsize=256)
def own_parameters(kind: Kind) -> Mapping[str, Parameter]:
    """Parameters of a gate, grain or repair by name, without those that a run gives."""
    return parameters_of(kind, kind.of_run)


def gate_arguments() -> type[BaseModel]:
    """A model with the parameters of all that is registered.

    Raises:
        TypeError: If two have a parameter of the same name that differs.
    """
    return _model(tuple(GATES.items()), tuple(GRAINS.items()), tuple(REPAIRS.items()))


@lru_cache(maxsize=4)
def _model(*registries: tuple[tuple[str, Kind], ...]) -> type[BaseModel]:
    found: dict[str, Parameter] = {}
    users: dict[str, list[str]] = {}
    for what, registry in zip(("rule", "grain", "repair"), registries, strict=True):
        for name, kind in registry:
            for key, parameter in own_parameters(kind).items():
                known = found.setdefault(key, parameter)
                if (known.annotation, known.default) != (parameter.annotation, parameter.default):
                    raise TypeError(f"{key} of the {what} {name} is not as that of {users[key]}")
                users.setdefault(key, []).append(f"{what} ``{name}``")
    fields: Mapping[str, Any] = {
        key: (
            one.annotation,
            Field(one.default, description=f"{one.description} For: {', '.join(users[key])}."),
        )
        for key, one in found.items()
    }
    model: type[BaseModel] = create_model(
        "GateArguments",
        __config__=ConfigDict(extra="forbid", allow_inf_nan=False),
        __validators__={"no_booleans": no_booleans},
        **fields,
    )
    return model

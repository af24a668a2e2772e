"""Sections of settings, whose names may be those of a registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from semiqc.work.arguments import unknown
from semiqc.work.booleans import no_booleans

STRICT = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
"""Unknown keys are refused, and so are numbers that are none."""


class Section(BaseModel):
    """A part of the settings; unknown keys are refused."""

    model_config = ConfigDict(**STRICT, frozen=True)

    _no_booleans = no_booleans


@dataclass(frozen=True, eq=False)
class OneOf:
    """Annotates a name, or a tuple of names, that must be in a registry.

    The registry is looked at when settings are read, so what is added to it later counts too.

    Args:
        registry: By name.
    """

    registry: Mapping[str, Any]

    def __get_pydantic_core_schema__(
        self,
        source: Any,  # noqa: ANN401
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler(schema)
        names = found["items"] if found.get("type") == "array" else found
        names["enum"] = list(self.registry)
        return found

    def _checked(self, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for name in (given,) if isinstance(given, str) else given:
            if name not in self.registry:
                raise ValueError(unknown(name, list(self.registry)))
        return given

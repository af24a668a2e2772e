"""Settings read from a YAML file and the command line, every mistake named."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from segmenters.training import STARTS
from semiqc.doors.regular import in_short
from semiqc.experiment.mistakes import LONGEST_VALUE, told
from semiqc.experiment.renamed import current_key, with_current_names
from semiqc.experiment.settings import Settings
from semiqc.schemes import SCHEMES
from semiqc.work.changes import SettingsError, apply_change, load_yaml
from semiqc.work.descriptions import descriptions
from semiqc.work.sections import Section

Model = TypeVar("Model", bound=Section)

PATHS = (
    ("data",),
    ("labels",),
    ("output",),
    ("importing", "scheme"),
    ("importing", "subjects"),
    ("split", "file"),
    ("qc", "suite"),
    ("qc", "verdicts"),
    ("training", "start"),
)
"""Settings that name a file; in a settings file they are relative to it."""


DEMO = Path(__file__).with_name("demo.yaml")
"""Settings where neither a file nor data is named."""


def read_settings(path: Path | None, changes: Sequence[str] = ()) -> Settings:
    """The settings of a YAML file, changed by ``key=value`` pairs such as ``gate.k=5``.

    Without a file they are those of the demo; without a file but with data, the defaults.

    Relative paths in the file start at the file, those in the changes at the working folder.

    Raises:
        SettingsError: In words that name the setting, what was expected and what came.
    """
    makes_phantoms = not any(change.partition("=")[0].strip() == "data" for change in changes)
    table = load_yaml(path or DEMO) if path or makes_phantoms else {}
    if path:
        _anchor_all(table, path)
    notice = _Once()
    table = _renamed(table, path, notice)
    for change in changes:
        key, *value = change.split("=", 1)
        apply_change(table, "=".join([current_key(key.strip(), notice), *value]))
    table = _renamed(table, path, notice)
    return validated(Settings, table, f"{path}: " if path else "")


def with_whole_paths(settings: Settings) -> Settings:
    """The settings with absolute paths, so that what they name is found from every folder."""
    table = settings.model_dump(mode="json")
    for keys in PATHS:
        if keys != ("output",):
            _anchor(table, keys, Path.cwd())
    return Settings.model_validate(table)


def checked_settings(model: type[Model], changes: Sequence[str]) -> Model:
    """The defaults of some settings, changed by ``key=value`` pairs.

    Raises:
        SettingsError: In words that name the setting, what was expected and what came.
    """
    table = model().model_dump(mode="json")
    for change in changes:
        apply_change(table, change)
    return validated(model, table)


def validated(model: type[Model], table: Mapping[str, Any], source: str = "") -> Model:
    """Settings of a table, every mistake named.

    Raises:
        SettingsError: In words that begin with ``source``.
    """
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise SettingsError(f"{source}{told(error.errors(), _schema(model))}") from None


class _Once:
    """Logs each line once."""

    def __init__(self) -> None:
        self.said: set[str] = set()

    def __call__(self, line: str) -> None:
        if line not in self.said:
            logging.getLogger("semiqc").warning(line)
        self.said.add(line)


def _renamed(
    table: Mapping[str, Any], path: Path | None, notice: Callable[[str], None]
) -> dict[str, Any]:
    """The table with names of today, whose errors name the file."""
    try:
        return with_current_names(table, notice)
    except ValueError as error:
        raise SettingsError(f"{path}: {error}" if path else str(error)) from None


def _anchor_all(table: dict[str, Any], path: Path) -> None:
    """Make the paths in the settings of a file relative to it, in place."""
    for keys in PATHS:
        try:
            _anchor(table, keys, path.parent)
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}") from None


def _anchor(table: dict[str, Any], keys: Sequence[str], folder: Path) -> None:
    """Make the path under ``keys`` relative to a folder, in place; names stay as they are.

    Raises:
        SettingsError: If it begins with the home folder of a user whom there is not.
    """
    *sections, last = keys
    for section in sections:
        inner = table.get(section)
        table = inner if isinstance(inner, dict) else {}
    path = table.get(last)
    if isinstance(path, str) and path not in {*SCHEMES, *STARTS}:
        try:
            table[last] = str(folder / Path(path).expanduser())
        except RuntimeError:
            shown = in_short(path, LONGEST_VALUE)
            raise SettingsError(f"{'.'.join(keys)}: no such user as in {shown}") from None


class _Described(GenerateJsonSchema):
    """Describes the fields of dataclasses too, by their docstrings."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        found = super().dataclass_schema(schema)
        said = descriptions(schema["cls"])
        for name, setting in found["properties"].items():
            description = said.get(name, setting.get("description", ""))
            setting["description"] = " ".join(description.split())
        return found


def _schema(model: type[Section]) -> dict[str, Any]:
    """JSON schema of settings; those of dataclasses are described, too."""
    return model.model_json_schema(schema_generator=_Described)


def json_schema() -> str:
    """A JSON Schema of the settings file, for editors."""
    return json.dumps(_schema(Settings), indent=2) + "\n"

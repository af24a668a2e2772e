"""Write the pages that follow from the code: every setting, and every method.

``python docs/generate.py`` writes ``docs/settings.md`` and ``docs/methods/``; a test makes sure
that they are those of the code.
"""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from loops import LOOPS
from loops.online.registry import METHODS
from loops.repair import REPAIRS
from qc import ESTIMATORS, GATES, GRAINS
from segmenters import SEGMENTERS
from semiqc.experiment import json_schema
from semiqc.spoiling import SPOILINGS
from semiqc.work.descriptions import descriptions

HERE = Path(__file__).parent

KINDS: dict[str, tuple[str, Mapping[str, Any], str]] = {
    "estimators": ("Quality estimators", ESTIMATORS, "qc.estimators"),
    "gates": ("Gates", GATES, "gate.rule"),
    "grains": ("Grains", GRAINS, "gate.grain"),
    "loops": ("Loops", LOOPS, "gate.loop"),
    "online": ("Online methods", METHODS, "gate.loop"),
    "repairs": ("Repairs", REPAIRS, "gate.repair"),
    "segmenters": ("Segmenters", SEGMENTERS, "segmenter.kind"),
    "spoilings": ("Kinds of spoiling", SPOILINGS, "dirty.kinds"),
}
"""Title, registry and setting of each kind of method."""

HEADING = re.compile(r"(Args|Attributes|Raises|Returns|Yields|Example|References?):")
"""Of a section of a docstring."""

GENERATED = "<!-- Written by docs/generate.py; change the code, not this page. -->\n"


def pages() -> dict[str, str]:
    """Text of each page by its path under ``docs``."""
    made = {f"methods/{name}.md": "\n".join(_kind(*of)) for name, of in KINDS.items()}
    return {"settings.md": "\n".join(_settings())} | made


def _settings() -> Iterator[str]:
    """Every setting of a run, a table for each section."""
    schema = json.loads(json_schema())
    yield GENERATED
    yield "# Every setting\n"
    yield (
        "What `semiqc run` reads, with defaults. `semiqc schema` prints the same for editors, and"
        " `semiqc run settings.yaml --print-config` with the values of a run; `--set KEY=VALUE`"
        " changes one. [What a run does](run.md) explains them.\n"
    )
    yield from _section(schema, schema, "")


def _section(schema: Mapping[str, Any], node: Mapping[str, Any], prefix: str) -> Iterator[str]:
    inner = []
    yield f"## `{prefix}`\n" if prefix else "## At the top\n"
    if prefix and node.get("description"):
        yield f"{_plain(node['description'])}\n"
    yield "| setting | default | what it is |"
    yield "|---|---|---|"
    for name, one in node.get("properties", {}).items():
        found = _resolved(schema, one)
        key = f"{prefix}.{name}" if prefix else name
        if found.get("properties"):
            inner.append((key, found))
            continue
        default = f"`{json.dumps(one['default'])}`" if "default" in one else ""
        yield f"| `{key}` | {_cell(default)} | {_cell(_plain(one.get('description', '')))} |"
    yield ""
    for key, found in inner:
        yield from _section(schema, found, key)


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A node of the schema, or what it refers to."""
    found: Mapping[str, Any] = node
    if "$ref" in node:
        found = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return found


def _kind(title: str, registry: Mapping[str, Any], setting: str) -> Iterator[str]:
    """The methods of one registry, a section for each."""
    yield GENERATED
    yield f"# {title}\n"
    yield f"Named by the setting `{setting}`. [Measured results](../results.md) compares them.\n"
    for name, method in registry.items():
        yield from _method(name, method)


def _method(name: str, method: Any) -> Iterator[str]:  # noqa: ANN401
    yield f"## {name}\n"
    yield f"{_idea(inspect.getdoc(method) or '')}\n"
    said = descriptions(method) if inspect.isclass(method) else {}
    asked = inspect.signature(method).parameters.values()
    rows = [one for one in asked if one.default is not inspect.Parameter.empty]
    if rows:
        yield "| argument | default | what it is |"
        yield "|---|---|---|"
        for one in rows:
            default = f"`{one.default!r}`" if not callable(one.default) else ""
            yield f"| `{one.name}` | {_cell(default)} | {_cell(_plain(said.get(one.name, '')))} |"
        yield ""
    where = inspect.getmodule(method)
    yield f"In `{where.__name__ if where else '?'}`.\n"


def _idea(docstring: str) -> str:
    """A docstring without its arguments, its literature as a paragraph."""
    kept, heading = [], ""
    for line in docstring.splitlines():
        if match := re.fullmatch(
            r"(Args|Attributes|Raises|Returns|Yields|Example|References?):", line
        ):
            heading = match[1]
            if heading.startswith("Reference"):
                kept.append("Source:")
            continue
        if heading and line and not line.startswith(" "):
            heading = ""
        if not heading or heading.startswith("Reference"):
            kept.append(line.strip() if heading else line)
    return _plain("\n".join(kept).strip(), keep_lines=True)


def _plain(text: str, *, keep_lines: bool = False) -> str:
    """Text with Markdown's marks for code."""
    text = text.replace("``", "`")
    return text if keep_lines else " ".join(text.split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write all pages."""
    for name, text in pages().items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Write the pages that follow from the code: every setting, and every method with its figure.

``python docs/generate.py`` writes ``docs/settings.md``, ``docs/methods/`` and
``docs/images/methods/``; a test makes sure that they are those of the code.
"""

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from figures import FLOWS, figure, told

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

HEADING = re.compile(
    r"(Args|Attributes|Raises|Returns|Yields|Example|References?|Equation|Fails):"
)
"""Of a section of a docstring."""

IDEA = ""
"""Heading of what stands before all sections, and between them."""

GENERATED = "<!-- Written by docs/generate.py; change the code, not this page. -->\n"


@dataclass(frozen=True)
class Measured:
    """A row of a table of the measured results.

    Args:
        section: Title of the section.
        head: First two lines of the table.
        row: As it stands.
        method: Of which the row tells.
    """

    section: str
    head: tuple[str, str]
    row: str
    method: str

    def shown(self, *, after: "Measured | None") -> Iterator[str]:
        """The row under its head, with a link to its section; what ``after`` told is not again."""
        if after is None or after.section != self.section:
            anchor = re.sub(r"[^\w\s-]", "", self.section.lower())
            anchor = re.sub(r"[\s-]+", "-", anchor).strip("-")
            yield f"[{self.section}](../../results.md#{anchor})\n"
        yield from (*self.head, self.row, "")


def pages() -> dict[str, str]:
    """Text of each page by its path under ``docs``."""
    made = {f"methods/{kind}.md": "\n".join(_kind(*of, kind)) for kind, of in KINDS.items()}
    measured = _measured()
    for kind, (_, registry, _) in KINDS.items():
        for name, method in registry.items():
            made[f"methods/{kind}/{name}.md"] = "\n".join(_method(kind, name, method, measured))
    drawn = {f"images/methods/{name}.svg": figure(flow) for name, flow in FLOWS.items()}
    return {"settings.md": "\n".join(_settings())} | made | drawn


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


def _kind(title: str, registry: Mapping[str, Any], setting: str, folder: str) -> Iterator[str]:
    """The methods of one registry, a line for each."""
    yield GENERATED
    yield f"# {title}\n"
    yield f"Named by the setting `{setting}`. [Measured results](../results.md) compares them.\n"
    yield "| method | what it does |"
    yield "|---|---|"
    for name, method in registry.items():
        idea = _parts(inspect.getdoc(method) or "")[IDEA].split("\n\n")[0]
        yield f"| [`{name}`]({folder}/{name}.md) | {_cell(_plain(idea))} |"
    yield ""


def _method(
    kind: str,
    name: str,
    method: Any,  # noqa: ANN401
    measured: Sequence[Measured],
) -> Iterator[str]:
    """All that is known of one method."""
    parts = _parts(inspect.getdoc(method) or "")
    yield GENERATED
    yield f"# {name}\n"
    yield f"{_plain(parts[IDEA], keep_lines=True)}\n"
    if flow := FLOWS.get(f"{kind}/{name}"):
        yield f"![{told(flow)}](../../images/methods/{kind}/{name}.svg)\n"
    if "Equation" in parts:
        yield f"```text\n{parts['Equation']}\n```\n"
    if "Fails" in parts:
        yield f"**When it fails.** {_plain(parts['Fails'])}\n"
    for literature in (parts[one] for one in ("Reference", "References") if one in parts):
        yield f"**Source.** {_plain(literature, keep_lines=True)}\n"
    yield from _arguments(method)
    if rows := [one for one in measured if one.method == name]:
        yield "## Measured\n"
        yield "Rows of the tables in [measured results](../../results.md), where machine, data and"
        yield "commands stand.\n"
        for before, one in pairwise([None, *rows]):
            yield from one.shown(after=before)
    where = inspect.getmodule(method)
    yield f"In `{where.__name__ if where else '?'}`.\n"


def _arguments(method: Any) -> Iterator[str]:  # noqa: ANN401
    """A table of what may be set; nothing where there is nothing."""
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


def _measured() -> list[Measured]:
    """Rows of ``results.md`` that begin with the name of a method."""
    found, section, head = [], "", list[str]()
    for line in (HERE / "results.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        head = [*head, line] if line.startswith("|") else []
        if len(head) > 2 and (named := re.match(r"\| `(\w+)`", line)):
            found.append(Measured(section, (head[0], head[1]), line, named[1]))
    return found


def _parts(docstring: str) -> dict[str, str]:
    """Sections of a docstring by their heading, without indent."""
    found: dict[str, list[str]] = {IDEA: []}
    heading = IDEA
    for line in docstring.splitlines():
        if match := HEADING.fullmatch(line):
            heading = match[1]
            found[heading] = []
            continue
        if heading != IDEA and line and not line.startswith(" "):
            heading = IDEA
        found[heading].append(line if heading == IDEA else line.strip())
    return {name: "\n".join(lines).strip() for name, lines in found.items()}


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
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""What a release depends on: ``sbom.cdx.json`` (CycloneDX 1.5) and ``licences.csv``.

Usage:
    python release/sbom.py FOLDER [EXTRA ...]

Of the packages that are installed beside semiqc, those that it needs, and those of the extras that
are named. Nothing is looked up elsewhere, and the same installation gives the same files.
"""

import csv
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

UNKNOWN = "unknown"
LONGEST = 80
"""Characters of a licence's name; longer ones are its text."""


@dataclass(frozen=True)
class Component:
    """A package that is needed.

    Args:
        name: As registries write it.
        version: That is installed.
        licence: As the package tells it: an SPDX expression, or in words.
        needs: Names of the packages that it needs itself.
        home: Address of its project; empty where it tells none.
    """

    name: str
    version: str
    licence: str
    needs: tuple[str, ...]
    home: str

    @property
    def purl(self) -> str:
        """Package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


def components(root: str, extras: Sequence[str] = ()) -> list[Component]:
    """A package and all that it needs here, by name.

    Args:
        root: Name of the package.
        extras: Of it.

    Raises:
        PackageNotFoundError: If something that is needed is not installed.
    """
    found: dict[str, Component] = {}
    waiting = [Requirement(f"{root}[{','.join(extras)}]")]
    asked: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        wanted = waiting.pop()
        name, own = canonicalize_name(wanted.name), tuple(sorted(wanted.extras))
        if (name, own) in asked:
            continue
        asked.add((name, own))
        package = distribution(name)
        needed = _needed(package, own)
        before = found[name].needs if name in found else ()
        names = {*before, *(canonicalize_name(one.name) for one in needed)}
        found[name] = Component(
            name, package.version, licence_of(package), tuple(sorted(names)), _home(package)
        )
        waiting += needed
    return [found[name] for name in sorted(found)]


def _needed(package: Distribution, extras: Sequence[str]) -> list[Requirement]:
    """What a package needs on this machine, with extras of its own."""
    given = [Requirement(text) for text in package.requires or ()]
    return [
        one
        for one in given
        if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in (*extras, ""))
    ]


def licence_of(package: Distribution) -> str:
    """The licence that a package tells, ``unknown`` where it tells none."""
    about = package.metadata
    if expression := about.get("License-Expression"):
        return str(expression)
    classes = [
        text.split(" :: ")[-1]
        for text in about.get_all("Classifier") or ()
        if text.startswith("License :: ") and not text.endswith("OSI Approved")
    ]
    if classes:
        return " AND ".join(sorted(set(classes)))
    told = str(about.get("License") or "").strip()
    return told.splitlines()[0][:LONGEST] if told else UNKNOWN


def _home(package: Distribution) -> str:
    pages = [text.split(", ", 1) for text in package.metadata.get_all("Project-URL") or ()]
    named = {label.lower(): page for label, page in pages}
    first = [
        named[label] for label in ("homepage", "home", "source", "repository") if label in named
    ]
    return (first or [str(package.metadata.get("Home-page") or "")])[0]


def bill(all_of: Sequence[Component], root: str) -> dict[str, Any]:
    """The software bill of materials, as CycloneDX writes it in JSON.

    Args:
        all_of: The package and what it needs.
        root: Name of the package.
    """
    known = {one.name: one for one in all_of}

    def described(one: Component) -> dict[str, Any]:
        is_spdx = re.fullmatch(r"[\w.+-]+( (AND|OR|WITH) [\w.+-]+)*", one.licence)
        has_expression = is_spdx and one.licence != UNKNOWN
        named = {"license": {"name": one.licence}}
        return {
            "type": "application" if one.name == root else "library",
            "bom-ref": one.purl, "name": one.name, "version": one.version, "purl": one.purl,
            "licenses": [{"expression": one.licence} if has_expression else named],
        }  # fmt: skip

    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": described(known[root])},
        "components": [described(one) for one in all_of if one.name != root],
        "dependencies": [
            {"ref": one.purl, "dependsOn": [known[name].purl for name in one.needs]}
            for one in all_of
        ],
    }  # fmt: skip


def write(folder: Path, root: str = "semiqc", extras: Sequence[str] = ()) -> list[Component]:
    """Write both files; what they tell of."""
    found = components(root, extras)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(bill(found, root), indent=1)
    (folder / "sbom.cdx.json").write_text(text + "\n", encoding="utf-8")
    with (folder / "licences.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("package", "version", "licence", "home"))
        rows.writerows((one.name, one.version, one.licence, one.home) for one in found)
    return found


if __name__ == "__main__":
    try:
        told = write(Path(sys.argv[1]), extras=sys.argv[2:])
    except PackageNotFoundError as error:
        sys.exit(f"{error}; install semiqc with these extras first")
    unknown = [one.name for one in told if one.licence == UNKNOWN]
    print(
        f"{len(told)} packages in {sys.argv[1]}; licence unknown: {', '.join(unknown) or 'none'}"
    )

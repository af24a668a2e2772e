"""The door of YAML: small, shallow, without dates, no key twice."""

import re
from collections import Counter
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from semiqc.doors.regular import UnusableError, in_short, is_text, refusing
from semiqc.doors.text import read_text

LONGEST_YAML = 2**18
"""Bytes of a file of settings."""
DEEPEST = 40
"""Lists and mappings within one another."""
MOST_NODES = 50_000
"""Values of all lists and mappings, each alias counted as what it stands for."""

_DATE = "tag:yaml.org,2002:timestamp"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_OTHER_BASES = re.compile(r"[-+]?(0[0-7_]+$|[0-9_]+:)")
"""What YAML 1.1 takes for a number, and nobody means: 010 is 8 there, and 1:30 is 90."""


class _Loader(yaml.SafeLoader):
    """Leaves dates the text that they are, and refuses a key that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted(key for key, n in Counter(keys).items() if n > 1 and key != "<<")
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"'{twice[0]:.40}' is given twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


class _Pattern:
    """A resolver's pattern, but for numbers that nobody means.

    Args:
        pattern: Of the resolver.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern

    def match(self, text: str) -> re.Match[str] | None:
        return None if _OTHER_BASES.match(text) else self.pattern.match(text)


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, _Pattern(pattern) if tag in _NUMBERS else pattern)
        for tag, pattern in resolvers
        if tag != _DATE
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path, *, called: str = "") -> Any:  # noqa: ANN401
    """What a YAML file holds; JSON is YAML too.

    Raises:
        UnusableError: If it cannot be read, is not YAML, or is too large or too deep.
    """
    called = called or str(path)
    return parse_yaml(read_text(path, most=LONGEST_YAML, called=called), called)


def parse_yaml(text: str, called: str) -> Any:  # noqa: ANN401
    """What a text in YAML says.

    Args:
        text: In YAML.
        called: How messages name it.

    Raises:
        UnusableError: If it is not YAML, or too large or too deep.
    """
    with refusing(called, "readable YAML"):
        if len(text) > LONGEST_YAML:
            raise UnusableError(f"{called}: expected {LONGEST_YAML} characters of YAML at most")
        _check_depth(text, called)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_count(node, called)
            return loader.construct_document(node)
        finally:
            loader.dispose()


def _check_depth(text: str, called: str) -> None:
    """Refuse what is nested too deeply, before anything is built of it."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise UnusableError(f"{called}: nested more than {DEEPEST} deep in YAML")


def _check_count(node: yaml.Node, called: str) -> None:
    """Refuse aliases of aliases that would become far more than the file holds, and no letters."""
    counts: dict[int, int] = {}

    def count(one: yaml.Node) -> int:
        if id(one) in counts:
            # An alias of what is not finished yet is within itself.
            return counts[id(one)]
        counts[id(one)] = MOST_NODES + 1
        if isinstance(one.value, str) and (not is_text(one.value) or "\0" in one.value):
            raise UnusableError(f"{called}: {in_short(one.value, 60)}: text that no file can hold")
        parts = one.value if isinstance(one.value, list) else []
        inner = [part for item in parts for part in (item if isinstance(item, tuple) else (item,))]
        counts[id(one)] = 1 + sum(map(count, inner))
        return counts[id(one)]

    if count(node) > MOST_NODES:
        raise UnusableError(f"{called}: holds more than {MOST_NODES} values, or one within itself")

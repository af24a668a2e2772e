"""What a class's docstring says of each argument of its constructor."""

import inspect
import re

ARGUMENT = re.compile(r"^    (\w+): (.*)$")
"""First line of an argument under ``Args:``; the lines that follow are indented further."""


def descriptions(kind: type) -> dict[str, str]:
    """Descriptions of the arguments of a class by name, from ``Args:`` of its Google docstring.

    What the class does not describe is taken from the classes that it inherits from.
    """
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        found |= _described(inspect.cleandoc(one.__doc__ or ""))
    return found


def _described(docstring: str) -> dict[str, str]:
    _, _, section = docstring.partition("\nArgs:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if line and not line.startswith("    "):
            break
        if match := ARGUMENT.match(line):
            name, found[match[1]] = match[1], match[2]
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found

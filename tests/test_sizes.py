"""A file that grows past 300 lines, or a function past 40, usually hides a second idea."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("semiqc", "segmenters", "qc", "loops")
LONGEST_FILE, LONGEST_FUNCTION = 300, 40


@pytest.fixture(scope="module")
def texts():
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}


def test_a_file_is_about_one_thing(texts):
    counts = {name: len(text.splitlines()) for name, text in texts.items()}

    assert counts
    assert {name: count for name, count in counts.items() if count > LONGEST_FILE} == {}


def test_a_function_does_one_thing(texts):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = [
        f"{name}: {node.name}"
        for name, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, kinds) and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]

    assert long == []

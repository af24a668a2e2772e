import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("semiqc", "segmenters", "qc", "loops")
LONGEST_FILE, LONGEST_FUNCTION, USUAL_FUNCTION = 300, 40, 20
USUAL_SHARE, DOCUMENTED_SHARE = 0.9, 0.25


def lines_of(node):
    return node.end_lineno - node.lineno + 1


def is_docstring(node):
    value = getattr(node, "value", None)
    return isinstance(node, ast.Expr) and isinstance(getattr(value, "value", None), str)


@pytest.fixture(scope="module")
def trees():
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}


@pytest.fixture(scope="module")
def nodes(trees):
    return [(name, node) for name, text in trees.items() for node in ast.walk(ast.parse(text))]


@pytest.fixture(scope="module")
def functions(nodes):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        (f"{name}: {one.name}", lines_of(one)) for name, one in nodes if isinstance(one, kinds)
    ]


def test_a_file_is_about_one_thing(trees):
    counts = {name: len(text.splitlines()) for name, text in trees.items()}

    assert {name: count for name, count in counts.items() if count > LONGEST_FILE} == {}


def test_a_function_does_one_thing(functions):
    assert [one for one in functions if one[1] > LONGEST_FUNCTION] == []


def test_nine_of_ten_functions_are_seen_at_one_glance(functions):
    usual = sum(count <= USUAL_FUNCTION for _, count in functions)

    assert usual >= USUAL_SHARE * len(functions)


def test_a_quarter_of_the_lines_are_docstrings(trees, nodes):
    lines = sum(len(text.splitlines()) for text in trees.values())
    documented = sum(lines_of(node) for _, node in nodes if is_docstring(node))

    assert documented >= DOCUMENTED_SHARE * lines

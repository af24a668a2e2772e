"""What the documentation says is what the program does."""

import ast
import importlib.util
import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import typer.main
import yaml

from loops import LOOPS
from qc import ESTIMATORS, GATES, Graded, Quality
from semiqc import __version__
from semiqc.cli.app import app, main
from semiqc.phantom import short_axis_study
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
BLOCK = re.compile(r"```(?:sh|bash)\n(.*?)```", re.DOTALL)


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(page):
    """Each command of a page that begins with ``semiqc``, as its words."""
    text = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ")
    lines = (shlex.split(line, comments=True) for line in text.splitlines())
    return [words[1:] for words in lines if words[:1] == ["semiqc"]]


def parsed(words):
    """Have the command line read words without doing anything."""
    command, rest = typer.main.get_command(app), list(words)
    context = command.make_context("semiqc", [], resilient_parsing=True)
    while hasattr(command, "get_command"):
        if rest[0].startswith("--"):
            return
        name = rest.pop(0)
        command = command.get_command(context, name)
        assert command is not None, name
        if not hasattr(command, "get_command"):
            command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_of_the_documentation_is_one_that_the_program_takes(page):
    for words in commands(page):
        try:
            parsed(words)
        except Exception as error:
            said = getattr(error, "format_message", lambda error=error: repr(error))()
            pytest.fail(f"semiqc {shlex.join(words)}: {said}")


def test_commands_that_do_not_exist_are_found():
    for words in (["runn"], ["run", "--nothing"], ["qc", "fit"]):
        with pytest.raises(Exception, match=r"runn|nothing|[Mm]issing"):
            parsed(words)


def test_python_in_the_documentation_can_be_read():
    for page in PAGES:
        for block in blocks(page, "python"):
            ast.parse(block)


def test_pages_made_from_the_code_are_those_of_the_code(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    made = generate.pages()
    stale = [n for n, text in made.items() if (DOCS / n).read_text(encoding="utf-8") != text]

    assert stale == [], "python docs/generate.py writes them anew"
    assert "`gate.k`" in made["settings.md"]
    for name in ESTIMATORS:
        page = made[f"methods/estimators/{name}.md"]
        assert f"(estimators/{name}.md)" in made["methods/estimators.md"]
        assert all(part in page for part in ("```text\n", "**When it fails.**", "**Source.**"))
    for name in (*(f"estimators/{one}" for one in ESTIMATORS), *(f"loops/{one}" for one in LOOPS)):
        assert f"(../../images/methods/{name}.svg)" in made[f"methods/{name}.md"]
        assert ElementTree.fromstring(made[f"images/methods/{name}.svg"]).get("role") == "img"
    svr = made["methods/estimators/svr.md"]
    assert "| `svr` |" in svr
    assert "| `cnn` |" not in svr


def test_every_page_stands_in_the_site(tmp_path):
    class Loader(yaml.SafeLoader):
        pass

    site = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)
    named = re.findall(r"[\w/]+\.md", json.dumps(site["nav"]))

    shown = (p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md"))
    # A page of one method is reached from that of its kind.
    assert sorted(named) == sorted(p for p in shown if not re.fullmatch(r"methods/\w+/.*", p))


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_methods_of_the_documentation_work(monkeypatch):
    for registry in (ESTIMATORS, GATES, LOOPS):
        for name in ("volumes", "above_mean", "twice"):
            monkeypatch.setitem(registry, name, None)
    names = {}
    for block in blocks(DOCS / "adding.md", "python"):
        exec(block, names)
    study = short_axis_study(1, size=32, slices=2, frames=1)
    drawn = np.maximum(study.labels[:], 0)
    full, empty = (
        Prediction("a", study.image, labels, study.spacing)
        for labels in (drawn, np.zeros_like(drawn))
    )

    fitted = ESTIMATORS["volumes"](SHORT_AXIS).fit([Graded(full, study.labels)])
    again = ESTIMATORS["volumes"](SHORT_AXIS).with_arrays(fitted.arrays())
    assert [one.score for one in again.predict([full])] == [1.0]
    assert again.predict([empty])[0].score < 0.2

    decided = GATES["above_mean"](margin=0.1)([Quality("a", 0.9), Quality("b", 0.5)])
    assert [one.admitted for one in decided] == [True, False]

    class Bench:
        def train(self, experts, pseudo, *, number, is_last):
            return "model"

    assert [one.model for one in LOOPS["twice"](Bench(), "first", [], [], rounds=1)] == ["model"]


def test_the_notebook_runs_and_says_what_its_text_says():
    cells = json.loads((DOCS / "score.ipynb").read_text(encoding="utf-8"))["cells"]
    names = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)

    assert names["found"].score > names["worse"].score + 0.1
    assert any("along another axis" in one for one in names["turned"].warnings)
    assert "as drawn" in names["found"]._repr_html_()


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))

    assert (cited["version"], cited["license"]) == (__version__, "Apache-2.0")
    assert cited["authors"]


@pytest.mark.slow
def test_the_tutorial_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in commands(DOCS / "tutorial.md"):
        assert main(words) == 0, words

    assert (tmp_path / "run" / "report.html").exists()
    assert len(list((tmp_path / "segmented").glob("*.nii.gz"))) == 12
    assert (tmp_path / "next" / "suggestions.csv").exists()

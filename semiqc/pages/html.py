"""How a page is made of a template: one file, whole or not at all, that loads nothing.

Style and script are parts of this package and stand within every page. The content policy allows
no other script: only the one whose hash it names.
"""

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from semiqc.files.atomic import write_text

TEMPLATE = "template.html.j2"


def write_html(package: str, output: Path, **parts: object) -> None:
    """Write the page of a package's template, whole or not at all.

    Args:
        package: Whose ``template.html.j2`` it is.
        output: File to write; one that is there is replaced.
        parts: What the template shows, by name; it refuses to be without one that it uses.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader(__package__, ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = files(__package__).joinpath("sorting.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    page = environment.get_template(TEMPLATE).render(
        style=Markup(files(__package__).joinpath("style.css").read_text(encoding="utf-8")),
        script=Markup(text),
        policy=Markup(
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src"
            f" 'sha256-{digest}'"
        ),
        **parts,
    )
    write_text(output, page)

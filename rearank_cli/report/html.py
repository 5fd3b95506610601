"""The page as one file: our template, our style sheet, our script, and nothing from elsewhere."""

import base64
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rearank_cli.report.evaluated import number
from rearank_cli.report.index import Index
from rearank_cli.report.page import Page
from rearank_cli.report.reasoning import visible

HOME = "rearank_cli.report"


def render(page: Page) -> str:
    """Return the page as HTML. Whatever comes from runs, traces or collections is escaped."""
    script = asset("parts.js") + asset("report.js")
    return render_template("report.html", asset("report.css"), script, page=page)


def render_index(index: Index) -> str:
    """Return the index over several pages as HTML, escaped in the same way."""
    style, script = asset("report.css"), asset("parts.js")
    return render_template("index.html", style, script, index=index)


def render_template(
    name: str, style: str, script: str, forms: str = "'none'", package: str = HOME, **values: Any
) -> str:
    """Return a template with our style and script, and a policy that allows nothing else.

    `forms` is where forms may be sent, as a source expression; `package` has the template, which
    may import those of the report.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(each) for each in dict.fromkeys([package, HOME])]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.globals["signed"] = signed
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "base-uri 'none'",
            f"form-action {forms}",
            "require-trusted-types-for 'script'",
        ]
    )
    return environment.get_template(name).render(
        policy=policy, style=Markup(style), script=Markup(script), **values
    )


def _finalize(value: Any) -> Any:
    """Make every text that a template prints visible; what is Markup has been through `svg`."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def asset(name: str, package: str = HOME) -> str:
    """Return a style sheet or a script of a package's templates."""
    return (files(package) / "templates" / name).read_text("utf-8")


def _hash(content: str) -> str:
    """Return a source expression of Content Security Policy Level 3, section 2.3.1."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign, with a true minus."""
    return "" if value is None else number(value, digits, "+").replace("-", "−")

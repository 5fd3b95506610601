"""The page as one file: our template, our style sheet, our script, and nothing from elsewhere."""

import base64
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rearank_cli.report.evaluated import number
from rearank_cli.report.page import Page
from rearank_cli.report.reasoning import visible

FOLDER = files("rearank_cli.report") / "templates"


def render(page: Page) -> str:
    """Return the page as HTML. Whatever comes from runs, traces or collections is escaped."""
    environment = Environment(
        loader=PackageLoader("rearank_cli.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.globals["signed"] = signed
    style, script = (_asset(name) for name in ("report.css", "report.js"))
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        ]
    )
    return environment.get_template("report.html").render(
        page=page, policy=policy, style=Markup(style), script=Markup(script)
    )


def _finalize(value: Any) -> Any:
    """Make every text that a template prints visible; what is Markup has been through `svg`."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def _asset(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def _hash(content: str) -> str:
    """Return a source expression of Content Security Policy Level 3, section 2.3.1."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign, with a true minus."""
    return "" if value is None else number(value, digits, "+").replace("-", "−")

"""`rearank doctor`: what of this machine is ready, and what to do about the rest."""

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from rearank_cli.cli.options import ModelName
from rearank_cli.cli.wording import spelled

if TYPE_CHECKING:
    from rearank_cli.health.finding import Finding

EXAMPLES = """\b
Examples:
  rearank doctor
  rearank doctor --base-url http://gpu1:8000/v1 --model Qwen/Qwen3-8B
  rearank doctor --json > machine.json
"""
_WIDTH = 10  # of the names
_MARKS = {"ok": "ok", "note": "note", "bad": "BAD"}


def command(
    base_url: Annotated[
        list[str] | None,
        typer.Option(
            envvar="REARANK_BASE_URL",
            metavar="URL",
            help="Look at this server instead of an engine on this machine; repeatable.",
        ),
    ] = None,
    model: ModelName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of lines.")] = False,
) -> None:
    """Look at Python, Java, vLLM, GPU, memory, disk, caches, hub and servers: a line for each.

    What is not well has its remedy below it. Exit code 1 when retrieve or rerank cannot work here
    (BAD); a note keeps nothing from working. No model and no Java is started.
    """
    from rearank_cli.formats.files import STDIO, write_text
    from rearank_cli.health.doctor import examine

    found = []
    with write_text(STDIO) as out:
        for each in examine(base_url or [], model):
            finding = replace(each, found=spelled(each.found), remedy=spelled(each.remedy))
            found.append(finding)
            if not as_json:
                out.write(_lines(finding))
                out.flush()
        ready = all(finding.state != "bad" for finding in found)
        if as_json:
            content = {"ready": ready, "findings": [asdict(finding) for finding in found]}
            out.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    if not ready:
        raise typer.Exit(1)


def _lines(finding: "Finding") -> str:
    mark = _MARKS[finding.state]
    line = f"{mark:<5} {finding.name:<{_WIDTH}} {finding.found}\n"
    return line + (f"{'':6}{'':<{_WIDTH}} → {finding.remedy}\n" if finding.remedy else "")

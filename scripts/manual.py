"""Write man pages and shell completions of the command: `python scripts/manual.py FOLDER`.

FOLDER/man/man1 gets a page for `rearank` and one for every verb, FOLDER/completions a file for
bash, zsh and fish. Both are made of the same declarations as `--help`.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from rearank_cli import __version__
from rearank_cli.cli.app import app

# Where each shell looks for completions of `rearank`.
SHELLS = {"bash": "rearank", "zsh": "_rearank", "fish": "rearank.fish"}


def commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the command and those below it, with the words that call them."""
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


def roff(text: str) -> str:
    """Return text as troff takes it: no line begins a request, and dashes are those of options."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in text.split("\n"))


def page(words: tuple[str, ...], command: Any) -> str:
    """Return a command's manual page."""
    name, title = "-".join(words), " ".join(words)
    context = command.make_context(title, [], resilient_parsing=True)
    about = (command.help or "").replace("\b", "").strip()
    pieces = " ".join(command.collect_usage_pieces(context))
    parts = [
        f'.TH "{name.upper()}" "1" "" "rearank {__version__}" "User Commands"',
        f".SH NAME\n{roff(name)} \\- {roff(' '.join(about.split(chr(10))[0].split()))}",
        f".SH SYNOPSIS\n.B {roff(title)}\n{roff(pieces)}",
        f".SH DESCRIPTION\n{paragraphs(about)}",
    ]
    records = [record for each in command.get_params(context) if (record := told(each, context))]
    if records:
        entries = (f".TP\n.B {roff(left)}\n{roff(right)}" for left, right in records)
        parts.append(".SH OPTIONS\n" + "\n".join(entries))
    if hasattr(command, "commands"):
        inner = (
            f".TP\n.BR {roff(f'{name}-{verb}')} (1)\n"
            + roff(" ".join((each.help or "").split("\n\n")[0].split()))
            for verb, each in command.commands.items()
        )
        parts.append(".SH COMMANDS\n" + "\n".join(inner))
    lines = [line.strip() for line in (command.epilog or "").splitlines()]
    examples = [line for line in lines if line.startswith("rearank ")]
    if examples:
        parts.append(".SH EXAMPLES\n.nf\n" + "\n".join(map(roff, examples)) + "\n.fi")
    if len(words) > 1:
        parts.append(f".SH SEE ALSO\n.BR {roff('-'.join(words[:-1]))} (1)")
    return "\n".join(parts) + "\n"


def paragraphs(text: str) -> str:
    """Return paragraphs, their lines joined."""
    return "\n.PP\n".join(roff(" ".join(each.split())) for each in re.split(r"\n\s*\n", text))


def told(parameter: Any, context: Any) -> tuple[str, str] | None:
    """Return what --help says of an option or argument, on the left and on the right."""
    record = parameter.get_help_record(context)
    if record is None:
        return None
    left, right = record
    return str(left), " ".join(str(right).split())


def completion(shell: str) -> str:
    """Return what a shell sources to complete `rearank`."""
    code = "import sys; sys.argv = ['rearank']; from rearank_cli.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "_REARANK_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def main() -> None:
    """Write all files, and say where."""
    folder = Path(sys.argv[1])
    pages, completions = folder / "man" / "man1", folder / "completions"
    for each in (pages, completions):
        each.mkdir(parents=True, exist_ok=True)
    for words, command in commands(get_command(app), ("rearank",)):
        (pages / f"{'-'.join(words)}.1").write_text(page(words, command), encoding="utf-8")
    for shell, file in SHELLS.items():
        (completions / file).write_text(completion(shell), encoding="utf-8")
    print(f"man pages in {pages}, completions in {completions}")


if __name__ == "__main__":
    main()

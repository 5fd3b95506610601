"""The origin of a run: what is known of how it was made, in `x.meta.yml` beside `x.trec`.

The words are those of ir_metadata (Breuer, Keller and Schaer, SIGIR 2022) where it has one:
`schema-version`, `tag`, `platform`, `implementation`, `data`, `method`; `actor` and `research goal`
are the user's to add. Ours stand beside them: `run` and `inputs` with digests, `collection` with
what opens it again, `settings`.
"""

import hashlib
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rearank_cli import __version__
from rearank_cli.errors import RearankError
from rearank_cli.formats import hardware
from rearank_cli.formats.files import STDIO, beside, open_bytes, write_text
from rearank_cli.formats.locks import locked
from rearank_cli.formats.trec import run_lines, write_run
from rearank_cli.log import warn
from rearank_cli.records import Run

ENDING = ".meta.yml"
SCHEMA = 0.1
"""The version of ir_metadata's schema whose words these are."""
TOOLKITS = ("pyserini", "python-terrier")
"""Distributions that ir_metadata calls retrieval toolkits."""
MOVED = "name the collection (`collection`)"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Source:
    """What opens a collection again: a name, or absolute paths of a folder and of files.

    `digests` are those of its parts when the run was made, as far as they were known; `short` is
    what it is to be called in file names and tables, where somebody said so.
    """

    dataset: str | None = None
    corpus: str | None = None
    queries: str | None = None
    qrels: str | None = None
    short: str | None = None
    fields: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called in messages: paths below the working directory are short."""
        parts = (self.dataset, self.corpus, self.queries, self.qrels)
        return ", ".join(short_path(part) for part in parts if part)

    @property
    def label(self) -> str:
        """Its name in file names and tables: that of the collection, or of its folder or file."""
        if self.short:
            return self.short
        whole = self.dataset or self.corpus or self.queries or self.qrels or ""
        return os.path.basename(whole) if os.path.isabs(whole) else whole


@dataclass(frozen=True)
class Command:
    """The command that makes a run: its verb, how it is typed, and all its resolved settings."""

    verb: str
    words: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def line(self) -> str:
        """The command as it can be pasted into a shell, in any folder."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        typed = " ".join([*variables, shlex.join(["rearank", *self.words])])
        return f"cd {shlex.quote(os.getcwd())} && {typed}"


@dataclass(frozen=True)
class Input:
    """A run that went into another: its file, and its content's digest where it is a file."""

    file: str
    tag: str = ""

    def described(self) -> dict[str, Any]:
        """Return it as an origin has it; its own origin is named where there is one."""
        if not Path(self.file).is_file():
            return {"file": "<stdin>" if self.file == STDIO else self.file, "tag": self.tag}
        beside = origin_file(self.file)
        return {
            "file": os.path.abspath(self.file),
            "tag": self.tag,
            "sha256": content_digest(self.file),
            **({"origin": os.path.abspath(beside)} if beside and Path(beside).is_file() else {}),
        }


def describe(
    command: Command,
    source: Source | None,
    inputs: Sequence[Input],
    libraries: Sequence[str],
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the origin of a run that is about to be written; `more` is the command's own part.

    `libraries` are the distributions that were used.
    """
    own = dict(more or {})
    settings = {**command.settings, **own.pop("settings", {})}
    step = {"method": f"rearank {command.verb}"}
    if inputs:
        step["reranks"] = ", ".join(each.tag for each in inputs)
    return {
        "rearank": __version__,
        "started": command.started,
        "platform": {
            **hardware.described(),
            "software": _software(libraries),
        },
        "implementation": {
            "executable": {"cmd": command.line},
            "source": {"lang": ["Python"]},
        },
        **({"data": {"test collection": {"name": source.name}}} if source else {}),
        "method": {
            "automatic": True,
            "retrieval": [step],
        },
        **({"collection": _plain(source)} if source else {}),
        "inputs": [each.described() for each in inputs],
        "settings": {key: _value(value) for key, value in settings.items()},
        **own,
    }


def of_run(about: Mapping[str, Any], run: Run, file: str) -> dict[str, Any]:
    """Return an origin that says which run it is of."""
    return of_digest(about, run.tag, run_digest(run), file)


def of_digest(about: Mapping[str, Any], tag: str, sha256: str, file: str) -> dict[str, Any]:
    """Return the same for a run that is no longer in memory, by the digest of what is written."""
    head = {"file": Path(file).name, "tag": tag, "sha256": sha256}
    method = dict(about.get("method") or {})
    steps = [{"name": tag, **step} for step in method.get("retrieval", [])]
    named = {"method": {**method, "retrieval": steps}} if method else {}
    return {"schema-version": SCHEMA, "tag": tag, "run": head, **about, **named}


def _software(libraries: Sequence[str]) -> dict[str, Any]:
    toolkits = _versions(name for name in libraries if name in TOOLKITS)
    return {
        "libraries": {"python": [f"rearank-cli=={__version__}", *_versions(libraries)]},
        **({"retrieval toolkit": toolkits} if toolkits else {}),
    }


def _versions(libraries: Iterable[str]) -> list[str]:
    return [f"{name}=={known}" for name in libraries if (known := library_version(name))]


def library_version(name: str) -> str:
    """Return the version of an installed distribution; empty for none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _plain(source: Source) -> dict[str, Any]:
    return {name: _value(value) for name, value in asdict(source).items() if value}


def _value(value: Any) -> Any:
    """Return a setting as YAML and JSON can have it."""
    if isinstance(value, Mapping):
        return {str(key): _value(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(each) for each in value]
    plain = getattr(value, "value", value)  # an enumeration's
    return plain if plain is None or isinstance(plain, str | int | float | bool) else str(plain)


def short_path(path: str) -> str:
    """Return an absolute path from the working directory where it lies below it."""
    if not os.path.isabs(path):
        return path
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


# --- files ------------------------------------------------------------------------------------


def origin_file(run: str | os.PathLike[str]) -> str | None:
    """Return where the origin of a run's file is; None for stdin, stdout, pipes and devices."""
    return beside(run, ENDING)


def content_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's content, unpacked where it is packed."""
    digest = hashlib.sha256()
    with open_bytes(path) as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def run_digest(run: Run) -> str:
    """Return the SHA-256 of a run as it is written."""
    digest = hashlib.sha256()
    for line in run_lines(run):
        digest.update(line.encode("utf-8", "replace"))
    return digest.hexdigest()


def write_origin(run_file: str, about: Mapping[str, Any]) -> None:
    """Write the origin of a run beside it; nothing for a run that is no file."""
    import yaml

    target = origin_file(run_file)
    if target is None:
        return
    with write_text(target) as handle:
        yaml.safe_dump(dict(about), handle, sort_keys=False, allow_unicode=True, width=100)


def write_run_and_origin(target: str, run: Run, about: Mapping[str, Any] | None) -> None:
    """Write a run with its origin, if it is to have one: the run last.

    Whoever is killed in between leaves the run as it was, and an origin that is not its own, which
    its digest tells.
    """
    with locked(target, wait=True):
        if about is not None:
            write_origin(target, of_run(about, run, target))
        write_run(target, run)


def read_origin(run_file: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the origin beside a run's file; None where there is none.

    Raises `RearankError` for a file that is no origin.
    """
    import yaml

    place = origin_file(run_file)
    if place is None or not Path(place).is_file():
        return None
    with open_bytes(place) as handle:
        try:
            found = yaml.safe_load(handle)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            where = getattr(error, "problem_mark", None)
            line = f":{where.line + 1}" if where else ""
            raise RearankError(
                f"{place}{line}: expected the origin of a run in YAML, found something else",
                hint=f"remove it, and {MOVED}",
            ) from error
    if not isinstance(found, dict):
        raise RearankError(
            f"{place}: expected the origin of a run in YAML, found something else",
            hint=f"remove it, and {MOVED}",
        )
    return found


def source_of(run_file: str | os.PathLike[str]) -> tuple[Source, str] | None:
    """Return what opens a run's collection, and the origin that says so; None where none does.

    Raises `RearankError` when the run is no longer the one that the origin is about.
    """
    found, place = read_origin(run_file), origin_file(run_file)
    if found is None or place is None or not isinstance(found.get("collection"), dict):
        return None
    noted = found.get("run")
    if not isinstance(noted, dict) or noted.get("sha256") != content_digest(run_file):
        raise RearankError(
            f"{run_file}: expected the run that {place} is about, found a changed one",
            hint=f"{MOVED}, or make the run again",
        )
    return source_in(found), place


def source_in(found: Mapping[str, Any]) -> Source:
    """Return the collection of an origin that has one."""
    given = dict(found["collection"])
    parts = {name: given.get(name) for name in ("dataset", "corpus", "queries", "qrels", "short")}
    return Source(
        **{name: str(value) for name, value in parts.items() if value},
        fields=tuple(map(str, given.get("fields") or ())),
        digests={str(k): str(v) for k, v in dict(given.get("digests") or {}).items()},
    )


def source_if_known(run_file: str) -> Source | None:
    """Return what opens a run's collection; None, with a warning, where the run was changed."""
    try:
        known = source_of(run_file)
    except RearankError as error:
        warn(error.message)
        return None
    return known[0] if known else None

"""Which judgements a run is measured by: those that were named, else those of its collection."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from rearank_cli.cli import origins
from rearank_cli.cli.names import collection_label
from rearank_cli.errors import RearankError
from rearank_cli.evaluation.labels import label_sources
from rearank_cli.formats.files import STDIO, label_and_name, read_lines
from rearank_cli.formats.packed import plain_name


@dataclass(frozen=True)
class Group:
    """Runs of one collection: `dataset` is its name or folder, `qrels` a file of judgements.

    `label` stands for it in file names; `short` is what somebody said that it is called.
    `names` are the labels that were given to runs.
    """

    label: str
    dataset: str | None
    qrels: str | None
    runs: list[str] = field(default_factory=list)
    short: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called among expectations."""
        name = self.dataset or ""
        return self.short or (Path(name).name if Path(name).is_absolute() else name)


@dataclass(frozen=True)
class Words:
    """What the arguments turn out to be; `names` are the labels that runs were given."""

    runs: list[str]
    dataset: str | None
    qrels: str | None
    names: Mapping[str, str] = field(default_factory=dict)

    def file_of(self, word: str | None) -> str | None:
        """Return the file of a run that is named by a label, by `label=FILE`, or as a file."""
        known = (run for run, name in self.names.items() if name == word)
        return word and next(known, label_and_name(word)[1])


def runs_in(words: Sequence[str]) -> Words:
    """Return runs that may be named, as `label=FILE`; there is nothing else among these words."""
    found = [label_and_name(word) for word in words]
    names = {file: label for label, file in found if label is not None}
    return Words([file for _, file in found], None, None, names)


def sorted_out(words: Sequence[str], dataset: str | None, qrels: str | None) -> Words:
    """Tell runs, judgements and a collection's name among the arguments apart.

    A file of judgements has four columns, or three with tabs, in either order of the arguments; a
    name is what is no file behind a run; `label=FILE` is a run. Raises `RearankError` for two of a
    kind.
    """
    runs: list[str] = []
    names: dict[str, str] = {}
    for typed in words:
        label, word = label_and_name(typed)
        if label is not None:
            names[word] = label
            runs.append(word)
            continue
        if word != STDIO and Path(word).is_file():
            if _are_judgements(word) and len(words) > 1:
                if qrels is not None:
                    raise RearankError(f"expected judgements once, found {qrels} and {word}")
                qrels = word
                continue
        elif runs and word == words[-1] and word != STDIO and not _is_run_name(word):
            dataset = word
            continue
        runs.append(word)
    if not runs:
        raise RearankError("expected a run, found judgements only", hint="rearank eval RUN QRELS")
    return Words(runs, dataset, qrels, names)


def _is_run_name(word: str) -> bool:
    """Tell whether a word that is no regular file is a run: a pipe, or by its ending."""
    pipe = Path(word).exists() and not Path(word).is_dir()
    return pipe or plain_name(word).endswith((".trec", ".run", ".txt"))


def _are_judgements(path: str) -> bool:
    """Tell by the first line whether a file holds judgements; a run has six columns or more."""
    try:
        line = next((line for _, line in read_lines(path) if line.strip()), "")
    except RearankError:
        return False
    return len(line.split()) == 4 or (line.count("\t") == 2 and len(line.split()) == 3)


def grouped(context: typer.Context, words: Words, baseline: str | None) -> list[Group]:
    """Return the runs by the collection that judges them, in the order of the runs."""
    named = words.qrels is not None or origins.typed(context, "dataset")
    if named or words.dataset != context.params.get("dataset"):
        runs = list(words.runs)
        return [Group(words.dataset or "", words.dataset, words.qrels, runs, names=words.names)]
    groups: dict[tuple[str | None, str | None], Group] = {}
    files = [*words.runs, *([baseline] if baseline and Path(baseline).is_file() else [])]
    for run in dict.fromkeys(files):
        source = origins.source_for(context, run, (words.dataset,))
        if source is None:
            raise RearankError(
                f"{'<stdin>' if run == STDIO else run}: expected relevance judgements, found none",
                hint="name a collection with -d, for example -d demo, or a file with --qrels",
            )
        place = (source.dataset, source.qrels)
        fresh = Group(collection_label(source.label), *place, short=source.short, names=words.names)
        group = groups.setdefault(place, fresh)
        if run in words.runs:
            group.runs.append(run)
    return list(groups.values())


def system(run: str, group: Group) -> str:
    """Return which row a run belongs to: its name without what names the collection."""
    if run in group.names:
        return group.names[run]
    name = re.sub(r"\.(trec|run|txt)$", "", plain_name(Path(run).name))
    return name.partition(".")[2] or name


def rows_of(group: Group) -> dict[str, str]:
    """Return the row of each run by its label: the label itself where two rows would be one."""
    labels = label_sources(group.runs, group.names)
    rows = {label: system(run, group) for label, run in labels.items()}
    return rows if len(set(rows.values())) == len(rows) else {label: label for label in rows}


def baseline_in(group: Group, baseline: str) -> str:
    """Return the run of a group that a baseline names, as a row or as a file of any collection.

    Raises `RearankError` where there is none.
    """
    wanted = system(baseline, group) if Path(baseline).is_file() else baseline
    for run in group.runs:
        if system(run, group) == wanted:
            return run
    raise RearankError(
        f"--baseline {baseline}: expected a run named {wanted} of every collection, found "
        f"none of {column_name(group)}",
        hint="runs are named COLLECTION.NAME.trec; give NAME",
    )


def column_name(group: Group) -> str:
    """Return a collection's short name: what all its runs begin with, else its own."""
    stems = {plain_name(Path(run).name).split(".")[0] for run in group.runs}
    return stems.pop() if len(stems) == 1 else group.label

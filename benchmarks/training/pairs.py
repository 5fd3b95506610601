"""Pairs of a query and the passage that answers it, as a collection to search for hard passages.

`python -m benchmarks.training.pairs FOLDER debian:LIST foldoc:FILE …` writes corpus.jsonl,
queries.jsonl and qrels.trec. The texts are those of Debian packages (descriptions, dictionaries,
documentation) and of SQuAD; which files these are, see likelihood.mk.
"""

import argparse
import gzip
import json
import random
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

# Passages with fewer characters say too little; the recipe cuts longer ones.
SHORTEST, LONGEST = 80, 1200
SEED = 0
# Queries of each source, drawn from all; every passage of a source can be searched.
QUERIES = {
    "debian": 1900,
    "squad": 1900,
    "foldoc": 750,
    "python": 600,
    "wordnet": 500,
    "gcide": 350,
}
# Of dictionaries, entries that are asked about have at least so many characters.
ASKED_ABOUT = {"foldoc": 160, "wordnet": 130, "gcide": 160}
# How people ask for the meaning of a word.
ASKED = (
    "what is {}",
    "what is {}",
    "{} definition",
    "define {}",
    "meaning of {}",
    "what does {} mean",
    "{}",
)
_PARTS = ("-dev", "-doc", "-docs", "-dbg", "-data", "-common", "-dbgsym", "-examples", "-headers")
_NO_PROGRAM = re.compile(
    r"transitional|dummy|metapackage|meta-package|virtual package|development files|debug symbols|"
    r"shared librar|language pack|translation|localization|documentation|data files",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9 -]+")
_SPACES = re.compile(r"\s+")


class Pair(NamedTuple):
    """A query and the passage that answers it."""

    query: str
    passage: str


def plain(text: str) -> str:
    """Return a text on one line."""
    return _SPACES.sub(" ", text).strip()


def asked(word: str, generator: random.Random) -> str:
    """Return a question about a word, in lower case as people type it."""
    return generator.choice(ASKED).format(word).lower()


def debian(paths: Sequence[Path]) -> Iterator[Pair]:
    """Yield synopses and descriptions of the packages in Translation-en lists.

    A description that several packages share is taken once; libraries, parts of packages and
    packages without a program are left out.
    """
    seen = set()
    for path in paths:
        shown = subprocess.run(
            ["/usr/lib/apt/apt-helper", "cat-file", str(path)], capture_output=True, check=True
        )
        for entry in shown.stdout.decode("utf-8").split("\n\n"):
            found = re.search(r"^Package: (.*)\n(?:.*\n)*?Description-en: (.*)\n", entry, re.M)
            if not found:
                continue
            name, synopsis = found[1], found[2]
            if name.startswith("lib") or name.endswith(_PARTS) or _NO_PROGRAM.search(synopsis):
                continue
            lines = entry[found.end() :].splitlines()
            # Two spaces in front mark lists and verbatim text; the first paragraph tells most.
            body = plain(" ".join(line for line in lines if line.strip() != "."))
            key = body[:200]
            if key not in seen and len(synopsis.split()) > 2:
                seen.add(key)
                yield Pair(synopsis, body)


def _entries(path: Path) -> Iterator[tuple[str, str]]:
    """Yield headwords and bodies of a dictionary of dictd: words at the margin, bodies indented."""
    word, body = "", list[str]()
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line[:1].strip():
                if body:
                    yield word, "\n".join(body)
                    word, body = "", []
                word = word or line.strip()
            elif word:
                body.append(line)
    yield word, "\n".join(body)


def foldoc(paths: Sequence[Path]) -> Iterator[Pair]:
    """Yield questions about the headwords of FOLDOC, a dictionary of computing."""
    generator = random.Random(SEED)
    for path in paths:
        for word, body in _entries(path):
            text = plain(re.sub(r"<[^>]*>|\(\d{4}-\d\d-\d\d\)|\(?http[^ ]*|[{}]", "", body))
            # Its first entries are about the dictionary itself.
            if _WORD.fullmatch(word) and "FOLDOC" not in text and "dictionary" not in text:
                yield Pair(asked(word, generator), f"{word}: {text}")


def gcide(paths: Sequence[Path]) -> Iterator[Pair]:
    """Yield questions about the headwords of GCIDE, a dictionary of English of 1913.

    Entries whose etymology or pronunciation cannot be told from the definition are left out.
    """
    generator = random.Random(SEED)
    for path in paths:
        for line, body in _entries(path):
            word, _, rest = line.partition(" \\")
            etymology = rest.count("[") > rest.count("]")
            text = body.partition("]")[2] if etymology else body
            # Names of sources, of authors quoted and of domains say nothing.
            text = re.sub(r"\[[^][]*\]|--[A-Z][\w. ]*|[{}]|\([A-Z][\w. &]*\.\)|\b1\. ", "", text)
            text = plain(text)
            if (
                _WORD.fullmatch(word)
                and re.match("[A-Z]", text)
                and not re.search(r"[][?\\]", text)
            ):
                yield Pair(asked(word, generator), f"{word}: {text}")


def wordnet(paths: Sequence[Path]) -> Iterator[Pair]:
    """Yield questions about nouns of WordNet whose glosses are long enough."""
    generator = random.Random(SEED)
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            facts, bar, gloss = line.partition(" | ")
            if line.startswith(" ") or not bar:
                continue
            fields = facts.split()
            words = [each.replace("_", " ") for each in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
            text = f"{', '.join(words)}: {gloss}"
            yield Pair(asked(words[0], generator), plain(text))


def python(paths: Sequence[Path]) -> Iterator[Pair]:
    """Yield headings (questions, of the FAQ) and what stands below them, and glossary entries."""
    for path in paths:
        text = path.read_text("utf-8")
        for found in re.finditer(
            r"^(\S.{9,})\n([=\-~^\"*])\2{5,}\n\n((?:.+\n|\n(?!\S.*\n[=\-~^\"*]{6}))+)", text, re.M
        ):
            body = re.sub(r"^\.\. .*$|^\s+>>>.*$|^\s+:\w+:.*$", "", found[3], flags=re.M)
            body = re.sub(r":[\w:]+:`~?([^`<]+)(?:<[^`]*)?`|``?([^`]+)`?`", r"\1\2", body)
            title = re.sub(r":[\w:]+:`~?([^`<]+)(?:<[^`]*)?`|``?([^`]+)`?`|\\", r"\1\2", found[1])
            if len(title.split()) > 2:
                yield Pair(title, plain(body))
        if path.name.startswith("glossary"):
            generator = random.Random(SEED)
            for word, body in re.findall(r"^   (\S.*)\n((?:      .*\n|\n)+)", text, re.M):
                cleaned = re.sub(r":[\w:]+:`~?([^`<]+)(?:<[^`]*)?`|``?([^`]+)`?`", r"\1\2", body)
                yield Pair(asked(f"{word} in python", generator), f"{word}: {plain(cleaned)}")


def squad(paths: Sequence[Path]) -> Iterator[Pair]:
    """Yield questions whose answer stands in the first 450 characters of a paragraph of SQuAD."""
    for path in paths:
        for article in json.loads(path.read_text("utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                for asked_ in paragraph["qas"]:
                    places = [answer["answer_start"] for answer in asked_["answers"]]
                    if places and min(places) < 450:
                        yield Pair(asked_["question"].lower().rstrip("?"), paragraph["context"])


SOURCES: dict[str, Callable[[Sequence[Path]], Iterator[Pair]]] = {
    each.__name__: each for each in (debian, foldoc, gcide, wordnet, python, squad)
}


def drawn(source: str, pairs: Sequence[Pair]) -> list[int]:
    """Return which pairs of a source are asked about, by their places."""
    long = ASKED_ABOUT.get(source, 0)
    places = [place for place, pair in enumerate(pairs) if len(pair.passage) >= long]
    generator = random.Random(f"{SEED}:{source}")
    return sorted(generator.sample(places, min(QUERIES[source], len(places))))


def usable(pair: Pair) -> bool:
    """Tell whether a pair says enough, and its query is no essay."""
    return len(pair.passage) >= SHORTEST and 2 <= len(pair.query) <= 200


def main() -> None:
    """Write a folder that `rearank retrieve -d` takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("texts", nargs="+", help=f"SOURCE:FILE; sources are {', '.join(SOURCES)}")
    chosen = parser.parse_args()
    files: dict[str, list[Path]] = {}
    for text in chosen.texts:
        source, _, path = text.partition(":")
        files.setdefault(source, []).append(Path(path))
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with (
        (chosen.folder / "corpus.jsonl").open("w", encoding="utf-8") as corpus,
        (chosen.folder / "queries.jsonl").open("w", encoding="utf-8") as queries,
        (chosen.folder / "qrels.trec").open("w", encoding="utf-8") as qrels,
    ):
        for source, paths in files.items():
            pairs = [each for each in SOURCES[source](paths) if usable(each)]
            ids: dict[str, str] = {}
            for place, pair in enumerate(pairs):
                if pair.passage not in ids:
                    ids[pair.passage] = f"{source}-{place}"
                    line = {"_id": ids[pair.passage], "text": pair.passage[:LONGEST]}
                    corpus.write(json.dumps(line, ensure_ascii=False) + "\n")
            for place in drawn(source, pairs):
                query_id, pair = f"q-{source}-{place}", pairs[place]
                line = {"_id": query_id, "text": pair.query}
                queries.write(json.dumps(line, ensure_ascii=False) + "\n")
                qrels.write(f"{query_id} 0 {ids[pair.passage]} 1\n")


if __name__ == "__main__":
    main()

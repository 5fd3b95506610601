"""The library as its documentation shows it: every example runs and says what it is shown to say.

Each runs in a process of its own, in a folder with a small BM25 run of the demo (bm25.trec); a
scripted server stands where an example has a model.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import ROOT, environment
from llm_server import LlmServer, serving
from scripted import ids, shown

import rearank_cli
from rearank_cli.records import Prompt

SERVER = "http://localhost:8000/v1"
MODEL = "le723z/Rearank-7B"
HEAVY = (
    *("numpy", "pandas", "torch", "vllm", "jnius", "transformers", "jinja2", "httpx", "rich"),
    *("ir_measures", "ir_datasets", "pyarrow", "typer", "asyncio"),
)
DOCTEST = """
import doctest, sys, rearank_cli
found = [getattr(rearank_cli, {name!r})]
kinds = classmethod | type(lambda: 0)
found += [each for each in getattr(found[0], "__dict__", {{}}).values() if isinstance(each, kinds)]
parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
for each in found:
    each = getattr(each, "__func__", each)
    text = (each.__doc__ or "").replace({server!r}, sys.argv[1]).replace({model!r}, "scripted")
    runner.run(parser.get_doctest(text, {{}}, {name!r}, None, 0))
print("tried", runner.tries)
sys.exit(runner.failures)
"""


def backwards(prompt: Prompt) -> str:
    """Turn every window round, whatever it shows."""
    return f"<answer>{ids(range(len(shown(prompt)) - 1, -1, -1))}</answer>"


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with serving(backwards) as scripted:
        yield scripted


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [f"{q} Q0 phys-00{n} {n} {9 - n} bm25\n" for q in ("q01", "q02") for n in range(1, 7)]
    (tmp_path / "bm25.trec").write_text("".join(lines))
    return tmp_path


def run(folder: Path, code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("name", rearank_cli.__all__)
def test_every_public_name_has_an_example_that_runs(
    name: str, folder: Path, server: LlmServer
) -> None:
    out = run(folder, DOCTEST.format(name=name, server=SERVER, model=MODEL), server.url)
    assert int(out.split()[-1]) > 0, f"{name} has no example"


def blocks(page: str) -> list[str]:
    text = (ROOT / page).read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["docs/library.md", "README.md"])
def test_the_examples_of_a_page_run_one_after_the_other(
    page: str, folder: Path, server: LlmServer
) -> None:
    code = "\n".join(blocks(page))
    assert "Reranker(" in code
    code = code.replace(f'Reranker("{MODEL}")', f"Reranker('scripted', base_urls=[{SERVER!r}])")
    run(folder, code.replace(MODEL, "scripted").replace(SERVER, server.url))
    assert server.finished


def test_importing_the_package_loads_nothing_else(tmp_path: Path) -> None:
    code = (
        "import sys\nbefore = set(sys.modules)\nimport rearank_cli\n"
        "print(sorted(set(sys.modules) - before))\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    loaded, heavy = run(tmp_path, code).splitlines()
    ours = re.findall(r"'(rearank_cli[\w.]*)'", loaded)
    assert ours == ["rearank_cli"]
    assert heavy == "HEAVY []"


def test_every_public_name_is_there_and_listed() -> None:
    assert sorted(rearank_cli._HOMES) == sorted(rearank_cli.__all__)
    for name in rearank_cli.__all__:
        assert getattr(rearank_cli, name).__name__ == name
    assert {"search", "evaluate", "fuse", "Collection", "Judgements"} <= set(dir(rearank_cli))
    with pytest.raises(AttributeError, match="no attribute 'rerankers'"):
        rearank_cli.rerankers  # noqa: B018  asking for it is the test

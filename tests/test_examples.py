"""The programs in examples/ do what they say, against a scripted server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT, environment, rearank
from llm_server import LlmServer, serving
from scripted import ids, shown

from rearank_cli.records import Prompt

EXAMPLES = ROOT / "examples"


def backwards(prompt: Prompt) -> str:
    """Turn every window round, whatever it shows."""
    return f"<answer>{ids(range(len(shown(prompt)) - 1, -1, -1))}</answer>"


def run(folder: Path, name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_rerank(tmp_path: Path) -> None:
    lines = [f"q01 Q0 phys-00{n} {n} {10 - n} bm25\n" for n in range(1, 7)]
    (tmp_path / "run.trec").write_text("".join(lines))
    with serving(backwards) as server:
        out = run(tmp_path, "rerank.py", "run.trec", "demo", "scripted", server.url)
    found = [line.split()[2] for line in out.splitlines()]
    assert found == [f"phys-00{n}" for n in range(6, 0, -1)]
    (tmp_path / "new.trec").write_text(out)
    assert rearank(tmp_path, "eval", "new.trec", "-d", "demo").returncode == 0


def test_pyterrier_pipeline(tmp_path: Path) -> None:
    pytest.importorskip("pyterrier", reason="needs the extra `pyterrier`")
    with serving(backwards) as server:
        out = run(tmp_path, "pyterrier_pipeline.py", "scripted", server.url)
    figures = {
        match[1]: float(match[2]) for match in re.finditer(r"(words|rearank)\s+(0\.\d+)", out)
    }
    assert set(figures) == {"words", "rearank"}
    assert figures["words"] != figures["rearank"]


def executed(server: LlmServer, folder: Path) -> list[str]:
    """Run the notebook in a real kernel; return the text that each code cell printed."""
    nbformat = pytest.importorskip("nbformat", reason="needs nbclient and ipykernel")
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
    pytest.importorskip("ipykernel", reason="needs nbclient and ipykernel")
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    served = {"REARANK_MODEL": "scripted", "REARANK_BASE_URL": server.url}
    variables = {**environment(folder), **served}
    client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3")
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        client.execute()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return [
        "".join(str(out.get("text") or out.get("data")) for out in cell["outputs"])
        for cell in notebook.cells
        if cell["cell_type"] == "code"
    ]


def test_the_notebook_in_a_real_kernel(tmp_path: Path) -> None:
    with serving(backwards) as server:
        first, second, third = executed(server, tmp_path)
    assert first == "3 queries\n"
    assert second == "text printed after reranking still appears here\n"
    assert "q01" in third

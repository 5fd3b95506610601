"""What a command imports is what its user waits for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "vllm", "pyserini", "transformers", "jnius", "trl", "datasets", "pandas", "ray")
RUN = "q1 Q0 a 1 2 t\n"
QRELS = "q1 0 a 1\n"
# The floors of the house, from the ground up. A room may import those on floors below its own.
FLOORS = (
    {"formats"},
    {"engines", "methods", "recipes", "collection"},
    {"reranking", "evaluation", "lucene"},
    {"training", "health"},
    {"report"},
    {"serving"},
    {"cli"},
)
BELOW = {room: set().union(*FLOORS[:floor]) for floor, rooms in enumerate(FLOORS) for room in rooms}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["rerank", "--help"], ["eval", "r", "--qrels", "q"]]
)
def test_light_commands_import_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "r").write_text(RUN)
    (tmp_path / "q").write_text(QRELS)
    code = (
        "import sys, atexit\n"
        f"sys.argv = ['rearank', *{arguments!r}]\n"
        f"atexit.register(lambda: print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules]))\n"
        "from rearank_cli.cli.app import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout


def imported(file: Path) -> set[str]:
    """Return the rooms that a module imports."""
    names = [
        node.module
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
    ]
    return {name.split(".")[1] for name in names if name.startswith("rearank_cli.")}


@pytest.mark.parametrize("room", sorted(BELOW))
def test_imports_point_downwards_only(room: str) -> None:
    for file in (ROOT / "rearank_cli" / room).rglob("*.py"):
        rooms = imported(file) & {*BELOW}
        assert rooms <= BELOW[room] | {room}, f"{file} imports {rooms - BELOW[room] - {room}}"


def test_the_ground_floor_imports_no_room() -> None:
    for file in (ROOT / "rearank_cli").glob("*.py"):
        if file.name not in ("__init__.py", "__main__.py", "pyterrier.py"):  # faces of the house
            assert not imported(file) & {*BELOW}, file


@pytest.mark.parametrize("room", ["", *sorted(BELOW)])
def test_no_two_modules_of_a_room_differ_by_a_suffix_alone(room: str) -> None:
    names = {file.stem for file in (ROOT / "rearank_cli" / room).glob("*.py")}
    alike = [
        (name, other)
        for name in names
        for other in names
        for ending in ("s", "ed", "er", "ing")
        if other in (name + ending, name.removesuffix("e") + ending)
    ]
    assert alike == []

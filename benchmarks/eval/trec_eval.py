"""The trec_eval program (9.0.4) that the Anserini jar inside pyserini carries."""

import importlib.util
import os
import platform
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

_MEMBERS = {
    ("Linux", "x86_64"): "trec_eval-linux-amd64",
    ("Darwin", "arm64"): "trec_eval-macosx-aarch64",
    ("Darwin", "x86_64"): "trec_eval-macosx-x86_64",
}


def unpack(folder: Path) -> Path | None:
    """Write the program for this machine into a folder; None where the jar has none for it."""
    member = _MEMBERS.get((platform.system(), platform.machine()))
    spec = importlib.util.find_spec("pyserini")  # finds it without the cost of importing it
    if member is None or spec is None or spec.origin is None:
        return None
    jar = next(Path(spec.origin).parent.glob("resources/jars/anserini-*-fatjar.jar"))
    program = folder / "trec_eval"
    with zipfile.ZipFile(jar) as packed:
        program.write_bytes(packed.read(f"trec_eval/{member}"))
    os.chmod(program, 0o755)
    return program


def evaluate(
    program: Path, qrels: Path, run: Path, measures: Sequence[str], complete: bool = True
) -> dict[tuple[str, str], float]:
    """Return trec_eval's values by (measure, query id), `all` for the mean; it prints 4 decimals.

    `measures` are in its own words, such as `ndcg_cut.10`; `complete` is its option `-c`.
    """
    command = [str(program), "-q", *(["-c"] if complete else [])]
    for measure in measures:
        command += ["-m", measure]
    done = subprocess.run(
        [*command, str(qrels), str(run)], capture_output=True, text=True, check=True
    )
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return {(name.strip(), query_id): float(value) for name, query_id, value in rows}

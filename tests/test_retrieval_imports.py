"""What retrieval must not load: the libraries of language models take seconds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from corpora import beir_folder

FORBIDDEN = ("torch", "transformers", "openai", "pyserini", "vllm", "ir_datasets", "pandas")
PROGRAM = """
import sys
from rearank_cli.cli.app import main
try:
    main()
except SystemExit:
    pass
print(*sorted(sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("verb", ["retrieve", "index"])
def test_retrieval_from_files_loads_no_library_of_language_models(
    tmp_path: Path, verb: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, verb, str(beir_folder(tmp_path / "pets"))],
        env={**os.environ, "REARANK_CACHE_DIR": str(tmp_path / "cache")},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stderr.splitlines()[-1].split()
    assert "jnius" in loaded
    assert [name for name in FORBIDDEN if name in loaded] == []

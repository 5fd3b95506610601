"""Frameworks' own rerank classes against `rearank serve`: `python -m benchmarks.serving.clients`.

They pin clients of their own, so that they get an environment of their own, in the folder
named as argument (by default `build/clients`); what is there already is used. Exits with 1 when a
class gets a wrong order.
"""

import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.serving.frameworks import CLASSES
from benchmarks.serving.run import server


def main() -> int:
    """Make the environment, start a server, ask it through all of them."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/clients")
    python = folder / "bin" / "python"
    if not python.is_file():
        venv.create(folder, with_pip=True)
        packages = [package for _, package in CLASSES]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    program = Path(__file__).with_name("frameworks.py")
    with server(0.01) as (url, _):
        return subprocess.run([python, program, url]).returncode


if __name__ == "__main__":
    sys.exit(main())

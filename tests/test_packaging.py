"""The wheel works alone; man pages, completions, the citation and `make demo`'s talk."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from command import FILES, ROOT, Numbers
from llm_server import serving
from test_docs import ALL

from rearank_cli import __version__

SHIPPED = ("rearank_cli", "pyproject.toml", "README.md", "LICENSE")


def setuptools_major() -> int:
    try:
        return int(version("setuptools").split(".")[0])
    except PackageNotFoundError:
        return 0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy of what it takes."""
    if setuptools_major() < 77:
        pytest.skip("needs setuptools 77 or later to build without a network")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(out), str(source)], check=True, timeout=300)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with the wheel in it; dependencies are those of the tests' own."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    # Before the dependencies can be seen, among which this checkout is installed, too.
    subprocess.run([*command, "--no-deps", "--no-index", str(wheel)], check=True, timeout=300)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def run(
    environment: Path, folder: Path, *arguments: str, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder, far from the checkout."""
    names = ("PYTHONPATH", "REARANK_DATASET", "REARANK_BASE_URL", "REARANK_MODEL")
    env = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [str(environment / "bin" / "rearank"), *arguments],
        cwd=folder,
        env={**env, "REARANK_CACHE_DIR": str(folder / "cache")},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_the_wheel_works_alone(installed: Path, tmp_path: Path) -> None:
    code = "import rearank_cli; print(rearank_cli.__file__, rearank_cli.__version__)"
    python = str(installed / "bin" / "python")
    where = subprocess.run(
        [python, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert where.stdout.startswith(str(installed)) and where.stdout.split()[1] == __version__

    run(installed, tmp_path, "retrieve", "-d", "demo", "-o", "bm25.trec")
    assert run(installed, tmp_path, "eval", "bm25.trec", "-d", "demo").stdout.endswith("0.6081\n")
    Numbers(queries=1, hits=30).write(tmp_path)
    with serving() as server:
        options = (*FILES, "--base-url", server.url, "--model", "scripted", "-o", "new.trec")
        run(installed, tmp_path, "rerank", "run.trec", *options)
    assert (tmp_path / "new.trec").read_text().startswith("q0 Q0 d000 1 ")
    run(installed, tmp_path, "report", "new.trec", "--qrels", "qrels.txt", "-o", "page.html")
    run(installed, tmp_path, "explain", "new.trace.jsonl", "--summary")
    # What else comes as data inside the package.
    run(installed, tmp_path, "datasets", "runs")
    (tmp_path / "e.toml").write_text('[[expected]]\nmeasure = "nDCG@10"\nvalue = 0.6\n')
    run(installed, tmp_path, "check", "bm25.trec", "-d", "demo", "--expect", "e.toml")
    code = (
        "import json; from importlib.resources import files\n"
        "for each in (files('rearank_cli') / 'schemas').iterdir(): json.loads(each.read_text())"
    )
    subprocess.run([python, "-I", "-c", code], cwd=tmp_path, check=True)
    code = "from rearank_cli.evaluation.expected import expectations as e; print(len(e('BM25')))"
    found = subprocess.run([python, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert found.stdout == "21\n", found.stderr


@pytest.mark.slow
def test_every_data_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "rearank_cli"], cwd=ROOT, capture_output=True, text=True
    )
    if tracked.returncode:
        pytest.skip("needs git to tell which files belong to the package")
    there = {name for name in tracked.stdout.splitlines() if (ROOT / name).exists()}
    assert there <= packed


@pytest.mark.slow
def test_an_editable_install_says_nothing(wheel: Path, tmp_path: Path) -> None:
    """Install as scripts/install.sh does, with what it tells Python to keep quiet about."""
    script = (ROOT / "scripts" / "install.sh").read_text("utf-8")
    silenced = re.search(r"^PYTHONWARNINGS='(.+)' .* -e ", script, re.MULTILINE)
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (tmp_path / "source").mkdir()
    for name in SHIPPED:
        (tmp_path / "source" / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    done = subprocess.run(
        [*command, "--no-deps", "--no-build-isolation", "-e", str(tmp_path / "source")],
        env={**os.environ, "PYTHONWARNINGS": silenced[1] if silenced else ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manual")
    subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "manual.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
    return folder


def test_every_command_has_a_manual_page_with_all_its_options(manual: Path) -> None:
    for name, command in ALL.items():
        page = manual / "man" / "man1" / f"{name.replace(' ', '-')}.1"
        text = page.read_text("utf-8").replace("\\-", "-")
        assert text.startswith('.TH "REARANK')
        for option in command.params:
            if option.param_type_name == "option" and not option.hidden:
                assert f"{max(option.opts, key=len)}" in text, f"{name}: {option.name}"
    assert "rearank-cache-info" in (manual / "man/man1/rearank-cache.1").read_text().replace(
        "\\-", "-"
    )


def test_manual_pages_are_troff_without_faults(manual: Path) -> None:
    if not shutil.which("groff"):
        pytest.skip("needs groff")
    for page in sorted((manual / "man" / "man1").glob("*.1")):
        done = subprocess.run(
            ["groff", "-man", "-ww", "-z", "-Tutf8", "-k", str(page)],
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, ""), page.name


def test_bash_completes_verbs_and_options(manual: Path) -> None:
    script = (manual / "completions" / "rearank").read_text()
    assert "_REARANK_COMPLETE=complete_bash" in script
    for file in ("_rearank", "rearank.fish"):
        assert "_REARANK_COMPLETE" in (manual / "completions" / file).read_text()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "_REARANK_COMPLETE": "complete_bash"}
    code = "import sys; sys.argv = ['rearank']; from rearank_cli.cli.app import main; main()"

    def completed(words: str) -> list[str]:
        count = str(len(words.split(" ")) - 1)
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**env, "COMP_WORDS": words, "COMP_CWORD": count},
            capture_output=True,
            text=True,
        )
        return done.stdout.split()

    assert completed("rearank ret") == ["retrieve"]
    assert "--query-bm25" in completed("rearank retrieve --query")


def test_versions_agree() -> None:
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(r"^version: (\S+)$", citation, re.MULTILINE)
    assert f"\nversion: {__version__}\n" in citation
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    first = re.search(r"^## (\S+)", changes, re.MULTILINE)
    assert first and first[1] == __version__


def test_extras_with_an_engine_have_upper_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    for extra in ("gpu", "cpu"):
        (engine,) = [each for each in extras[extra] if each.startswith("vllm")]
        assert ",<" in engine


def test_make_demo_shows_commands_and_no_plumbing(tmp_path: Path) -> None:
    binaries = tmp_path / "venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    done = subprocess.run(
        ["make", "-n", "demo", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if "bin/rearank " in line]
    verbs = [line.split("bin/rearank ")[1].split()[0] for line in lines]
    assert verbs[:5] == ["retrieve", "rerank", "export", "eval", "report"]
    assert verbs[5:] in ([], ["rerank", "explain"])  # thoughts to read, without a GPU
    for line in lines:
        assert "$(" not in line and "python -c" not in line

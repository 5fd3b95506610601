"""What a library leaves to the program that uses it: the terminal, signals, the words of options.

Everything outside `cli/` and `serving/` is library. It is read here as a syntax tree.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "rearank_cli"
FACES = ("cli", "serving")
# Run with `python -m`, each a program of its own that answers on its stdout.
PROGRAMS = {
    "engines/convert.py",
    "engines/hub.py",
    "lucene/stored.py",
}
# The one place where a signal is touched: a process that was forked for the engine forgets what
# its parent had set.
FORGETTING = ("engines/guard.py", "_forget_signals")
# A stdout whose reader has gone is led to nowhere by who was asked to write to it.
NO_READER = ("formats/files.py", "_stdout")
# A process that Ray starts for an engine, which nobody reads.
REPLICA = ("engines/replica.py", "__init__")
# Words with dashes that belong to other programs, or to a command line that a file shows.
OF_OTHERS = {
    "engines/gpus.py": {"--query-gpu", "--query-compute-apps", "--format", "-L"},  # nvidia-smi
    "engines/guard.py": {"-S", "-E"},  # python
    "engines/models.py": {"-m", "--no-deps"},  # python, pip
    "engines/weights.py": {"-m"},  # python
    "collection/indexed.py": {"-m"},  # python
    "formats/files.py": {"-p", "-f", "-t"},  # mkdir, iconv
    "formats/packed.py": {"-p", "-f", "-t"},  # unzip, iconv
    "lucene/index.py": {"-v"},  # the version in a folder's name
    "lucene/jar.py": {"--force-reinstall"},  # pip
    "engines/joining.py": {"--head"},  # ray
    "training/card.py": {
        "-d",
        "--model",
        "--adapter",
        "--recipe",
    },  # how to use it
}
OPTION = re.compile(r"(?<![\w-])(--[a-z][\w-]*|-[a-zA-Z])(?![\w-])")

Rule = Callable[[str, ast.Module], Iterator[ast.AST]]


def library() -> Iterator[tuple[str, ast.Module]]:
    """Yield the name and the tree of every module of the library."""
    for file in sorted(HOUSE.rglob("*.py")):
        name = file.relative_to(HOUSE)
        if name.parts[0] not in FACES and name.name != "__main__.py":
            yield str(name), ast.parse(file.read_text())


def found_by(rule: Rule, modules: Iterator[tuple[str, ast.Module]] | None = None) -> list[str]:
    """Return what a rule finds in the library, as `module:line: code`."""
    return [
        f"{name}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)[:100]}"
        for name, tree in modules or library()
        for node in rule(name, tree)
    ]


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call with the name that is called, such as `asyncio.run`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def inside(name: str, tree: ast.Module, place: tuple[str, str]) -> set[int]:
    """Return the ids of the nodes in one function of one module."""
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (name, node.name) == place
        for inner in ast.walk(node)
    }


def printing(name: str, tree: ast.Module) -> Iterator[ast.AST]:
    """`print`, a write to a standard stream, and a console of rich that was given no file."""
    for called, node in calls(tree) if name not in PROGRAMS else ():
        console = called.endswith("Console") and not {each.arg for each in node.keywords} & {"file"}
        if console or called in ("print", "typer.echo", "sys.stdout.write", "sys.stderr.write"):
            yield node


def handling_signals(name: str, tree: ast.Module) -> Iterator[ast.AST]:
    """A signal handler, for a process or an event loop."""
    spared = inside(name, tree, FORGETTING)
    for called, node in calls(tree):
        last = called.rpartition(".")[2]
        sets = called == "signal.signal" or last in ("add_signal_handler", "set_wakeup_fd")
        if sets and id(node) not in spared:
            yield node


def replacing_streams(name: str, tree: ast.Module) -> Iterator[ast.AST]:
    """An assignment to a standard stream, or another file under a descriptor."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(ast.unparse(each) in ("sys.stdout", "sys.stderr") for each in targets):
            yield node
    spared = inside(name, tree, NO_READER) | inside(name, tree, REPLICA)
    for called, node in calls(tree):
        if id(node) in spared:
            continue
        if called == "os.dup2" or called.endswith((".redirect_stdout", ".redirect_stderr")):
            yield node


def running_loops(name: str, tree: ast.Module) -> Iterator[ast.AST]:
    """`asyncio.run`, which fails where a loop is running already, as in a notebook."""
    for called, node in calls(tree):
        if called in ("asyncio.run", "asyncio.Runner"):
            yield node


def spelling_options(name: str, tree: ast.Module) -> Iterator[ast.AST]:
    """A string with an option in it that is no docstring."""
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            if set(OPTION.findall(node.value)) - OF_OTHERS.get(name, set()):
                yield node


RULES = [printing, handling_signals, replacing_streams, running_loops, spelling_options]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_library_leaves_it_to_the_program(rule: Rule) -> None:
    assert found_by(rule) == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (printing, "print('a')"),
        (printing, "sys.stdout.write('a')"),
        (printing, "console = Console(highlight=False)"),
        (handling_signals, "signal.signal(signal.SIGINT, stop)"),
        (handling_signals, "asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)"),
        (replacing_streams, "sys.stdout = open('log', 'w')"),
        (replacing_streams, "os.dup2(target, 1)"),
        (running_loops, "asyncio.run(main())"),
        (spelling_options, "raise RearankError(f'--model {name}: no such folder')"),
        (spelling_options, "raise RearankError('no texts', hint='name a collection (-d)')"),
    ],
)
def test_the_rules_see_what_they_are_about(rule: Rule, code: str) -> None:
    assert len(found_by(rule, iter([("here.py", ast.parse(code))]))) == 1

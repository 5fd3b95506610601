import multiprocessing
import re
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from rearank_cli.engines.migrations import STEPS
from rearank_cli.engines.store import Store
from rearank_cli.errors import EngineError, RearankError
from rearank_cli.records import Completion, TokenScore

ANSWER = Completion("text", "thoughts", "length", 12, 34)


def make_first_store(path: Path, answers: dict[bytes, Completion]) -> None:
    """Write a store as the first versions did: no version number, rows by position."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS completions (key BLOB PRIMARY KEY, model TEXT NOT NULL, "
        "text TEXT NOT NULL, reasoning TEXT NOT NULL, finish_reason TEXT NOT NULL, "
        "prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, created REAL NOT NULL"
        ") WITHOUT ROWID"
    )
    for key, answer in answers.items():
        row = (answer.text, answer.reasoning, answer.finish_reason)
        counts = (answer.prompt_tokens, answer.completion_tokens, 1.0)
        database.execute(
            "INSERT INTO completions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (key, "m", *row, *counts)
        )
    database.commit()
    database.close()


def test_the_first_stores_open_with_their_answers_and_without_fragments(tmp_path: Path) -> None:
    fragment = Completion("[3", "", "abort", 1, 2)
    make_first_store(tmp_path / "s", {b"whole": ANSWER, b"part": fragment})
    store = Store(tmp_path / "s")
    assert store.get(b"whole") == replace(ANSWER, cached=True)
    assert store.get(b"part") is None
    store.put(b"part", "m", ANSWER)
    store.put(b"new", "m", ANSWER)
    store.close()
    again = Store(tmp_path / "s")
    assert [again.get(key) for key in (b"part", b"new")] == [replace(ANSWER, cached=True)] * 2
    assert again.info().models == {"m": 3}


def test_what_is_new_in_a_completion_comes_back(tmp_path: Path) -> None:
    whole = Completion(
        "text", "", "stop", 1, 2, False, {"A": -0.5, "é": -7.25}, (TokenScore("a", -1.5),), 3.25
    )
    store = Store(tmp_path / "s")
    store.put(b"key", "m", whole)
    assert store.get(b"key") == replace(whole, cached=True)


@pytest.mark.parametrize("version", [0, 99])
def test_a_store_of_tomorrow_opens_with_its_answers(tmp_path: Path, version: int) -> None:
    store = Store(tmp_path / "s")
    store.put(b"key", "m", ANSWER)
    store.close()
    database = sqlite3.connect(tmp_path / "s")
    database.execute("ALTER TABLE completions ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")
    database.execute(f"PRAGMA user_version = {version}")
    database.close()
    tomorrow = Store(tmp_path / "s")
    assert tomorrow.get(b"key") == replace(ANSWER, cached=True)
    tomorrow.put(b"other", "m", ANSWER)
    assert tomorrow.get(b"other") == replace(ANSWER, cached=True)
    tomorrow.close()
    database = sqlite3.connect(tmp_path / "s")
    assert database.execute("PRAGMA user_version").fetchone()[0] == max(version, len(STEPS))


def test_a_full_disk_is_named_and_costs_no_finished_answer(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    store.put(b"first", "m", ANSWER)
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own full disk
    with pytest.raises(EngineError) as caught:
        for number in range(10_000):
            store.put(f"{number}".encode(), "m", replace(ANSWER, text="x" * 5000))
    assert f"the disk of {tmp_path} is full" in caught.value.message
    assert "nothing that is finished is lost" in caught.value.hint
    store.close()
    assert Store(tmp_path / "s").get(b"first") == replace(ANSWER, cached=True)


def test_no_hint_costs_finished_answers(tmp_path: Path) -> None:
    hints = []
    (tmp_path / "garbage").write_bytes(b"not a database at all" * 100)
    for path in (tmp_path / "garbage", tmp_path / "none" / "s", Path("/dev/full")):
        with pytest.raises(RearankError) as caught:
            Store(path)
        hints.append(caught.value.hint)
    assert all("REARANK_CACHE_DIR" in hint for hint in hints)
    assert not any(re.search(r"\brm\b|remove|delete|clear", hint) for hint in hints)


HINTS = {
    sqlite3.SQLITE_BUSY: "another command is using it; wait for it, or use `cache=False`",
    sqlite3.SQLITE_LOCKED: "another command is using it; wait for it, or use `cache=False`",
    sqlite3.SQLITE_FULL: "make room there; nothing that is finished is lost, and the same command "
    "goes on from there",
    sqlite3.SQLITE_CORRUPT: "set REARANK_CACHE_DIR to another folder, or use `cache=False`; "
    "sqlite3's .recover may save what is in the file",
    sqlite3.SQLITE_READONLY: "set REARANK_CACHE_DIR to a folder that you may write to",
    sqlite3.SQLITE_CANTOPEN: "set REARANK_CACHE_DIR to a folder that you may write to",
    sqlite3.SQLITE_IOERR: "set REARANK_CACHE_DIR to another folder, or use `cache=False`",
    None: "set REARANK_CACHE_DIR to another folder, or use `cache=False`",
}


@pytest.mark.parametrize(("code", "hint"), HINTS.items())
def test_each_kind_of_failure_has_its_hint(tmp_path: Path, code: int | None, hint: str) -> None:
    store = Store(tmp_path / "s")
    error = sqlite3.OperationalError("it broke")
    if code is not None:
        error.sqlite_errorcode = code | 3 << 8  # what SQLite calls an extended code
    with pytest.raises(EngineError) as caught, store._working("read"):
        raise error
    said = "it broke" if code != sqlite3.SQLITE_FULL else f"the disk of {tmp_path} is full"
    assert caught.value.message == f"{tmp_path / 's'}: the cache cannot be read: {said}"
    assert caught.value.hint == hint


def test_an_input_output_error_on_a_full_disk_is_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "s")
    for free, full in ((0, True), (64 * 1024 - 1, True), (64 * 1024, False)):
        usage = {tmp_path: SimpleNamespace(free=free)}
        monkeypatch.setattr(shutil, "disk_usage", usage.__getitem__)
        with pytest.raises(EngineError) as caught, store._working("read"):
            raise sqlite3.OperationalError("disk I/O error")
        assert ("is full" in caught.value.message) is full
    monkeypatch.undo()
    shutil.rmtree(tmp_path)
    with pytest.raises(EngineError, match="disk I/O error"), store._working("read"):
        raise sqlite3.OperationalError("disk I/O error")


def test_what_a_server_told_of_a_model_is_kept_until_it_tells_otherwise(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    assert store.remembered("http://a", "m") == ""
    store.remember("http://a", "m", "4096")
    store.remember("http://a", "other", "1")
    store.remember("http://b", "m", "2")
    assert store.remembered("http://a", "m") == "4096"
    seen = store._database.execute("SELECT seen FROM servers").fetchall()
    store.remember("http://a", "m", "4096")  # nothing new: nothing is written
    assert store._database.execute("SELECT seen FROM servers").fetchall() == seen
    store.remember("http://a", "m", "8192")
    store.close()
    again = Store(tmp_path / "s")
    told = [again.remembered(*which) for which in (("http://a", "m"), ("http://b", "m"))]
    assert told == ["8192", "2"]


def test_what_failed_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    store.close()
    actions: dict[str, Callable[[], object]] = {
        "read": lambda: store.get(b"key"),
        "written": lambda: store.put(b"key", "m", ANSWER),
        "cleared": store.clear,
    }
    for what, action in actions.items():
        with pytest.raises(EngineError, match=f"the cache cannot be {what}: "):
            action()
    for read in (store.info, lambda: store.remembered("u", "m")):
        with pytest.raises(EngineError, match="the cache cannot be read: "):
            read()
    writing = Store(tmp_path / "s")
    writing._database.execute("PRAGMA query_only = ON")
    with pytest.raises(EngineError, match="the cache cannot be written: "):
        writing.remember("u", "m", "told")


def test_clearing_gives_the_room_back_or_says_why_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path / "s")
    for number in range(100):
        store.put(f"{number}".encode(), "m", replace(ANSWER, text="x" * 5000))
    whole = store.info()
    assert (whole.path, whole.size > 500_000) == (tmp_path / "s", True)
    reader = sqlite3.connect(tmp_path / "s", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM completions").fetchone()  # so the write-ahead log must stay
    store._database.execute("PRAGMA busy_timeout = 10")
    assert store.clear() == 100
    reader.close()
    store.put(b"key", "m", ANSWER)
    assert store.clear() == 1
    assert store.info().size < 100_000
    store._database.set_authorizer(
        lambda action, *rest: (
            sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_PRAGMA else sqlite3.SQLITE_OK
        )
    )
    caplog.set_level("INFO")
    store.clear()
    assert f"{tmp_path / 's'}: the file keeps its size for now: " in caplog.text


def fill_first(path: Path, worker: int) -> None:
    store = Store(path)
    store.put(f"{worker}".encode(), "m", ANSWER)
    store.close()


def test_processes_that_open_an_old_store_at_once_migrate_it_once(tmp_path: Path) -> None:
    make_first_store(tmp_path / "s", {b"whole": ANSWER})
    spawn = multiprocessing.get_context("spawn")
    workers = [
        spawn.Process(target=fill_first, args=(tmp_path / "s", worker)) for worker in range(4)
    ]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
    assert [process.exitcode for process in workers] == [0] * 4
    assert Store(tmp_path / "s").info().models == {"m": 5}


def test_a_file_that_is_no_cache_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"not a database at all" * 100)
    with pytest.raises(RearankError) as caught:
        Store(tmp_path / "s")
    assert "cannot be opened" in caught.value.message
    assert "`cache=False`" in caught.value.hint


def test_a_cache_that_is_damaged_inside_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    store.put(b"key", "m", ANSWER)
    store.close()
    with sqlite3.connect(tmp_path / "s") as database:
        database.execute("DROP TABLE completions")
        database.execute("CREATE TABLE completions (other)")
    with pytest.raises(EngineError) as caught:
        Store(tmp_path / "s").get(b"key")
    assert "cannot be read" in caught.value.message


def fill(path: Path, worker: int) -> None:
    store = Store(path)
    for number in range(200):
        store.put(f"{worker}-{number}".encode(), f"m{worker}", ANSWER)
        store.put(f"shared-{number}".encode(), "shared", ANSWER)
    store.close()


def test_processes_share_a_cache_without_harm(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=fill, args=(tmp_path / "s", worker)) for worker in range(3)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
    assert [process.exitcode for process in workers] == [0, 0, 0]
    assert Store(tmp_path / "s").info().models == {"m0": 200, "m1": 200, "m2": 200, "shared": 200}


def test_clearing_one_model_or_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    for model, count in (("a", 3), ("b", 2)):
        for number in range(count):
            store.put(f"{model}{number}".encode(), model, ANSWER)
    assert store.clear("a") == 3
    assert store.info().models == {"b": 2}
    assert store.clear() == 2
    assert store.info().models == {}

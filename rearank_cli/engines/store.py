"""Finished completions on disk: SQLite, one row per prompt, safe to share and to kill."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rearank_cli.engines.migrations import migrate
from rearank_cli.engines.places import MOUNTS, Place, place_of
from rearank_cli.errors import EngineError, RearankError
from rearank_cli.formats.cache import cache_dir
from rearank_cli.log import note
from rearank_cli.records import Completion, TokenScore

FILE = "completions.sqlite"
# How long to wait for another process that is writing, in seconds; writes take milliseconds.
PATIENCE = 30.0
_GET = """
SELECT text, reasoning, finish_reason, prompt_tokens, completion_tokens, choices, tokens, seconds
FROM completions WHERE key = ? AND finish_reason IN ('stop', 'length', 'enough')
"""
_PUT = """
INSERT OR IGNORE INTO completions
  (key, model, text, reasoning, finish_reason, prompt_tokens, completion_tokens, created,
   choices, tokens, seconds)
VALUES
  (:key, :model, :text, :reasoning, :finish_reason, :prompt_tokens, :completion_tokens, :created,
   :choices, :tokens, :seconds)
"""
_REMEMBER = "INSERT OR REPLACE INTO servers (url, model, told, seen) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store holds: `models` counts completions by model name; `size` is in bytes."""

    path: Path
    size: int
    models: dict[str, int]


class Store:
    """The completions of one cache folder. Several processes may use it at once.

    On a file system of several hosts they may be on different ones, where its locks reach all.
    """

    def __init__(self, path: Path | None = None, mounts: Path = MOUNTS) -> None:
        """Open or create the store; raise `RearankError` when the file is no such store.

        So it does on a file system of several hosts whose locks do not reach the others.
        `mounts` is the system's table of mounts.
        """
        self.path = path or cache_dir() / FILE
        place = place_of(self.path.parent, mounts)
        self._refuse(place)
        try:
            self._database = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            self._database.row_factory = sqlite3.Row
            if place.shared:
                self._roll_back()
            else:
                # WAL lets readers and one writer work at once. With NORMAL a killed process loses
                # nothing; a power failure may lose the last completions, which are made again.
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.execute("PRAGMA synchronous=NORMAL")
            migrate(self._database)
        except sqlite3.Error as error:
            raise RearankError(*self._told("opened", error)) from error

    def _refuse(self, place: Place) -> None:
        """Raise `RearankError` where two hosts could write at once and ruin the file."""
        if place.shared and not place.locks:
            raise RearankError(
                f"{self.path}: the cache cannot be opened: on this {place.kind} file system a lock "
                "of one host is not seen by others, so that two could ruin it",
                hint="set REARANK_CACHE_DIR to a folder on a local disk, or use `cache=False`",
            )

    def _roll_back(self) -> None:
        """Keep the store out of WAL, whose index is memory that only one host can share.

        A store that was in WAL is taken out of it alone: as long as another process has it open,
        SQLite says that it is locked.
        """
        database = self._database
        if _in_wal(self.path):
            database.execute("PRAGMA locking_mode=EXCLUSIVE")  # before the first look: no index
            database.execute("PRAGMA journal_mode=DELETE")
            database.execute("PRAGMA locking_mode=NORMAL")
            database.execute("SELECT count(*) FROM sqlite_master")  # lets go of the lock
        database.execute("PRAGMA synchronous=FULL")  # NORMAL is safe in WAL alone

    def _told(self, what: str, error: sqlite3.Error) -> tuple[str, str]:
        """Return a message and a hint; no hint ever costs finished answers."""
        message = f"{self.path}: the cache cannot be {what}: {error}"
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return message, "another command is using it; wait for it, or use `cache=False`"
        if code == sqlite3.SQLITE_FULL or _no_room(self.path.parent):
            return (
                f"{self.path}: the cache cannot be {what}: the disk of {self.path.parent} is full",
                "make room there; nothing that is finished is lost, and the same command goes on "
                "from there",
            )
        elsewhere = "set REARANK_CACHE_DIR to another folder, or use `cache=False`"
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
            return message, f"{elsewhere}; sqlite3's .recover may save what is in the file"
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return message, "set REARANK_CACHE_DIR to a folder that you may write to"
        return message, elsewhere

    @contextmanager
    def _working(self, what: str) -> Iterator[sqlite3.Connection]:
        try:
            yield self._database
        except sqlite3.Error as error:
            raise EngineError(*self._told(what, error)) from error

    def get(self, key: bytes) -> Completion | None:
        """Return a stored completion, marked as cached."""
        with self._working("read") as database:
            row = database.execute(_GET, (key,)).fetchone()
        return _completion(row) if row else None

    def put(self, key: bytes, model: str, completion: Completion) -> None:
        """Store a completion at once; one that is there already stays."""
        values = _values(completion)
        with self._working("written") as database:
            database.execute(_PUT, {"key": key, "model": model, "created": time.time(), **values})

    def remember(self, url: str, model: str, told: str) -> None:
        """Keep what a server told of a model."""
        if self.remembered(url, model) != told:
            with self._working("written") as database:
                database.execute(_REMEMBER, (url, model, told, time.time()))

    def remembered(self, url: str, model: str) -> str:
        """Return what a server told of a model last time, or nothing."""
        query = "SELECT told FROM servers WHERE url = ? AND model = ?"
        with self._working("read") as database:
            row = database.execute(query, (url, model)).fetchone()
        return str(row["told"]) if row else ""

    def info(self) -> StoreInfo:
        """Return what the store holds."""
        query = "SELECT model, count(*) FROM completions GROUP BY model ORDER BY model"
        with self._working("read") as database:
            models = {model: count for model, count in database.execute(query)}
        size = sum(path.stat().st_size for path in self.path.parent.glob(f"{self.path.name}*"))
        return StoreInfo(self.path, size, models)

    def clear(self, model: str | None = None) -> int:
        """Remove the completions of one model, or all; return how many, and shrink the file."""
        query = "DELETE FROM completions" + (" WHERE model = ?" if model else "")
        with self._working("cleared") as database:
            removed = database.execute(query, (model,) if model else ()).rowcount
        try:
            self._database.execute("VACUUM")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            note(f"{self.path}: the file keeps its size for now: {error}")
        return removed

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _in_wal(path: Path) -> bool:
    """Tell whether a database is in WAL, by the read version in its header."""
    with path.open("rb") as file:
        return file.read(20)[19:] == b"\x02"


def _no_room(folder: Path) -> bool:
    """Tell whether a disk has no room; SQLite calls that an I/O error at times."""
    try:
        return shutil.disk_usage(folder).free < 64 * 1024
    except OSError:
        return False


def _completion(row: Mapping[str, Any]) -> Completion:
    told = dict(row)
    told["choices"] = json.loads(told["choices"])
    told["tokens"] = tuple(TokenScore(*each) for each in json.loads(told["tokens"]))
    return Completion(**told, cached=True)


def _values(completion: Completion) -> dict[str, Any]:
    return {
        "text": completion.text,
        "reasoning": completion.reasoning,
        "finish_reason": completion.finish_reason,
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "choices": json.dumps(dict(completion.choices)),
        "tokens": json.dumps(completion.tokens),
        "seconds": completion.seconds,
    }

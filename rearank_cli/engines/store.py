"""Finished completions on disk: SQLite, one row per prompt, safe to share and to kill."""

import sqlite3
import time
from dataclasses import dataclass, replace
from pathlib import Path

from rearank_cli.errors import EngineError, RearankError
from rearank_cli.formats.cache import cache_dir
from rearank_cli.records import Completion

FILE = "completions.sqlite"
# How long to wait for another process that is writing, in seconds; writes take milliseconds.
PATIENCE = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS completions (
  key BLOB PRIMARY KEY,
  model TEXT NOT NULL,
  text TEXT NOT NULL,
  reasoning TEXT NOT NULL,
  finish_reason TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  created REAL NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store holds: `models` counts completions by model name; `size` is in bytes."""

    path: Path
    size: int
    models: dict[str, int]


class Store:
    """The completions of one cache folder. Several processes may use it at once."""

    def __init__(self, path: Path | None = None) -> None:
        """Open or create the store; raise `RearankError` when the file is no such store."""
        self.path = path or cache_dir() / FILE
        try:
            self._database = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            # WAL lets readers and one writer work at once. With NORMAL a killed process loses
            # nothing; a power failure may lose the last completions, which are then made again.
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise RearankError(
                f"{self.path}: the cache cannot be opened: {error}", hint=self._advice(error)
            ) from error

    def _advice(self, error: sqlite3.Error) -> str:
        if "locked" in str(error) or "busy" in str(error):
            return "another command is using it; wait for it, or use --no-cache"
        return f"remove it (rm {self.path}*), or use --no-cache"

    def get(self, key: bytes) -> Completion | None:
        """Return a stored completion, marked as cached."""
        try:
            row = self._database.execute(
                "SELECT text, reasoning, finish_reason, prompt_tokens, completion_tokens "
                "FROM completions WHERE key = ?",
                (key,),
            ).fetchone()
        except sqlite3.Error as error:
            raise self._failed("read", error) from error
        return replace(Completion(*row), cached=True) if row else None

    def put(self, key: bytes, model: str, completion: Completion) -> None:
        """Store a completion at once; one that is there already stays."""
        try:
            self._database.execute(
                "INSERT OR IGNORE INTO completions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    model,
                    completion.text,
                    completion.reasoning,
                    completion.finish_reason,
                    completion.prompt_tokens,
                    completion.completion_tokens,
                    time.time(),
                ),
            )
        except sqlite3.Error as error:
            raise self._failed("written", error) from error

    def _failed(self, what: str, error: sqlite3.Error) -> EngineError:
        return EngineError(
            f"{self.path}: the cache cannot be {what}: {error}", hint=self._advice(error)
        )

    def info(self) -> StoreInfo:
        """Return what the store holds."""
        try:
            rows = self._database.execute(
                "SELECT model, count(*) FROM completions GROUP BY model ORDER BY model"
            ).fetchall()
        except sqlite3.Error as error:
            raise self._failed("read", error) from error
        size = sum(path.stat().st_size for path in self.path.parent.glob(f"{self.path.name}*"))
        return StoreInfo(self.path, size, dict(rows))

    def clear(self, model: str | None = None) -> int:
        """Remove the completions of one model, or all; return how many, and shrink the file."""
        try:
            query = "DELETE FROM completions" + (" WHERE model = ?" if model else "")
            removed = self._database.execute(query, (model,) if model else ()).rowcount
            self._database.execute("VACUUM")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise self._failed("cleared", error) from error
        return removed

    def close(self) -> None:
        """Close the file."""
        self._database.close()

"""The tables of the store of completions, version by version."""

import sqlite3
from collections.abc import Callable

TABLES = """
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
_SERVERS = """
CREATE TABLE IF NOT EXISTS servers (
  url TEXT NOT NULL,
  model TEXT NOT NULL,
  told TEXT NOT NULL,
  seen REAL NOT NULL,
  PRIMARY KEY (url, model)
) WITHOUT ROWID
"""


def _first(database: sqlite3.Connection) -> None:
    """Make the table that the first stores had; they have no version of their own."""
    database.execute(TABLES)


def _scores(database: sqlite3.Connection) -> None:
    """Add log-probabilities and seconds; remove fragments, which were taken for answers."""
    present = {row[1] for row in database.execute("PRAGMA table_info(completions)")}
    for name, kind in (
        ("choices", "TEXT NOT NULL DEFAULT '{}'"),
        ("tokens", "TEXT NOT NULL DEFAULT '[]'"),
        ("seconds", "REAL NOT NULL DEFAULT 0"),
    ):
        if name not in present:
            database.execute(f"ALTER TABLE completions ADD COLUMN {name} {kind}")
    database.execute("DELETE FROM completions WHERE finish_reason NOT IN ('stop', 'length')")


def _servers(database: sqlite3.Connection) -> None:
    """Add what servers tell of the models that they serve."""
    database.execute(_SERVERS)


# Step n leads to version n. A new column needs a default, so that programs which do not know it
# can go on writing; a step is never changed once it has been released.
STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_first, _scores, _servers)


def migrate(database: sqlite3.Connection) -> None:
    """Bring a store to the newest version; leave one of a later version as it is.

    All steps happen or none, whoever else opens the store at the same time. Raises
    `sqlite3.Error`.
    """
    if _version(database) >= len(STEPS):
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[_version(database) :]:
            step(database)
        database.execute(f"PRAGMA user_version = {max(_version(database), len(STEPS))}")
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])

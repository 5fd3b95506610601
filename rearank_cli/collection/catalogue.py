"""ir_datasets itself: its talk, and its failures put into words that help."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import reason


def catalogue() -> Any:
    """Import ir_datasets and keep it to what concerns the user: bars on a terminal, terms of use.

    Raises `RearankError` when its folder cannot be written to.
    """
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # read by tqdm when it is imported
    try:
        import ir_datasets
    except OSError as error:
        raise RearankError(
            f"ir_datasets cannot write its folder: {reason(error)}",
            hint="set IR_DATASETS_HOME to a folder that you may write to",
        ) from error
    logger = ir_datasets.log.easy().logger()
    if not logger.filters:
        logger.addFilter(_concerns_the_user)
    return ir_datasets


def _concerns_the_user(record: logging.LogRecord) -> bool:
    """Let through terms of use and warnings; failures reach the user as one error instead."""
    text = record.getMessage()
    if "agreement" in text:
        return True
    return record.levelno >= logging.WARNING and not text.startswith("Download failed")


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn whatever ir_datasets raises for a failed download or a damaged file into our error."""
    try:
        yield
    except RearankError:
        raise
    except Exception as error:  # noqa: BLE001  its readers let out whatever their format raises
        download = _frame_owner(error, "Download")
        if download is None:
            raise RearankError(
                f"{name}: the files of this dataset cannot be read: "
                f"{type(error).__name__}: {reason(error)}",
                hint=f"a file may be damaged; look in {catalogue().util.home_path()}",
            ) from error
        raise _failed(name, download, error) from error


def _failed(name: str, download: Any, error: Exception) -> RearankError:
    """Say which file is missing, from where it comes, and where it can be put by hand."""
    url = next((mirror.url for mirror in download.mirrors if hasattr(mirror, "url")), "?")
    local = [getattr(mirror, "_path", None) for mirror in download.mirrors]
    cached = _frame_owner(error, "Cache")
    place = download._cache_path or next(filter(None, local), None)
    where = f"download it by other means and put it at {place}"
    if place is None and cached is not None:
        where = f"download it by other means and put what is inside at {cached._path}"
    broken = "found another MD5" if "md5" in str(error).lower() else "the download failed"
    return RearankError(
        f"{name}: {url}: {broken} ({_short(error)})",
        hint=f"{where}, or use local files with `corpus`, `queries` and `qrels`",
    )


def _short(error: Exception) -> str:
    text = str(error)
    for told in ("Failed to resolve", "Connection refused", "timed out", "No space left"):
        if told in text:
            return told.lower()
    return f"{type(error).__name__}: {text[:200]}"


def _frame_owner(error: Exception, kind: str) -> Any:
    """Return the object of ir_datasets in whose method an error arose, which its text conceals."""
    owner = None
    trace = error.__traceback__
    while trace:
        candidate = trace.tb_frame.f_locals.get("self")
        if type(candidate).__name__ == kind:
            owner = candidate
        trace = trace.tb_next
    return owner

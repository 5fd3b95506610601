"""Rows of Parquet files, a few at a time."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rearank_cli.errors import RearankError

ROWS = 256


def read_rows(paths: Iterable[Path], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of several files with the named columns, all of which must be there.

    Raises `RearankError` for what is no Parquet file and for a missing column.
    """
    import pyarrow
    from pyarrow import parquet

    for path in paths:
        try:
            with parquet.ParquetFile(path) as table:
                missing = set(columns) - set(table.schema_arrow.names)
                if missing:
                    raise RearankError(
                        f"{path}: expected the columns {', '.join(columns)}, "
                        f"found {', '.join(table.schema_arrow.names)}"
                    )
                for batch in table.iter_batches(batch_size=ROWS, columns=list(columns)):
                    yield from batch.to_pylist()
        except (pyarrow.ArrowException, OSError) as error:
            raise RearankError(f"{path}: expected a Parquet file, found: {error}") from error

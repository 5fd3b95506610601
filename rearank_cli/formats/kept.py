"""What the cache folder holds beside answers: a folder each of models, indexes, downloads."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from rearank_cli.errors import RearankError
from rearank_cli.formats.cache import cache_dir, locked
from rearank_cli.formats.files import reason


@dataclass(frozen=True, slots=True)
class Kept:
    """One folder of the cache and those in it, such as models; sizes are in bytes."""

    name: str
    folder: Path
    size: int
    folders: dict[str, int]


def kept() -> list[Kept]:
    """Return the folders of the cache that hold something, by name."""
    found = []
    for folder in sorted(path for path in cache_dir().iterdir() if path.is_dir()):
        sizes = {path: _bytes(path) for path in _inside(folder)}
        folders = {path.name: size for path, size in sizes.items() if path.is_dir()}
        if sizes:
            found.append(Kept(folder.name, folder, sum(sizes.values()), folders))
    return found


def _inside(folder: Path) -> list[Path]:
    """Return what a folder holds; names with a dot are locks, and what is being made."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _bytes(path: Path) -> int:
    """Return the size of a file, or of all files below a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if not file.is_dir())


def remove(what: Kept) -> None:
    """Remove what a folder holds, each part when nobody is making it.

    Raises `RearankError` where it cannot be removed.
    """
    for path in _inside(what.folder):
        try:
            with locked(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except FileNotFoundError:
            continue  # another command was faster
        except OSError as error:
            raise RearankError(f"{path}: cannot be removed: {reason(error)}") from error

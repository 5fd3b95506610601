"""What tells a model folder from others: a digest of content, cheap to read."""

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import reason

# Files that change an answer, beside the weights. Cards, licences and logs do not.
_SETTINGS = {".json", ".jinja", ".model", ".py", ".tiktoken"}
_VOCABULARIES = {"merges.txt", "vocab.txt"}
_WEIGHTS = {".safetensors", ".bin", ".gguf", ".pt", ".pth"}
# What training leaves beside a model, by the beginning of its name, and never reads for answers.
_TRAINING = (
    "all_results",
    "eval_results",
    "optimizer",
    "rng_state",
    "run.json",
    "scheduler",
    "train_results",
    "trainer_state",
    "training_args",
)
# Bytes of a tensor that are read: so many blocks of so many bytes, evenly spaced. A fine-tuned
# model has the headers and sizes of its base; most of its tensors differ in some of these bytes.
_BLOCKS, _BLOCK = 4, 1024
# Reads of one file beyond which every tensor gets fewer blocks, down to one: a mixture of experts
# has tens of thousands of tensors.
_READS = 4096
# The same of files whose tensors are not looked up.
_FILE_BLOCKS, _FILE_BLOCK = 256, 16 * 1024
# Their ends are read whole, in bytes: GGUF has its settings at the head, and the zip files of
# torch have the checksums of all tensors at the tail.
_END = 2**20
# No header is longer, in bytes (the format's own limit).
_LONGEST_HEADER = 100_000_000


def revision(folder: Path) -> str:
    """Return a digest of what a model's answers depend on, wherever the folder is.

    It covers the names and sizes of its weights with some bytes of every tensor, and the whole of
    its settings and its tokenizer; neither times nor the folder's name nor its README. Reading all
    weights would take minutes for a large model. Raises `RearankError` for a file that cannot be
    read.
    """
    try:
        return _digest(folder)
    except OSError as error:
        raise RearankError(f"{error.filename or folder}: {reason(error)}") from error


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name.startswith((".", *_TRAINING)):
            continue
        if path.suffix in _WEIGHTS:
            digest.update(repr((path.name, path.stat().st_size)).encode())
            with path.open("rb") as file:
                for block in _weights(file, path):
                    digest.update(block)
        elif path.suffix in _SETTINGS or path.name in _VOCABULARIES:
            digest.update(repr((path.name, path.stat().st_size)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _weights(file: BinaryIO, path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    header, spans = _tensors(file, size) if path.suffix == ".safetensors" else (b"", [])
    yield header
    blocks = min(_BLOCKS, max(_READS // max(len(spans), 1), 1))
    for start, stop in spans:
        yield from _sample(file, start, stop, blocks, _BLOCK)
    if not spans:
        file.seek(0)
        yield file.read(_END)
        file.seek(max(size - _END, 0))
        yield file.read(_END)
        yield from _sample(file, 0, size, _FILE_BLOCKS, _FILE_BLOCK)


def _tensors(file: BinaryIO, size: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Return a safetensors file's header and where its tensors are, in bytes from the start.

    The header is JSON after its length as 8 bytes. Nothing is returned for what is no such file.
    """
    try:
        (length,) = struct.unpack("<Q", file.read(8))
        header = file.read(length) if length <= min(size, _LONGEST_HEADER) else b""
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        begin = 8 + length
        places = [entry["data_offsets"] for entry in entries.values()]
        return header, sorted((begin + start, begin + stop) for start, stop in places)
    except (struct.error, ValueError, LookupError, TypeError, AttributeError):
        return b"", []


def _sample(file: BinaryIO, start: int, stop: int, blocks: int, block: int) -> Iterator[bytes]:
    """Yield blocks of bytes, evenly spaced from the start to the end; all bytes where these fit."""
    if stop - start <= blocks * block:
        file.seek(start)
        yield file.read(max(stop - start, 0))
        return
    for number in range(blocks):
        # The middle of the first, second … part: no two blocks overlap.
        middle = (stop - start) * (2 * number + 1) // (2 * blocks)
        file.seek(start + middle - block // 2)
        yield file.read(block)


def legacy_revision(location: str) -> str:
    """Return the digest that earlier versions gave a folder, or nothing when there is none.

    It was made of the names, sizes and times of the folder's files.
    """
    folder = Path(location)
    if not location or not folder.is_dir():
        return ""
    facts = [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.iterdir())
        if path.is_file()
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

"""The weights of a hub model arrive before the engine starts, from a hub on this machine."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import ROOT, descendants, gone_after, start
from hub_server import REVISION, Hub, serving, sha256

from rearank_cli.engines import hub as fetching
from rearank_cli.engines import weights
from rearank_cli.engines.base import Model
from rearank_cli.engines.hub import PART, check_disk, fetch_blob, wanted
from rearank_cli.engines.weights import bar, complete, fetch_weights
from rearank_cli.errors import EngineError, EngineStartError, RearankError

ONE, TWO = os.urandom(50_000), os.urandom(30_000)
INDEX = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
FILES = {
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "model.safetensors.index.json": json.dumps(INDEX).encode(),
    "model-1.safetensors": ONE,
    "model-2.safetensors": TWO,
    "pytorch_model.bin": os.urandom(20_000),
    "original/model.safetensors": os.urandom(20_000),
}
MODEL = Model("some/model", "some/model", REVISION)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with serving(dict(FILES)) as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setenv("HF_TOKEN", "secret")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        yield found


def tell(said: list[str]) -> Any:
    return said.append


@pytest.mark.parametrize(
    ("names", "loaded"),
    [
        (["model.safetensors", "pytorch_model.bin", "x.gguf"], ["model.safetensors"]),
        (["a-1.safetensors", "a-2.safetensors"], ["a-1.safetensors", "a-2.safetensors"]),
        (["pytorch_model.bin", "original/x.safetensors"], ["pytorch_model.bin"]),
        (["consolidated.safetensors", "model.safetensors"], ["consolidated.safetensors"]),
        (["x.gguf"], []),
    ],
)
def test_one_kind_of_weights_is_wanted(names: list[str], loaded: list[str]) -> None:
    beside = ["config.json", "modeling.py", "README.md"]
    assert wanted([*names, *beside]) == [*loaded, "config.json", "modeling.py"]


def test_weights_are_fetched_where_the_hubs_client_finds_them(hub: Hub) -> None:
    from huggingface_hub import snapshot_download

    said: list[str] = []
    folder = Path(fetch_weights(MODEL, {}, tell(said)))
    assert (folder / "model-1.safetensors").read_bytes() == ONE
    assert (folder / "model-2.safetensors").read_bytes() == TWO
    assert said[0] == "fetching the weights of some/model"
    assert not hub.asked("original")
    assert not hub.asked(".bin")
    assert set(hub.tokens) == {"Bearer secret"}
    kept = snapshot_download(
        "some/model", revision=REVISION, local_files_only=True, allow_patterns=wanted(FILES)
    )
    assert Path(kept) == folder
    hub.requests.clear()
    assert fetch_weights(MODEL, {}, tell(said)) == str(folder)
    assert hub.requests == []


def partial(tmp_path: Path) -> int:
    blobs = tmp_path / "models--some--model" / "blobs"
    return sum(path.stat().st_size for path in blobs.glob(f"*{PART}"))


def test_what_a_killed_download_had_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    hub.limit = 10_000
    hub.pause.clear()
    words = [sys.executable, "-m", "rearank_cli.engines.hub", "some/model", REVISION]
    process = subprocess.Popen([*words, str(tmp_path)], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while partial(tmp_path) < 20_000 and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert partial(tmp_path) == 20_000
    hub.pause.set()
    hub.limit = None
    hub.requests.clear()
    folder = Path(fetch_weights(MODEL, {}, tell([])))
    assert (folder / "model-1.safetensors").read_bytes() == ONE
    assert (folder / "model-2.safetensors").read_bytes() == TWO
    assert {asked for _, asked in hub.asked("safetensors") if asked} == {"bytes=10000-"}
    assert len(hub.asked("model-1.safetensors")) == 1


def test_it_is_told_how_far_the_download_is(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "INTERVAL", 0.0)
    monkeypatch.setattr(weights, "_LOOK", 0.05)
    hub.limit = 25_000
    hub.pause.clear()
    said: list[str] = []

    def listen(text: str) -> None:
        said.append(text)
        if "0.1 MB of 0.1 MB" in text:  # 50,000 of 80,000 bytes: the hub waits for us to see it
            hub.limit = None
            hub.pause.set()

    fetch_weights(MODEL, {}, listen)
    assert any(text.startswith("fetching some/model ████████████░░░░░░░░ ") for text in said)


def test_a_connection_that_breaks_is_taken_up_again(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    hub.limit = 20_000
    url = f"{hub.url}/some/model/resolve/{REVISION}/model-1.safetensors"
    fetch_blob(url, {}, tmp_path / "blob", sha256(ONE))
    assert (tmp_path / "blob").read_bytes() == ONE
    assert [asked for _, asked in hub.requests] == ["", "bytes=20000-", "bytes=40000-"]


def test_a_hub_that_sends_nothing_is_given_up(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    hub.limit = 0
    url = f"{hub.url}/some/model/resolve/{REVISION}/model-1.safetensors"
    with pytest.raises(EngineError, match="model-1.safetensors"):
        fetch_blob(url, {}, tmp_path / "blob", sha256(ONE))
    assert len(hub.requests) == fetching.TRIES
    assert not (tmp_path / "blob").exists()


def test_a_file_that_is_not_what_the_hub_said_is_removed(hub: Hub, tmp_path: Path) -> None:
    url = f"{hub.url}/some/model/resolve/{REVISION}/model-1.safetensors"
    with pytest.raises(EngineError, match="expected SHA-256"):
        fetch_blob(url, {}, tmp_path / "blob", sha256(TWO))
    assert not any(tmp_path.glob("blob*"))


def test_all_bytes_of_an_earlier_attempt_are_checked_not_fetched(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / f"blob{PART}").write_bytes(ONE)
    url = f"{hub.url}/some/model/resolve/{REVISION}/model-1.safetensors"
    fetch_blob(url, {}, tmp_path / "blob", sha256(ONE))
    assert (tmp_path / "blob").read_bytes() == ONE


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    check_disk(tmp_path, 100, free=100)
    with pytest.raises(RearankError) as caught:
        check_disk(tmp_path, 15_000_000_000, free=2_000_000_000)
    assert "expected 15,000.0 MB of free space for the weights, found 2,000.0 MB" in (
        caught.value.message
    )
    assert "HF_HOME" in caught.value.hint


def test_the_programs_refusal_for_lack_of_space_reaches_the_user(hub: Hub) -> None:
    hub.files["model-1.safetensors"] = Huge(ONE)
    with pytest.raises(RearankError, match="of free space for the weights") as caught:
        fetch_weights(MODEL, {}, tell([]))
    assert caught.value.exit_code == 2
    assert hub.requests == []


class Huge(bytes):
    """A file that says to be larger than any disk."""

    def __len__(self) -> int:
        return 10**18


def test_a_hub_that_fails_is_told_with_what_to_do(hub: Hub) -> None:
    del hub.files["model-1.safetensors"]
    hub.files["model-1.safetensors"] = b"small and not there for a download"
    hub.files["model-2.safetensors"] = Torn(TWO)
    with pytest.raises(EngineStartError, match="weights could not be fetched") as caught:
        fetch_weights(MODEL, {}, tell([]))
    assert "what has arrived is kept" in caught.value.hint


class Torn(bytes):
    """A file whose bytes are not those that its digest was made of."""

    def __getitem__(self, key: Any) -> Any:
        return b"?" * len(self)


@pytest.mark.parametrize("arguments", [{"load_format": "dummy"}, {"revision": "main"}])
def test_what_vllm_is_told_to_find_itself_is_left_alone(
    hub: Hub, arguments: dict[str, str]
) -> None:
    assert fetch_weights(MODEL, arguments, tell([])) == "some/model"
    assert hub.requests == []


def test_a_folder_is_its_own_answer(tmp_path: Path) -> None:
    assert fetch_weights(Model("m", str(tmp_path)), {}, tell([])) == str(tmp_path)


@pytest.mark.parametrize("stem", ["model.safetensors", "pytorch_model.bin"])
def test_weights_are_complete_when_every_shard_is_there(tmp_path: Path, stem: str) -> None:
    assert not complete(tmp_path)
    (tmp_path / f"{stem}.index.json").write_text(json.dumps(INDEX))
    (tmp_path / "model-1.safetensors").touch()
    assert not complete(tmp_path)
    (tmp_path / "model-2.safetensors").touch()
    assert complete(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_weights_in_one_file_are_complete_with_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert complete(tmp_path)


@pytest.mark.parametrize(("name", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_download_ends_with_the_command(
    hub: Hub, tmp_path: Path, name: signal.Signals, code: int
) -> None:
    hub.limit = 10_000
    hub.pause.clear()
    (tmp_path / "run.trec").write_text("q01 Q0 phys-006 1 2 t\nq01 Q0 phys-001 2 1 t\n")
    options = ["--model", "some/model", "-o", "out.trec"]
    process = start(tmp_path, "rerank", "run.trec", "-d", "demo", *options)
    blobs = tmp_path / "home" / "hub" / "models--some--model" / "blobs"
    until = time.monotonic() + 60
    while sum(path.stat().st_size for path in blobs.glob(f"*{PART}")) < 20_000:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    below = descendants(process.pid)
    assert any("rearank_cli.engines.hub" in command_line(pid) for pid in below)
    process.send_signal(name)
    assert gone_after({*below, process.pid}, 10)
    _, said = process.communicate()
    assert process.returncode == code
    assert "fetching the weights of some/model" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out.trec").exists()


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def test_the_bar_tells_how_far_and_how_long() -> None:
    assert bar("m", 5_000_000_000, 10_000_000_000, 50e6) == (
        "fetching m ██████████░░░░░░░░░░ 5,000.0 MB of 10,000.0 MB, 50.0 MB/s, 2 min left"
    )
    assert bar("m", 0, 0, 0.0) == "fetching m ░░░░░░░░░░░░░░░░░░░░ 0.0 MB of 0.0 MB, 0.0 MB/s"


def test_checking_an_adapter_fetches_no_weights_where_an_index_names_the_tensors(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = {"weight_map": {"layers.0.q_proj.weight": "model-1.safetensors"}}
    hub.files["model.safetensors.index.json"] = json.dumps(index).encode()
    folder = tmp_path / "lora"
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"r": 8}')
    header = b'{"base_model.model.layers.0.q_proj.lora_A.weight": {}}'
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    code = (
        "from rearank_cli.engines.adapters import resolve_adapter\n"
        "from rearank_cli.engines.base import Model\n"
        f"print(resolve_adapter({str(folder)!r}, Model('some/model', 'some/model'))[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "8\n", done.stderr
    assert hub.asked("index.json")
    assert not hub.asked("model-1") and not hub.asked(".bin")

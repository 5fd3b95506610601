"""`retrieve --ray` on a real cluster of two nodes in processes."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clustered import looked_up
from corpora import rearank
from nodes import limited, two_nodes

from rearank_cli.errors import EngineError, RearankError
from rearank_cli.lucene import spread
from rearank_cli.lucene.bm25 import Search
from rearank_cli.lucene.spread import Spread, on_cluster
from rearank_cli.records import Query

pytestmark = [pytest.mark.slow]
QUERIES = [Query(f"q{n}", f"number {n}") for n in range(40)]


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    with limited(120.0):
        yield


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    with two_nodes() as local:
        yield local


def test_the_run_is_that_of_one_process(nodes: Any, tmp_path: Path) -> None:
    alone = rearank("retrieve", "demo", "--hits", "20", cache=tmp_path)
    spread_out = rearank("retrieve", "demo", "--hits", "20", "--ray", nodes.address, cache=tmp_path)
    assert spread_out.returncode == 0, spread_out.stderr
    assert "2 at once search with 1 CPU" in spread_out.stderr
    assert spread_out.stdout == alone.stdout and len(alone.stdout.splitlines()) == 24 * 20


def test_what_a_killed_process_was_asked_is_asked_again(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "look_up", looked_up)
    log = tmp_path / "log"
    (tmp_path / "hold").touch()

    def kill_one() -> None:
        while not (log.exists() and log.read_text()):
            time.sleep(0.02)
        os.kill(int(log.read_text().split()[1]), signal.SIGKILL)
        (tmp_path / "hold").unlink()

    killing = threading.Thread(target=kill_one)
    killing.start()
    with on_cluster(nodes.address) as finder:
        found = finder(tmp_path, QUERIES, Search(), False)
    killing.join()
    said = log.read_text().split()
    assert {name: hits[0].doc_id for name, hits in found.items()} == {
        each.query_id: each.query_id for each in QUERIES
    }
    assert list(found) == [each.query_id for each in QUERIES]
    assert (said.count("ask"), said.count("answer")) == (9, 8)


def test_a_cluster_that_has_no_room_is_an_error_in_the_end(nodes: Any, tmp_path: Path) -> None:
    with on_cluster(nodes.address) as finder:
        finder = Spread(cpus=2, places=1, patience=0.5)
        with pytest.raises(EngineError, match="the cluster searched nothing for 0 s"):
            finder(tmp_path, QUERIES, Search(), False)


def test_an_index_that_a_node_has_not_is_named(nodes: Any, tmp_path: Path) -> None:
    with on_cluster(nodes.address) as finder:
        with pytest.raises(RearankError) as caught:
            finder(tmp_path / "missing", QUERIES, Search(), False)
    assert caught.value.exit_code == 2
    assert f"{tmp_path / 'missing'}: no such index" in caught.value.message
    assert "on every node" in (caught.value.hint or "")

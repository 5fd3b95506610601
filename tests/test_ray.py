"""A real cluster of two nodes in processes: replicas come and go, and the run stays the same."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from clustered import ScriptedKit
from command import FILES, ROOT, Numbers, alive, environment, gone_after
from nodes import MEMORY, limited, opened, two_nodes, until
from scripted import ScriptedEngine, numbered, query
from serving import body

import rearank_cli.engines.ray as ray_engine
from rearank_cli.engines import roster
from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.cached import CachedEngine
from rearank_cli.engines.cluster import Cluster
from rearank_cli.engines.ray import RayEngine
from rearank_cli.engines.store import Store
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong, RearankError
from rearank_cli.methods import make_method
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Message, Request, Sampling
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.driver import Driver, Settings

SETTINGS = Settings(load_recipe("rearank"), make_method("sliding", {"window": 8, "stride": 4}))
WORK = [Candidates(query(f"q{n}"), tuple(reversed(numbered(40))), numbered(40)) for n in range(6)]
WINDOWS = 6 * 9
QUESTION = Request((Message("user", "[1] passage 7"),), Sampling(10))
pytestmark = [pytest.mark.slow]


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    with limited(300.0):  # what waits for processes may wait for ever
        yield


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    with two_nodes() as local:
        yield local


class Lab:
    """One run in a folder of its own, and the ways to disturb it."""

    def __init__(self, nodes: Any, folder: Path) -> None:
        self.nodes = nodes
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()

    def engine(self, replicas: int | None = 2, deadline: float = 60.0, **kit: Any) -> RayEngine:
        return RayEngine(
            EngineSettings(Model("scripted", "", "r1")),
            Cluster(self.nodes.address, replicas, 0),
            deadline,
            ScriptedKit(self.log, **kit),
        )

    def pids(self, what: str) -> list[int]:
        """Return the processes of all calls that began (`ask`) or ended well (`answer`)."""
        lines = (line.split() for line in self.log.read_text().splitlines())
        return [int(pid) for said, pid in lines if said == what]

    def rows(self) -> int:
        with sqlite3.connect(self.folder / "store") as database:
            return int(database.execute("SELECT count(*) FROM completions").fetchone()[0])

    def hold(self, held: bool) -> None:
        if held:
            (self.folder / "hold").touch()
        else:
            (self.folder / "hold").unlink()

    async def begun(self, engine: RayEngine) -> None:
        """Let a run that is held go on when both replicas are there, however late one comes."""
        await until(both(engine))
        self.hold(False)

    async def quiet(self, answers: int) -> None:
        """Let so many answers be written, then hold the others; all written are stored."""
        await until(lambda: len(self.pids("answer")) >= answers)
        self.hold(True)
        await until(lambda: self.rows() == len(self.pids("answer")) < len(self.pids("ask")))

    async def run(self, engine: RayEngine) -> list[Reranked]:
        cached = CachedEngine(engine, Store(self.folder / "store"))
        try:
            return [each async for each in Driver(cached, SETTINGS).run(WORK)]
        finally:
            await cached.close()


def both(engine: RayEngine, count: int = 2) -> Callable[[], bool]:
    return lambda: engine.capacity == 4 * count


@pytest.fixture
def lab(nodes: Any, tmp_path: Path) -> Lab:
    return Lab(nodes, tmp_path)


@pytest.fixture(scope="module")
def undisturbed() -> list[tuple[str, ...]]:
    async def run() -> list[tuple[str, ...]]:
        return [each.ranking async for each in Driver(ScriptedEngine(), SETTINGS).run(WORK)]

    return asyncio.run(run())


Disturb = Callable[[Lab, RayEngine], Any]


async def kill_a_process(lab: Lab, engine: RayEngine) -> None:
    """Kill one of two actors in the middle of its calls."""
    await lab.begun(engine)
    await lab.quiet(10)
    victim = lab.pids("ask")[-1]
    os.kill(victim, signal.SIGKILL)
    await until(lambda: engine.capacity == 4)
    lab.hold(False)


async def kill_an_engine(lab: Lab, engine: RayEngine) -> None:
    """Let one engine die, and its actor live."""
    await lab.begun(engine)
    await until(lambda: len(lab.pids("answer")) >= 10)
    victim = lab.pids("ask")[-1]
    (lab.folder / f"dies-{victim}").touch()
    await until(lambda: not alive(victim))


async def kill_a_node_and_add_one(lab: Lab, engine: RayEngine) -> None:
    """Take a node away in the middle of its calls; later, bring another."""
    await lab.begun(engine)
    await lab.quiet(10)
    lab.nodes.remove_node(lab.nodes.list_all_nodes()[-1])
    await until(lambda: engine.capacity == 4)
    lab.hold(False)
    await lab.quiet(20)
    lab.nodes.add_node(num_cpus=1, object_store_memory=MEMORY)
    await until(both(engine))
    before = set(lab.pids("ask"))
    lab.hold(False)
    await until(lambda: bool(set(lab.pids("answer")) - before))


@pytest.mark.parametrize("disturb", [kill_a_process, kill_an_engine, kill_a_node_and_add_one])
def test_a_disturbed_run_is_the_undisturbed_one(
    lab: Lab, undisturbed: list[tuple[str, ...]], disturb: Disturb
) -> None:
    async def main() -> tuple[list[Reranked], RayEngine]:
        engine = lab.engine(seconds=0.05)
        lab.hold(True)
        running = asyncio.create_task(lab.run(engine))
        await asyncio.wait(
            [running, asyncio.ensure_future(disturb(lab, engine))],
            return_when=asyncio.FIRST_EXCEPTION,
        )
        return await running, engine

    found, engine = asyncio.run(main())
    assert [each.ranking for each in found] == undisturbed
    assert lab.rows() == WINDOWS == len(lab.pids("answer"))  # no finished call was made twice
    assert len(lab.pids("ask")) > WINDOWS  # but some that were not
    assert engine.retries["replica lost"] >= len(lab.pids("ask")) - WINDOWS
    assert len({*lab.pids("answer")}) >= 2


def test_max_follows_the_nodes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "LOOK", 0.2)

    async def main() -> None:
        async with opened(lab.engine(replicas=None)) as engine:
            await until(both(engine))
            node = lab.nodes.add_node(num_cpus=1, object_store_memory=MEMORY)
            await until(both(engine, 3))
            assert engine.kv_tokens == 12_000
            lab.nodes.remove_node(node)
            await until(both(engine, 2))
            assert engine.kv_tokens == 8_000

    asyncio.run(main())


def test_requests_go_where_most_room_is(lab: Lab) -> None:
    async def main() -> None:
        async with opened(lab.engine()) as engine:
            await until(both(engine))
            lab.hold(True)
            asked = [asyncio.create_task(engine.complete(QUESTION)) for _ in range(8)]
            await until(lambda: len(lab.pids("ask")) == 8)
            lab.hold(False)
            await asyncio.gather(*asked)

    asyncio.run(main())
    asked = lab.pids("ask")
    assert sorted(asked.count(pid) for pid in {*asked}) == [4, 4]
    assert gone_after(lab.pids("open"), 20)


def test_a_replica_of_another_version_is_refused(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with opened(lab.engine(mixed=True)) as engine:
            await until(lambda: "refused" in caplog.text)
            assert engine.capacity == 4
            await engine.complete(QUESTION)

    asyncio.run(main())
    assert "is refused: expected vLLM to be " in caplog.text


def test_replicas_with_another_model_are_refused_at_once(lab: Lab) -> None:
    async def main() -> None:
        engine = lab.engine()
        engine._kit = ScriptedKit(lab.log, revision="other")
        async with opened(engine):
            pass

    with pytest.raises(EngineStartError) as caught:
        asyncio.run(main())
    assert "expected the model's revision to be r1, found other" in caught.value.message
    assert caught.value.exit_code == 2


def test_errors_of_one_request_end_that_request_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "DEATHS", 2)

    async def main() -> None:
        async with opened(lab.engine()) as engine:
            await until(both(engine))
            with pytest.raises(PromptTooLong) as caught:
                await engine.complete(said("too long"))
            assert (caught.value.tokens, caught.value.limit) == (70, 50)
            with pytest.raises(EngineError, match="2 replicas died under this request; .* memory"):
                await engine.complete(said("poison"))
            assert (await engine.complete(QUESTION)).text

    asyncio.run(main())


def said(text: str) -> Request:
    return Request((Message("user", f"[1] {text} 1"),), Sampling(10))


def test_a_cluster_without_room_fails_after_the_deadline(lab: Lab) -> None:
    engine = lab.engine(deadline=1.0)
    engine._cluster = Cluster(lab.nodes.address, 1, 1)  # there is no GPU

    async def main() -> None:
        async with opened(engine):
            pass

    with pytest.raises(EngineStartError, match="the cluster had no replica for 1 s"):
        asyncio.run(main())


def test_when_nothing_is_left_the_query_is_named_and_the_same_run_goes_on(
    lab: Lab, undisturbed: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "STARTS", 2)

    async def main() -> None:
        engine = lab.engine(seconds=0.05)
        lab.hold(True)
        running = asyncio.create_task(lab.run(engine))
        await lab.begun(engine)
        await lab.quiet(10)
        (lab.folder / "broken").touch()
        for pid in lab.pids("open"):
            os.kill(pid, signal.SIGKILL)
        await running

    with pytest.raises(RearankError) as caught:
        asyncio.run(main())
    assert caught.value.exit_code == 1
    assert "query q" in caught.value.message and "rank" in caught.value.message
    assert "no memory for it" in caught.value.message
    kept = lab.rows()
    assert 10 <= kept < WINDOWS
    (lab.folder / "broken").unlink()
    lab.hold(False)
    assert [each.ranking for each in asyncio.run(lab.run(lab.engine()))] == undisturbed
    assert lab.rows() == WINDOWS == len(lab.pids("answer"))


def rerank(lab: Lab, model: Path, *more: str) -> "subprocess.Popen[str]":
    """Start the command on 3 queries of 40 hits."""
    Numbers(3, 40).write(lab.folder)
    return command(lab, model, "rerank", "run.trec", *FILES, *more)


def command(lab: Lab, model: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a command with scripted engines in its actors."""
    code = "import clustered, sys; sys.argv[0] = 'rearank'; clustered.main()"
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    options = ["--ray", lab.nodes.address, "--replicas", "2", "--model", str(model)]
    return subprocess.Popen(
        [sys.executable, "-c", code, str(lab.log), *arguments, *options],
        cwd=lab.folder,
        env={**environment(lab.folder), "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny import make_model

    return make_model(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_actor_outlives_the_command(lab: Lab, model: Path, end: signal.Signals) -> None:
    lab.hold(True)
    process = rerank(lab, model)
    try:
        asyncio.run(until(lambda: len(lab.pids("open")) == 2 and bool(lab.pids("ask"))))
        os.kill(process.pid, end)
        out, err = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert gone_after(lab.pids("open"), 30), err
    assert out == ""
    assert process.returncode == {2: 130, 15: 143, 9: -9}[end], err
    if end != signal.SIGKILL:
        assert "answers are kept" in err
        assert "Traceback" not in err


def test_the_command_writes_a_run_and_nothing_else_to_its_output(lab: Lab, model: Path) -> None:
    process = rerank(lab, model, "--verbose")
    try:
        out, err = process.communicate(timeout=240)
    finally:  # else its actors would hold the CPUs of the tests after it
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert [line[2] for line in lines[:10]] == [f"d{n:03}" for n in range(10)]
    assert len(lines) == 3 * 40 and {len(line) for line in lines} == {6}
    assert "each of 2 replicas takes 1 CPU" in err
    assert gone_after(lab.pids("open"), 30)


def test_a_server_runs_on_the_cluster(lab: Lab, model: Path) -> None:
    process = command(lab, model, "serve", "--port", "0")
    assert process.stderr
    try:
        while not (ready := re.match(r"ready: .* on (\S+)", process.stderr.readline())):
            assert process.poll() is None
        reply = httpx.post(f"{ready[1]}/v2/rerank", json=body(25), timeout=60)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert reply.json()["results"][0]["index"] == 24
    assert process.returncode == 0, said
    assert gone_after(lab.pids("open"), 30)

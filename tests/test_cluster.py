"""What is asked of a cluster, and what a replica gets of it; nothing is started here."""

import pytest

from rearank_cli.engines.base import Model
from rearank_cli.engines.cluster import Cluster, Node, Share, described, share
from rearank_cli.engines.defaults import PAPER_MODEL
from rearank_cli.engines.options import open_settings
from rearank_cli.engines.replica import Failure
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong, RearankError

GPU_NODES = [Node(32, 8), Node(32, 8), Node(16, 0)]


@pytest.mark.parametrize(
    "nodes, cluster, arguments, expected, fits",
    [
        (GPU_NODES, Cluster(), {}, Share(1, 1), 16),
        (GPU_NODES, Cluster(gpus=2), {}, Share(1, 2), 8),
        (GPU_NODES, Cluster(), {"tensor_parallel_size": 4}, Share(1, 4), 4),
        (GPU_NODES, Cluster(gpus=3), {}, Share(1, 3), 4),  # each lies on one node
        (GPU_NODES, Cluster(gpus=0), {}, Share(16, 0), 3),
        ([Node(2, 8)], Cluster(), {}, Share(1, 1), 2),  # one CPU each
        ([Node(8, 0), Node(4, 0)], Cluster(), {}, Share(4, 0), 2),
        ([Node(8, 0), Node(4, 0)], Cluster(replicas=3), {}, Share(4, 0), 2),
        ([Node(3, 0), Node(3, 0)], Cluster(replicas=3), {}, Share(1, 0), 2),
        ([Node(1, 0), Node(1, 0)], Cluster(replicas=9), {}, Share(1, 0), 2),
        ([], Cluster(), {}, Share(1, 0), 0),
    ],
)
def test_the_share_of_a_replica(
    nodes: list[Node],
    cluster: Cluster,
    arguments: dict[str, int],
    expected: Share,
    fits: int,
) -> None:
    found = share(cluster, arguments, nodes)
    assert (found, found.fits(nodes)) == (expected, fits)


def test_a_cluster_in_words() -> None:
    assert described([Node(1, 0)]) == "1 node, 1 CPU, 0 GPUs"
    assert str(Share(1, 2)) == "1 CPU and 2 GPUs"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"replicas": "4"}, "`replicas` needs a cluster"),
        ({"gpus_per_replica": 1}, "`gpus_per_replica` needs a cluster"),
        ({"ray": "ray://head:10001"}, "`ray`: expected auto or HOST:PORT, found 'ray://"),
        ({"ray": "auto", "replicas": "many"}, "at least 1, or max, found 'many'"),
        ({"ray": "auto", "replicas": 0}, "at least 1, or max, found 0"),
        ({"ray": "auto", "gpus_per_replica": -1}, "expected 0 or more, found -1"),
        (
            {"ray": "auto", "gpus_per_replica": 2, "engine_args": {"tensor_parallel_size": 4}},
            "`gpus_per_replica`: expected 4, over which the engine is spread, found 2",
        ),
        ({"ray": "auto", "base_urls": ["http://x/v1"]}, "`ray`: the model is on servers already"),
        ({"ray": "auto", "engine_name": "transformers"}, "does not run on a cluster"),
        ({"engine_name": "ray"}, "`engine_name` ray: needs a cluster"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(RearankError) as caught:
        open_settings("some/model", **options)
    assert message in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "error",
    [
        PromptTooLong(70, 50),
        EngineError("broken", "mend it"),
        EngineStartError("wrong", "say it right", exit_code=2),
    ],
)
def test_errors_arrive_as_they_left(error: RearankError) -> None:
    arrived = Failure.of(error).error()
    assert type(arrived) is type(error)
    assert (arrived.message, arrived.hint, arrived.exit_code, vars(arrived)) == (
        error.message,
        error.hint,
        error.exit_code,
        vars(error),
    )


def test_this_machine_says_nothing_of_the_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the model nor the precision is chosen by the machine of the command."""
    asked: list[str | None] = []

    def find(name: str | None, served: bool) -> Model:
        asked.append(name)
        return Model("m", "/models/m", "r")

    monkeypatch.setattr("rearank_cli.engines.options.find_model", find)
    opening = open_settings(None, ray="auto", replicas="max")
    assert asked == [PAPER_MODEL]
    assert "dtype" not in opening.settings.engine_args
    assert opening.for_continuations().where.name == "ray"
    assert opening.where.cluster == Cluster("auto", None, None)

"""Entering a Ray cluster, seeing what it has, and reading its errors."""

import os

from rearank_cli.engines.cluster import Node
from rearank_cli.errors import EngineStartError


def connect(address: str, verbose: bool) -> bool:
    """Enter a cluster; tell whether that was necessary. Call it in a thread, for it may take long.

    There Ray leaves the handlers of signals alone, too. Raises `EngineStartError`.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise EngineStartError(
            f"Ray cannot be imported: {error}",
            hint="pip install 'rearank-cli[ray]', here and on every node",
            exit_code=2,
        ) from error
    if ray.is_initialized():
        return False
    try:
        ray.init(
            address=address,
            log_to_driver=verbose,
            logging_level="INFO" if verbose else "CRITICAL",
        )
    except Exception as error:  # noqa: BLE001  Ray raises anything; none of it is our bug
        raise EngineStartError(
            f"`ray` {address}: no cluster: {told(error)}",
            hint="`ray start --head` starts one; `ray status` shows whether it is there",
        ) from error
    return True


def living_nodes() -> list[Node]:
    """Return the nodes of the cluster that are there now."""
    import ray

    return [
        Node(int(each["Resources"].get("CPU", 0)), int(each["Resources"].get("GPU", 0)))
        for each in ray.nodes()
        if each["Alive"]
    ]


def ray_errors() -> type[Exception]:
    """Return the base of all errors that a call of an actor may raise."""
    from ray.exceptions import RayError

    found: type[Exception] = RayError
    return found


def is_final(error: Exception) -> bool:
    """Tell whether Ray will not start the actor again."""
    from ray.exceptions import ActorUnavailableError

    return not isinstance(error, ActorUnavailableError)


def told(error: BaseException) -> str:
    """Return the line of an error of Ray's that tells most, without a full stop.

    Of one that brings a traceback from a node that is the last.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if "error raised in its creation task" in lines[0]:
        return f"it could not be made: {lines[-1]}"
    return (lines[-1] if "ray::" in lines[0] else lines[0]).rstrip(".:")

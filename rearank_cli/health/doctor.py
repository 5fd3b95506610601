"""All checks, in the order in which they are told."""

from collections.abc import Iterator, Sequence

from rearank_cli.engines.defaults import choose_default
from rearank_cli.engines.gpus import query_holders
from rearank_cli.engines.machine import look
from rearank_cli.health.finding import Finding
from rearank_cli.health.network import check_hub, check_model, check_servers, hub_is_off
from rearank_cli.health.resources import (
    check_cache,
    check_hub_cache,
    check_memory,
    free_memory,
)
from rearank_cli.health.software import (
    check_compiler,
    check_gpu,
    check_gpu_memory,
    check_java,
    check_python,
    check_system,
    check_vllm,
)


def examine(urls: Sequence[str] = (), model: str | None = None) -> Iterator[Finding]:
    """Yield what is found, check by check.

    With servers (`urls`) the machine itself needs no engine and no model.
    """
    served = bool(urls)
    yield check_system()
    yield check_python()
    yield check_java()
    machine = look()
    yield check_gpu(machine, served)
    yield from check_gpu_memory(machine, query_holders() if machine.devices else [], served)
    yield check_vllm(machine, served)
    yield from check_compiler(machine, served)
    yield check_memory(free_memory(), served)
    yield check_cache()
    if served:
        yield from check_servers(urls, model)
        return
    yield check_hub_cache()
    hub = check_hub()
    yield hub
    yield check_model(model or choose_default(machine)[0], hub_is_off() or hub.state != "ok")

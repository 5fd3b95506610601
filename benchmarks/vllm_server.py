"""vLLM's own server of chat completions, started for a benchmark and ended with it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

MODULE = "vllm.entrypoints.openai.api_server"
START = 600  # seconds that a server may take to start


@contextmanager
def vllm_server(model: Path, *options: str, space: int = 4) -> Iterator[str]:
    """Serve a model with vLLM; yield the address when it is ready.

    `options` are the server's own, and `space` GiB are for keys and values on a CPU. Raises
    `RuntimeError` with the end of the log where it does not start.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    words = [sys.executable, "-m", MODULE, "--model", str(model), "--port", f"{port}"]
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": f"{space}", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*words, "--enforce-eager", *options], stdout=log, stderr=log, env=environment
        )
        try:
            url = f"http://127.0.0.1:{port}"
            until = time.monotonic() + START
            while not _answers(url):
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise RuntimeError(log.read().decode()[-2000:])
                time.sleep(1)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/models").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False

"""How busy the GPU is while something runs, as `nvidia-smi` tells it."""

import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rearank_cli.engines.gpus import run_program

SECONDS = 1.0
ASK = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")


@contextmanager
def utilisation() -> Iterator[list[float]]:
    """Yield a list that is given, at the end, the mean share of time in which a kernel ran, in %.

    It stays empty where `nvidia-smi` does not tell.
    """
    samples: list[float] = []
    found: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SECONDS):
            try:
                samples.append(float(run_program(ASK).split()[0]))
            except (OSError, ValueError, IndexError):
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
        if samples:
            found.append(statistics.mean(samples))

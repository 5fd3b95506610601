"""What servers tell of the models that they serve, under `/v1/models`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from rearank_cli.engines.store import Store
from rearank_cli.errors import RearankError

# A server that is well lists its models in milliseconds.
LOOK = httpx.Timeout(5.0, connect=3.0)


@dataclass(frozen=True, slots=True)
class Served:
    """A model on a server: its name there, and where it came from as far as the server tells.

    `context` is in tokens; it is 0, and the other fields are empty, where a server does not tell.
    """

    name: str
    root: str = ""
    parent: str = ""
    owner: str = ""
    context: int = 0

    def identity(self, url: str) -> str:
        """Return what tells this model from others: its root, or the server's URL.

        Some servers repeat the name as the root. That tells something when it is a hub id or a
        path, and nothing when it is a name like `default`.
        """
        if self.root and (self.root != self.name or "/" in self.root):
            return f"{self.owner} {self.root} {self.parent}".strip()
        return url


def models_listed(reply: httpx.Response) -> dict[str, Served]:
    """Return the models that a server lists by their names; none when it is no such list."""
    try:
        return {entry["id"]: _served(entry) for entry in reply.json()["data"]}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


def _served(entry: dict[str, Any]) -> Served:
    context = entry.get("max_model_len")
    return Served(
        str(entry["id"]),
        str(entry.get("root") or ""),
        str(entry.get("parent") or ""),
        str(entry.get("owned_by") or ""),
        context if isinstance(context, int) else 0,
    )


def server_identity(
    urls: Sequence[str], name: str, headers: dict[str, str], store: Store | None
) -> str:
    """Return what the first server that answers tells of a model.

    When none answers, what one told last time is taken from the store, so that answers which are
    all there need no server; failing that, the first URL.
    """
    for url in urls:
        try:
            reply = httpx.get(f"{url}/models", headers=headers, timeout=LOOK)
        except (httpx.HTTPError, httpx.InvalidURL):
            continue
        if reply.status_code >= 500:
            continue
        told = models_listed(reply).get(name, Served(name)).identity(url)
        if store and reply.status_code == 200:
            store.remember(url, name, told)
        return told
    known = (store.remembered(url, name) for url in urls) if store else iter(())
    return next(filter(None, known), urls[0])


def only_model(urls: Sequence[str], headers: dict[str, str]) -> str:
    """Return the name of the one model that the first server which answers has.

    Raises `RearankError` where there are several, and where no server tells any.
    """
    for url in urls:
        try:
            listed = models_listed(httpx.get(f"{url}/models", headers=headers, timeout=LOOK))
        except (httpx.HTTPError, httpx.InvalidURL):
            continue
        if len(listed) == 1:
            return next(iter(listed))
        if listed:
            raise RearankError(
                f"expected `model`, the name of one of {url}'s models, found none",
                hint=f"it has {', '.join(sorted(listed))}",
            )
    raise RearankError(
        "expected `model`, the name of the model on the server",
        hint=f"{urls[0]}/models tells none; is the server running?",
    )

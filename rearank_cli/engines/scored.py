"""Which model it is that servers score with, as far as they tell."""

from collections.abc import Mapping, Sequence

import httpx

from rearank_cli.engines.endpoints import base_of, models_url, told_of_itself
from rearank_cli.engines.served import LOOK, only_model, server_identity
from rearank_cli.engines.store import Store


def scored_identity(
    urls: Sequence[str], name: str, headers: Mapping[str, str], store: Store | None
) -> str:
    """Return what tells the model from others, as `served.server_identity` does.

    text-embeddings-inference tells the id and the revision.
    """
    told = _described(urls, headers)
    if told:
        found = f"{told['model_id']} {told.get('model_sha') or ''}".strip()
        if store:
            store.remember(models_url(urls[0]), name, found)
        return found
    return server_identity([models_url(url) for url in urls], name, dict(headers), store)


def scored_model(urls: Sequence[str], headers: Mapping[str, str]) -> str:
    """Return the name of the one model that the servers score with.

    Raises `RearankError` where there are several, and where no server tells any.
    """
    told = _described(urls, headers)
    if told:
        return str(told["model_id"])
    return only_model([models_url(url) for url in urls], dict(headers))


def _described(urls: Sequence[str], headers: Mapping[str, str]) -> dict[str, object] | None:
    for url in urls:
        try:
            reply = httpx.get(f"{base_of(url)}/info", headers=dict(headers), timeout=LOOK)
        except (httpx.HTTPError, httpx.InvalidURL):
            continue
        if told := told_of_itself(reply):
            return told
    return None

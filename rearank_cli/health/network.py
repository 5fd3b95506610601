"""Checks of what is elsewhere: servers, the model, the hub."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rearank_cli.engines.defaults import EMBEDDED
from rearank_cli.engines.models import embedded_source, resolve_model
from rearank_cli.engines.openai import API_KEYS
from rearank_cli.errors import RearankError
from rearank_cli.health.finding import Finding

if TYPE_CHECKING:
    import httpx

TIMEOUT = 5.0
"""Seconds that a server or the hub has to answer."""
_RUNNING = "is it running? `base_urls` end in /v1, as in http://localhost:8000/v1"
_HUB = "https://huggingface.co"


def check_server(url: str, model: str | None, environ: Mapping[str, str] = os.environ) -> Finding:
    """Ask a server which models it serves; a `model` that it lacks is bad."""
    import httpx

    name, url = "server", url.rstrip("/")
    key = next((environ[each] for each in API_KEYS if environ.get(each)), "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        reply = httpx.get(f"{url}/models", headers=headers, timeout=TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding(
            name,
            "bad",
            f"{url}: {str(error) or type(error).__name__}",
            _RUNNING,
        )
    if reply.status_code in (401, 403):
        remedy = f"set {API_KEYS[0]} or {API_KEYS[1]} to your key"
        return Finding(name, "bad", f"{url}: {reply.status_code} {reply.reason_phrase}", remedy)
    served = _served(reply)
    if model and served and model not in served:
        remedy = f"`model` is one of: {', '.join(served[:10])}"
        return Finding(name, "bad", f"{url}: does not serve {model}", remedy)
    return Finding(name, "ok", f"{url}: {', '.join(served[:10]) or 'answers, lists no models'}")


def _served(reply: "httpx.Response") -> list[str]:
    try:
        return [str(entry["id"]) for entry in reply.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return []


def check_model(name: str, offline: bool) -> Finding:
    """Look for a model on this machine; one that the hub must give is a fault only `offline`."""
    try:
        if name == EMBEDDED:
            return Finding("model", "ok", f"{EMBEDDED}: {embedded_source()}")
        if name.startswith((".", "/", "~")) or os.path.exists(name):
            return Finding("model", "ok", f"{name}: {resolve_model(name).location}")
    except RearankError as error:
        return Finding("model", "bad", error.message, error.hint)
    if _in_hub_cache(name):
        return Finding("model", "ok", f"{name}: in the hub cache")
    if offline:
        remedy = "copy its files into the hub cache, name a folder, or a server (`base_urls`)"
        return Finding("model", "bad", f"{name}: not here, and the hub is out of reach", remedy)
    return Finding("model", "ok", f"{name}: not here yet; rerank downloads it from the hub")


def _in_hub_cache(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        return False


def hub_is_off(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the user has switched off the hub."""
    wanted = (environ.get(name, "").lower() for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value in ("1", "true", "yes", "on") for value in wanted)


def check_hub(environ: Mapping[str, str] = os.environ) -> Finding:
    """Ask the hub for a sign of life; what is on this machine works without it."""
    import httpx

    if hub_is_off(environ):
        return Finding("hub", "ok", "switched off (HF_HUB_OFFLINE)")
    url = environ.get("HF_ENDPOINT") or _HUB
    try:
        httpx.head(url, timeout=TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding(
            "hub",
            "note",
            f"{url}: {str(error) or type(error).__name__}",
            "models that are here, folders and servers work without it; HF_ENDPOINT names a mirror",
        )
    return Finding("hub", "ok", f"{url} answers")


def check_servers(urls: Sequence[str], model: str | None) -> list[Finding]:
    """Ask every server; one that is out of reach is only a note where another answers."""
    found = [check_server(url, model) for url in urls]
    if all(each.state == "bad" for each in found):
        return found
    return [replace(each, state="note") if each.remedy == _RUNNING else each for each in found]

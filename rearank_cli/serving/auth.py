"""Who may ask: holders of a key, or without keys those on this machine."""

import hashlib
import hmac
import ipaddress
import stat
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import reason
from rearank_cli.log import warn
from rearank_cli.serving.refusals import Refusal

LOCAL_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))


class Keys:
    """Tells whether a request brings one of some keys; without any, every request does."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        """Keep the keys as digests, so that comparing them tells nothing of their length."""
        self._digests = [_digest(key.encode()) for key in keys]

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._digests)

    def accept(self, key: bytes) -> bool:
        """Compare with every key, in a time that depends on neither."""
        given = _digest(key)
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return any(matches) or not self._digests

    def check(self, authorization: bytes) -> None:
        """Raise `Refusal` (401) unless a header's value is `Bearer KEY`, or a key alone."""
        scheme, _, rest = authorization.partition(b" ")
        key = rest.strip() if scheme.lower() == b"bearer" else authorization.strip()
        if not self.accept(key):
            raise Refusal(
                HTTPStatus.UNAUTHORIZED,
                "expected a key of this server, found "
                + ("another one" if authorization else "none"),
                "send the header Authorization: Bearer KEY",
            )


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def read_keys(path: str) -> Keys:
    """Read keys, one a line; empty lines and those that begin with # are left out.

    Raises `RearankError` for a file that cannot be read or holds no key.
    """
    try:
        lines = Path(path).read_text("utf-8").splitlines()
        mode = Path(path).stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is not UTF-8"
        raise RearankError(f"{path}: cannot be read: {why}") from error
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise RearankError(f"{path}: expected keys, one a line, found none")
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        warn(f"{path}: others on this machine can read these keys; chmod 600 keeps them to you")
    return Keys(keys)


def is_local(host: str) -> bool:
    """Tell whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_open(host: str, keys: Keys, allow_anyone: bool) -> None:
    """Raise `RearankError` for an address that others reach, without keys or leave."""
    if not is_local(host) and not keys and not allow_anyone:
        raise RearankError(
            f"--host {host}: expected --api-key-file for an address that others can reach",
            hint="or --allow-anyone, if everybody who reaches it may use the model",
        )


def check_host(header: str) -> None:
    """Raise `Refusal` (421) unless a request was sent to this machine by one of its own names.

    A page elsewhere whose name was made to lead here brings its own name.
    """
    name = header.rpartition(":")[0] if not header.endswith("]") and ":" in header else header
    if name.strip("[]").lower() not in LOCAL_NAMES and not is_local(name):
        raise Refusal(
            HTTPStatus.MISDIRECTED_REQUEST,
            "expected a request to localhost or a loopback address",
            "with --api-key-file or --allow-anyone other names are answered too",
        )

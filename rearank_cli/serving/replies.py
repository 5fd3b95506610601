"""Answers as JSON that any text survives."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response


class Reply(Response):
    """JSON in ASCII: a lone surrogate, which no encoding has, travels as an escape."""

    media_type = "application/json"

    def __init__(
        self,
        content: Any,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take what `json` can write."""
        super().__init__(content, int(status), dict(headers or {}))

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")

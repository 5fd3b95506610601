"""Why a request is not answered, as status, sentence and hint.

Every dialect has another field for its errors. The body has all of them, with the same sentence:
`message` (Cohere), `detail` (Jina, Voyage), `error` and `error_type` (text-embeddings-inference).
"""

from http import HTTPStatus

from rearank_cli.errors import EngineError, PromptTooLong, RearankError


class Refusal(Exception):
    """A request that gets no answer; `wait` is after how many seconds to come again, if at all."""

    def __init__(
        self, status: HTTPStatus, message: str, hint: str = "", wait: int | None = None
    ) -> None:
        """Say why, and what may help."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
        self.wait = wait

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        found = {} if self.wait is None else {"Retry-After": str(self.wait)}
        if self.status is HTTPStatus.UNAUTHORIZED:
            found["WWW-Authenticate"] = "Bearer"
        return found

    def body(self) -> dict[str, str]:
        """Return the answer's body."""
        said = {"message": self.message, "detail": self.message, "error": self.message}
        kind = {"error_type": _kind(self.status)}
        return {**said, **kind, **({"hint": self.hint} if self.hint else {})}


def _kind(status: HTTPStatus) -> str:
    """Return the name that text-embeddings-inference has for this kind of error."""
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        return "overloaded"
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        return "unhealthy"
    return "validation" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "backend"


def unread(message: str, hint: str = "") -> Refusal:
    """Return the refusal of a request that was read but cannot be meant."""
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, message, hint)


def refusal_of(error: BaseException) -> Refusal:
    """Return what a failed reranking is answered with; what is unforeseen tells nothing."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, TimeoutError):
        return Refusal(
            HTTPStatus.GATEWAY_TIMEOUT,
            "no answer within the server's time for one request",
            "send fewer documents, or a smaller `depth`",
        )
    if isinstance(error, EngineError) and not isinstance(error, PromptTooLong):
        return Refusal(HTTPStatus.BAD_GATEWAY, error.message, error.hint)
    if isinstance(error, RearankError):
        return unread(error.message, error.hint)
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log says where")

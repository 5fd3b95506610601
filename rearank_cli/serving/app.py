"""The HTTP server: rerank in every dialect, health, metrics, the page, and MCP at /mcp."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import Body as InBody
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from rearank_cli import __version__
from rearank_cli.serving.answers import CommonAnswer, TeiAnswer, VoyageAnswer
from rearank_cli.serving.auth import Keys
from rearank_cli.serving.dialects import Body, Extended
from rearank_cli.serving.handling import Handling, while_there
from rearank_cli.serving.inbound import Inbound
from rearank_cli.serving.mcp import make_mcp, mcp_routes
from rearank_cli.serving.page import add_page
from rearank_cli.serving.refusals import Refusal
from rearank_cli.serving.replies import Reply
from rearank_cli.serving.service import Service

RERANK = ("/v1/rerank", "/v2/rerank", "/rerank")
_SHAPES = {"common", "voyage", "tei"}


@dataclass(frozen=True)
class Access:
    """Who may ask, and what is written down of it.

    Without `keys` everybody may; `local` says that only requests sent to this machine by its own
    names are answered. `log_requests` lets the texts of requests into the log.
    """

    keys: Keys = field(default_factory=Keys)
    local: bool = False
    log_requests: bool = False


def make_app(service: Service, access: Access | None = None) -> FastAPI:
    """Return the app; the service's engine is started with it and closed at its end."""
    access = access or Access()
    mcp = make_mcp(service)
    routes = mcp_routes(mcp)  # what makes its session manager, too

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with mcp.session_manager.run():
            service.begin()
            try:
                yield
            finally:
                await service.close()

    # The pages that FastAPI has for trying an API load scripts from elsewhere.
    app = FastAPI(
        title="rearank", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    _add_refusals(app, service)
    handling = Handling(service.metrics, access.log_requests)
    _add_rerank(app, service, handling)
    _add_state(app, service)
    add_page(app, service, handling, access.keys)
    app.router.routes.extend(routes)
    app.add_middleware(
        Inbound,
        keys=access.keys,
        longest=service.limits.body,
        local=access.local and not access.keys,
        refused=service.metrics.refused,
    )
    return app


def _add_rerank(app: FastAPI, service: Service, handling: Handling) -> None:
    async def rerank(request: Request, body: Body = InBody()) -> Response:  # noqa: B008
        async def answer() -> Response:
            return await _answer(request, body.root, service, handling)

        return await handling.handle(request.url.path, answer, _refuse)

    answers: Any = CommonAnswer | VoyageAnswer | TeiAnswer
    for path in RERANK:
        app.add_api_route(
            path,
            rerank,
            methods=["POST"],
            response_model=None,
            responses={200: {"model": answers}},
            operation_id=path.strip("/").replace("/", "_"),
            summary="Rerank documents",
        )


async def _answer(request: Request, body: Extended, service: Service, handling: Handling) -> Reply:
    job = body.job()
    handling.asked(request.url.path, job.query, [each.text for each in job.passages])
    done = await while_there(request, service.rerank(job))
    version = "1" if request.url.path.startswith("/v1") else "2"
    answer = body.answer(done, service.model, version)
    return Reply(answer.model_dump(exclude_unset=True))


def _add_state(app: FastAPI, service: Service) -> None:
    @app.get("/health", response_model=None)
    async def health() -> Reply:
        """Tell whether requests are answered: 200, or 503 with what the server is doing."""
        state = service.state
        ready = state == "ready"
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Reply({"status": state, "model": service.model}, status)

    @app.get("/metrics", response_model=None)
    async def metrics() -> Response:
        """Return the counters."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/models", response_model=None)
    async def models() -> Reply:
        """Return the one model."""
        entry = {"id": service.model, "object": "model", "created": 0, "owned_by": "rearank"}
        return Reply({"object": "list", "data": [entry]})


def _refuse(refusal: Refusal) -> Reply:
    return Reply(refusal.body(), refusal.status, refusal.headers)


def _add_refusals(app: FastAPI, service: Service) -> None:
    """Answer in our own words what the framework refuses by itself, and count it."""

    async def invalid(request: Request, error: Exception) -> Reply:
        assert isinstance(error, RequestValidationError)
        refusal = _invalid(error)
        service.metrics.refused(request.url.path, int(refusal.status))
        return _refuse(refusal)

    async def failed(request: Request, error: Exception) -> Reply:
        assert isinstance(error, HTTPException)
        service.metrics.refused(request.url.path, error.status_code)
        reply = _refuse(Refusal(HTTPStatus(error.status_code), str(error.detail)))
        reply.headers.update(error.headers or {})
        return reply

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, failed)


def _invalid(error: RequestValidationError) -> Refusal:
    """Return 400 for a body that is no JSON, and 422 for one of another shape."""
    errors = error.errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return Refusal(HTTPStatus.BAD_REQUEST, "expected a body of JSON, found other data")
    problems = dict.fromkeys(f"{_place(each['loc'])}: {_said(each)}" for each in errors)
    said = "; ".join(list(problems)[:5])
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, said, "see /openapi.json")


def _place(parts: Sequence[Any]) -> str:
    """Return where in a body something is wrong, without the names of our own shapes."""
    names = [str(part) for part in parts if part not in _SHAPES and part != "body"]
    return ".".join(names[:2]) or "the body"


def _said(error: Any) -> str:
    """Return what is wrong; never what was found, which may be long and is the client's own."""
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]

"""One request of the engine API: the integration that its token opens, and the envelope of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from fastapi import Depends, Path, Query, Request, Response

from callout.server.answers import JSON, IdempotencyKey, bearer, digest_of
from callout.server.problems import refusals
from callout.server.rate import believed

if TYPE_CHECKING:
    from callout.server.services import Services
    from callout.ticketing import Made, Opened

ERRORS: Final = refusals(400, 401, 402, 403, 404, 405, 409, 413, 415, 429, 500, 501, 502, 503, 504)

Meta = Annotated[
    list[str] | None,
    Query(description="Further facts wanted: `stats/count()`. What is not known is ignored. Repeatable."),
]
Cursor = Annotated[
    str, Query(max_length=12_000, description="Cursor of the page before; same filter and order.")
]
Filters = Annotated[
    list[str] | None,
    Query(alias="filter", description="`field[operator]value`, repeatable; all have to hold."),
]
Orders = Annotated[
    list[str] | None, Query(alias="order", description="`field`, `field[asc]` or `field[desc]`, repeatable.")
]
Limit = Annotated[int, Query(ge=1, description="Size of a page; at most 1,000 are returned at once.")]


def identifier(what: str) -> Any:  # noqa: ANN401  # a parameter of the path
    """Return the parameter for the provider's own id of something."""
    return Path(max_length=400, description=f"The provider's id of the {what}.")


class EngineCall:
    """The request at hand, with what the services need of it."""

    def __init__(
        self, request: Request, services: Services, meta: Sequence[str], *, key: str | None = None
    ) -> None:
        self._request = request
        self._meta = frozenset(one.replace(" ", "") for one in meta)
        self.services = services
        self.key = key

    async def digest(self) -> str:
        """Return what must be the same when a key is used again: method, address and body."""
        return await digest_of(self._request)

    async def open(self, operation: str, permission: str, *, category: str = "ticketing") -> Opened:
        """Return what the request's token opens. Raises UnauthenticatedError, ForbiddenError, OperationNotSupportedError."""
        opened = await self.services.engine.open(
            bearer(self._request), category=category, operation=operation, permission=permission
        )
        believed(self._request.scope)
        return opened

    async def anybody(self, permission: str) -> None:
        """Let the holder of any token with `permission` pass, of either kind. Raises UnauthenticatedError, ForbiddenError."""
        caller = await self.services.database.read(
            lambda tx: self.services.authentication.authenticate(tx, bearer(self._request))
        )
        believed(self._request.scope)
        caller.require(permission)

    def answer(self, result: object, *, cursor: str | None = None, **beside: str) -> Response:
        """Return the envelope of the contract around `result`, with what else stands beside it."""
        body: dict[str, Any] = {"result": result, **beside}
        if cursor is not None:
            body["cursor"] = cursor
        if "stats/count()" in self._meta and isinstance(result, list):
            body["meta"] = {"stats": {"count": {"*": len(result)}}}
        return Response(orjson.dumps(body), media_type=JSON)

    def page(self, page: Mapping[str, Any]) -> Response:
        """Return the envelope around a page."""
        return self.answer(page["result"], cursor=page["cursor"])

    def made(self, made: Made) -> Response:
        """Return the envelope around what was created, or had been by the same request before."""
        found = self.answer(made.result)
        if made.replayed:
            found.headers["Idempotent-Replayed"] = "true"
        return found


async def engine_call(request: Request, meta: Meta = None) -> EngineCall:
    """FastAPI dependency: the call of this request."""
    return EngineCall(request, request.app.state.services, meta or ())


async def creating_call(
    request: Request, meta: Meta = None, idempotency_key: IdempotencyKey = None
) -> EngineCall:
    """FastAPI dependency: the call of a request that creates something."""
    return EngineCall(request, request.app.state.services, meta or (), key=idempotency_key)


ThisCall = Annotated[EngineCall, Depends(engine_call)]
CreatingCall = Annotated[EngineCall, Depends(creating_call)]


def nothing() -> Response:
    """Return the answer of what has no result."""
    return Response(status_code=204)

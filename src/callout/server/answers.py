"""What every door of the API shares: what a request carries, what it is known by when repeated, answers that show a secret once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import orjson
from fastapi import Header, Request, Response

from callout.access import StoredAnswer, request_digest
from callout.audit import RequestFacts
from callout.kit.secrets import Secret

JSON: Final = "application/json"

IdempotencyKey = Annotated[
    str | None, Header(description="Same key and same request: done once, and answered alike for 48 hours.")
]


def bearer(request: Request) -> Secret | None:
    """Return the token that a request carries."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return Secret(secret.strip()) if scheme.lower() == "bearer" and secret.strip() else None


def says_json(request: Request) -> bool:
    """Return whether a request's body is JSON by its own word; where it says nothing, it is."""
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))


async def digest_of(request: Request) -> str:
    """Return what must be the same when an Idempotency-Key is used again: method, address and body."""
    url = request.url
    # What is asked for beside the body (a file's name) is part of the request, too.
    address = f"{url.path}?{url.query}" if url.query else str(url.path)
    return request_digest(request.method, address, await request.body())


def facts_of(request: Request, code: str) -> RequestFacts:
    """Return what the audit keeps of a request that is answered with `code`."""
    return RequestFacts(
        method=request.method,
        path=str(request.url.path),
        remote_addr="" if request.client is None else request.client.host,
        user_agent=request.headers.get("user-agent", ""),
        code=code,
    )


class Shown:
    """A secret that this answer shows; an answer that is repeated for its Idempotency-Key does not."""

    # No dataclass: of those orjson makes objects by itself.
    __slots__ = ("secret",)

    def __init__(self, secret: Secret | None) -> None:
        self.secret = secret


def _shown(value: object) -> str:
    if isinstance(value, Shown):
        return "" if value.secret is None else value.secret.reveal()
    # A secret that is not wrapped ends here: it was not meant to be shown.
    raise TypeError


def _hidden(value: object) -> str:
    if isinstance(value, Shown):
        return ""
    raise TypeError


def answer(body: Mapping[str, Any] | None, status: int = 200) -> Response:
    """Return the answer `status` with that body; 204 where there is none."""
    if body is None:
        return Response(status_code=204)
    return Response(orjson.dumps(body, default=_shown), status, media_type=JSON)


def to_keep(body: Mapping[str, Any] | None, status: int = 200) -> StoredAnswer:
    """Return what is kept of an answer for its Idempotency-Key: all but the secrets that it shows."""
    if body is None:
        return StoredAnswer(204, "")
    return StoredAnswer(status, orjson.dumps(body, default=_hidden).decode())


def replayed(stored: StoredAnswer) -> Response:
    """Return the answer that a request with the same Idempotency-Key was given before."""
    return Response(
        stored.body or None,
        stored.status,
        media_type=JSON if stored.body else None,
        headers={**stored.headers, "Idempotent-Replayed": "true"},
    )

"""Every error as the one Problem shape of the wire contract: what happened, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from callout.kit.clock import SystemClock
from callout.kit.ids import new_id
from callout.kit.redaction import redact_text
from callout.ports.errors import CalloutError, ConnectorError
from callout.storage import StorageUnavailableError

_log = structlog.get_logger(__name__)
_clock = SystemClock()

STATUS: Mapping[str, tuple[int, str]] = {
    "INVALID_REQUEST": (400, "invalid-request"),
    "INVALID_CURSOR": (400, "invalid-cursor"),
    "INVALID_FILTER": (400, "invalid-filter"),
    "INVALID_PATCH": (400, "invalid-patch"),
    "ILLEGAL_TRANSITION": (409, "illegal-transition"),
    "OPERATION_NOT_SUPPORTED": (501, "operation-not-supported"),
    "UNAUTHENTICATED": (401, "unauthenticated"),
    "ORGANIZATION_DISABLED": (402, "organization-disabled"),
    "FORBIDDEN": (403, "forbidden"),
    "NOT_FOUND": (404, "not-found"),
    "CONFLICT": (409, "conflict"),
    "IDEMPOTENCY_CONFLICT": (409, "idempotency-conflict"),
    "IDEMPOTENCY_IN_PROGRESS": (409, "idempotency-in-progress"),
    "PAUSED": (409, "paused"),
    "TOO_LARGE": (413, "too-large"),
    "INTAKE_BUSY": (503, "intake-busy"),
    "AUTH_FAILED": (502, "provider-authentication-failed"),
    "PERMISSION_DENIED": (502, "provider-permission-denied"),
    "INCIDENT_NOT_FOUND": (404, "not-found"),
    "VALIDATION_FAILED": (400, "invalid-request"),
    "STALE_RECORD": (409, "conflict"),
    "OUTCOME_UNKNOWN": (504, "provider-timeout"),
    "UNAVAILABLE": (503, "provider-unreachable"),
    "PROVIDER_TIMEOUT": (504, "provider-timeout"),
    "RATE_LIMITED": (429, "rate-limited"),
    "TOO_MANY_TRIES": (429, "rate-limited"),
}
"""Our error code → HTTP status and the Problem's `type`."""

_PLAIN: Mapping[int, tuple[str, str]] = {
    400: ("invalid-request", "Correct the named part; the API is described at /v1/meta/openapi."),
    401: ("unauthenticated", "Send a valid token: `Authorization: Bearer …`."),
    402: ("organization-disabled", "An operator can enable the organization again."),
    403: ("forbidden", "Use a token with that permission."),
    404: ("not-found", "Check the path; the API is described at /v1/meta/openapi."),
    405: ("method-not-allowed", "Use a method that the path knows; see /v1/meta/openapi."),
    409: ("conflict", "Read it again and repeat the request on the new state."),
    413: ("too-large", "Send less at once."),
    415: ("unsupported-media-type", "Send JSON with `Content-Type: application/json`."),
    503: ("unavailable", "Try again in a moment."),
}

_IN_QUERY = frozenset({"account", "cursor", "filter", "limit", "order"})
_IN_HEADER = frozenset({"Idempotency-Key"})


class ProblemParameter(BaseModel):
    """Which part of the request is wrong."""

    id: str
    location: str
    value: Any = None


class ProblemContext(BaseModel):
    """Where to look."""

    parameter: ProblemParameter | None = None
    provider_details: dict[str, str] | None = None


class Problem(BaseModel):
    """An error, as every non-2xx answer carries it."""

    type: str
    message: str
    status: int
    occurred_at: str
    instance: str
    detail: str | None = None
    remediation: str | None = None
    context: ProblemContext | None = None


ANY: Final = (400, 401, 402, 403, 404, 405, 409, 413, 415, 429, 500, 503)
"""What any route may answer beside success."""


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how routes describe that they answer with a Problem.

    By reference, since the framework would make a validator of its own for each route and status: half of what the server takes to start.
    """
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {status: {"content": content} for status in statuses}


def problem(  # the Problem's own fields
    status: int,
    kind: str,
    message: str,
    *,
    detail: str = "",
    remediation: str = "",
    context: ProblemContext | None = None,
    headers: Mapping[str, str] | None = None,
    reference: str = "",
) -> JSONResponse:
    """Return the answer that carries a Problem; secrets in its texts are redacted. `reference`: by which the log tells of it."""
    body = Problem(
        type=kind,
        message=_sendable(redact_text(message)),
        status=status,
        occurred_at=_clock.now().isoformat(),
        instance=f"/v1/problems/{reference or new_id()}",
        detail=_sendable(redact_text(detail)) or None,
        remediation=remediation or _PLAIN.get(status, ("", ""))[1] or None,
        context=context,
    )
    return JSONResponse(body.model_dump(exclude_none=True), status, headers=dict(headers or {}))


def _sendable(text: str) -> str:
    """Return `text` as UTF-8 can carry it: names that a sender made up may hold lone surrogates."""
    return text.encode("utf-8", "replace").decode()


def of_error(error: CalloutError, *, method: str = "POST") -> JSONResponse:
    """Return the Problem of one of our errors, which a request of that `method` met."""
    status, kind = STATUS.get(
        error.code, (502 if isinstance(error, ConnectorError) else 400, "invalid-request")
    )
    context = _provider_context(error)
    if error.fields:
        name, why = next(iter(error.fields.items()))
        context = context or ProblemContext()
        context.parameter = _parameter(name, method)
        detail = error.detail or "; ".join(f"{n}: {w}" if n else w for n, w in error.fields.items()) or why
    else:
        detail = error.detail
    headers = {}
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None or status in {429, 503}:
        headers["Retry-After"] = str(
            max(1, int(retry_after.total_seconds())) if retry_after is not None else 1
        )
    return problem(
        status,
        kind,
        error.message,
        detail=detail,
        remediation=error.remediation or _PLAIN.get(status, ("", "Correct the named part."))[1],
        context=context,
        headers=headers,
    )


def _provider_context(error: CalloutError) -> ProblemContext | None:
    """Return what the provider itself answered, as far as it is told without its text."""
    if not isinstance(error, ConnectorError):
        return None
    told = {"code": error.vendor_code, "status": "" if error.status is None else str(error.status)}
    details = {name: value for name, value in told.items() if value}
    return ProblemContext(provider_details=details) if details else None


def _parameter(name: str, method: str) -> ProblemParameter:
    """Return where the field `name` stands in a request: headers and query by name, the body by JSON Pointer."""
    if name in _IN_HEADER:
        return ProblemParameter(id=name, location="header")
    if name in _IN_QUERY or method in {"GET", "HEAD", "DELETE"}:
        return ProblemParameter(id=name, location="query")
    return ProblemParameter(id=name if name.startswith("/") or not name else f"/{name}", location="body")


async def _on_callout(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CalloutError)  # noqa: S101  # registered for this class only
    return of_error(error, method=request.method)


async def _on_storage(_request: Request, error: Exception) -> JSONResponse:
    _log.error("storage_unavailable", error=str(error))
    unknown = isinstance(error, StorageUnavailableError) and error.maybe_committed
    return problem(
        503,
        "unavailable",
        f"it is not known whether it was stored: {error}" if unknown else f"nothing was stored: {error}",
        remediation="Look first, or repeat it with the same Idempotency-Key."
        if unknown
        else "Try again in a moment.",
        headers={"Retry-After": "1"},
    )


async def _on_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = error.errors()
    first = problems[0] if problems else {"loc": ("body",), "msg": "invalid"}
    location = str(first["loc"][0])
    pointer = "/" + "/".join(str(part) for part in first["loc"][1:])
    name = pointer if location == "body" else pointer.removeprefix("/")
    text = "; ".join(f"{'/'.join(str(p) for p in item['loc'])}: {item['msg']}" for item in problems[:10])
    if first.get("type") == "json_invalid":
        text, name = "the body is not JSON", ""
    return problem(
        400,
        "invalid-request",
        f"the request is not valid: {text}",
        remediation=_PLAIN[400][1],
        context=ProblemContext(parameter=ProblemParameter(id=_sendable(name), location=location)),
    )


async def on_http(_request: Request, error: Exception) -> JSONResponse:
    """Return the answer to what the framework itself refuses: an unknown address, a method that it does not take."""
    assert isinstance(error, HTTPException)  # noqa: S101
    kind, remediation = _PLAIN.get(error.status_code, ("invalid-request", ""))
    return problem(
        error.status_code, kind, str(error.detail), remediation=remediation, headers=dict(error.headers or {})
    )


async def on_anything(_request: Request, error: Exception) -> JSONResponse:
    """Return the answer to a fault of ours; the fault itself goes to the log only, where the answer's `instance` leads to it."""
    reference = new_id()
    _log.error("request_failed", exc_info=error, reference=reference)
    return problem(
        500,
        "internal",
        "something went wrong on our side; it was logged",
        remediation="Try again; if it stays, send the `instance` of this problem to the operator.",
        reference=reference,
    )


def install(app: FastAPI) -> None:
    """Make `app` answer every error with a Problem."""
    app.add_exception_handler(CalloutError, _on_callout)
    app.add_exception_handler(StorageUnavailableError, _on_storage)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_anything)

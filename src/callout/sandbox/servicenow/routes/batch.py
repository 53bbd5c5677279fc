"""The Batch API: `/api/now/v1/batch`. Each part runs through the instance's own routes, as the caller."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from starlette.exceptions import HTTPException

from callout.sandbox.servicenow.call import ACCOUNT_KEY, Call, answer
from callout.sandbox.servicenow.errors import InvalidRequestError
from callout.sandbox.servicenow.routing import Endpoint

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Message, Scope

    from callout.sandbox.servicenow.model import JsonObject


async def batch(call: Call) -> Response:
    """`POST /batch`."""
    body = call.body()
    parts = body.get("rest_requests")
    if not isinstance(parts, list):
        raise InvalidRequestError("Invalid batch request", "rest_requests is required")
    serviced = [await _serve(call, part) for part in parts]
    return answer(
        {
            "batch_request_id": str(body.get("batch_request_id", "")),
            "serviced_requests": serviced,
            "unserviced_requests": [],
        }
    )


async def _serve(call: Call, part: JsonObject) -> JsonObject:
    try:
        raw = base64.b64decode(part.get("body") or "", validate=True)
        headers = {str(one["name"]).lower(): str(one["value"]) for one in part.get("headers", [])}
        target = urlsplit(str(part["url"]))
        method, ident = str(part["method"]).upper(), str(part["id"])
    except (binascii.Error, KeyError, TypeError) as error:
        raise InvalidRequestError("Invalid batch request", f"a part cannot be read: {error!r}") from error
    path = "/api/" + unquote(target.path).partition("/api/")[2]
    outer = call.request.scope
    scope: Scope = {
        **{key: outer[key] for key in ("type", "asgi", "http_version", "scheme", "server", "client")},
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": target.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        ACCOUNT_KEY: call.account,
    }
    status, answered, content = await _run(call, scope, raw)
    return {
        "id": ident,
        "status_code": status,
        "status_text": HTTPStatus(status).phrase,
        "headers": [{"name": name, "value": value} for name, value in answered],
        "body": base64.b64encode(content).decode(),
    }


async def _run(call: Call, scope: Scope, raw: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": raw, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    try:
        await call.desk.app()(scope, receive, send)
    except HTTPException as error:
        return error.status_code, [], b""
    start: dict[str, Any] = dict(sent[0])
    headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
    return start["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


ENDPOINTS = (Endpoint("/batch", {"POST": batch}),)

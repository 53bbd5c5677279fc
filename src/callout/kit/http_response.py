"""One HTTP answer: reading it within limits and turning trouble into errors that hold no secrets."""

from __future__ import annotations

import contextlib
import json as jsonlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson

from callout.kit.http_errors import (
    HttpStatusError,
    NotJsonError,
    ResponseTooLarge,
    TransportError,
    TransportKind,
)
from callout.kit.net import AddressRefused
from callout.kit.redaction import redact_text
from callout.kit.secrets import Secret
from callout.kit.transport import TransportStoppedError

if TYPE_CHECKING:
    from callout.kit.http_call import Call

_MAX_ERROR_BYTES: Final = 64 * 1024
_SHOWN_BYTES: Final = 2000


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete answer.

    Args:
        status: the HTTP status.
        headers: names in any case.
        content: the body, decompressed.
        method: of the request.
        url: scheme, host and route of the request, without query.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    method: str
    url: str
    secrets: tuple[Secret, ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        """The body as UTF-8 text; what is not UTF-8 becomes replacement characters."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:  # noqa: ANN401 - the caller's wire.py gives it a type
        """Return the parsed body; None for an empty one.

        Raises:
            NotJsonError: the body is something else.
        """
        if not self.content.strip():
            return None
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(self.content)
        try:
            # Slower, and knows what some vendors send all the same: NaN, half a surrogate pair, UTF-16.
            return jsonlib.loads(self.content)
        except (ValueError, RecursionError):
            raise NotJsonError(
                method=self.method,
                url=self.url,
                status=self.status,
                content_type=self.headers.get("content-type", ""),
                body_text=redact_text(_text(self.content[:_SHOWN_BYTES]), secrets=self.secrets),
            ) from None


async def read_at_most(call: Call, response: httpx.Response, *, limit: int) -> AsyncIterator[bytes]:
    """Yield the decompressed body.

    Raises:
        ResponseTooLarge: there is more than `limit` bytes of it.
        TransportError: it broke off, or cannot be decompressed.
    """
    size = 0
    try:
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > limit:
                raise ResponseTooLarge(
                    method=call.method, url=call.shown_url, limit=limit, status=response.status_code
                )
            yield chunk
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise transport_error(call, error) from None


async def status_error(call: Call, response: httpx.Response) -> HttpStatusError:
    """Read what the vendor says about its refusal and return it as an error."""
    body = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MAX_ERROR_BYTES:
                break
    except (httpx.HTTPError, httpx.StreamError):
        pass  # the status is known; half an explanation is better than none
    try:
        parsed = jsonlib.loads(bytes(body)) if len(body) <= _MAX_ERROR_BYTES else None
    except (ValueError, RecursionError):
        parsed = None
    return HttpStatusError(
        method=call.method,
        url=call.shown_url,
        status=response.status_code,
        headers=response.headers,
        body_text=redact_text(_text(bytes(body[:_MAX_ERROR_BYTES])), secrets=call.secrets),
        json=_mask(parsed, call.secrets),
    )


def transport_error(call: Call, error: Exception) -> TransportError:
    """Return what a failed exchange means to the caller."""
    kind, sent = _judge(error)
    return TransportError(
        redact_text(str(error) or type(error).__name__, secrets=call.secrets),
        method=call.method,
        url=call.shown_url,
        kind=kind,
        maybe_sent=sent,
    )


def _judge(error: Exception) -> tuple[TransportKind, bool]:  # noqa: PLR0911 - one line per case
    if isinstance(error, AddressRefused):
        return TransportKind.REFUSED, False
    if isinstance(error, TransportStoppedError):
        return TransportKind.STOPPED, False
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return TransportKind.TIMEOUT, False
    if isinstance(error, httpx.ConnectError):
        return (TransportKind.TLS if _has_cause(error, ssl.SSLError) else TransportKind.CONNECT), False
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.InvalidURL):
        return TransportKind.CONNECT, False
    if isinstance(error, httpx.TimeoutException):
        return TransportKind.TIMEOUT, True
    if isinstance(error, httpx.RemoteProtocolError | httpx.WriteError):
        return TransportKind.CLOSED, True
    if _has_cause(error, ConnectionError):
        return TransportKind.CLOSED, True
    return TransportKind.READ, True


def _has_cause(error: BaseException | None, kind: type[BaseException]) -> bool:
    for _ in range(10):
        if error is None:
            return False
        if isinstance(error, kind):
            return True
        error = error.__cause__
    return False


def _mask(value: Any, secrets: list[Secret]) -> Any:  # noqa: ANN401 - JSON in, JSON out
    if isinstance(value, str):
        return redact_text(value, secrets=secrets)
    if isinstance(value, list):
        return [_mask(item, secrets) for item in value]
    if isinstance(value, dict):
        return {key: _mask(item, secrets) for key, item in value.items()}
    return value


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")

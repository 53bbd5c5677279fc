"""What can go wrong with one HTTP call, in neutral words; connectors translate these into their own.

HttpError
├── HttpStatusError     the vendor answered, with a status that is no success
├── NotJsonError        a success that is not JSON, such as a login page with status 200
├── ResponseTooLarge    the answer is longer than the caller allows
└── TransportError      no complete answer; `maybe_sent` says whether the vendor may have acted

No message carries a query string, an authorization header or a registered secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

SHOWN_CHARACTERS: Final = 500


class TransportKind(StrEnum):
    """Where a call without an answer ended."""

    CONNECT = "connect"
    """No connection: name not found, nobody listening, network down."""
    TIMEOUT = "timeout"
    READ = "read"
    """The answer broke off or was no HTTP."""
    CLOSED = "closed"
    """The other side closed the connection without an answer."""
    TLS = "tls"
    """No trust: certificate or handshake."""
    STOPPED = "stopped"
    """This process is shutting down: whatever it was to do is for another one, or for after the restart."""
    REFUSED = "refused"
    """We would not go on: the address guard said no, or a redirect led astray."""


class HttpError(Exception):
    """Base of all below.

    Args:
        message: what happened.
        method: the HTTP method.
        url: scheme, host and route, without query.
    """

    def __init__(self, message: str, *, method: str, url: str) -> None:
        super().__init__(f"{method} {url}: {message}")
        self.method = method
        self.url = url


class HttpStatusError(HttpError):
    """The vendor answered with a status that is no success.

    Args:
        status: the HTTP status.
        headers: of the answer, names in any case.
        body_text: the answer, with secrets masked, cut at 64 KiB.
        json: the parsed answer with secrets masked, None when it is not JSON.
    """

    def __init__(
        self,
        *,
        method: str,
        url: str,
        status: int,
        headers: Mapping[str, str],
        body_text: str,
        json: Any = None,  # noqa: ANN401 - whatever the vendor said; the connector's errors.py reads it
    ) -> None:
        shown = body_text[:SHOWN_CHARACTERS].strip()
        super().__init__(f"HTTP {status}{': ' + shown if shown else ''}", method=method, url=url)
        self.status = status
        self.headers = headers
        self.body_text = body_text
        self.json = json


class NotJsonError(HttpError):
    """A successful answer that is not JSON: a login or hibernation page, a proxy's notice, an empty body.

    Args:
        status: the HTTP status.
        content_type: what the answer says it is.
        body_text: its beginning, with secrets masked.
    """

    def __init__(self, *, method: str, url: str, status: int, content_type: str, body_text: str) -> None:
        kind = content_type or "no content type"
        shown = body_text[:SHOWN_CHARACTERS].strip()
        super().__init__(f"HTTP {status} but not JSON ({kind}): {shown}", method=method, url=url)
        self.status = status
        self.content_type = content_type
        self.body_text = body_text


class ResponseTooLarge(HttpError):  # noqa: N818 - names the response, as the others name the error
    """The answer is longer than allowed; it was not read to its end, but the vendor did act.

    Args:
        limit: bytes allowed.
        status: the HTTP status.
    """

    def __init__(self, *, method: str, url: str, limit: int, status: int) -> None:
        super().__init__(f"the answer (HTTP {status}) is longer than {limit} bytes", method=method, url=url)
        self.limit = limit
        self.status = status


class TransportError(HttpError):
    """No complete answer came.

    Args:
        kind: where the call ended.
        maybe_sent: True when the request may have reached the vendor, so that the outcome of a call that is
            not idempotent is unknown; False when it certainly did not.
    """

    def __init__(self, message: str, *, method: str, url: str, kind: TransportKind, maybe_sent: bool) -> None:
        fate = "it may have been received" if maybe_sent else "it was not sent"
        super().__init__(f"{kind.value}: {message} ({fate})", method=method, url=url)
        self.kind = kind
        self.maybe_sent = maybe_sent

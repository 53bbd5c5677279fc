from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callout.connectors.servicenow.errors import TIMED_OUT, TooSlowError, from_http
from callout.kit.http_errors import (
    HttpStatusError,
    NotJsonError,
    ResponseTooLarge,
    TransportError,
    TransportKind,
)
from callout.ports.errors import (
    AuthFailedError,
    ConnectorError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RecordNotFoundError,
    RejectedError,
    StaleRecordError,
    UnavailableError,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def refusal(
    status: int, message: str = "", detail: str = "", headers: dict[str, str] | None = None
) -> HttpStatusError:
    body: Any = {"error": {"message": message, "detail": detail}, "status": "failure"}
    return HttpStatusError(
        method="POST",
        url="https://x/api",
        status=status,
        headers=headers or {},
        body_text=str(body),
        json=body,
    )


def translated(error: Any, *, repeatable: bool = True) -> ConnectorError:
    return from_http(error, doing="changing incident", repeatable=repeatable, now=NOW)


@pytest.mark.parametrize(
    ("status", "message", "detail", "kind", "said"),
    [
        (400, "Invalid table x", None, RejectedError, "no table x"),
        (400, "Exception while reading request", "bad", RejectedError, "bad"),
        (401, "User Not Authenticated", "Required to provide Auth information", AuthFailedError, "Auth"),
        (
            403,
            "Operation Failed",
            "ACL Exception Update Failed due to security constraints",
            PermissionDeniedError,
            "ACL",
        ),
        (403, "Insufficient rights to query records", "", PermissionDeniedError, "rights"),
        (
            403,
            "Operation Failed",
            "Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes",
            RejectedError,
            "Resolution code, Resolution notes",
        ),
        (
            403,
            "Operation Failed",
            "Operation against file 'incident' was aborted by Business Rule 'No weekends^abc'. Error: not on Sunday",
            RejectedError,
            "not on Sunday",
        ),
        (
            404,
            "No Record found",
            "Record doesn't exist or ACL restricts the record retrieval",
            RecordNotFoundError,
            "ACL",
        ),
        (405, "Method not supported", "", ConnectorError, "Method"),
        (409, "", "", StaleRecordError, ""),
        (413, "Request Entity Too Large", "", RejectedError, ""),
        (415, "Unsupported Media Type", "", RejectedError, ""),
        (418, "teapot", "", ConnectorError, "teapot"),
        (500, "Internal", "", UnavailableError, "500"),
        (500, TIMED_OUT, "", TooSlowError, "too long"),
        (502, "", "", UnavailableError, "502"),
        (503, "", "", UnavailableError, "503"),
        (302, "", "", UnavailableError, "302"),
    ],
)
def test_every_refusal_says_what_to_do(
    status: int, message: str, detail: str | None, kind: type[ConnectorError], said: str
) -> None:
    error = translated(refusal(status, message, detail or ""))
    assert type(error) is kind
    assert said in error.message
    assert error.status == status


def test_a_missing_mandatory_field_is_named() -> None:
    detail = "Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes"
    error = translated(refusal(403, "Operation Failed", detail))
    assert set(error.fields) == {"Resolution code", "Resolution notes"}
    assert "transition_fields" in error.remediation


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "17"}, 17),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 90)}, 90),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) - 90)}, 0),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({}, None),
    ],
)
def test_a_limit_says_until_when(headers: dict[str, str], wait: int | None) -> None:
    headers = {"X-RateLimit-Limit": "500", "X-RateLimit-Rule": "7f0c", **headers}
    error = translated(refusal(429, "Rate limit exceeded", headers=headers))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == (None if wait is None else timedelta(seconds=wait))
    assert "500 calls per hour" in error.message
    assert error.vendor_code == "7f0c"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_lost_write_is_in_doubt_and_a_lost_read_is_not(status: int) -> None:
    assert isinstance(translated(refusal(status), repeatable=False), OutcomeUnknownError)
    assert isinstance(translated(refusal(status), repeatable=True), UnavailableError)


def page(text: str, status: int = 200) -> NotJsonError:
    return NotJsonError(
        method="POST", url="https://x", status=status, content_type="text/html", body_text=text
    )


def test_a_sleeping_instance_has_done_nothing() -> None:
    asleep = page("<html><body>Your instance is hibernating</body></html>")
    for repeatable in (True, False):
        error = translated(asleep, repeatable=repeatable)
        assert type(error) is UnavailableError
        assert error.vendor_code == "instance_hibernating"
        assert "developer.servicenow.com" in error.remediation


def test_another_page_leaves_a_write_in_doubt() -> None:
    login = page("<!DOCTYPE html><html><title>Log in</title></html>")
    assert isinstance(translated(login, repeatable=False), OutcomeUnknownError)
    error = translated(login)
    assert type(error) is UnavailableError
    assert "web page" in error.message
    assert "browser" in error.remediation
    assert "not JSON" in translated(page("nonsense")).message


def test_what_never_left_is_not_in_doubt() -> None:
    def broken(kind: TransportKind, *, maybe_sent: bool) -> TransportError:
        return TransportError("x", method="POST", url="https://x", kind=kind, maybe_sent=maybe_sent)

    unsent = translated(broken(TransportKind.CONNECT, maybe_sent=False), repeatable=False)
    assert type(unsent) is UnavailableError
    assert isinstance(
        translated(broken(TransportKind.CLOSED, maybe_sent=True), repeatable=False), OutcomeUnknownError
    )
    refused = translated(broken(TransportKind.REFUSED, maybe_sent=False), repeatable=False)
    assert "CALLOUT_ALLOW_NETWORKS" in refused.remediation
    large = ResponseTooLarge(method="GET", url="https://x", limit=1, status=200)
    assert isinstance(translated(large), UnavailableError)


def test_a_token_refusal_is_a_plain_string() -> None:
    body = {"error": "invalid_client", "error_description": "The client credentials are invalid"}
    error = HttpStatusError(method="POST", url="https://x", status=401, headers={}, body_text="", json=body)
    assert "invalid_client" in translated(error).message

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callout.connectors.jira.errors import from_http
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

NOW = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
URL = "https://example.atlassian.net/rest/api/3/issue"


def answered(status: int, body: Any = None, *, text: str = "", **headers: str) -> HttpStatusError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpStatusError(method="POST", url=URL, status=status, headers=named, body_text=text, json=body)


def ours(error: Any, *, repeatable: bool = True) -> ConnectorError:
    return from_http(error, doing="testing", repeatable=repeatable, now=NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RejectedError),
        (401, AuthFailedError),
        (403, PermissionDeniedError),
        (404, RecordNotFoundError),
        (409, StaleRecordError),
        (410, ConnectorError),
        (413, RejectedError),
        (418, ConnectorError),
        (422, RejectedError),
        (429, RateLimitedError),
        (302, UnavailableError),
        (500, UnavailableError),
        (502, UnavailableError),
        (503, UnavailableError),
        (504, UnavailableError),
    ],
)
def test_every_status_has_its_error(status: int, kind: type[ConnectorError]) -> None:
    error = ours(answered(status))
    assert type(error) is kind
    assert error.status == status


def test_refused_fields_are_named_in_our_words() -> None:
    body = {
        "errorMessages": ["General trouble"],
        "errors": {"summary": "You must specify a summary of the issue.", "customfield_10042": "Bad option"},
    }
    error = ours(answered(400, body))
    assert error.fields == {
        "title": "You must specify a summary of the issue.",
        "customfield_10042": "Bad option",
    }
    assert "General trouble" in error.message
    assert "summary: You must specify" in error.message


@pytest.mark.parametrize(
    ("body", "text", "said"),
    [
        ({"code": 401, "message": "Unauthorized; scope does not match"}, "", "scope does not match"),
        ({"errorMessage": "Your request could not be authenticated"}, "", "could not be authenticated"),
        (None, "Client must be authenticated to access this resource.", "Client must be authenticated"),
        (None, "<html><body>Unauthorized (401)</body></html>", "HTTP 401"),
        ({"errorMessages": [], "errors": {}}, "", "HTTP 401"),
        ({"errorMessages": None, "errors": ["odd"]}, "", "HTTP 401"),
        ([1, 2], "", "HTTP 401"),
    ],
)
def test_every_error_body_of_jira_is_understood(body: object, text: str, said: str) -> None:
    error = ours(answered(401, body, text=text))
    assert said in error.message
    assert "<html" not in error.message
    assert error.remediation


@pytest.mark.parametrize(
    ("headers", "wait", "reason"),
    [
        (
            {"Retry_After": "5", "RateLimit_Reason": "jira-burst-based"},
            timedelta(seconds=5),
            "jira-burst-based",
        ),
        ({"X_RateLimit_Reset": "2026-05-01T10:07Z"}, timedelta(minutes=7), ""),
        ({"X_RateLimit_Reset": "2026-05-01T09:00Z"}, timedelta(0), ""),
        ({"X_RateLimit_Reset": "soon"}, None, ""),
        ({}, None, ""),
    ],
)
def test_a_rate_limit_tells_when_and_why(
    headers: dict[str, str], wait: timedelta | None, reason: str
) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = ours(HttpStatusError(method="GET", url=URL, status=429, headers=named, body_text="", json=None))
    assert (error.retry_after, error.vendor_code) == (wait, reason)


@pytest.mark.parametrize(
    "error",
    [
        answered(500),
        answered(502),
        answered(503, Retry_After="9"),
        answered(504),
        NotJsonError(
            method="POST", url=URL, status=200, content_type="text/html", body_text="<!DOCTYPE html>"
        ),
        ResponseTooLarge(method="POST", url=URL, limit=1, status=201),
        TransportError("x", method="POST", url=URL, kind=TransportKind.TIMEOUT, maybe_sent=True),
        TransportError("x", method="POST", url=URL, kind=TransportKind.CLOSED, maybe_sent=True),
    ],
)
def test_a_write_without_a_clear_answer_is_in_doubt_unless_it_can_be_repeated(error: Exception) -> None:
    assert type(ours(error, repeatable=False)) is OutcomeUnknownError
    assert type(ours(error, repeatable=True)) is UnavailableError


def test_what_was_never_sent_is_not_in_doubt() -> None:
    error = TransportError("x", method="POST", url=URL, kind=TransportKind.CONNECT, maybe_sent=False)
    assert type(ours(error, repeatable=False)) is UnavailableError


def test_a_web_page_instead_of_data_is_said_in_words() -> None:
    page = NotJsonError(method="GET", url=URL, status=200, content_type="text/html", body_text="<html>")
    assert "web page instead of data" in ours(page).message


def test_a_refused_address_tells_the_operator_what_to_do() -> None:
    error = TransportError("x", method="GET", url=URL, kind=TransportKind.REFUSED, maybe_sent=False)
    assert "CALLOUT_ALLOW_NETWORKS" in ours(error).remediation

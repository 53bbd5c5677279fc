from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callout.connectors.pagerduty.errors import from_http, key_is_taken
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
URL = "https://api.pagerduty.com/incidents"


def answered(status: int, body: Any = None, *, text: str = "", **headers: str) -> HttpStatusError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpStatusError(method="POST", url=URL, status=status, headers=named, body_text=text, json=body)


def said(code: int, message: str, *errors: str) -> dict[str, Any]:
    return {"error": {"message": message, "code": code, "errors": list(errors)}}


def ours(error: Any, *, repeatable: bool = True) -> ConnectorError:
    return from_http(error, doing="testing", repeatable=repeatable, now=NOW)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 2001, RejectedError),
        (400, 2002, RejectedError),
        (400, 1005, StaleRecordError),
        (400, 1008, RejectedError),
        (401, 2006, AuthFailedError),
        (402, 2014, PermissionDeniedError),
        (403, 2010, PermissionDeniedError),
        (404, 2100, RecordNotFoundError),
        (404, 5001, RecordNotFoundError),
        (409, 0, StaleRecordError),
        (410, 0, ConnectorError),
        (413, 2002, RejectedError),
        (429, 2020, RateLimitedError),
        (408, 0, UnavailableError),
        (500, 2000, UnavailableError),
        (502, 0, UnavailableError),
        (503, 0, UnavailableError),
        (504, 0, UnavailableError),
    ],
)
def test_every_status_and_code_has_its_error(status: int, code: int, kind: type[ConnectorError]) -> None:
    error = ours(answered(status, said(code, "Words", "a detail")))
    assert type(error) is kind
    assert error.status == status


@pytest.mark.parametrize(
    ("code", "detail", "field"),
    [
        (2001, "Title cannot be empty", "title"),
        (2001, "Service not found", "project"),
        (1007, "Assigned To User Not Found", "assignee"),
        (1008, "Requester User Not Found", "creator"),
        (1015, "Escalation Policy Has No User On Call", "escalation_policy"),
        (1020, "Invalid Priority", "priority"),
        (2001, "The From header is required", "creator"),
    ],
)
def test_refused_fields_are_named_in_our_words(code: int, detail: str, field: str) -> None:
    error = ours(answered(400, said(code, "Invalid Input Provided", detail)))
    assert error.fields[field] == detail
    assert detail in error.message
    assert error.vendor_code == str(code)


def test_a_missing_from_header_says_what_to_set() -> None:
    error = ours(answered(400, said(2001, "Invalid Input Provided", "The From header is required")))
    assert "default_creator" in error.remediation
    assert "default_creator" in ours(answered(400, said(1008, "Requester User Not Found"))).remediation


@pytest.mark.parametrize("code", [2001, 2002])
def test_a_taken_key_is_told_apart(code: int) -> None:
    text = "Open incident with matching dedup key already exists on this service"
    assert key_is_taken(ours(answered(400, said(code, "Arguments Caused Error", text))))
    assert not key_is_taken(ours(answered(400, said(code, "Arguments Caused Error", "Something else"))))
    assert not key_is_taken(ours(answered(500, said(2000, text))))


@pytest.mark.parametrize(
    ("body", "text", "words"),
    [
        ({"error": "The token provided is an account-level access token"}, "", "account-level"),
        ({"errors": ["Delivery method url is invalid"]}, "", "url is invalid"),
        ({"errors": [{"detail": "no such filter"}]}, "", "no such filter"),
        ({"message": "Forbidden"}, "", "Forbidden"),
        ({"error": {"message": "Bad", "errors": "one text"}}, "", "one text"),
        (None, "upstream connect error", "upstream connect error"),
        (None, "<html><body>no</body></html>", "HTTP 400"),
        ({"error": None}, "", "HTTP 400"),
        ({"error": {"errors": None}}, "", "HTTP 400"),
        ([1, 2], "", "HTTP 400"),
    ],
)
def test_every_error_body_is_understood(body: object, text: str, words: str) -> None:
    error = ours(answered(400, body, text=text))
    assert words in error.message
    assert "<html" not in error.message


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"ratelimit_reset": "23"}, timedelta(seconds=23)),
        ({"ratelimit_reset": "23", "Retry_After": "7"}, timedelta(seconds=7)),
        ({"ratelimit_reset": "soon"}, None),
        ({}, None),
    ],
)
def test_a_rate_limit_tells_how_long(headers: dict[str, str], wait: timedelta | None) -> None:
    assert ours(answered(429, None, **headers)).retry_after == wait


@pytest.mark.parametrize(
    "error",
    [
        answered(408),
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

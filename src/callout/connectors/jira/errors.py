"""Jira's refusals → ours, as tables.

A 5xx or an unreadable answer to a call whose repeat would do it twice is an unknown outcome: gateways answer 502 and 504, and
login pages, also for writes that went through.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from callout.connectors.jira.limits import REASONS, JiraLimits
from callout.kit.allowance import Answer, refusal_words
from callout.kit.http_errors import HttpError, HttpStatusError, TransportError
from callout.kit.retry import parse_retry_after
from callout.ports.errors import (
    AuthFailedError,
    ConnectorError,
    PermissionDeniedError,
    RateLimitedError,
    RecordNotFoundError,
    RejectedError,
    StaleRecordError,
)
from callout.ports.failures import is_web_page, no_answer, trouble, unreadable

STATUS_ERRORS: Final[Mapping[int, type[ConnectorError]]] = {
    400: RejectedError,
    401: AuthFailedError,
    403: PermissionDeniedError,
    404: RecordNotFoundError,
    409: StaleRecordError,
    410: ConnectorError,
    413: RejectedError,
    415: RejectedError,
    422: RejectedError,
    429: RateLimitedError,
}

REMEDIES: Final[Mapping[int, str]] = {
    401: "Renew the API token of this Jira integration, then run `callout integration test`.",
    403: "Grant the integration's Jira user the permission named here in the project's permission scheme.",
    410: "Jira removed this endpoint: upgrade Callout.",
    413: "Jira's limit for this issue or file is reached: make it smaller, or raise the limit there.",
}

FIELD_NAMES: Final[Mapping[str, str]] = {
    "summary": "title",
    "description": "description",
    "priority": "priority",
    "assignee": "assignee",
    "reporter": "creator",
    "labels": "tags",
    "duedate": "due_date",
    "parent": "parent",
    "issuetype": "issue_type",
    "project": "project",
    "pid": "project",
    "comment": "content",
}
"""Jira's field id in an error → the field of ours that it came from."""

_LONGEST = 600


def from_http(error: HttpError, *, doing: str, repeatable: bool, now: datetime) -> ConnectorError:
    """Return our error for a failed call.

    Args:
        error: what the HTTP client raised.
        doing: what was tried, for people: "creating the issue".
        repeatable: whether doing it twice does no harm (reads, and writes that set the same value again).
        now: the time, to read a `Retry-After` date.
    """
    if isinstance(error, HttpStatusError):
        return _from_status(error, doing=doing, repeatable=repeatable, now=now)
    if isinstance(error, TransportError):
        return no_answer(error, vendor="Jira", doing=doing, repeatable=repeatable)
    return unreadable(error, vendor="Jira", doing=doing, repeatable=repeatable)


def _from_status(error: HttpStatusError, *, doing: str, repeatable: bool, now: datetime) -> ConnectorError:
    headers = {name.lower(): value for name, value in error.headers.items()}
    retry_after = parse_retry_after(headers.get("retry-after"), now)
    if error.status == 429:  # noqa: PLR2004
        told = Answer(error.status, headers, now, error.method, error.url)
        reason, limit = told.text("ratelimit-reason"), JiraLimits().read(told)
        words = REASONS.get(reason, reason or "too many calls")
        return RateLimitedError(
            f"{refusal_words(limit, now)} (while {doing}): {words}" if limit else words,
            status=429,
            vendor_code=reason,
            retry_after=limit.asked_wait if limit else None,
            detail=_words(error)[:_LONGEST],
        )
    said, fields = _words(error), _fields(error.json)
    if error.status >= 500 or error.status not in STATUS_ERRORS:  # noqa: PLR2004
        if 400 <= error.status < 500:  # noqa: PLR2004
            return ConnectorError(
                f"Jira refused with HTTP {error.status} while {doing}: {said}", status=error.status
            )
        return trouble(
            f"Jira failed with HTTP {error.status} while {doing}",
            status=error.status,
            detail=said[:_LONGEST],
            repeatable=repeatable,
            retry_after=retry_after,
        )
    kind = STATUS_ERRORS[error.status]
    return kind(
        f"Jira refused {doing}: {said}"[:_LONGEST],
        status=error.status,
        fields=fields,
        remediation=REMEDIES.get(error.status),
        detail=error.body_text[:_LONGEST],
    )


def _words(error: HttpStatusError) -> str:
    """Return what Jira said, from whichever of its error bodies this is."""
    body = error.json
    said: list[str] = []
    if isinstance(body, dict):
        said += [str(text) for text in body.get("errorMessages") or [] if text]
        said += [f"{name}: {text}" for name, text in _pairs(body.get("errors"))]
        said += [
            str(body[name]) for name in ("message", "errorMessage", "error_description") if body.get(name)
        ]
    elif error.body_text and not is_web_page(error.body_text):
        said.append(error.body_text.strip())
    return "; ".join(said) or f"HTTP {error.status}"


def _fields(body: Any) -> dict[str, str]:  # noqa: ANN401  # any JSON
    if not isinstance(body, dict):
        return {}
    return {FIELD_NAMES.get(name, name): text for name, text in _pairs(body.get("errors"))}


def _pairs(errors: Any) -> list[tuple[str, str]]:  # noqa: ANN401  # any JSON
    return [(str(name), str(text)) for name, text in errors.items()] if isinstance(errors, dict) else []

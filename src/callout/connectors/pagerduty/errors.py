"""PagerDuty's refusals → ours, as tables by its own code and by HTTP status.

A 5xx or an unreadable answer to a call whose repeat would do it twice is an unknown outcome.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from callout.connectors.pagerduty.limits import PagerDutyLimits
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
    402: PermissionDeniedError,
    403: PermissionDeniedError,
    404: RecordNotFoundError,
    409: StaleRecordError,
    413: RejectedError,
    422: RejectedError,
    429: RateLimitedError,
}

ALREADY_RESOLVED: Final = "1001"
ALREADY_ACKNOWLEDGED: Final = "1002"
NO_ABILITY: Final = "2014"

CODE_ERRORS: Final[Mapping[str, type[ConnectorError]]] = {
    "1005": StaleRecordError,
    "2006": AuthFailedError,
    "2010": PermissionDeniedError,
    NO_ABILITY: PermissionDeniedError,
    "2020": RateLimitedError,
    "2100": RecordNotFoundError,
    "5001": RecordNotFoundError,
}
"""PagerDuty's code where it says more than the status."""

CODE_FIELDS: Final[Mapping[str, str]] = {
    "1003": "status",
    "1007": "assignee",
    "1008": "creator",
    "1014": "escalation_policy",
    "1015": "escalation_policy",
    "1020": "priority",
}
"""Code → the field of ours that it is about."""

FIELD_WORDS: Final[Mapping[str, str]] = {
    "title": "title",
    "service": "project",
    "priority": "priority",
    "urgency": "priority",
    "assignments": "assignee",
    "assigned": "assignee",
    "status": "status",
    "content": "content",
    "custom": "custom_fields",
    "requester": "creator",
    "from": "creator",
}
"""First word of a detail → the field of ours that it is about."""

CODE_REMEDIES: Final[Mapping[str, str]] = {
    "1006": "Choose a level that the incident's escalation policy has.",
    "1008": "Set default_creator of this integration to the e-mail of an existing PagerDuty user.",
    "1015": "Put somebody on call in the escalation policy of the service; PagerDuty opens no incident that nobody gets.",
    NO_ABILITY: "The PagerDuty plan lacks this feature; do without it, or change the plan.",
}
STATUS_REMEDIES: Final[Mapping[int, str]] = {
    401: "Renew the API key of this PagerDuty integration, then run `callout integration test`.",
    402: "The PagerDuty plan lacks this feature; do without it, or change the plan.",
    403: "Give the integration a PagerDuty key that may write, or the OAuth scope that is missing.",
    413: "PagerDuty takes no request of this size: make the text shorter.",
}
NEEDS_FROM: Final = "Set default_creator of this integration to the e-mail of an existing PagerDuty user."

_TAKEN = re.compile(r"matching dedup key", re.IGNORECASE)
_FROM = re.compile(r"\bfrom header\b", re.IGNORECASE)
_LONGEST = 600


def key_is_taken(error: ConnectorError) -> bool:
    """Return whether a create was refused because an open incident of the service has the key."""
    return isinstance(error, RejectedError) and _TAKEN.search(error.message) is not None


def from_http(error: HttpError, *, doing: str, repeatable: bool, now: datetime) -> ConnectorError:
    """Return our error for a failed call.

    Args:
        error: what the HTTP client raised.
        doing: what was tried, for people: "creating the incident".
        repeatable: whether doing it twice does no harm.
        now: the time, to read a `Retry-After` date.
    """
    if isinstance(error, HttpStatusError):
        return _from_status(error, doing=doing, repeatable=repeatable, now=now)
    if isinstance(error, TransportError):
        return no_answer(error, vendor="PagerDuty", doing=doing, repeatable=repeatable)
    return unreadable(error, vendor="PagerDuty", doing=doing, repeatable=repeatable)


def _from_status(error: HttpStatusError, *, doing: str, repeatable: bool, now: datetime) -> ConnectorError:
    headers = {name.lower(): value for name, value in error.headers.items()}
    code, said, details = _read(error)
    kind = CODE_ERRORS.get(code) or STATUS_ERRORS.get(error.status)
    if kind is RateLimitedError:
        # 429 also for an answer whose code alone says so.
        limit = PagerDutyLimits().read(Answer(429, headers, now, error.method, error.url))
        return RateLimitedError(
            f"{refusal_words(limit, now)} (while {doing})" if limit else f"too many calls (while {doing})",
            status=error.status,
            vendor_code=code,
            retry_after=limit.asked_wait if limit else None,
            detail=said[:_LONGEST],
        )
    # 408: PagerDuty gave up waiting; what it did by then is as unclear as after a 504.
    if kind is None and (error.status >= 500 or error.status == 408):  # noqa: PLR2004
        return trouble(
            f"PagerDuty failed with HTTP {error.status} while {doing}",
            status=error.status,
            detail=said[:_LONGEST],
            repeatable=repeatable,
            retry_after=parse_retry_after(headers.get("retry-after"), now),
        )
    return (kind or ConnectorError)(
        f"PagerDuty refused {doing}: {said}"[:_LONGEST],
        status=error.status,
        vendor_code=code,
        fields=_fields(code, details),
        remediation=_remedy(code, error.status, said),
        detail=error.body_text[:_LONGEST],
    )


def _remedy(code: str, status: int, said: str) -> str | None:
    if _FROM.search(said):
        return NEEDS_FROM
    return CODE_REMEDIES.get(code) or STATUS_REMEDIES.get(status)


def _read(error: HttpStatusError) -> tuple[str, str, list[str]]:
    """Return PagerDuty's code, its words, and its details, from whichever of its error bodies this is."""
    body: Any = error.json
    inner = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(inner, str) and inner:
        return "", inner, []
    if not isinstance(inner, dict):
        plain = "" if is_web_page(error.body_text) else error.body_text.strip()
        return "", plain or f"HTTP {error.status}", []
    details = _details(inner.get("errors"))
    message = inner.get("message")
    said = [str(message)] if message else []
    said += [text for text in details if text != message]
    return str(inner.get("code") or ""), ": ".join(said) or f"HTTP {error.status}", details


def _details(errors: Any) -> list[str]:  # noqa: ANN401  # newer endpoints answer other shapes
    if isinstance(errors, str):
        return [errors]
    if not isinstance(errors, list):
        return []
    return [
        str(one.get("message") or one.get("detail") or one) if isinstance(one, dict) else str(one)
        for one in errors
    ]


def _fields(code: str, details: list[str]) -> dict[str, str]:
    found = {CODE_FIELDS[code]: "; ".join(details) or "refused"} if code in CODE_FIELDS else {}
    for text in details:
        words = text.split(maxsplit=1)
        name = FIELD_WORDS.get(words[0].lower()) if words else None
        if name is None and _FROM.search(text):
            name = "creator"
        if name is not None:
            found.setdefault(name, text)
    return found

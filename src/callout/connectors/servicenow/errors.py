"""ServiceNow's refusals → ours, as tables.

A 403 is three things there: a missing right, an unfilled mandatory field, a business rule that said no; only the text tells them
apart. A 5xx or an unreadable answer to a call whose repeat would do it twice is an unknown outcome.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from callout.connectors.servicenow.limits import ServiceNowLimits
from callout.kit.allowance import Answer, refusal_words
from callout.kit.http_errors import HttpError, HttpStatusError, NotJsonError, TransportError
from callout.kit.retry import parse_retry_after
from callout.ports.errors import (
    AuthFailedError,
    ConnectorError,
    PermissionDeniedError,
    RateLimitedError,
    RecordNotFoundError,
    RejectedError,
    StaleRecordError,
    UnavailableError,
)
from callout.ports.failures import is_web_page, no_answer, trouble, unreadable

STATUS_ERRORS: Final[Mapping[int, type[ConnectorError]]] = {
    400: RejectedError,
    401: AuthFailedError,
    403: PermissionDeniedError,
    404: RecordNotFoundError,
    405: ConnectorError,
    406: ConnectorError,
    409: StaleRecordError,
    413: RejectedError,
    415: RejectedError,
    422: RejectedError,
}

VENDOR: Final = "ServiceNow"
REMEDIES: Final[Mapping[int, str]] = {
    401: "Check user, password or key of this ServiceNow integration, then run `callout integration test`.",
    403: "Give the integration's user the role that the table needs (itil; sn_si.basic for security incidents).",
    413: "The file is larger than the instance allows (com.glide.attachment.max_size): make it smaller.",
}

# from memory: the texts below, except that a data policy is answered with 403.
_MANDATORY = re.compile(r"Data Policy Exception.*?mandatory:\s*(.+)", re.IGNORECASE | re.DOTALL)
_RULE = re.compile(r"aborted by Business Rule '([^']*)'\.?\s*(?:Error:\s*)?(.*)", re.IGNORECASE | re.DOTALL)
_TABLE = re.compile(r"Invalid table\s+(\S+)", re.IGNORECASE)
TIMED_OUT: Final = "Transaction cancelled: maximum execution time exceeded"
"""Also comes at the end of a list that was begun with a 200."""

_ASLEEP = re.compile(r"hibernat", re.IGNORECASE)
WAKE_UP: Final = "Wake the instance up: sign in at developer.servicenow.com, or ask its administrator. It is tried again by itself."
_LONGEST = 600


class TooSlowError(UnavailableError):
    """The instance gave up on a query that took too long: a smaller one may do."""


def from_http(error: HttpError, *, doing: str, repeatable: bool, now: datetime) -> ConnectorError:
    """Return our error for a failed call.

    Args:
        error: what the HTTP client raised.
        doing: what was tried, for people: "creating the record".
        repeatable: whether doing it twice does no harm (reads, and writes that set the same value again).
        now: the time, to read a `Retry-After` date.
    """
    if isinstance(error, HttpStatusError):
        return _from_status(error, doing=doing, repeatable=repeatable, now=now)
    if isinstance(error, TransportError):
        return no_answer(error, vendor=VENDOR, doing=doing, repeatable=repeatable)
    if isinstance(error, NotJsonError):
        return not_json(error, doing=doing, repeatable=repeatable)
    return unreadable(error, vendor=VENDOR, doing=doing, repeatable=repeatable)


def not_json(error: NotJsonError, *, doing: str, repeatable: bool) -> ConnectorError:
    """Return our error for a success that holds no data: a page, or a list that broke off."""
    if _ASLEEP.search(error.body_text):
        # Such an instance does nothing at all: the call was surely not carried out.
        return UnavailableError(
            f"the ServiceNow instance hibernates ({doing})",
            status=error.status,
            vendor_code="instance_hibernating",
            remediation=WAKE_UP,
        )
    found = unreadable(error, vendor=VENDOR, doing=doing, repeatable=repeatable)
    if is_web_page(error.body_text):
        found.remediation = f"Open the address in a browser: perhaps the instance hibernates. {WAKE_UP}"
    return found


def broken_list(doing: str) -> TooSlowError:
    """Return the error for a list that the instance stopped sending in the middle."""
    return TooSlowError(f"ServiceNow gave up in the middle of an answer while {doing}", vendor_code=TIMED_OUT)


def _from_status(error: HttpStatusError, *, doing: str, repeatable: bool, now: datetime) -> ConnectorError:
    headers = {name.lower(): value for name, value in error.headers.items()}
    retry_after = parse_retry_after(headers.get("retry-after"), now)
    message, detail = said(error.json, error.body_text)
    if error.status == 429:  # noqa: PLR2004
        told = Answer(error.status, headers, now)
        limit = ServiceNowLimits().read(told)
        return RateLimitedError(
            f"{refusal_words(limit, now)} (while {doing})" if limit else f"too many calls (while {doing})",
            status=429,
            vendor_code=told.text("x-ratelimit-rule"),
            retry_after=limit.asked_wait if limit else None,
            detail=detail[:_LONGEST],
        )
    if not 400 <= error.status < 500:  # noqa: PLR2004
        if repeatable and TIMED_OUT in f"{message} {detail}":
            return TooSlowError(f"ServiceNow took too long while {doing}", status=error.status, detail=detail)
        return trouble(
            f"ServiceNow failed with HTTP {error.status} while {doing}: {message}"[:_LONGEST],
            status=error.status,
            detail=detail[:_LONGEST],
            repeatable=repeatable,
            retry_after=retry_after,
        )
    return refused(error.status, message, detail, doing=doing)


def refused(status: int, message: str, detail: str, *, doing: str) -> ConnectorError:
    """Return our error for a refusal with a status of 4xx, by what its text says."""
    mandatory = _MANDATORY.search(detail) or _MANDATORY.search(message)
    if mandatory:
        labels = [label.strip() for label in mandatory.group(1).split(",") if label.strip()]
        return RejectedError(
            f"ServiceNow refused {doing}: these fields must be filled: {', '.join(labels)}"[:_LONGEST],
            status=status,
            vendor_code="data_policy",
            fields=dict.fromkeys(labels, "mandatory"),
            detail=detail[:_LONGEST],
            remediation="Give them with the status (`transition_fields` of the sync settings, or close_code, "
            "close_notes, hold_reason and assignment_group of the integration).",
        )
    rule = _RULE.search(detail) or _RULE.search(message)
    if rule:
        return RejectedError(
            f"ServiceNow refused {doing}: rule {rule.group(1)!r} says {rule.group(2).strip() or 'no'}"[
                :_LONGEST
            ],
            status=status,
            vendor_code="business_rule",
            fields={"record": rule.group(2).strip()[:_LONGEST]},
            detail=detail[:_LONGEST],
            remediation=f"The business rule {rule.group(1)!r} of the instance decides this: see there what it wants.",
        )
    table = _TABLE.search(message) or _TABLE.search(detail)
    if table:
        return RejectedError(
            f"ServiceNow has no table {table.group(1)}",
            status=status,
            vendor_code="invalid_table",
            fields={"project": f"no table {table.group(1)}"},
            remediation="Correct the table's name, or install the plugin it belongs to.",
        )
    words = f"{message}: {detail}" if detail and detail != message else message
    kind = STATUS_ERRORS.get(status, ConnectorError)
    return kind(
        f"ServiceNow refused {doing}: {words}"[:_LONGEST],
        status=status,
        vendor_code=message[:100],
        remediation=REMEDIES.get(status),
        detail=detail[:_LONGEST],
    )


def said(body: Any, text: str = "") -> tuple[str, str]:  # noqa: ANN401  # any JSON
    """Return message and detail of an error: an object in the REST APIs, a plain string from the token endpoint."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        return str(error.get("message") or ""), str(error.get("detail") or "")
    if isinstance(error, str):
        return error, str(body.get("error_description") or "")
    return ("" if is_web_page(text) else text.strip()[:_LONGEST]) or "no explanation", ""

"""Failed calls in our words, where they mean the same for every vendor: no answer, an unreadable one, an outcome nobody knows.

What a vendor says in an answer of its own is its connector's (`errors.py`).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from callout.kit.http_errors import (
    HttpError,
    NotJsonError,
    ResponseTooLarge,
    TransportError,
    TransportKind,
)
from callout.ports.errors import ConnectorError, OutcomeUnknownError, UnavailableError

_HTML: Final = re.compile(r"<\s*(?:!doctype|html)", re.IGNORECASE)


def is_web_page(text: str) -> bool:
    """Return whether an answer is a page for people: maintenance, a login, a proxy's refusal."""
    return _HTML.search(text) is not None


def trouble(
    message: str, *, status: int | None, detail: str, repeatable: bool, retry_after: timedelta | None = None
) -> ConnectorError:
    """Return the error for a call that failed without a word on what was done.

    Args:
        message: what happened, for people.
        status: of HTTP, when there was an answer.
        detail: for the operator.
        repeatable: whether doing it twice does no harm; else the outcome is unknown, and it must not be repeated blindly.
        retry_after: how long the vendor wants to be left alone.
    """
    if repeatable:
        return UnavailableError(message, status=status, detail=detail, retry_after=retry_after)
    return OutcomeUnknownError(
        f"{message}: it may or may not have been done", status=status, detail=detail, retry_after=retry_after
    )


def no_answer(error: TransportError, *, vendor: str, doing: str, repeatable: bool) -> ConnectorError:
    """Return the error for a call without an answer; `doing` says what was tried, `repeatable` is that of :func:`trouble`."""
    if error.kind is TransportKind.REFUSED:
        return UnavailableError(
            f"the address of this {vendor} may not be called ({doing})",
            detail=str(error),
            remediation="Correct the address, or allow its network with CALLOUT_ALLOW_NETWORKS.",
        )
    if error.kind is TransportKind.STOPPED:
        return UnavailableError(f"{vendor} was not called, since Callout is shutting down ({doing})")
    return trouble(
        f"{vendor} did not answer while {doing} ({error.kind.value})",
        status=None,
        detail=str(error),
        repeatable=repeatable or not error.maybe_sent,
    )


def unreadable(error: HttpError, *, vendor: str, doing: str, repeatable: bool) -> ConnectorError:
    """Return the error for an answer that holds no data: a web page, something broken off, or more than is read."""
    status = error.status if isinstance(error, NotJsonError | ResponseTooLarge) else None
    words = "answered with something that is not JSON"
    if isinstance(error, ResponseTooLarge):
        words = "answered with more than can be read"
    elif isinstance(error, NotJsonError) and is_web_page(error.body_text):
        words = "answered with a web page instead of data (maintenance, a login page or a proxy)"
    return trouble(f"{vendor} {words} while {doing}", status=status, detail=str(error), repeatable=repeatable)

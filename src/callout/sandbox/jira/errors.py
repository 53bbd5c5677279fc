"""Refusals of the Jira site, in the words and shapes Jira uses.

SiteError                 anything answered with a status other than 2xx
├── InvalidInputError     400, messages and one text per field
└── NotVisibleError       404, missing and hidden look the same
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ISSUE_NOT_VISIBLE = "Issue does not exist or you do not have permission to see it."


class SiteError(Exception):
    """A refusal with its HTTP status.

    Args:
        status: HTTP status to answer with.
        messages: whole-request messages (`errorMessages`).
        fields: field id to message (`errors`).
    """

    def __init__(
        self, status: int, messages: Sequence[str] = (), fields: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {list(messages)} {dict(fields or {})}")
        self.status = status
        self.messages = tuple(messages)
        self.fields = dict(fields or {})


class InvalidInputError(SiteError):
    """The request cannot be carried out as it stands (400)."""

    def __init__(self, *messages: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(400, messages, fields)


class NotVisibleError(SiteError):
    """The thing is missing, or the asking account may not see it (404)."""

    def __init__(self, message: str = ISSUE_NOT_VISIBLE) -> None:
        super().__init__(404, (message,))


class ValueRefusedError(Exception):
    """One field's value is not acceptable; the message becomes `errors[field]`."""

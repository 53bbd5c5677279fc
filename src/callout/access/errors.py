"""What goes wrong before a request is even looked at."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from callout.ports.errors import CalloutError


class Reason(StrEnum):
    """Why a caller is not known."""

    MISSING = "missing"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    MEMBER_DISABLED = "member_disabled"
    SIGNED_OUT = "signed_out"
    WRONG_SECRET = "wrong_secret"  # noqa: S105  # a reason


_WORDS: Final = {
    Reason.MISSING: ("no token was given", "Send the header `Authorization: Bearer <token>`."),
    Reason.UNKNOWN: (
        "the token is not known",
        "Check that the whole token was copied, and that it is of this server.",
    ),
    Reason.EXPIRED: ("the token has expired", "Renew it with its refresh token, or create a new one."),
    Reason.REVOKED: ("the token was revoked", "Create a new one."),
    Reason.MEMBER_DISABLED: (
        "the member may not sign in",
        "An administrator can enable the member again.",
    ),
    Reason.SIGNED_OUT: ("nobody is signed in, or the session has ended", "Sign in."),
    # One answer for a wrong name, a wrong secret and a locked member: who guesses is not told which it was.
    Reason.WRONG_SECRET: (
        "the name or the secret is wrong",
        "After five wrong secrets a member is locked for 15 minutes; an administrator can set another secret.",
    ),
}


class UnauthenticatedError(CalloutError):
    """The caller is not known; `reason` says why."""

    code = "UNAUTHENTICATED"

    def __init__(self, reason: Reason) -> None:
        message, remediation = _WORDS[reason]
        super().__init__(message, remediation=remediation)
        self.reason = reason


class OrganizationDisabledError(CalloutError):
    """The organization as a whole is switched off."""

    code = "ORGANIZATION_DISABLED"
    default_remediation = "An operator can enable the organization again."

"""What can go wrong, arranged by what the caller can do about it.

CalloutError
├── InvalidRequestError             change the request
│   ├── IllegalTransitionError      the incident's state does not allow this move
│   └── OperationNotSupportedError  this provider never will
├── NotFoundError                   no such record of ours
├── ConflictError                   somebody changed it first, or the name is taken
├── ForbiddenError                  the caller lacks a permission
├── PausedError                     an operator paused these writes
└── ConnectorError                  the other side said no
    ├── AuthFailedError             an operator repairs credentials             AUTH_FAILED
    ├── PermissionDeniedError       an operator grants a permission there       PERMISSION_DENIED
    ├── RecordNotFoundError         the record is gone, hidden, or never was    INCIDENT_NOT_FOUND
    ├── RejectedError               the vendor refused these values             VALIDATION_FAILED
    ├── StaleRecordError            the record changed under us: read again     STALE_RECORD
    ├── OutcomeUnknownError         it may or may not have happened             OUTCOME_UNKNOWN
    └── UnavailableError            wait and try again                          UNAVAILABLE
        └── RateLimitedError        ... not before `retry_after`                RATE_LIMITED
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar


class CalloutError(Exception):
    """Base of every error of ours: a stable code, what happened, and what to do next."""

    code: ClassVar[str] = "INTERNAL"
    permanent: ClassVar[bool] = True
    """True when doing the same again cannot help."""
    default_remediation: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        remediation: str | None = None,
        detail: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """`fields` names the offending fields (our field or JSON Pointer → what is wrong with it)."""
        super().__init__(message)
        self.message = message
        self.remediation = self.default_remediation if remediation is None else remediation
        self.detail = detail
        self.fields = dict(fields or {})


class InvalidRequestError(CalloutError):
    """The request cannot be carried out as it stands."""

    code = "INVALID_REQUEST"


class IllegalTransitionError(InvalidRequestError):
    """The incident's state does not allow this move."""

    code = "ILLEGAL_TRANSITION"


class OperationNotSupportedError(InvalidRequestError):
    """The provider cannot do this at all."""

    code = "OPERATION_NOT_SUPPORTED"


class NotFoundError(CalloutError):
    """No such record of ours, or not in this account."""

    code = "NOT_FOUND"


class ConflictError(CalloutError):
    """Somebody changed it first, or a unique name is taken."""

    code = "CONFLICT"


class ForbiddenError(CalloutError):
    """The caller is known but lacks the permission."""

    code = "FORBIDDEN"


class PausedError(CalloutError):
    """An operator paused these writes; they go on by themselves when the pause ends."""

    code = "PAUSED"
    permanent = False


class ConnectorError(CalloutError):
    """The other side said no. `status` is its HTTP status, `vendor_code` its own code where it has one."""

    code = "CONNECTOR_FAILED"

    def __init__(
        self,
        message: str,
        *,
        remediation: str | None = None,
        detail: str = "",
        fields: Mapping[str, str] | None = None,
        status: int | None = None,
        vendor_code: str = "",
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message, remediation=remediation, detail=detail, fields=fields)
        self.status = status
        self.vendor_code = vendor_code
        self.retry_after = retry_after


class AuthFailedError(ConnectorError):
    """The credentials were refused."""

    code = "AUTH_FAILED"
    permanent = False
    default_remediation = "Renew the credential of this integration, then run `callout integration test`."


class PermissionDeniedError(ConnectorError):
    """The credentials work but lack a permission there."""

    code = "PERMISSION_DENIED"
    permanent = False
    default_remediation = "Grant the named permission to the integration's user in the other system."


class RecordNotFoundError(ConnectorError):
    """The record is gone, hidden from us, or never was; the vendor often does not say which."""

    code = "INCIDENT_NOT_FOUND"
    default_remediation = "Check that the record still exists and that the integration's user may see it."


class RejectedError(ConnectorError):
    """The vendor refused these values; `fields` says which."""

    code = "VALIDATION_FAILED"


class StaleRecordError(ConnectorError):
    """The record changed between our read and our write."""

    code = "STALE_RECORD"
    permanent = False


class OutcomeUnknownError(ConnectorError):
    """The request may or may not have been carried out (time-out, broken connection): look before repeating it."""

    code = "OUTCOME_UNKNOWN"
    permanent = False


class UnavailableError(ConnectorError):
    """The other side did not answer, or not sensibly; nothing was done there."""

    code = "UNAVAILABLE"
    permanent = False
    default_remediation = "Nothing to do: it is tried again by itself."


class RateLimitedError(UnavailableError):
    """The other side asks us to wait; not before `retry_after` when it says how long."""

    code = "RATE_LIMITED"

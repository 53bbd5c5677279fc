"""What can be wrong with a request of the unified API, beside what every feature knows."""

from __future__ import annotations

from callout.ports.errors import CalloutError, InvalidRequestError, UnavailableError


class InvalidFilterError(InvalidRequestError):
    """A filter or order that cannot be read, or that the provider cannot carry out."""

    code = "INVALID_FILTER"
    default_remediation = (
        "Write filters as `field[operator]value`; GET /v1/ticketing/capabilities lists what there is."
    )


class InvalidCursorError(InvalidRequestError):
    """A cursor that is not ours, or belongs to another query."""

    code = "INVALID_CURSOR"
    default_remediation = "Start again without a cursor; keep filters and order the same from page to page."


class InvalidPatchError(InvalidRequestError):
    """A JSON Patch that cannot be applied; nothing was changed."""

    code = "INVALID_PATCH"
    default_remediation = "Send an array of RFC 6902 operations on the fields of the unified object."


class TooLargeError(CalloutError):
    """More bytes than are carried in one request."""

    code = "TOO_LARGE"


class ProviderTimeoutError(UnavailableError):
    """The provider took longer than a caller should wait; nothing was written."""

    code = "PROVIDER_TIMEOUT"

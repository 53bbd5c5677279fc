"""Refusals of the instance, in the words and shapes ServiceNow uses.

InstanceError                 anything answered with a status other than 2xx
├── InvalidRequestError       400
├── AclError                  403, a right is missing
├── DataPolicyError           403, mandatory fields are not filled: the same status as a missing right
├── BusinessRuleError         403, a rule of the instance aborted the write
└── NoRecordError             404, missing and hidden look the same
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class InstanceError(Exception):
    """A refusal: HTTP status, `error.message` and `error.detail` of the envelope."""

    def __init__(self, status: int, message: str, detail: str | None = None) -> None:
        super().__init__(f"{status} {message}: {detail}")
        self.status = status
        self.message = message
        self.detail = detail


class InvalidRequestError(InstanceError):
    """The request cannot be read, or names a table that is not there."""

    def __init__(self, message: str, detail: str | None = None) -> None:
        super().__init__(400, message, detail)


class NotAuthenticatedError(InstanceError):
    """Nobody is signed in, or not with what was sent."""

    def __init__(self) -> None:
        super().__init__(401, "User Not Authenticated", "Required to provide Auth information")


class AclError(InstanceError):
    """The user lacks the right; `verb` is what was tried: Insert, Update, Delete."""

    def __init__(self, verb: str) -> None:
        # from memory: the words after "ACL Exception".
        super().__init__(403, "Operation Failed", f"ACL Exception {verb} Failed due to security constraints")


class QueryRightsError(InstanceError):
    """The user may not read the table at all."""

    def __init__(self, table: str) -> None:
        # from memory: the detail.
        super().__init__(403, "Insufficient rights to query records", f"No read access to table {table}")


class DataPolicyError(InstanceError):
    """Mandatory fields, by label, are not filled."""

    def __init__(self, labels: Sequence[str]) -> None:
        fields = ", ".join(labels)
        # from memory: the sentence; it does say labels, never column names.
        detail = f"Data Policy Exception: The following fields are mandatory: {fields}"
        super().__init__(403, "Operation Failed", detail)


class BusinessRuleError(InstanceError):
    """A business rule of the table aborted the write and says why."""

    def __init__(self, table: str, rule: str, reason: str) -> None:
        # from memory: the sentence.
        detail = f"Operation against file '{table}' was aborted by Business Rule '{rule}'. Error: {reason}"
        super().__init__(403, "Operation Failed", detail)


class NoRecordError(InstanceError):
    """The record is missing, or hidden from the user."""

    def __init__(self) -> None:
        super().__init__(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")

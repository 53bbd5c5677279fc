"""Refusals, in the words and shapes PagerDuty uses.

PagerDutyError            anything answered with a status other than 2xx
├── InvalidInputError     400, code 2001, with the human-readable details
├── ArgumentsError        400, code 2002
├── NotFoundError         404, code 2100
└── RefusedError          400 with one of the codes of `MEANINGS`
"""

from __future__ import annotations

from typing import Any

MEANINGS = {
    1001: "Incident Already Resolved",
    1002: "Incident Already Acknowledged",
    1003: "Invalid Status Provided",
    1006: "Cannot Escalate",
    1007: "Assigned To User Not Found",
    1008: "Requester User Not Found",
    1012: "Incident is not Acknowledged",
    1013: "Snooze Duration is Invalid",
    1014: "Escalation Policy Not Found",
    1015: "Escalation Policy Has No User On Call",
    1019: "Incident Already Merged",
    1020: "Invalid Priority",
    2000: "An internal error has occurred. PagerDuty team has been notified.",
    2001: "Invalid Input Provided",
    2002: "Arguments Caused Error",
    2004: "Invalid time values in 'since' and/or 'until' parameters",
    2005: "Invalid Query Date Range",
    2006: "Authentication failed",
    2010: "Access Denied",
    2014: "Missing Account Ability",
    2020: "Rate Limit Exceeded",
    2100: "Not Found",
}
"""Codes and messages of the vendor's list of errors."""


class PagerDutyError(Exception):
    """A refusal.

    Args:
        status: HTTP status to answer with.
        code: PagerDuty's code, one of `MEANINGS`.
        errors: human-readable details; left out of the body when there are none.
    """

    def __init__(self, status: int, code: int, *errors: str) -> None:
        super().__init__(f"{status} {code} {MEANINGS[code]}: {'; '.join(errors)}")
        self.status = status
        self.code = code
        self.errors = errors

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        error: dict[str, Any] = {"message": MEANINGS[self.code], "code": self.code}
        if self.errors:
            error["errors"] = list(self.errors)
        return {"error": error}


class InvalidInputError(PagerDutyError):
    """The request cannot be carried out as it stands."""

    def __init__(self, *errors: str) -> None:
        super().__init__(400, 2001, *errors)


class ArgumentsError(PagerDutyError):
    """The arguments do not fit the state of the account."""

    def __init__(self, *errors: str) -> None:
        super().__init__(400, 2002, *errors)


class NotFoundError(PagerDutyError):
    """There is no such thing."""

    def __init__(self) -> None:
        super().__init__(404, 2100)


class RefusedError(PagerDutyError):
    """The action is not possible now; the code's own message is also the detail."""

    def __init__(self, code: int) -> None:
        # from memory: the message repeated in `errors`, and 400 as the status of every 10xx code.
        super().__init__(400, code, MEANINGS[code])

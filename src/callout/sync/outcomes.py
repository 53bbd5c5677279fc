"""What became of a call that nobody answered: when it is sure that a search would show it."""

from __future__ import annotations

from datetime import datetime, timedelta

from callout.kit.http import Timeouts
from callout.ports.errors import (
    CalloutError,
    ConnectorError,
    OutcomeUnknownError,
    RateLimitedError,
    UnavailableError,
)
from callout.ports.provider import Effect, Findable

SEARCH_AGAIN = timedelta(seconds=1)
CALL_LIMIT = timedelta(seconds=Timeouts().total)
"""A call of a process that died may have been at work for as long as one that lives is given."""
IN_FLIGHT = timedelta(seconds=2)
"""What was sent may still be on its way when we gave it up, or died: so much later the vendor's lag begins."""


class PerhapsDoneError(ConnectorError):
    """Something was asked for, the answer was lost, and it cannot be searched for: a person has to look. It is not tried again."""

    code = "PERHAPS_DONE"


def surely_not_done(error: CalloutError) -> bool:
    """Return whether `error` says that the vendor did nothing: a gateway's 5xx and a broken answer do not."""
    if isinstance(error, RateLimitedError) or not isinstance(error, UnavailableError | OutcomeUnknownError):
        return True
    return isinstance(error, UnavailableError) and error.status is None


def begun_before(ended: datetime) -> datetime:
    """Return when a call that has ended without an answer counts as begun: it can have arrived until `ended`, and no later."""
    return ended - CALL_LIMIT


def shown_at(begun: datetime, effect: Effect | None) -> datetime:
    """Return when a search surely shows what a call that began at `begun` wrote, whatever happened to the caller meanwhile."""
    lag = effect.lag if isinstance(effect, Findable) else timedelta()
    return begun + CALL_LIMIT + IN_FLIGHT + lag


def creation_in_doubt(incident: str, integration: str) -> PerhapsDoneError:
    """Return the problem of a link whose ticket may or may not have been made, with both ways out."""
    which = f"{incident} --integration {integration}"
    return PerhapsDoneError(
        f"a ticket for {incident} may or may not exist in {integration}: the answer to its creation was lost, and it cannot be"
        " searched for",
        remediation=f"Look for it there. It exists: callout incident detach {which}, then callout incident attach {which} --ticket KEY."
        f" It does not: callout incident link {incident} create --integration {integration}",
    )

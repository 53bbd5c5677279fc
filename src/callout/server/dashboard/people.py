"""People as they are typed into a form: members by name or e-mail, and anybody else by what was typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.access import Listing
from callout.incidents.edit import author_of
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Person

if TYPE_CHECKING:
    from callout.access import Member
    from callout.server.call import Scope
    from callout.server.services import Services

OFFERED = 200
"""Members whose names a form offers."""
LONGEST = 320
"""Of a name or an e-mail address, in characters."""


async def offered(services: Services, scope: Scope) -> list[Member]:
    """Return the members that forms offer."""
    listed = await services.manage.members.list(scope.tx.system, Listing(limit=OFFERED))
    return [one for one in listed.items if one.state == "enabled"]


def shown(member: Member) -> str:
    """Return how a member is written in a form."""
    return member.email or member.name


async def person_of(services: Services, scope: Scope, text: str, *, field: str) -> Person | None:
    """Return the person somebody typed: `me`, a member's e-mail, name or full name, else just that text; None for nothing.

    Raises InvalidRequestError when several members are called that.
    """
    typed = text.strip()
    if not typed:
        return None
    if len(typed) > LONGEST:
        raise InvalidRequestError(
            "nobody has so long a name", fields={field: f"at most {LONGEST} characters"}
        )
    if typed.lower() in {"me", "i", "myself"}:
        return author_of(scope.origin)
    wanted = typed.lower()
    listed = await services.manage.members.list(scope.tx.system)
    exact = [one for one in listed.items if wanted in {one.name.lower(), (one.email or "").lower()}]
    named = exact or [one for one in listed.items if wanted == one.fullname.lower()]
    if len(named) > 1:
        raise InvalidRequestError(
            f"several people are called {typed[:60]!r}",
            fields={field: "write the e-mail: several people are called so"},
        )
    if named:
        return Person(f"member:{named[0].id}", named[0].fullname, named[0].email or "")
    return Person(typed, typed, typed if "@" in typed else "")

"""How a person gives what a ticket's move was refused for, in the words of a sync problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callout.ports.errors import RejectedError
from callout.sync import learning
from callout.sync.given import ENDING
from callout.sync.needs import ENDS_BY, Needs

if TYPE_CHECKING:
    from callout.storage import AccountTx
    from callout.sync.context import SyncContext, Target
    from callout.sync.links import Link

ASKED: Final = "transition_fields/"
"""How connectors begin the names of fields that a move asks for."""


async def by_hand(
    context: SyncContext, tx: AccountTx, link: Link, target: Target, error: RejectedError
) -> str:
    """Return how to give by hand what a refused move to resolved or closed lacked; empty where it was refused for something else.

    What nobody knew that the move asks for is learned now.
    """
    incident = await context.incidents.get(tx, link.incident_id)
    if incident.status not in ENDING:
        return ""
    named = [name.removeprefix(ASKED) for name in error.fields]
    mine = [
        one
        for one in await Needs(context).of_incident(tx, incident.id, incident.status)
        if one.link.id == link.id
    ]
    known = {
        said: need.name
        for needs in mine
        for need in needs.fields
        for said in (need.field.id.casefold(), need.field.label.casefold())
    }
    fields = [known[name.casefold()] for name in named if name.casefold() in known]
    if len(fields) < len(named):
        await learning.refused(context, tx, link, target)
        fields += [
            f"{target.name}.{name.removeprefix(ASKED)}" for name in error.fields if name.startswith(ASKED)
        ]
    if not fields:
        return ""
    action = next(action for action, status in ENDS_BY.items() if status is incident.status)
    options = " ".join(f'--field "{name}=..."' for name in dict.fromkeys(fields))
    return f"Or give it for this incident alone: callout incident act {incident.key} {action} {options}"


__all__ = ["by_hand"]

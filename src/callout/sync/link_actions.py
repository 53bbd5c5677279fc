"""What a person does with a link as a whole: stop it, start it again, try again now, have its ticket made after all."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.values import Origin
from callout.sync import links
from callout.sync.context import SyncContext
from callout.sync.links import Link, LinkStatus
from callout.sync.outcomes import PerhapsDoneError
from callout.sync.reactions import VISIT, lane_of

if TYPE_CHECKING:
    from callout.storage import AccountTx


class LinkAction(StrEnum):
    """What can be done with a link."""

    STOP = "stop"
    RESUME = "resume"
    RETRY = "retry"
    CREATE = "create"


class LinkActions:
    """Acts on links, in the caller's transaction; calls no vendor."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def find(self, tx: AccountTx, id_or_key: str, *, integration: str = "") -> Link:
        """Return the link of an incident; `integration` (name or id) says which where there are several.

        Raises NotFoundError, and InvalidRequestError when it is not clear which one is meant.
        """
        incident = await self._context.incidents.get(tx, id_or_key)
        found: dict[str, Link] = {}
        for link in await links.of_incident(tx, incident.id):
            target = await self._context.target(tx, link.integration_id)
            name = link.integration_id if target is None else target.name
            if integration in {"", name, link.integration_id}:
                found[name] = link
        if not found:
            raise NotFoundError(
                f"{incident.key} has no ticket in {integration}"
                if integration
                else f"{incident.key} has no ticket"
            )
        if len(found) > 1:
            raise InvalidRequestError(
                f"{incident.key} has several tickets: {', '.join(found)}",
                remediation="Name the integration.",
                fields={"integration": "missing"},
            )
        return next(iter(found.values()))

    async def act(
        self, tx: AccountTx, link_id: str, action: LinkAction, origin: Origin, *, incident: str = ""
    ) -> Link:
        """Stop a link, start it again, or have it tried again now; return it as it then stands.

        A stopped link is left alone in both directions; when it is started again the ticket is read, and both sides' changes meet
        as after an outage. To try again ends the wait after trouble and lets go of the loop breaker. To create is for a ticket
        of which nobody knows whether it was made, by a person who has seen that it was not. The same again changes nothing.
        Raises NotFoundError, and ConflictError for a stopped link that is to be tried and for a ticket that is not in doubt.
        """
        link = await links.load(tx, link_id, lock=True)
        one = await self._context.incidents.get(tx, link.incident_id)
        if incident and (await self._context.incidents.get(tx, incident)).id != one.id:
            raise NotFoundError(f"{incident} has no link {link_id!r}")
        stopped = link.status is LinkStatus.STOPPED
        if action is LinkAction.STOP:
            if stopped:
                return link
            changed = replace(link, status=LinkStatus.STOPPED, problem=None, failures=0, retry_at=None)
        elif action is LinkAction.CREATE:
            if link.problem is None or link.problem.code != PerhapsDoneError.code:
                raise ConflictError(
                    f"nobody doubts whether {link.ticket_key or 'the ticket'} exists",
                    remediation="To have everything tried again use the action retry.",
                )
            changed = replace(link, create_begun_at=None, problem=None, failures=0, retry_at=None)
        elif action is LinkAction.RETRY and stopped:
            raise ConflictError(
                f"the link to {link.ticket_key or 'the ticket'} is stopped",
                remediation="Start it again with the action resume.",
            )
        elif action is LinkAction.RESUME and link.status not in {LinkStatus.STOPPED, LinkStatus.GONE}:
            return link
        else:
            status = link.status
            if action is LinkAction.RESUME:
                # Without an id, a key is one that a person named: that ticket is never to be made.
                unread = LinkStatus.ATTACHING if link.ticket_key else LinkStatus.CREATING
                status = LinkStatus.ACTIVE if link.ticket_id else unread
            changed = replace(link, status=status, failures=0, retry_at=None, writes=())
        await links.save(tx, changed, self._context.clock.now())
        target = await self._context.target(tx, link.integration_id)
        edit = await self._context.incidents.edit(tx, one.id)
        data = {
            "ticket": link.ticket_key,
            "integration": link.integration_id if target is None else target.name,
            "link_id": link.id,
        }
        edit.entry(_ENTRIES[action], data, origin=origin)
        await edit.save()
        if action is not LinkAction.STOP:
            # With comments: what was written meanwhile was told to nobody.
            payload = {
                "link_id": link.id,
                "integration_id": link.integration_id,
                "reason": action.value,
                "comments": True,
            }
            await self._context.queue.enqueue(
                tx, VISIT, payload, key=link.partition(), lane=lane_of(one.severity)
            )
        return changed


_ENTRIES = {
    LinkAction.STOP: "sync_stopped",
    LinkAction.RESUME: "sync_resumed",
    LinkAction.RETRY: "sync_retried",
    LinkAction.CREATE: "sync_create_again",
}
"""Action → its line on the timeline."""

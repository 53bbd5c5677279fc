"""Tickets that a person links to an incident, has made for it, or takes off it again.

Nobody waits for the vendor: the link is made at once and says `attaching` until a visit has read the ticket. Then both sides meet as
two records that were never agreed on; or one of them holds, when the person said so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import or_

from callout.kit.ids import new_id
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.values import Origin
from callout.sync import links
from callout.sync.links import Link, LinkStatus, mark_of
from callout.sync.making import decide, siblings
from callout.sync.mapping import ours_of, theirs_of
from callout.sync.merge import NEVER, Base, LinkState, Resolution
from callout.sync.pasted import closeness, is_address, project_of, ticket_of
from callout.sync.reactions import VISIT, lane_of, open_link
from callout.sync.tables import sync_link
from callout.sync.trouble import system_origin

if TYPE_CHECKING:
    from callout.jobs import Job, Settle, Work
    from callout.ports.provider import TicketingProvider
    from callout.ports.ticketing import Ticket
    from callout.storage import AccountTx, Tx
    from callout.sync.context import SyncContext, Target

TICKET_LIMIT: Final = 200
TICKET_READ: Final = "incident.ticket_read"
"""Event: a ticket that was linked has been read, and can be opened by its address."""
PREFER: Final = {"incident": Resolution.LOCAL, "ticket": Resolution.EXTERNAL, "ask": Resolution.MANUAL}
"""Whose values hold where both have one: what people write → what it means for each field."""


class TicketLinks:
    """Links tickets that exist, has new ones made, and takes them off again, in the caller's transaction; calls no vendor."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def attach(
        self,
        tx: AccountTx,
        id_or_key: str,
        *,
        integration: str,
        ticket: str,
        origin: Origin,
        prefer: str = "ask",
    ) -> Link:
        """Link `ticket` (its key or id there) to an incident; the ticket is read as soon as the other side can be reached.

        Args:
            tx: the account.
            id_or_key: of the incident.
            integration: name or id.
            ticket: key or id of the ticket.
            origin: who wants it.
            prefer: whose values hold where the two differ: `incident`, `ticket`, or `ask` (fields that cannot be merged become conflicts).

        Raises NotFoundError, InvalidRequestError, and ConflictError when either has a link already.
        """
        named = ticket.strip()
        if not named or len(named) > TICKET_LIMIT or "\x00" in named:
            raise InvalidRequestError(
                f"a ticket is named by its key or id, at most {TICKET_LIMIT} characters",
                fields={"ticket": "write a key such as OPS-31"},
            )
        if prefer not in PREFER:
            raise InvalidRequestError(
                f"prefer is one of {', '.join(PREFER)}", fields={"prefer": f"one of {', '.join(PREFER)}"}
            )
        incident = await self._context.incidents.get(tx, id_or_key)
        target = await self._target(tx, integration)
        for link in await links.of_incident(tx, incident.id):
            if link.integration_id == target.integration_id:
                raise ConflictError(
                    f"{incident.key} has {link.ticket_key or 'a ticket'} in {target.name} already",
                    remediation=f"Detach it first: callout incident detach {incident.key} --integration {target.name}",
                )
        await self._refuse_linked(tx, target, named)
        link_id = new_id()
        link = Link(
            id=link_id,
            account_id=tx.account_id,
            incident_id=incident.id,
            integration_id=target.integration_id,
            mark=mark_of(incident.key, link_id),
            status=LinkStatus.ATTACHING,
            created_at=self._context.clock.now(),
            ticket_key=named,
            prefer=prefer,
        )
        await links.insert(tx, link)
        payload = {
            "link_id": link.id,
            "integration_id": link.integration_id,
            "reason": "attached",
            "comments": True,
        }
        await self._context.queue.enqueue(
            tx, VISIT, payload, key=link.partition(), lane=lane_of(incident.severity)
        )
        await self._tell(tx, "ticket_attached", link, name=target.name, origin=origin)
        return link

    async def make(self, tx: AccountTx, id_or_key: str, *, integration: str = "", origin: Origin) -> Link:
        """Have a ticket made for an incident where no rule did; a job makes it as soon as the other side can be reached.

        `integration` (name or id) may be empty where there is one. Raises NotFoundError, InvalidRequestError, ConflictError.
        """
        incident = await self._context.incidents.get(tx, id_or_key)
        target = await self._target(tx, integration or await self._only(tx))
        for link in await links.of_incident(tx, incident.id):
            if link.integration_id == target.integration_id:
                raise ConflictError(
                    f"{incident.key} has {link.ticket_key or 'a ticket'} in {target.name} already",
                    remediation="Look at how it stands: sync",
                )
        link = await open_link(self._context, tx, incident, target.integration_id, origin=origin)
        await self._tell(tx, "ticket_wanted", link, name=target.name, origin=origin)
        return link

    async def named(self, tx: AccountTx, ticket: str, *, integration: str = "") -> tuple[str, str]:
        """Return integration id and ticket that a person means by a key, number or address.

        Where `integration` is not said, an address leads to the one of its site, a key to the one with its project. Raises
        NotFoundError for an unknown integration, InvalidRequestError where it is not clear which one is meant.
        """
        address = is_address(ticket)
        key = ticket_of(ticket) if address else ticket.strip()
        if not key:
            raise InvalidRequestError(
                "no ticket can be seen in that address",
                remediation="Write its key, such as OPS-31",
                fields={"ticket": "no key in it"},
            )
        if integration:
            return (await self._target(tx, integration)).integration_id, key
        targets = await self._context.targets(tx)
        scores = [(closeness(ticket, one.site) if address else 0, one) for one in targets]
        best = max((score for score, _ in scores), default=0)
        if not best and project_of(key):
            wanted = project_of(key).upper()
            scores = [(int(one.default_project.upper() == wanted), one) for one in targets]
            best = max((score for score, _ in scores), default=0)
        fitting = [one for score, one in scores if score == best]
        if len(fitting) == 1:
            return fitting[0].integration_id, key
        names = ", ".join(one.name for one in fitting)
        raise InvalidRequestError(
            f"{key} could be in any of {names}" if names else "there is no ticketing integration",
            remediation=f"Say which: --integration {fitting[0].name}" if names else "Add one first",
            fields={"integration": "missing"},
        )

    async def names(self, tx: AccountTx) -> Mapping[str, str]:
        """Return the names of the ticketing integrations, by id."""
        return {one.integration_id: one.name for one in await self._context.targets(tx)}

    async def _only(self, tx: AccountTx) -> str:
        targets = await self._context.targets(tx)
        if len(targets) == 1:
            return targets[0].integration_id
        names = ", ".join(one.name for one in targets)
        raise InvalidRequestError(
            f"in which integration? There are {names}" if names else "there is no ticketing integration",
            remediation=f"Say which: --integration {targets[0].name}" if names else "Add one first",
            fields={"integration": "missing"},
        )

    async def detach(
        self, tx: AccountTx, id_or_key: str, origin: Origin, *, integration: str = "", link_id: str = ""
    ) -> Link:
        """Take a ticket off an incident; both stay as they are, and no rule takes the ticket again. Returns the link that was.

        `integration` (name or id) or `link_id` says which, where there are several. Raises NotFoundError, InvalidRequestError.
        """
        incident = await self._context.incidents.get(tx, id_or_key)
        found: list[tuple[Link, str]] = []
        for link in await links.of_incident(tx, incident.id):
            target = await self._context.target(tx, link.integration_id)
            name = link.integration_id if target is None else target.name
            if integration in {"", name, link.integration_id} and link_id in {"", link.id}:
                found.append((link, name))
        if not found:
            raise NotFoundError(
                f"{incident.key} has no such ticket", remediation=f"See: callout incident show {incident.key}"
            )
        if len(found) > 1:
            raise InvalidRequestError(
                f"{incident.key} has several tickets: {', '.join(name for _, name in found)}",
                remediation="Name the integration.",
                fields={"integration": "missing"},
            )
        link, name = found[0]
        link = await links.load(tx, link.id, lock=True)
        if link.ticket_id:
            where = await self._context.target(tx, link.integration_id)
            others = [] if where is None else await siblings(self._context, tx, where)
            now = self._context.clock.now()
            for integration_id in sorted([link.integration_id, *others]):
                await decide(tx, integration_id, [link.ticket_id], why="detached", now=now)
        await tx.execute(tx.delete(sync_link).where(sync_link.c.id == link.id))
        await self._tell(tx, "ticket_detached", link, name=name, origin=origin)
        return link

    async def _target(self, tx: AccountTx, integration: str) -> Target:
        targets = await self._context.targets(tx)
        for target in targets:
            if integration in {target.name, target.integration_id}:
                return target
        names = ", ".join(target.name for target in targets) or "none"
        raise NotFoundError(
            f"there is no ticketing integration {integration[:60]!r}",
            remediation=f"There are: {names}.",
            fields={"integration": "not known"},
        )

    async def _refuse_linked(self, tx: AccountTx, target: Target, named: str) -> None:
        """Raise ConflictError when a link of ours has the ticket of that id or key."""
        same = or_(sync_link.c.ticket_id == named, sync_link.c.ticket_key == named)
        other = await tx.scalar(
            tx.select(sync_link.c.incident_id)
            .where(sync_link.c.integration_id == target.integration_id, same)
            .limit(1)
        )
        if other is not None:
            raise await _linked_error(self._context, tx, target, named, str(other))

    async def _tell(self, tx: AccountTx, kind: str, link: Link, *, name: str, origin: Origin) -> None:
        edit = await self._context.incidents.edit(tx, link.incident_id)
        data = {"ticket": link.ticket_key, "url": link.ticket_url, "integration": name, "link_id": link.id}
        line = edit.entry(kind, data, origin=origin)
        edit.event("incident.entry_added", {"entry_id": line.id, "kind": kind}, origin=origin)
        await edit.save()


async def _linked_error(
    context: SyncContext, tx: AccountTx, target: Target, ticket: str, incident_id: str
) -> ConflictError:
    incident = await context.incidents.get(tx, incident_id)
    return ConflictError(
        f"{ticket} in {target.name} is linked to {incident.key} already; a ticket has one incident",
        remediation=f"Detach it there first: callout incident detach {incident.key} --integration {target.name}",
    )


async def finish_attaching(  # all of them are what a visit has
    context: SyncContext, work: Work, link: Link, target: Target, provider: TicketingProvider
) -> Settle:
    """Read the ticket of a link that a person made and make the link active; the visit that follows merges.

    Raises ConnectorError, and ConflictError when the ticket turns out to have its incident already.
    """
    ticket = await provider.get_ticket(link.ticket_key)

    async def activate(tx: Tx) -> None:
        scoped = tx.account(link.account_id)
        other = await _other_link(scoped, link, ticket)
        if other is not None:
            found = await links.load(scoped, other)
            raise await _linked_error(context, scoped, target, ticket.key, found.incident_id)
        current = await links.load(scoped, link.id, lock=True)
        if current.status is not LinkStatus.ATTACHING:
            return  # a person stopped it meanwhile
        incident = await context.incidents.get(scoped, current.incident_id)
        rules = target.mappings().rules(target.integration_id)
        attached = replace(
            current,
            status=LinkStatus.ACTIVE,
            ticket_id=ticket.id,
            ticket_key=ticket.key,
            ticket_url=ticket.url,
            project=ticket.project,
            merge=_meeting(ours_of(incident), theirs_of(ticket), list(rules), _prefer(current, work.jobs)),
            prefer="",
            problem=None,
            failures=0,
            retry_at=None,
        )
        await links.save(scoped, attached, context.clock.now())
        told = {"link_id": link.id, "ticket": ticket.key, "url": ticket.url}
        await context.incidents.publish(scoped, TICKET_READ, incident, system_origin(link), told)
        payload = {
            "link_id": link.id,
            "integration_id": link.integration_id,
            "reason": "attached",
            "comments": True,
        }
        await context.queue.enqueue(
            scoped, VISIT, payload, key=link.partition(), lane=lane_of(incident.severity)
        )

    # Not with the completion of the job: a ticket that is taken has to become the link's problem.
    await work.transaction(activate)

    async def nothing(_tx: Tx) -> None:
        return None

    return nothing


async def _other_link(tx: AccountTx, link: Link, ticket: Ticket) -> str | None:
    found = list((await links.of_tickets(tx, link.integration_id, [ticket.id])).values())
    if ticket.marks:
        found += (await links.of_marks(tx, link.integration_id, ticket.marks)).values()
    return next((other for other in found if other != link.id), None)


def _prefer(link: Link, jobs: Sequence[Job]) -> Resolution:
    # Older versions told it with the visit alone.
    said = [str(job.payload["prefer"]) for job in jobs if "prefer" in job.payload]
    return PREFER.get(link.prefer or (said[-1] if said else ""), Resolution.MANUAL)


def _meeting(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], names: Sequence[str], prefer: Resolution
) -> LinkState:
    """Return what the link remembers before the first merge: the side that holds looks like the only one that changed."""
    if prefer is Resolution.LOCAL:
        return LinkState({name: Base(NEVER, theirs[name]) for name in names})
    if prefer is Resolution.EXTERNAL:
        return LinkState({name: Base(ours[name], NEVER) for name in names})
    return LinkState()


__all__ = ["PREFER", "TicketLinks", "finish_attaching"]

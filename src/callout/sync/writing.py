"""Fields on their way to a ticket: written on the version that was read, and folded into the bases as soon as they are read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from callout.kit.crash import crash_point
from callout.ports.errors import RejectedError
from callout.ports.ticketing import Ticket, TicketPatch
from callout.sync import breaker, given, links
from callout.sync.apply import Told, fold_traced
from callout.sync.mapping import patch_values, theirs_of
from callout.sync.merge import fold
from callout.sync.overwritten import accounted_for, trace
from callout.sync.trouble import system_origin

if TYPE_CHECKING:
    from callout.storage import AccountTx
    from callout.sync.context import SyncContext
    from callout.sync.links import Link
    from callout.sync.visiting import Visit


class Writer:
    """Writes what a merge wants the ticket to say."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def write(self, visit: Visit, ticket: Ticket, to_theirs: Mapping[str, Any]) -> Ticket | None:
        """Send the fields; when the vendor refuses them together, one by one, so that one bad field does not hold up the rest.

        Each write is folded into the bases at once: whatever fails after it must not make its result look like somebody's edit.
        Returns the ticket as read back where somebody edited around our write and it is to be merged again, else None.
        """
        if not to_theirs:
            return None
        try:
            written, again = await self._patch(visit, ticket, to_theirs)
        except RejectedError:
            if len(to_theirs) == 1:
                raise
        else:
            return written if again else None
        refused: RejectedError | None = None
        edited = False
        read = theirs_of(ticket)
        for name, value in to_theirs.items():
            if theirs_of(ticket)[name] != read[name]:
                # The read-back of another field shows that somebody has edited this one: it stays pending, and is merged again.
                edited = True
                continue
            try:
                ticket, again = await self._patch(visit, ticket, {name: value})
            except RejectedError as error:
                refused = error
            else:
                edited |= again
        if refused is not None:
            raise refused
        return ticket if edited else None

    async def _patch(self, visit: Visit, ticket: Ticket, to_theirs: Mapping[str, Any]) -> tuple[Ticket, bool]:
        status = to_theirs.get("status", "")
        by_hand: Mapping[str, Any] = {}
        if status:
            by_hand = await visit.work.read(
                lambda tx: given.of_link(tx.account(visit.account_id), visit.link.id)
            )
        patch = TicketPatch(
            patch_values(to_theirs),
            transition_fields=given.sent_fields(visit.mappings, status, by_hand),
            expected_version=ticket.version,
        )
        written = await visit.provider.patch_ticket(visit.link.ticket_id, patch)
        crash_point("sync.pushed")
        again = await visit.work.transaction(
            lambda tx: self._fold(tx.account(visit.account_id), visit, written, set(to_theirs))
        )
        # Its history is taken in, and need not be of more than these fields.
        return replace(written, edits=None), again

    async def _fold(self, tx: AccountTx, visit: Visit, written: Ticket, sent: set[str]) -> bool:
        """Fold a write that was read back; return whether people edited around it, so that there is something to merge again."""
        link = await links.load(tx, visit.link.id, lock=True)
        now = self._context.clock.now()
        # Counted before the fold, which forgets what was on its way: the loop breaker knows an answer by the values it answers.
        wrote = breaker.written(link, sent, visit.work.jobs, now)
        rules = visit.mappings.rules(visit.target.integration_id)
        found = trace(written, link.merge, sent, rules, done=True)
        await self._tell_differences(tx, visit, link, written, sent - found.moved - found.idle)
        if written.unread_edits:
            data = {"fields": sorted(sent), "ticket": link.ticket_key, "integration": visit.target.name}
            await self._context.incidents.add_entry(
                tx, link.incident_id, "sync_unread", data, system_origin(link)
            )
        names = (link.merge.pending.keys() & sent) - found.idle
        if found.replaced:
            edit = await self._context.incidents.edit(tx, link.incident_id)
            told = Told(written, read=True, cause="read back after a write")
            link = fold_traced(edit, link, told, found, names, rules, visit.target, now=now)
            await edit.save()
        else:
            back = {name: value for name, value in theirs_of(written).items() if name in names}
            link = replace(link, merge=fold(link.merge, back, rules, moved=found.moved))
        again = bool(found.moved or link.merge.pending.keys() & sent)
        link = replace(
            link.with_write(wrote),
            merge=accounted_for(link.merge, written, sent),
            seen_at=link.seen_until(written),
            ticket_version=written.version,
            ticket_key=written.key or link.ticket_key,
            given={} if "status" in sent else link.given,
        )
        await links.save(tx, link, now)
        return again

    async def _tell_differences(
        self, tx: AccountTx, visit: Visit, link: Link, written: Ticket, names: set[str]
    ) -> None:
        rules = visit.mappings.rules(visit.target.integration_id)
        for name, value in theirs_of(written).items():
            pending = link.merge.pending.get(name) if name in names else None
            if pending is None or rules[name].same(pending.ours, value):
                continue
            # Cut, computed or ignored by the vendor, or edited by a person in this very moment: shown, never silent.
            data = {
                "field": name,
                "ours": pending.ours,
                "theirs": value,
                "ticket": link.ticket_key,
                "integration": visit.target.name,
            }
            await self._context.incidents.add_entry(
                tx, link.incident_id, "sync_differs", data, system_origin(link)
            )


__all__ = ["Writer"]

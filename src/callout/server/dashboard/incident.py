"""One incident: how it stands, who is on it, its tickets, its timeline; and why each of its values is what it is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from callout.incidents.attachments import size_words
from callout.incidents.edit import author_of
from callout.ports.values import Audience
from callout.server.api.attachments import attachment_out, disposition
from callout.server.api.incidents import entry_out, incident_out
from callout.server.api.responding import clock_out, escalation_out
from callout.server.dashboard.people import offered, shown
from callout.server.dashboard.render import HEADERS
from callout.server.dashboard.timeline import FILTERS, shown_line
from callout.sync.needs import ENDS_BY
from callout.sync.why import EXPLAINED, why

if TYPE_CHECKING:
    from starlette.routing import Route

    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

LINES: Final = 100
VERBS: Final[Mapping[str, str]] = {
    "acknowledge": "Acknowledge",
    "mitigate": "Mitigate",
    "resolve": "Resolve",
    "close": "Close",
    "reopen": "Reopen",
}


async def show(visit: Visit) -> Response:
    """Show one incident."""
    services = visit.services
    kinds = visit.query("show")
    before = visit.query("before")[:64]

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        tx = scope.tx
        one = await services.incidents.get(tx, visit.argument("incident"))
        lines = await services.incidents.timeline_back(
            tx,
            one.id,
            audiences=scope.audiences,
            kinds=FILTERS.get(kinds, ()),
            before=before,
            limit=LINES,
        )
        clocks = await services.responding.levels.clocks(tx, one.id)
        escalations = services.responding.escalations
        now = services.clock.now()
        notes = await services.incidents.notes(tx, one.id, audiences=scope.audiences)
        files = await services.incidents.attachments(tx, one.id, audiences=scope.audiences)
        me = author_of(scope.origin)
        participants = await services.incidents.participants.of(tx, one.id)
        may_see_links = scope.caller.may("link.read", tx.account_id)
        held = {
            holder.role: holder.person
            for holder in await services.incidents.roles.history(tx, one.id)
            if holder.until is None
        }
        return {
            "incident": incident_out(one),
            "links": await services.links(tx, one.id) if may_see_links else [],
            "conflicts": [found.to_json() for found in await services.conflicts.of_incident(tx, one.id)]
            if may_see_links
            else [],
            "timeline": [shown_line(entry_out(line)) for line in lines],
            "earlier": lines[-1].id if len(lines) == LINES else "",
            "clocks": [clock_out(clocks[kind], now) for kind in sorted(clocks)],
            "escalation": escalation_out(
                await escalations.run_of(tx, one.id), await escalations.pages(tx, one.id)
            ),
            "roles": {name: held.get(name) for name in services.incidents.roles.names},
            "participants": participants,
            "taking_part": me is not None and any(other.person.id == me.id for other in participants),
            "tasks": [task.to_json() for task in await services.incidents.tasks.of(tx, one.id)],
            "notes_internal": [note for note in notes if note.audience is Audience.INTERNAL],
            "notes_responders": [note for note in notes if note.audience is Audience.RESPONDERS],
            "notes_customer": [note for note in notes if note.audience is Audience.CUSTOMER],
            "files": [attachment_out(one) for one in files],
            "messages": [message.to_json() for message in await services.chat_messages.of(tx, one.id)],
            "people": [shown(member) for member in await offered(services, scope)],
            "integrations": await services.integration_names(tx),
        }

    found = await visit.look(unit)
    return visit.page(
        "incidents/one.html",
        verbs=VERBS,
        explained=EXPLAINED,
        filters=FILTERS,
        showing=kinds,
        before=before,
        file_limit=services.incidents.attachment_limit,
        file_limit_words=size_words(services.incidents.attachment_limit),
        **found,
    )


async def edit(visit: Visit) -> Response:
    """Show the form that changes an incident."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        catalogue = visit.services.responding.catalogue
        return {
            "incident": incident_out(
                await visit.services.incidents.get(scope.tx, visit.argument("incident"))
            ),
            "services": [one.name for one in await catalogue.services(scope.tx)],
            "teams": [one.name for one in await catalogue.teams(scope.tx)],
            "people": [shown(member) for member in await offered(visit.services, scope)],
        }

    return visit.page("incidents/edit.html", **await visit.look(unit))


async def ending(visit: Visit, action: str) -> Response:
    """Show the form that resolves or closes an incident, with the fields that its tickets ask for then."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        one = await visit.services.incidents.get(scope.tx, visit.argument("incident"))
        needs = await visit.services.needs.of_incident(scope.tx, one.id, ENDS_BY[action])
        return {"incident": incident_out(one), "needs": [need.to_json() for need in needs]}

    return visit.page("incidents/ending.html", action=action, verb=VERBS[action], **await visit.look(unit))


async def explain(visit: Visit) -> Response:
    """Show why a field has its value, back to the declaration."""
    field = visit.argument("field")

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        scope.require("link.read")
        one = await visit.services.incidents.get(scope.tx, visit.argument("incident"))
        names = await visit.services.integration_names(scope.tx)
        return {"incident": incident_out(one), "why": (await why(scope.tx, one.id, field, names)).to_json()}

    return visit.page("incidents/why.html", field=field, explained=EXPLAINED, **await visit.look(unit))


async def file(visit: Visit) -> Response:
    """Answer with a file of the incident, to be saved and never shown in place."""

    async def unit(scope: Scope) -> tuple[str, bytes]:
        scope.require("incident.read")
        found, content = await visit.services.incidents.attachment(
            scope.tx, visit.argument("incident"), visit.argument("file"), audiences=scope.audiences
        )
        return found.name, content

    name, content = await visit.look(unit)
    headers = {**HEADERS, "Content-Disposition": disposition(name)}
    return Response(content, media_type="application/octet-stream", headers=headers)


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    return [
        doors.page("/incidents/{incident}", show),
        doors.page("/incidents/{incident}/edit", edit),
        doors.page("/incidents/{incident}/files/{file}", file),
        doors.page("/incidents/{incident}/why/{field}", explain),
        *(
            doors.page(f"/incidents/{{incident}}/{action}", partial(ending, action=action))
            for action in ENDS_BY
        ),
    ]

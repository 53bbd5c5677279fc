"""The incidents: the board, the list with its filters, and declaring a new one from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from callout.incidents import DeclareIncident, IncidentFilter
from callout.incidents.edit import author_of
from callout.incidents.model import DEFAULT_SEVERITY
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Severity, Status
from callout.server.api.incidents import incident_out
from callout.server.dashboard.forms import Form
from callout.server.dashboard.people import offered, person_of, shown

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

PAGE: Final = 50
COLUMN: Final = 50
"""Incidents in one column of the board."""
SEVERITIES: Final = tuple(str(Severity(rank)) for rank in range(1, 5))
UNDER_WAY: Final = (Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATED)
_TEXTS: Final = ("service", "team", "tag", "text", "since", "until", "clock")
LONGEST: Final = 200
"""Of a filter, in characters."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the reader asked for, as it stands in the address."""

    statuses: tuple[str, ...]
    severities: tuple[str, ...]
    service: str
    team: str
    tag: str
    text: str
    mine: bool
    since: str
    until: str
    clock: str
    """A clock of the service levels and how it stands, such as `acknowledge-breached`."""

    @classmethod
    def of(cls, query: QueryParams) -> Wanted:
        """Read the parameters; what is no status or severity counts for nothing."""

        def text(name: str) -> str:
            return query.get(name, "").strip()[:LONGEST]

        return cls(
            tuple(one for one in query.getlist("status") if one in list(Status)),
            tuple(one for one in query.getlist("severity") if one in SEVERITIES),
            text("service"),
            text("team"),
            text("tag"),
            text("text"),
            query.get("mine", "") not in {"", "0"},
            text("since"),
            text("until"),
            text("clock"),
        )

    def days(self) -> tuple[date | None, date | None]:
        """Return the first and the last day. Raises InvalidRequestError."""
        return day_of(self.since, "since"), day_of(self.until, "until")

    def filter(self, scope: Scope, *, statuses: tuple[Status, ...] = ()) -> IncidentFilter:
        """Return what to search for."""
        me = author_of(scope.origin)
        since, until = self.days()
        return IncidentFilter(
            statuses=statuses or tuple(Status(one) for one in self.statuses),
            severities=tuple(Severity.parse(one) for one in self.severities),
            service=self.service,
            team=self.team,
            tag=self.tag,
            text=self.text,
            person_ids=(me.id,) if self.mine and me is not None else (),
            created_from=None if since is None else datetime.combine(since, time(), UTC),
            created_before=None
            if until is None
            else datetime.combine(until + timedelta(days=1), time(), UTC),
            clock=clock_of(self.clock),
        )

    def address(self, path: str, **more: str) -> str:
        """Return the address of `path` with this filter."""
        pairs = [("status", one) for one in self.statuses] + [("severity", one) for one in self.severities]
        pairs += [(name, getattr(self, name)) for name in _TEXTS]
        pairs = [
            (name, value) for name, value in (*pairs, ("mine", "1" if self.mine else "")) if name not in more
        ]
        pairs += more.items()
        query = urlencode([(name, value) for name, value in pairs if value])
        return f"{path}?{query}" if query else path


async def board(visit: Visit) -> Response:
    """Show what is under way, in columns by status."""
    wanted = Wanted.of(visit.request.query_params)

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        columns = []
        for status in UNDER_WAY:
            found, more = await visit.services.incidents.search(
                scope.tx, wanted.filter(scope, statuses=(status,)), limit=COLUMN
            )
            # The worst first, and of those the one that has waited longest.
            ordered = sorted(found, key=lambda one: (one.severity.rank, one.created_at))
            columns.append((status.value, [incident_out(one) for one in ordered], bool(more)))
        return {"columns": columns, **await _choices(visit, scope)}

    return visit.page("incidents/board.html", wanted=wanted, **await visit.look(unit))


async def listing(visit: Visit) -> Response:
    """Show incidents by filter, newest first."""
    wanted = Wanted.of(visit.request.query_params)
    try:
        wanted.days()
    except InvalidRequestError as error:
        visit.form.refused(error, fields={"since": "since", "until": "until"})

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        if not visit.form.ok:
            return {"incidents": [], "onwards": "", **await _choices(visit, scope)}
        found, following = await visit.services.incidents.search(
            scope.tx, wanted.filter(scope), limit=PAGE, cursor=visit.query("cursor")
        )
        onwards = wanted.address("/incidents/list", cursor=following) if following else ""
        return {
            "incidents": [incident_out(one) for one in found],
            "onwards": onwards,
            **await _choices(visit, scope),
        }

    status = 200 if visit.form.ok else 422
    return visit.page("incidents/list.html", status=status, wanted=wanted, **await visit.look(unit))


async def _choices(visit: Visit, scope: Scope) -> Mapping[str, Any]:
    """Return what filters and forms offer."""
    catalogue = visit.services.responding.catalogue
    return {
        "services": [one.name for one in await catalogue.services(scope.tx)],
        "teams": [one.name for one in await catalogue.teams(scope.tx)],
        "severities": SEVERITIES,
        "statuses": [one.value for one in Status],
    }


async def new(visit: Visit) -> Response:
    """Show the form that declares an incident."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        people = [shown(one) for one in await offered(visit.services, scope)]
        return {**await _choices(visit, scope), "people": people}

    found = await visit.look(unit)
    if visit.request.method == "GET":
        begun = {name: visit.query(name) for name in ("title", "service", "severity") if visit.query(name)}
        visit.form = Form(values={"severity": "", **begun})
    return visit.page("incidents/new.html", default_severity=str(DEFAULT_SEVERITY), **found)


async def declare(visit: Visit) -> Response:
    """Declare an incident and lead on to it."""
    form = visit.form
    severity = DEFAULT_SEVERITY
    if given := form.text("severity"):
        try:
            severity = Severity.parse(given)
        except ValueError:
            form.wrong("severity", "choose one of SEV-1 to SEV-4")

    async def unit(scope: Scope) -> str:
        scope.require("incident.write")
        draft = DeclareIncident(
            title=form.text("title"),
            severity=severity,
            description=form.text("description"),
            service=form.text("service"),
            team=form.text("team"),
            assignee=await person_of(visit.services, scope, form.text("assignee"), field="assignee"),
            tags=tags_of(form.text("tags")),
        )
        known = await visit.services.responding.catalogue.filled(scope.tx, draft, severity_given=bool(given))
        made = await visit.services.incidents.declare(scope.tx, known, scope.origin)
        return f"/incidents/{made.key}"

    return await visit.submit(unit, again=lambda: new(visit), to="/incidents", done="Declared.")


def tags_of(text: str) -> tuple[str, ...]:
    """Return the tags that somebody wrote with commas between them."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def severity_of(text: str) -> Severity:
    """Return a severity that was chosen. Raises InvalidRequestError."""
    try:
        return Severity.parse(text)
    except ValueError as error:
        raise InvalidRequestError(str(error), fields={"severity": "choose one of the list"}) from error


def day_of(text: str, field: str) -> date | None:
    """Return a day as browsers send it, None for none. Raises InvalidRequestError."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise InvalidRequestError(
            f"{text[:20]!r} is no day", fields={field: "write it like 2026-01-31"}
        ) from None


def clock_of(text: str) -> tuple[str, str] | None:
    """Return a clock and how it is to stand, None for no condition."""
    clock, _, state = text.partition("-")
    return (clock, state) if clock and state in {"met", "breached", "running"} else None


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    return [
        doors.page("/incidents", board),
        doors.page("/incidents/list", listing),
        doors.page("/incidents/new", new),
        doors.action("/incidents/new", declare),
    ]

"""REST for incidents: declare, read, list, change, act, note, timeline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.incidents import DeclareIncident, Incident, IncidentFilter, Note, TimelineEntry
from callout.incidents.lifecycle import legal_actions
from callout.incidents.model import DEFAULT_SEVERITY, person_json
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Audience, Person, Severity, Status
from callout.server.call import Call, Scope, call_of
from callout.server.problems import ANY, refusals

ThisCall = Annotated[Call, Depends(call_of)]
IncidentId = Annotated[str, Path(max_length=64, description="Id or key of the incident, such as `INC-7`.")]
_ERRORS = refusals(*ANY)
router = APIRouter(prefix="/v1/incidents", tags=["incidents"], responses=_ERRORS)
ActionName = Literal["acknowledge", "mitigate", "resolve", "close", "reopen"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PersonBody(_Body):
    """A person: at least an id, a name or an e-mail."""

    id: str = Field("", max_length=200)
    name: str = Field("", max_length=200)
    email: str = Field("", max_length=320)

    def person(self) -> Person:
        """Return the value. Raises InvalidRequestError when it names nobody."""
        if not (self.id or self.name or self.email):
            raise InvalidRequestError(
                "a person needs an id, a name or an e-mail", remediation="To empty the field send null."
            )
        return Person(self.id or self.email or self.name, self.name or self.email, self.email)


class IncidentBody(_Body):
    """A new incident."""

    title: str
    severity: str = str(DEFAULT_SEVERITY)
    description: str = ""
    service: str = ""
    team: str = ""
    commander: PersonBody | None = None
    assignee: PersonBody | None = None
    tags: list[str] = Field(default_factory=list)


class IncidentPatch(_Body):
    """The fields to change; a field left out stays, null empties it. `version` refuses when somebody was quicker."""

    title: str | None = None
    severity: str | None = None
    description: str | None = None
    service: str | None = None
    team: str | None = None
    commander: PersonBody | None = None
    assignee: PersonBody | None = None
    tags: list[str] | None = None
    version: int | None = None


class ActionBody(_Body):
    """A move of the life cycle."""

    action: ActionName
    fields: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="With `resolve` and `close`: what the tickets need for it, by integration (or ticket) and field, such as"
        ' `{"jira": {"resolution": "Fixed"}}`; `GET /v1/incidents/{incident}/needs` lists them. On an incident that is resolved (or'
        " closed) already they are given to the tickets that still wait for them.",
    )


class NoteBody(_Body):
    """A note."""

    text: str
    audience: Audience = Audience.RESPONDERS


class CorrectionBody(_Body):
    """What a line of the timeline should have said."""

    text: str


class PersonOut(BaseModel):
    """A person."""

    id: str
    name: str
    email: str


class IncidentOut(BaseModel):
    """An incident."""

    id: str
    key: str
    number: int
    account_id: str
    title: str
    description: str
    severity: str
    status: Status
    service: str
    team: str
    commander: PersonOut | None
    assignee: PersonOut | None
    declared_by: PersonOut | None
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None
    mitigated_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    version: int
    actions: list[str] = Field(description="What can be done from here.")


class OneIncident(BaseModel):
    """One incident."""

    result: IncidentOut


class ManyIncidents(BaseModel):
    """A page of incidents; an empty cursor means that it was the last."""

    result: list[IncidentOut]
    cursor: str


class NoteOut(BaseModel):
    """A note."""

    id: str
    text: str
    audience: Audience
    author: PersonOut | None
    created_at: datetime


class OneNote(BaseModel):
    """One note."""

    result: NoteOut


class ManyNotes(BaseModel):
    """Notes, oldest first."""

    result: list[NoteOut]


class EntryOut(BaseModel):
    """A line of the timeline."""

    id: str
    at: datetime
    kind: str
    audience: Audience
    actor: dict[str, str]
    channel: str
    data: dict[str, Any]
    corrects: str


class OneEntry(BaseModel):
    """One line of the timeline."""

    result: EntryOut


class ManyEntries(BaseModel):
    """Lines of the timeline, oldest first; an empty cursor means that there are no more yet."""

    result: list[EntryOut]
    cursor: str


class ManyLinks(BaseModel):
    """The incident's tickets, with the state of their sync."""

    result: list[dict[str, Any]]


def incident_out(incident: Incident) -> dict[str, Any]:
    """Return an incident as the API shows it."""
    return {**incident.to_json(), "actions": list(legal_actions(incident.status))}


def note_out(note: Note) -> dict[str, Any]:
    """Return a note as the API shows it."""
    return {
        "id": note.id,
        "text": note.text,
        "audience": note.audience.value,
        "author": person_json(note.author),
        "created_at": note.created_at.isoformat(),
    }


def entry_out(entry: TimelineEntry) -> dict[str, Any]:
    """Return a line of the timeline as the API shows it."""
    actor = entry.origin.actor
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "kind": entry.kind,
        "audience": entry.audience.value,
        "actor": {"kind": actor.kind.value, "id": actor.id, "name": actor.name},
        "channel": entry.origin.channel.value,
        "data": dict(entry.data),
        "corrects": entry.corrects,
    }


def _person(body: PersonBody | None) -> Person | None:
    return None if body is None else body.person()


def _severity(text: str) -> Severity:
    try:
        return Severity.parse(text)
    except ValueError as error:
        raise InvalidRequestError(str(error), fields={"severity": "write SEV-1 to SEV-4"}) from error


@router.post("", status_code=201, response_model=OneIncident, summary="Declare an incident")
async def declare(
    body: IncidentBody,
    call: ThisCall,
) -> Response:
    """Declare an incident; it is stored and numbered when the answer comes, whatever the chat or ticketing systems do."""
    draft = DeclareIncident(
        title=body.title,
        severity=_severity(body.severity),
        description=body.description,
        service=body.service,
        team=body.team,
        commander=_person(body.commander),
        assignee=_person(body.assignee),
        tags=tuple(body.tags),
    )

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        known = await call.services.responding.catalogue.filled(
            scope.tx, draft, severity_given="severity" in body.model_fields_set
        )
        return {"result": incident_out(await call.services.incidents.declare(scope.tx, known, scope.origin))}

    return await call.write(unit, status=201)


@router.get("", response_model=ManyIncidents, summary="List incidents")
async def listing(  # noqa: PLR0917  # query parameters have names on the wire
    call: ThisCall,
    status: Annotated[list[Status] | None, Query(description="Repeat for several.")] = None,
    severity: Annotated[list[str] | None, Query(description="Repeat for several.")] = None,
    service: str = "",
    team: str = "",
    tag: str = "",
    text: Annotated[str, Query(max_length=200, description="Part of the title or description.")] = "",
    created_from: datetime | None = None,
    created_before: datetime | None = None,
    limit: Annotated[int, Query(ge=1, description="At most 200 are returned at once.")] = 50,
    cursor: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """List incidents, newest first. Page with the `cursor` of the last answer and the same filters."""
    for name, moment in (("created_from", created_from), ("created_before", created_before)):
        if moment is not None and moment.tzinfo is None:
            raise InvalidRequestError(
                "a time needs a zone",
                remediation="Write it like 2026-01-31T12:00:00Z.",
                fields={name: "needs a zone"},
            )
    wanted = IncidentFilter(
        statuses=tuple(status or ()),
        severities=tuple(_severity(s) for s in severity or ()),
        service=service,
        team=team,
        tag=tag,
        text=text,
        created_from=created_from,
        created_before=created_before,
    )

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        found, following = await call.services.incidents.search(scope.tx, wanted, limit=limit, cursor=cursor)
        return {"result": [incident_out(incident) for incident in found], "cursor": following}

    return await call.read(unit)


@router.get("/{incident}", response_model=OneIncident, summary="Read an incident")
async def read(
    incident: IncidentId,
    call: ThisCall,
) -> Response:
    """Read one incident by id or key."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        return {"result": incident_out(await call.services.incidents.get(scope.tx, incident))}

    return await call.read(unit)


@router.patch("/{incident}", response_model=OneIncident, summary="Change an incident")
async def patch(
    incident: IncidentId,
    body: IncidentPatch,
    call: ThisCall,
) -> Response:
    """Change the fields that are sent."""
    values: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set - {"version"}}
    for name in {"commander", "assignee"} & set(values):
        values[name] = _person(values[name])
    if "severity" in values:
        values["severity"] = _severity(str(values["severity"]))

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        changed = await call.services.incidents.patch(
            scope.tx, incident, values, scope.origin, expected_version=body.version
        )
        return {"result": incident_out(changed)}

    return await call.write(unit)


@router.post(
    "/{incident}/actions", response_model=OneIncident, summary="Acknowledge, mitigate, resolve, close, reopen"
)
async def act(
    incident: IncidentId,
    body: ActionBody,
    call: ThisCall,
) -> Response:
    """Make a move of the life cycle; one that is not legal from where the incident stands answers 409."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        given = {
            f"{ticket}.{field}": value for ticket, one in body.fields.items() for field, value in one.items()
        }
        done = await call.services.needs.act(scope.tx, incident, body.action, scope.origin, given)
        return {"result": incident_out(done)}

    return await call.write(unit)


@router.get("/{incident}/notes", response_model=ManyNotes, summary="Read the notes")
async def notes(
    incident: IncidentId,
    call: ThisCall,
) -> Response:
    """Read the notes that the caller may see, oldest first."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        found = await call.services.incidents.notes(scope.tx, incident, audiences=scope.audiences)
        return {"result": [note_out(note) for note in found]}

    return await call.read(unit)


@router.post("/{incident}/notes", status_code=201, response_model=OneNote, summary="Write a note")
async def add_note(
    incident: IncidentId,
    body: NoteBody,
    call: ThisCall,
) -> Response:
    """Write a note for an audience; it goes to no place that a wider circle reads."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.note.internal" if body.audience is Audience.INTERNAL else "incident.note")
        note = await call.services.incidents.add_note(
            scope.tx, incident, body.text, body.audience, scope.origin
        )
        return {"result": note_out(note)}

    return await call.write(unit, status=201)


@router.get("/{incident}/timeline", response_model=ManyEntries, summary="Read the timeline")
async def timeline(
    incident: IncidentId,
    call: ThisCall,
    limit: Annotated[int, Query(ge=1)] = 200,
    cursor: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Read the timeline, oldest first; go on after the last entry with the `cursor` of the last answer."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        size = min(limit, 200)
        entries = await call.services.incidents.timeline(
            scope.tx, incident, audiences=scope.audiences, after=cursor, limit=size
        )
        following = entries[-1].id if len(entries) == size else ""
        return {"result": [entry_out(entry) for entry in entries], "cursor": following}

    return await call.read(unit)


@router.post(
    "/{incident}/timeline/{entry}/corrections",
    status_code=201,
    response_model=OneEntry,
    summary="Correct the timeline",
)
async def correct(
    incident: IncidentId,
    entry: Annotated[str, Path(max_length=64)],
    body: CorrectionBody,
    call: ThisCall,
) -> Response:
    """Add a later line that corrects an earlier one; the earlier one stays as it was."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        line = await call.services.incidents.correct(scope.tx, incident, entry, body.text, scope.origin)
        return {"result": entry_out(line)}

    return await call.write(unit, status=201)


@router.get("/{incident}/links", response_model=ManyLinks, summary="Read the tickets and their sync state")
async def links(
    incident: IncidentId,
    call: ThisCall,
) -> Response:
    """Read the incident's tickets: where they are, whether they are in step, and what to do when they are not."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("link.read")
        found = await call.services.incidents.get(scope.tx, incident)
        return {"result": await call.services.links(scope.tx, found.id)}

    return await call.read(unit)

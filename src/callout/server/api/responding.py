"""REST for how an account responds: service levels, escalation policies, and the clocks and calls of an incident."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.incidents.documents import duration_text
from callout.incidents.escalation.pages import Page
from callout.incidents.escalation.runs import Run
from callout.incidents.escalation.service import Escalated
from callout.incidents.sla.clock import Clock
from callout.incidents.sla.rules import DEFAULTS
from callout.server.call import Call, Scope, call_of
from callout.server.problems import Problem

ThisCall = Annotated[Call, Depends(call_of)]
IncidentId = Annotated[str, Path(max_length=64, description="Id or key of the incident, such as `INC-7`.")]
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (400, 401, 402, 403, 404, 405, 409, 413, 415, 500, 503)
}
sla = APIRouter(prefix="/v1/sla", tags=["response"], responses=ERRORS)
escalation = APIRouter(prefix="/v1/escalation", tags=["response"], responses=ERRORS)
of_incident = APIRouter(prefix="/v1/incidents", tags=["response"], responses=ERRORS)
ROUTERS: Final = (sla, escalation, of_incident)


class DocumentBody(BaseModel):
    """A document as docs/escalation.md describes it. `version` refuses when somebody else was quicker."""

    model_config = ConfigDict(extra="forbid")

    document: dict[str, Any]
    version: int | None = Field(None, ge=0)


class DocumentOut(BaseModel):
    """A document; version 0 says that nobody wrote one: what is built in holds."""

    document: dict[str, Any]
    version: int


class OneDocument(BaseModel):
    """One document."""

    result: DocumentOut


class EscalateBody(BaseModel):
    """The next step, now. `policy` names another policy than the incident's."""

    model_config = ConfigDict(extra="forbid")

    policy: str = Field("", max_length=100)
    reason: str = Field("", max_length=1000)


class PageBody(BaseModel):
    """Whom to call now: `person:ann`, `team:payments`, `role:commander`, `channel:NAME`, `oncall:INTEGRATION`, or a bare name."""

    model_config = ConfigDict(extra="forbid")

    target: str = Field(max_length=200)
    reason: str = Field("", max_length=1000)


class ClockOut(BaseModel):
    """A clock of an incident. `limit` is working time by the calendar `hours`; `left` is set while it stands still."""

    clock: str
    state: Literal["running", "met", "breached", "paused"]
    rule: str
    hours: str
    limit: str
    started_at: datetime
    due_at: datetime | None
    warn_at: datetime | None
    left: str | None
    ended_at: datetime | None
    missed: int


class ManyClocks(BaseModel):
    """The clocks of an incident."""

    result: list[ClockOut]


class PageOut(BaseModel):
    """One call: who, by which means, and what became of it."""

    id: str
    call_id: str
    who: str
    target: dict[str, str]
    state: Literal["pending", "told", "perhaps", "failed"]
    means: str
    why: str
    due_at: datetime
    asked_at: datetime
    ended_at: datetime | None


class EscalationOut(BaseModel):
    """How the escalation of an incident stands (null where there never was one), and every call, oldest first."""

    escalation: dict[str, Any] | None
    pages: list[PageOut]


class OneEscalation(BaseModel):
    """The escalation of an incident."""

    result: EscalationOut


class ManyPages(BaseModel):
    """Calls."""

    result: list[PageOut]


def clock_out(clock: Clock, now: datetime) -> dict[str, Any]:
    """Return a clock as the API shows it."""
    return {
        "clock": clock.kind.value,
        "state": clock.state(now).value,
        "rule": clock.rule,
        "hours": clock.hours,
        "limit": duration_text(clock.limit),
        "started_at": clock.started_at.isoformat(),
        "due_at": _iso(clock.due_at),
        "warn_at": _iso(clock.warn_at),
        "left": None if clock.left is None else duration_text(clock.left),
        "ended_at": _iso(clock.ended_at),
        "missed": clock.missed,
    }


def escalation_out(run: Run | None, pages: list[Page]) -> dict[str, Any]:
    """Return an escalation with its calls as the API shows it."""
    return {"escalation": None if run is None else run.to_json(), "pages": [one.to_json() for one in pages]}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


@sla.get("", response_model=OneDocument, summary="Read the service levels")
async def read_sla(call: ThisCall) -> Response:
    """Read the rules of the account: those that somebody wrote, or, at version 0, the built-in ones."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("response.read")
        found = await call.services.responding.settings.load(scope.tx)
        document = found.rules.document if found.rules_version else DEFAULTS
        return {"result": {"document": dict(document), "version": found.rules_version}}

    return await call.read(unit)


@sla.put("", response_model=OneDocument, summary="Replace the service levels")
async def write_sla(body: DocumentBody, call: ThisCall) -> Response:
    """Replace the rules. Incidents keep the times they were given until their severity, service or team changes."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("response.write")
        responding = call.services.responding
        await responding.levels.set_rules(scope.tx, body.document, scope.origin, version=body.version)
        found = await responding.settings.load(scope.tx)
        return {"result": {"document": dict(found.rules.document), "version": found.rules_version}}

    return await call.write(unit)


@escalation.get("", response_model=OneDocument, summary="Read the escalation policies")
async def read_escalation(call: ThisCall) -> Response:
    """Read the escalation policies of the account."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("response.read")
        found = await call.services.responding.settings.load(scope.tx)
        return {"result": {"document": dict(found.policies.document), "version": found.policies_version}}

    return await call.read(unit)


@escalation.put("", response_model=OneDocument, summary="Replace the escalation policies")
async def write_escalation(body: DocumentBody, call: ThisCall) -> Response:
    """Replace the policies; every target has to be there. Escalations under way go on by the steps they began with."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("response.write")
        responding = call.services.responding
        await responding.escalations.set_policies(scope.tx, body.document, scope.origin, version=body.version)
        found = await responding.settings.load(scope.tx)
        return {"result": {"document": dict(found.policies.document), "version": found.policies_version}}

    return await call.write(unit)


@of_incident.get("/{incident}/sla", response_model=ManyClocks, summary="Read the clocks of an incident")
async def read_clocks(incident: IncidentId, call: ThisCall) -> Response:
    """Read how the clocks of an incident stand; none where no rule holds for it."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        found = await call.services.responding.levels.clocks(scope.tx, incident)
        now = call.services.clock.now()
        return {"result": [clock_out(found[kind], now) for kind in sorted(found)]}

    return await call.read(unit)


@of_incident.get(
    "/{incident}/escalation", response_model=OneEscalation, summary="Read who was called for an incident"
)
async def read_calls(incident: IncidentId, call: ThisCall) -> Response:
    """Read how the escalation stands, who was called when, by which means, and why not."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        escalations = call.services.responding.escalations
        run = await escalations.run_of(scope.tx, incident)
        return {"result": escalation_out(run, await escalations.pages(scope.tx, incident))}

    return await call.read(unit)


@of_incident.post("/{incident}/escalate", response_model=ManyPages, summary="Take the next step")
async def escalate(incident: IncidentId, body: EscalateBody, call: ThisCall) -> Response:
    """Take the next step of the incident's escalation policy at once."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        done: Escalated = await call.services.responding.escalations.escalate(
            scope.tx, incident, origin=scope.origin, policy=body.policy, reason=body.reason
        )
        return {"result": [one.to_json() for one in done.pages]}

    return await call.write(unit)


@of_incident.post("/{incident}/page", response_model=ManyPages, summary="Call somebody now")
async def page(incident: IncidentId, body: PageBody, call: ThisCall) -> Response:
    """Call a person, a team, a role, a channel or an on-call system for an incident."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        made = await call.services.responding.escalations.page(
            scope.tx, incident, target=body.target, origin=scope.origin, reason=body.reason
        )
        return {"result": [one.to_json() for one in made]}

    return await call.write(unit)

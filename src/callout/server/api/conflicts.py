"""REST for what a person decides about an incident's tickets: conflicts, and links to stop, start again or retry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.ports.errors import InvalidRequestError
from callout.server.api.incidents import IncidentId
from callout.server.call import Call, Scope, call_of
from callout.server.problems import ANY, refusals
from callout.sync.conflicts import Choice, Decision
from callout.sync.link_actions import LinkAction

ThisCall = Annotated[Call, Depends(call_of)]
LinkId = Annotated[str, Path(max_length=64, description="Id of the link, as the incident's links show it.")]
FieldName = Annotated[str, Path(max_length=64, description="The field, such as `severity`.")]
_ERRORS = refusals(*ANY)
router = APIRouter(prefix="/v1/incidents", tags=["incidents"], responses=_ERRORS)


class ChoiceBody(BaseModel):
    """Whose value is to hold, or a value of one's own."""

    model_config = ConfigDict(extra="forbid")

    choice: Choice
    value: Any = Field(
        None,
        description="With `choice` `value` only: the value in our words, such as `SEV-2`; an assignee is an e-mail, an object, or null.",
    )
    seen: str = Field(
        "",
        max_length=64,
        description="The conflict's `seen`: when either value has changed since, the answer is 409 and nothing is done. "
        "Left out, the choice is about the conflict as it stands.",
    )

    def decision(self) -> Decision:
        """Return the value. Raises InvalidRequestError for a value where none belongs, or none where one does."""
        given = "value" in self.model_fields_set
        if given != (self.choice is Choice.VALUE):
            why = "belongs to the choice `value` alone" if given else "is missing"
            raise InvalidRequestError(f"`value` {why}", fields={"value": why})
        return Decision(self.choice, self.value, self.seen)


class LinkActionBody(BaseModel):
    """What to do with the link."""

    model_config = ConfigDict(extra="forbid")

    action: LinkAction


class ConflictOut(BaseModel):
    """A field that both sides changed differently. Values are texts; a person is an object, nobody is null."""

    incident: str
    link_id: str
    integration: str
    integration_id: str
    ticket_key: str
    field: str
    ours: Any = Field(description="The incident's value today.")
    theirs: Any = Field(description="The ticket's value when it was last read, in the ticket's words.")
    theirs_here: Any = Field(
        description="What ours becomes when theirs is taken; null also where theirs means nothing here."
    )
    agreed: Any = Field(description="The incident's value when both sides last agreed.")
    seen: str = Field(description="Send it back with a choice, to decide on just these values.")


class ManyConflicts(BaseModel):
    """Open conflicts."""

    result: list[ConflictOut]


class SettlementOut(ConflictOut):
    """A conflict that was resolved: as it stood, and how."""

    choice: Choice
    value: Any = Field(description="The incident's value from now on.")


class OneSettlement(BaseModel):
    """A resolved conflict."""

    result: SettlementOut


class LinkOut(BaseModel):
    """A link after an action."""

    id: str
    state: str
    ticket_key: str
    problem: dict[str, str] | None


class OneLink(BaseModel):
    """A link."""

    result: LinkOut


@router.get("/{incident}/conflicts", response_model=ManyConflicts, summary="Read the open conflicts")
async def conflicts(incident: IncidentId, call: ThisCall) -> Response:
    """Read the fields that the incident and a ticket changed differently and that wait for a person; all others go on."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("link.read")
        found = await call.services.conflicts.of_incident(scope.tx, incident)
        return {"result": [one.to_json() for one in found]}

    return await call.read(unit)


@router.post(
    "/{incident}/conflicts/{link}/{field}", response_model=OneSettlement, summary="Resolve a conflict"
)
async def resolve(
    incident: IncidentId, link: LinkId, field: FieldName, body: ChoiceBody, call: ThisCall
) -> Response:
    """Keep ours, take theirs, or give a value of one's own. It is stored when the answer comes; the ticket follows when it can."""
    decision = body.decision()

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("conflict.resolve")
        done = await call.services.conflicts.resolve(
            scope.tx, link, field, decision, scope.origin, incident=incident
        )
        return {"result": done.to_json()}

    return await call.write(unit)


@router.post(
    "/{incident}/links/{link}/actions", response_model=OneLink, summary="Stop, start again or retry a link"
)
async def act_on_link(incident: IncidentId, link: LinkId, body: LinkActionBody, call: ThisCall) -> Response:
    """`stop` leaves the ticket alone in both directions, `resume` starts again, `retry` tries again now."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("link.write")
        done = await call.services.link_actions.act(
            scope.tx, link, body.action, scope.origin, incident=incident
        )
        problem = None if done.problem is None else done.problem.to_json()
        return {
            "result": {
                "id": done.id,
                "state": done.status.value,
                "ticket_key": done.ticket_key,
                "problem": problem,
            }
        }

    return await call.write(unit)

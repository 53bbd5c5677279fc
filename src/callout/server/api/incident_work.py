"""REST for the tasks of an incident, and for messages that people put on its timeline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.incidents import SaidInChat, Task
from callout.kit.ids import new_id
from callout.ports.values import Audience
from callout.server.api.incidents import IncidentId, OneEntry, PersonBody, PersonOut, entry_out
from callout.server.call import Call, Scope, call_of
from callout.server.problems import Problem

ThisCall = Annotated[Call, Depends(call_of)]
TaskNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of the task.")]
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 401, 402, 403, 404, 405, 409, 413, 415, 500, 503)
}
router = APIRouter(prefix="/v1/incidents", tags=["incidents"], responses=_ERRORS)


class TaskBody(BaseModel):
    """A new task."""

    model_config = ConfigDict(extra="forbid")

    title: str
    assignee: PersonBody | None = None
    due: datetime | None = Field(None, description="With a zone.")


class TaskPatch(BaseModel):
    """The fields to change; a field left out stays, null empties it. `position` is the place in the order, from 1."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = None
    assignee: PersonBody | None = None
    due: datetime | None = None
    done: bool | None = None
    position: int | None = Field(None, ge=1, le=10_000)


class TaskOut(BaseModel):
    """A task."""

    id: str
    incident_id: str
    number: int
    position: int
    title: str
    done: bool
    assignee: PersonOut | None
    due: datetime | None
    created_at: datetime
    created_by: PersonOut | None
    done_at: datetime | None
    done_by: PersonOut | None


class OneTask(BaseModel):
    """One task."""

    result: TaskOut


class ManyTasks(BaseModel):
    """Tasks in their order."""

    result: list[TaskOut]


class MessageBody(BaseModel):
    """A message from elsewhere. `source` is what it is known by there: the same one is put there once."""

    model_config = ConfigDict(extra="forbid")

    text: str
    author: PersonBody | None = None
    permalink: str = Field("", max_length=2000)
    said_at: datetime | None = None
    source: str = Field("", max_length=500)
    audience: Audience = Audience.RESPONDERS


def _answer(task: Task) -> Mapping[str, Any]:
    return {"result": task.to_json()}


@router.get("/{incident}/tasks", response_model=ManyTasks, summary="Read the tasks")
async def tasks(incident: IncidentId, call: ThisCall) -> Response:
    """Read the tasks in their order."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        found = await call.services.incidents.tasks.of(scope.tx, incident)
        return {"result": [one.to_json() for one in found]}

    return await call.read(unit)


@router.post("/{incident}/tasks", status_code=201, response_model=OneTask, summary="Add a task")
async def add_task(incident: IncidentId, body: TaskBody, call: ThisCall) -> Response:
    """Add a task at the end."""
    assignee = None if body.assignee is None else body.assignee.person()

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        return _answer(
            await call.services.incidents.tasks.add(
                scope.tx, incident, body.title, scope.origin, assignee=assignee, due=body.due
            )
        )

    return await call.write(unit, status=201)


@router.patch("/{incident}/tasks/{task}", response_model=OneTask, summary="Change a task, tick it off")
async def change_task(incident: IncidentId, task: TaskNumber, body: TaskPatch, call: ThisCall) -> Response:
    """Change the fields that are sent; `done` ticks it off or opens it again, `position` moves it."""
    values: dict[str, Any] = {
        name: getattr(body, name) for name in body.model_fields_set & {"title", "assignee", "due"}
    }
    if values.get("assignee") is not None:
        values["assignee"] = values["assignee"].person()

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        service = call.services.incidents.tasks
        await service.change(scope.tx, incident, task, values, scope.origin)
        if body.done is not None:
            await service.finish(scope.tx, incident, task, scope.origin, done=body.done)
        if body.position is not None:
            await service.move(scope.tx, incident, task, body.position, scope.origin)
        return _answer(await service.get(scope.tx, incident, task))

    return await call.write(unit)


@router.post(
    "/{incident}/timeline", status_code=201, response_model=OneEntry, summary="Put a message on the timeline"
)
async def add_message(incident: IncidentId, body: MessageBody, call: ThisCall) -> Response:
    """Put what somebody said elsewhere on the timeline, with who said it and a link to it. The same `source` again adds nothing."""
    author = None if body.author is None else body.author.person()

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.note.internal" if body.audience is Audience.INTERNAL else "incident.note")
        # In a room of its own: what a chat platform's messages are known by cannot be taken before they come.
        source = f"api/{body.source or body.permalink or new_id()}"[:500]
        said = SaidInChat(source, body.text, author, body.permalink, body.said_at)
        line = await call.services.incidents.messages.add(
            scope.tx, incident, said, scope.origin, audience=body.audience
        )
        return {"result": entry_out(line)}

    return await call.write(unit, status=201)

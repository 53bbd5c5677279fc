"""Tasks of an incident: in an order, with somebody to do them and a time by which; every change is on the timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func

from callout.incidents import store
from callout.incidents.edit import author_of
from callout.incidents.model import (
    FIELDS,
    FieldChange,
    json_value,
    person_from_json,
    person_json,
)
from callout.incidents.tables import incident_task
from callout.kit.ids import new_id
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.ports.values import Origin, Person

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from callout.incidents.edit import IncidentEdit
    from callout.incidents.service import Incidents
    from callout.storage import AccountTx

MOST: Final = 500
"""Tasks that an incident may have; whoever needs more needs a project."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done. `number` names it within its incident; `position` is its place in the order, from 1."""

    id: str
    incident_id: str
    number: int
    position: int
    title: str
    created_at: datetime
    created_by: Person | None = None
    assignee: Person | None = None
    due: datetime | None = None
    done_at: datetime | None = None
    done_by: Person | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.done_at is not None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form used in events and in the API."""
        return {
            "id": self.id,
            "incident_id": self.incident_id,
            "number": self.number,
            "position": self.position,
            "title": self.title,
            "done": self.done,
            "assignee": person_json(self.assignee),
            "due": _iso(self.due),
            "created_at": self.created_at.isoformat(),
            "created_by": person_json(self.created_by),
            "done_at": _iso(self.done_at),
            "done_by": person_json(self.done_by),
        }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _due(value: Any) -> datetime | None:  # noqa: ANN401
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidRequestError(
            "the time by which a task is due needs a zone",
            remediation="Write it like 2026-01-31T12:00:00Z.",
            fields={"due": "needs a zone"},
        )
    return value


CHANGEABLE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "title": FIELDS["title"],
    "assignee": FIELDS["assignee"],
    "due": _due,
}
"""Field of a task that may be changed → its check."""


class Tasks:
    """Adds, changes and ends tasks, in the caller's transaction."""

    def __init__(self, incidents: Incidents) -> None:
        self._incidents = incidents

    async def add(
        self,
        tx: AccountTx,
        id_or_key: str,
        title: str,
        origin: Origin,
        *,
        assignee: Person | None = None,
        due: datetime | None = None,
    ) -> Task:
        """Add a task at the end. Raises InvalidRequestError."""
        edit = await self._incidents.edit(tx, id_or_key)
        last = await tx.one(
            tx.select(func.max(incident_task.c.number), func.max(incident_task.c.position)).where(
                incident_task.c.incident_id == edit.incident.id
            )
        )
        number, position = (0, 0) if last is None else (value or 0 for value in last.values())
        if number >= MOST:
            raise InvalidRequestError(
                f"{edit.incident.key} has {MOST} tasks, which is the most", remediation="Use a note."
            )
        task = Task(
            id=new_id(),
            incident_id=edit.incident.id,
            number=number + 1,
            position=position + 1,
            title=CHANGEABLE["title"](title),
            created_at=self._incidents.clock.now(),
            created_by=author_of(origin),
            assignee=CHANGEABLE["assignee"](assignee),
            due=_due(due),
        )
        await tx.execute(tx.insert(incident_task).values(account_id=tx.account_id, **_row_of(task)))
        told = {"title": task.title, "assignee": person_json(task.assignee), "due": _iso(task.due)}
        await self._tell(edit, "task_added", task, told, origin)
        return task

    async def change(
        self, tx: AccountTx, id_or_key: str, task: int, values: Mapping[str, Any], origin: Origin
    ) -> Task:
        """Change title, assignee or due of the task with number `task`. Raises NotFoundError, InvalidRequestError."""
        unknown = sorted(set(values) - set(CHANGEABLE))
        if unknown:
            raise InvalidRequestError(
                f"not a field of a task: {', '.join(unknown)}",
                fields=dict.fromkeys(unknown, "unknown field"),
                remediation=f"Fields that can be changed: {', '.join(CHANGEABLE)}.",
            )
        edit = await self._incidents.edit(tx, id_or_key)
        before = await _load(tx, edit.incident.id, task)
        after = replace(before, **{name: CHANGEABLE[name](value) for name, value in values.items()})
        changes = {
            name: FieldChange(_told(getattr(before, name)), _told(getattr(after, name))).to_json()
            for name in CHANGEABLE
            if getattr(before, name) != getattr(after, name)
        }
        if changes:
            await _save(tx, after)
            await self._tell(edit, "task_changed", after, {"title": after.title, "changes": changes}, origin)
        return after

    async def finish(
        self, tx: AccountTx, id_or_key: str, task: int, origin: Origin, *, done: bool = True
    ) -> Task:
        """Say that a task is done, or, with `done` false, that it is not; the same again changes nothing. Raises NotFoundError."""
        edit = await self._incidents.edit(tx, id_or_key)
        before = await _load(tx, edit.incident.id, task)
        if before.done is done:
            return before
        now = self._incidents.clock.now() if done else None
        after = replace(before, done_at=now, done_by=author_of(origin) if done else None)
        await _save(tx, after)
        kind = "task_done" if done else "task_reopened"
        await self._tell(edit, kind, after, {"title": after.title}, origin)
        return after

    async def move(
        self, tx: AccountTx, id_or_key: str, task: int, position: int, origin: Origin
    ) -> list[Task]:
        """Put a task at another place of the order (from 1); return all in their new order. Raises NotFoundError."""
        edit = await self._incidents.edit(tx, id_or_key)
        moved = await _load(tx, edit.incident.id, task)
        rest = [one for one in await _all(tx, edit.incident.id) if one.id != moved.id]
        place = min(max(position, 1), len(rest) + 1)
        ordered = [*rest[: place - 1], moved, *rest[place - 1 :]]
        placed = [replace(one, position=number) for number, one in enumerate(ordered, 1)]
        for old, new in zip(ordered, placed, strict=True):
            if old.position != new.position:
                await _save(tx, new)
        after = placed[place - 1]
        if after.position != moved.position:
            change = FieldChange(moved.position, after.position).to_json()
            told = {"title": after.title, "changes": {"position": change}}
            await self._tell(edit, "task_changed", after, told, origin)
        return placed

    async def of(self, tx: AccountTx, id_or_key: str) -> list[Task]:
        """Return an incident's tasks in their order."""
        return await _all(tx, (await store.load(tx, id_or_key)).id)

    async def get(self, tx: AccountTx, id_or_key: str, task: int) -> Task:
        """Return the task with that number. Raises NotFoundError."""
        return await _load(tx, (await store.load(tx, id_or_key)).id, task)

    async def _tell(
        self, edit: IncidentEdit, kind: str, task: Task, data: Mapping[str, Any], origin: Origin
    ) -> None:
        edit.entry(kind, {"task_id": task.id, "number": task.number, **data}, origin=origin)
        edit.event(f"incident.{kind}", {"task": task.to_json()}, origin=origin)
        await edit.save()


def _told(value: Any) -> Any:  # noqa: ANN401
    return value.isoformat() if isinstance(value, datetime) else json_value(value)


def _row_of(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "incident_id": task.incident_id,
        "number": task.number,
        "position": task.position,
        "title": task.title,
        "assignee": person_json(task.assignee),
        "due": task.due,
        "created_at": task.created_at,
        "created_by": person_json(task.created_by),
        "done_at": task.done_at,
        "done_by": person_json(task.done_by),
    }


def _task_of(row: RowMapping) -> Task:
    people = ("assignee", "created_by", "done_by")
    values = {str(name): value for name, value in row.items() if name != "account_id"}
    return Task(**{**values, **{name: person_from_json(row[name]) for name in people}})


async def _save(tx: AccountTx, task: Task) -> None:
    await tx.execute(tx.update(incident_task).where(incident_task.c.id == task.id).values(**_row_of(task)))


async def _all(tx: AccountTx, incident_id: str) -> list[Task]:
    rows = await tx.all(
        tx.select(incident_task)
        .where(incident_task.c.incident_id == incident_id)
        .order_by(incident_task.c.position, incident_task.c.number)
    )
    return [_task_of(row) for row in rows]


async def _load(tx: AccountTx, incident_id: str, number: int) -> Task:
    row = await tx.one(
        tx.select(incident_task).where(
            incident_task.c.incident_id == incident_id,
            incident_task.c.number == min(max(number, 0), 2**31 - 1),
        )
    )
    if row is None:
        raise NotFoundError(
            f"the incident has no task {number}", remediation="List its tasks to find the number."
        )
    return _task_of(row)

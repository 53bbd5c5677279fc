"""Who takes part in an incident: people join and leave, and the timeline says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callout.incidents import store
from callout.incidents.model import FIELDS, Incident, person_from_json, person_json
from callout.incidents.tables import incident_participant
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Origin, Person
from callout.storage.upsert import insert_or_ignore

if TYPE_CHECKING:
    from callout.incidents.service import Incidents
    from callout.storage import AccountTx

JOINED: Final = "joined"
LEFT: Final = "left"


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody on an incident, since when, and until when: None for who is on it now."""

    person: Person
    joined_at: datetime
    left_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "person": person_json(self.person),
            "joined_at": self.joined_at.isoformat(),
            "left_at": None if self.left_at is None else self.left_at.isoformat(),
        }


class Participants:
    """Lets people join and leave, in the caller's transaction."""

    def __init__(self, incidents: Incidents) -> None:
        self._incidents = incidents

    async def join(self, tx: AccountTx, id_or_key: str, person: Person, origin: Origin) -> Incident:
        """Put somebody on an incident; who is on it already stays. Raises InvalidRequestError."""
        checked = _checked(person)
        edit = await self._incidents.edit(tx, id_or_key)
        now = self._incidents.clock.now()
        row = {
            "account_id": tx.account_id,
            "incident_id": edit.incident.id,
            "person_id": checked.id,
            "person": person_json(checked),
            "joined_at": now,
            "left_at": None,
        }
        if not await tx.system.execute(insert_or_ignore(tx.system, incident_participant, row)):
            again = (
                tx.update(incident_participant)
                .where(incident_participant.c.incident_id == edit.incident.id)
                .where(incident_participant.c.person_id == checked.id)
                .where(incident_participant.c.left_at.is_not(None))
                .values(person=row["person"], joined_at=now, left_at=None)
            )
            if not await tx.execute(again):
                return edit.incident
        edit.entry(JOINED, {"person": row["person"]}, origin=origin, at=now)
        edit.event("incident.participant_joined", {"person": row["person"]}, origin=origin)
        return await edit.save()

    async def leave(
        self, tx: AccountTx, id_or_key: str, person: Person, origin: Origin, *, also: Sequence[str] = ()
    ) -> bool:
        """Take somebody off an incident; return whether they were on it. `also` are other ids that they have or had."""
        checked = _checked(person)
        edit = await self._incidents.edit(tx, id_or_key)
        now = self._incidents.clock.now()
        gone = (
            tx.update(incident_participant)
            .where(incident_participant.c.incident_id == edit.incident.id)
            .where(incident_participant.c.person_id.in_([checked.id, *also]))
            .where(incident_participant.c.left_at.is_(None))
            .values(left_at=now)
        )
        if not await tx.execute(gone):
            return False
        told = {"person": person_json(checked)}
        edit.entry(LEFT, told, origin=origin, at=now)
        edit.event("incident.participant_left", told, origin=origin)
        await edit.save()
        return True

    async def of(self, tx: AccountTx, id_or_key: str, *, gone: bool = False) -> list[Participant]:
        """Return who is on an incident, in the order in which they joined; with `gone` those who left, too."""
        incident = await store.load(tx, id_or_key)
        statement = tx.select(incident_participant).where(incident_participant.c.incident_id == incident.id)
        if not gone:
            statement = statement.where(incident_participant.c.left_at.is_(None))
        ordered = statement.order_by(incident_participant.c.joined_at, incident_participant.c.person_id)
        return [
            Participant(
                person_from_json(row["person"]) or Person(row["person_id"]), row["joined_at"], row["left_at"]
            )
            for row in await tx.all(ordered)
        ]


def _checked(person: Person) -> Person:
    checked: Person | None = FIELDS["assignee"](person)
    if checked is None or not checked.id:
        raise InvalidRequestError("a participant is a person", fields={"person": "missing"})
    return checked

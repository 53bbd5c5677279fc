"""The one organization of an installation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update

from callout.access.naming import clean_fullname, clean_name
from callout.access.stamps import next_update, refuse_stale
from callout.access.tables import organizations
from callout.audit import ORGANIZATION_ID, Audit
from callout.kit.clock import Clock
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.ports.values import Actor, Origin
from callout.storage import Tx
from callout.storage.upsert import insert_or_ignore

_CHANGEABLE: Final = frozenset({"name", "fullname", "contact", "reply_to", "picture", "options"})


@dataclass(frozen=True, slots=True)
class Organization:
    """The organization, in the contract's fields."""

    id: str
    name: str
    fullname: str
    organization_type: str
    refresh_token_id: str
    state: str
    created_at: datetime
    updated_at: datetime
    contact: str | None = None
    reply_to: str | None = None
    picture: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


class Organizations:
    """Makes, reads and changes the organization."""

    def __init__(self, clock: Clock, audit: Audit) -> None:
        self._clock = clock
        self._audit = audit

    async def ensure(
        self, tx: Tx, *, name: str = "organization", fullname: str = "Organization"
    ) -> Organization:
        """Return the organization, made when this is the first start; several processes may start at once."""
        now = self._clock.now()
        made = await tx.execute(
            insert_or_ignore(
                tx,
                organizations,
                {
                    "id": ORGANIZATION_ID,
                    "name": clean_name(name),
                    "fullname": clean_fullname(fullname),
                    "organization_type": "root",
                    "refresh_token_id": "",
                    "state": "enabled",
                    "options": {},
                    "created_at": now,
                    "updated_at": now,
                },
            ),
        )
        if made:
            await self._audit.record(
                tx,
                action="organization.created",
                actor=Actor.system(),
                subject_type="organization",
                subject_id=ORGANIZATION_ID,
                data={"name": name},
            )
        return await self.get(tx)

    async def get(self, tx: Tx) -> Organization:
        """Return the organization. Raises NotFoundError before the first start."""
        row = await tx.one(select(organizations).where(organizations.c.id == ORGANIZATION_ID))
        if row is None:
            raise NotFoundError(
                "there is no organization yet", remediation="Start the server once, or run `callout migrate`."
            )
        return Organization(**row)

    async def update(
        self,
        tx: Tx,
        *,
        changes: Mapping[str, Any],
        actor: Actor,
        origin: Origin | None = None,
        expected: datetime | None = None,
    ) -> Organization:
        """Change name, fullname, contact, reply_to, picture or options. Raises InvalidRequestError,
        ConflictError.
        """
        before = await self.get(tx)
        refuse_stale(expected, before.updated_at)
        unknown = set(changes) - _CHANGEABLE
        if unknown:
            raise InvalidRequestError(
                f"cannot change {', '.join(sorted(unknown))} of the organization",
                fields={f"/{name}": "cannot be changed" for name in sorted(unknown)},
            )
        values = dict(changes)
        if "name" in values:
            values["name"] = clean_name(values["name"])
        if "fullname" in values:
            values["fullname"] = clean_fullname(values["fullname"])
        values["updated_at"] = next_update(self._clock, before.updated_at)
        await tx.execute(update(organizations).where(organizations.c.id == ORGANIZATION_ID).values(**values))
        await self._audit.record(
            tx,
            action="organization.updated",
            actor=actor,
            origin=origin,
            subject_type="organization",
            subject_id=ORGANIZATION_ID,
            data=dict(changes),
        )
        return await self.get(tx)

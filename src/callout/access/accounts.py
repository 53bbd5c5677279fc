"""Accounts: the customers or teams of the organization that everything else belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, delete, func, or_, select, update

from callout.access.erasure import erase_account
from callout.access.listing import EVERYTHING, Listed, Listing, apply
from callout.access.naming import choose_names, clean_fullname, clean_labels, clean_name
from callout.access.stamps import next_update, refuse_stale
from callout.access.tables import accounts, token_secrets, tokens
from callout.access.version import SettingsVersion
from callout.audit import ORGANIZATION_ID, Audit
from callout.kit.clock import Clock
from callout.kit.ids import new_id
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.values import Actor, Origin
from callout.storage import Tx
from callout.storage.upsert import insert_or_ignore

DEFAULT_ACCOUNT: Final = "default"
"""The name of the account that a single-team installation has."""
RESERVED: Final = frozenset({"lookup"})
"""Names that would stand where an address has a word of its own."""
ENVIRONMENTS: Final = ("prod", "test")
_CHANGEABLE: Final = frozenset({"name", "fullname", "environment", "labels"})


@dataclass(frozen=True, slots=True)
class Account:
    """An account, in the contract's fields."""

    id: str
    organization_id: str
    name: str
    fullname: str
    environment: str
    labels: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


class Accounts:
    """Creates, reads, changes and removes accounts. Every method sees all of them: the caller's rights are
    checked above.
    """

    def __init__(self, clock: Clock, audit: Audit, version: SettingsVersion) -> None:
        self._clock = clock
        self._audit = audit
        self._version = version

    async def ensure_default(self, tx: Tx) -> Account:
        """Return the account `default`, made when the organization has no account at all."""
        found = await self._find(tx, DEFAULT_ACCOUNT)
        if found is not None:
            return found
        row = self._row(DEFAULT_ACCOUNT, "Default", "prod", [])
        if await tx.execute(insert_or_ignore(tx, accounts, row)):
            await self._record(
                tx, "account.created", row["id"], {"name": DEFAULT_ACCOUNT}, actor=Actor.system()
            )
        return await self.get(tx, DEFAULT_ACCOUNT)

    async def create(
        self,
        tx: Tx,
        *,
        actor: Actor,
        origin: Origin | None = None,
        name: str | None = None,
        fullname: str | None = None,
        environment: str | None = None,
        labels: Sequence[str] | None = None,
    ) -> Account:
        """Create an account. Raises InvalidRequestError, ConflictError when the name is taken."""
        row = self._row("", "", _environment(environment or "prod"), clean_labels(list(labels or ())))
        row["name"], row["fullname"] = await choose_names(
            tx, accounts, name=name, fullname=fullname, record_id=row["id"]
        )
        if row["name"] in RESERVED:
            raise _reserved(row["name"])
        if not await tx.execute(insert_or_ignore(tx, accounts, row)):
            raise _taken(row["name"])
        data = {"name": row["name"], "environment": row["environment"], "labels": row["labels"]}
        await self._record(
            tx, "account.created", row["id"], data, actor=actor, origin=origin, environment=row["environment"]
        )
        await self._version.bump(tx)
        return _account(row)

    async def get(self, tx: Tx, id_or_name: str) -> Account:
        """Return the account with that id or name. Raises NotFoundError."""
        found = await self._find(tx, id_or_name)
        if found is None:
            raise NotFoundError(f"there is no account {id_or_name!r}")
        return found

    async def list(
        self, tx: Tx, listing: Listing = EVERYTHING, *, among: frozenset[str] | None = None
    ) -> Listed[Account]:  # frozen
        """Return accounts; `among` restricts to those ids. Raises InvalidRequestError for a bad filter or
        order.
        """
        rows = await tx.all(select(accounts).order_by(accounts.c.name))
        items = [_account(row) for row in rows if among is None or row["id"] in among]
        return apply(items, listing, asdict)

    async def update(
        self,
        tx: Tx,
        account_id: str,
        *,
        changes: Mapping[str, Any],
        actor: Actor,
        origin: Origin | None = None,
        expected: datetime | None = None,
    ) -> Account:
        """Change name, fullname, environment or labels.

        Args:
            tx: the transaction.
            account_id: id or name.
            changes: new values by field; other fields stay.
            actor: who does it.
            origin: by which way in.
            expected: `updated_at` as the caller read it; refused when it moved since.

        Raises NotFoundError, InvalidRequestError, ConflictError.
        """
        before = await self.get(tx, account_id)
        refuse_stale(expected, before.updated_at)
        unknown = sorted(set(changes) - _CHANGEABLE)
        if unknown:
            raise InvalidRequestError(
                f"cannot change {', '.join(unknown)} of an account",
                fields={f"/{name}": "cannot be changed" for name in unknown},
            )
        values = dict(changes)
        if "name" in values:
            values["name"] = clean_name(values["name"])
            if values["name"] in RESERVED:
                raise _reserved(values["name"])
            other = await self._find_name(tx, values["name"])
            if other is not None and other.id != before.id:
                raise _taken(values["name"])
        if "fullname" in values:
            values["fullname"] = clean_fullname(values["fullname"])
        if "environment" in values:
            values["environment"] = _environment(values["environment"])
        if "labels" in values:
            values["labels"] = clean_labels(list(values["labels"]))
        values["updated_at"] = next_update(self._clock, before.updated_at)
        await tx.execute(update(accounts).where(accounts.c.id == before.id).values(**values))
        after = await self.get(tx, before.id)
        await self._record(
            tx,
            "account.updated",
            before.id,
            dict(changes),
            actor=actor,
            origin=origin,
            environment=after.environment,
        )
        await self._version.bump(tx)
        return after

    async def delete(self, tx: Tx, account_id: str, *, actor: Actor, origin: Origin | None = None) -> None:
        """Remove an account with everything that belongs to it; the tokens of its integrations die at once.

        Organization tokens stay, opening one account less. Raises NotFoundError.
        """
        before = await self.get(tx, account_id)
        now = self._clock.now()
        owned = select(tokens.c.id).where(tokens.c.owner_account_id == before.id)
        await tx.execute(
            update(token_secrets)
            .where(token_secrets.c.token_id.in_(owned), token_secrets.c.revoked_at.is_(None))
            .values(revoked_at=now),
        )
        await tx.execute(
            update(tokens)
            .where(tokens.c.owner_account_id == before.id, tokens.c.revoked_at.is_(None))
            .values(revoked_at=now),
        )
        rows = await erase_account(tx, before.id)
        await tx.execute(delete(accounts).where(accounts.c.id == before.id))
        data = {"name": before.name, "rows": rows}
        await self._record(
            tx, "account.deleted", before.id, data, actor=actor, origin=origin, environment=before.environment
        )
        await self._version.bump(tx)

    async def count(self, tx: Tx) -> int:
        """Return how many accounts there are."""
        return int(await tx.scalar(select(func.count()).select_from(accounts)))

    async def _find(self, tx: Tx, id_or_name: str) -> Account | None:
        wanted = or_(accounts.c.id == id_or_name, accounts.c.name == id_or_name.lower())
        rows = await tx.all(select(accounts).where(wanted))
        # An id wins over another account that took it as its name.
        best = sorted(rows, key=lambda row: row["id"] != id_or_name)
        return _account(best[0]) if best else None

    async def _find_name(self, tx: Tx, name: str) -> Account | None:
        row = await tx.one(select(accounts).where(accounts.c.name == name))
        return None if row is None else _account(row)

    def _row(self, name: str, fullname: str, environment: str, labels: Sequence[str]) -> dict[str, Any]:
        now = self._clock.now()
        return {
            "id": new_id(),
            "organization_id": ORGANIZATION_ID,
            "name": name,
            "fullname": fullname,
            "environment": environment,
            "labels": list(labels),
            "created_at": now,
            "updated_at": now,
        }

    async def _record(
        self,
        tx: Tx,
        action: str,
        account_id: str,
        data: Mapping[str, Any],
        *,
        actor: Actor,
        origin: Origin | None = None,
        environment: str | None = None,
    ) -> None:
        await self._audit.record(
            tx,
            action=action,
            actor=actor,
            origin=origin,
            subject_type="account",
            subject_id=account_id,
            data=data,
            account_id=account_id,
            environment=environment,
        )


def _account(row: Mapping[str, Any] | RowMapping) -> Account:
    return Account(**{**row, "labels": tuple(row["labels"])})


def _environment(value: str) -> str:
    if value not in ENVIRONMENTS:
        raise InvalidRequestError(
            f"environment is prod or test, not {value!r}", fields={"/environment": "must be prod or test"}
        )
    return value


def _reserved(name: str) -> InvalidRequestError:
    return InvalidRequestError(f"{name!r} cannot be the name of an account", fields={"/name": "reserved"})


def _taken(name: str) -> ConflictError:
    return ConflictError(f"there is an account named {name!r} already", fields={"/name": "taken"})

"""Credentials: kept encrypted, each part bound to its account, its owner and its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, RowMapping, or_, select, update

from callout.access.naming import choose_names, clean_fullname, clean_name
from callout.access.stamps import next_update, refuse_stale
from callout.access.version import SettingsVersion
from callout.audit import Audit
from callout.integrations.credential_kinds import (
    CredentialParts,
    CredentialReference,
    lacking,
    read_credential,
)
from callout.integrations.tables import credentials, integrations
from callout.kit.clock import Clock
from callout.kit.ids import new_id
from callout.kit.secrets import KeyRing, Secret
from callout.ports.errors import AuthFailedError, ConflictError, InvalidRequestError, NotFoundError
from callout.ports.manifest import Credential
from callout.ports.values import Actor, Origin
from callout.storage import AccountTx, Tx
from callout.storage.upsert import insert_or_ignore

OwnerType = Literal["account", "integration", "integration_point", "organization_webhook"]


@dataclass(frozen=True, slots=True)
class CredentialRecord:
    """A credential without its secrets: this is all that an answer may show."""

    id: str
    account_id: str
    name: str
    fullname: str
    owner_type: str
    owner_id: str
    managed: str
    kind: str
    expires: datetime | None
    created_at: datetime
    updated_at: datetime


class Credentials:
    """Creates, reads, changes and removes the credentials of one account."""

    def __init__(self, clock: Clock, audit: Audit, version: SettingsVersion, keys: KeyRing) -> None:
        self._clock = clock
        self._audit = audit
        self._version = version
        self._keys = keys

    async def create(
        self,
        tx: AccountTx,
        *,
        config: Mapping[str, Any] | CredentialParts,
        actor: Actor,
        origin: Origin | None = None,
        owner_type: OwnerType = "account",
        owner_id: str | None = None,
        name: str | None = None,
        fullname: str | None = None,
        expires: datetime | None = None,
        managed: bool = False,
    ) -> CredentialRecord:
        """Store a credential, encrypted.

        Args:
            tx: the account.
            config: the contract's `config`, or its parts already read.
            actor: who does it.
            origin: by which way in.
            owner_type: what it belongs to.
            owner_id: its id; the account when absent.
            name: unique within the owner.
            fullname: for people.
            expires: when it stops working at the other side, if that is known.
            managed: made by us for an integration, and removed with it.

        Raises InvalidRequestError, ConflictError.
        """
        parts = config if isinstance(config, CredentialParts) else read_credential(config, "/config")
        if isinstance(parts, CredentialReference):
            raise InvalidRequestError(
                "a credential cannot be a reference", fields={"/config/type": "a reference"}
            )
        credential_id, now, owner = new_id(), self._clock.now(), owner_id or tx.account_id
        if owner_type == "account" and owner != tx.account_id:
            raise NotFoundError(f"there is no account {owner!r}")
        within = (credentials.c.account_id == tx.account_id) & (credentials.c.owner_id == owner)
        chosen, full = await choose_names(
            tx.system, credentials, name=name, fullname=fullname, record_id=credential_id, within=within
        )
        row = {
            "id": credential_id,
            "account_id": tx.account_id,
            "name": chosen,
            "fullname": full,
            "owner_type": owner_type,
            "owner_id": owner,
            "managed": "Managed" if managed else "Unmanaged",
            "kind": parts.kind,
            "plain": dict(parts.plain),
            "sealed": self._seal(tx.account_id, owner, credential_id, parts.secrets),
            "expires": expires,
            "created_at": now,
            "updated_at": now,
        }
        if not await tx.system.execute(insert_or_ignore(tx.system, credentials, row)):
            raise ConflictError(f"there is a credential named {chosen!r} already", fields={"/name": "taken"})
        await self._record(
            tx, "credential.created", credential_id, owner, parts.kind, actor=actor, origin=origin
        )
        return await self.get(tx, credential_id)

    async def get(self, tx: AccountTx, id_or_name: str, *, owner_id: str | None = None) -> CredentialRecord:
        """Return a credential by its id, or by its name within an owner. Raises NotFoundError."""
        return _credential(await self._row(tx, id_or_name, owner_id))

    async def find(self, tx: Tx, credential_id: str) -> CredentialRecord:
        """Return the credential with that id, of whatever account. Raises NotFoundError."""
        row = await tx.one(select(credentials).where(credentials.c.id == credential_id))
        if row is None:
            raise NotFoundError(f"there is no credential {credential_id!r}")
        return _credential(row)

    async def parts(self, tx: AccountTx, credential_id: str) -> CredentialParts:
        """Return a credential taken apart, its secret parts as Secrets. Raises NotFoundError, SealError."""
        row = await self._row(tx, credential_id, None)
        secrets = {
            name: self._keys.open(sealed, context=_context(row, name))
            for name, sealed in row["sealed"].items()
        }
        return CredentialParts(row["kind"], row["plain"], secrets)

    async def list(self, tx: AccountTx, owner_id: str) -> Sequence[CredentialRecord]:
        """Return an owner's credentials by name."""
        query = tx.select(credentials).where(credentials.c.owner_id == owner_id).order_by(credentials.c.name)
        return [_credential(row) for row in await tx.all(query)]

    async def reveal(self, tx: AccountTx, credential_id: str) -> Credential:
        """Return a credential decrypted, for a connector.

        Raises NotFoundError, SealError, AuthFailedError when its secrets did not come along with an import.
        """
        parts = await self.parts(tx, credential_id)
        missing = lacking(parts.kind, parts.secrets)
        if missing:
            raise AuthFailedError(
                f"the secrets of its credential are not here ({', '.join(missing)}): an export holds none",
                remediation="Enter the credential again.",
            )
        return Credential(parts.kind, parts.values, parts.secrets)

    async def lacking(self, tx: AccountTx, credential_ids: Iterable[str]) -> tuple[str, ...]:
        """Return the names of the secret parts that credentials need and do not have."""
        query = tx.select(credentials).where(credentials.c.id.in_(list(credential_ids)))
        rows = await tx.all(query.order_by(credentials.c.name))
        return tuple(name for row in rows for name in lacking(row["kind"], row["sealed"]))

    async def update(
        self,
        tx: AccountTx,
        credential_id: str,
        *,
        changes: Mapping[str, Any],
        actor: Actor,
        origin: Origin | None = None,
        expected: datetime | None = None,
    ) -> CredentialRecord:
        """Change name, fullname, expires or config; the owner cannot change.

        Raises NotFoundError, InvalidRequestError, ConflictError.
        """
        row = await self._row(tx, credential_id, None)
        refuse_stale(expected, row["updated_at"])
        unknown = sorted(set(changes) - {"name", "fullname", "expires", "config"})
        if unknown:
            raise InvalidRequestError(
                f"cannot change {', '.join(unknown)} of a credential",
                fields={f"/{name}": "cannot be changed" for name in unknown},
            )
        values: dict[str, Any] = {name: changes[name] for name in ("expires",) if name in changes}
        if "fullname" in changes:
            values["fullname"] = clean_fullname(changes["fullname"])
        if "name" in changes:
            values["name"] = clean_name(changes["name"])
            same = tx.select(credentials.c.id).where(
                credentials.c.owner_id == row["owner_id"],
                credentials.c.name == values["name"],
                credentials.c.id != row["id"],
            )
            if await tx.scalar(same) is not None:
                raise ConflictError(
                    f"there is a credential named {values['name']!r} already", fields={"/name": "taken"}
                )
        kind = row["kind"]
        if "config" in changes:
            config = changes["config"]
            parts = (
                config
                if isinstance(config, CredentialParts)
                else read_credential(config, "/config", allowed=(row["kind"],))
            )
            if isinstance(parts, CredentialReference):
                raise InvalidRequestError(
                    "a credential cannot be a reference", fields={"/config/type": "a reference"}
                )
            sealed = self._seal(tx.account_id, row["owner_id"], row["id"], parts.secrets)
            values |= {"plain": dict(parts.plain), "sealed": sealed}
        values["updated_at"] = next_update(self._clock, row["updated_at"])
        await tx.execute(tx.update(credentials).where(credentials.c.id == row["id"]).values(**values))
        await self._record(
            tx, "credential.updated", row["id"], row["owner_id"], kind, actor=actor, origin=origin
        )
        await self._version.bump(tx.system)
        return await self.get(tx, row["id"])

    async def delete(
        self, tx: AccountTx, credential_id: str, *, actor: Actor, origin: Origin | None = None
    ) -> None:
        """Remove a credential that no integration uses. Raises NotFoundError, ConflictError."""
        row = await self._row(tx, credential_id, None)
        for one in await tx.all(tx.select(integrations.c.name, integrations.c.provider_config)):
            if row["id"] in references(one["provider_config"]).values():
                raise ConflictError(
                    f"the integration {one['name']!r} uses this credential",
                    remediation="Give the integration another credential first.",
                )
        await tx.execute(tx.delete(credentials).where(credentials.c.id == row["id"]))
        await self._record(
            tx, "credential.deleted", row["id"], row["owner_id"], row["kind"], actor=actor, origin=origin
        )
        await self._version.bump(tx.system)

    async def delete_owned(self, tx: AccountTx, owner_id: str, *, keep: Collection[str] = ()) -> int:
        """Remove the managed credentials of an owner that is going, or those it no longer uses; return how
        many.
        """
        where: list[ColumnElement[bool]] = [
            credentials.c.owner_id == owner_id,
            credentials.c.managed == "Managed",
        ]
        if keep:
            where.append(credentials.c.id.not_in(list(keep)))
        return await tx.execute(tx.delete(credentials).where(*where))

    async def rewrap(self, tx: Tx) -> int:
        """Seal every credential that an older key sealed with the primary key; return how many were."""
        done = 0
        for row in await tx.all(select(credentials)):
            if not any(self._keys.needs_rewrap(sealed) for sealed in row["sealed"].values()):
                continue
            fresh = {
                name: self._keys.rewrap(sealed, context=_context(row, name))
                for name, sealed in row["sealed"].items()
            }
            # Only over what was read: a credential that was changed meanwhile has the new key already.
            done += await tx.execute(
                update(credentials)
                .where(credentials.c.id == row["id"], credentials.c.sealed == row["sealed"])
                .values(sealed=fresh),
            )
        return done

    def _seal(
        self, account_id: str, owner_id: str, credential_id: str, secrets: Mapping[str, Secret]
    ) -> dict[str, str]:
        place = {"account_id": account_id, "owner_id": owner_id, "id": credential_id}
        return {
            name: self._keys.seal(secret, context=_context(place, name)) for name, secret in secrets.items()
        }

    async def _row(self, tx: AccountTx, id_or_name: str, owner_id: str | None) -> RowMapping:
        query = tx.select(credentials)
        if owner_id is None:
            query = query.where(credentials.c.id == id_or_name)
        else:
            named = or_(credentials.c.id == id_or_name, credentials.c.name == id_or_name.lower())
            query = query.where(credentials.c.owner_id == owner_id, named)
        rows = await tx.all(query)
        if not rows:
            raise NotFoundError(f"there is no credential {id_or_name!r}")
        return min(rows, key=lambda row: row["id"] != id_or_name)

    async def _record(
        self,
        tx: AccountTx,
        action: str,
        credential_id: str,
        owner_id: str,
        kind: str,
        *,
        actor: Actor,
        origin: Origin | None,
    ) -> None:
        await self._audit.record(
            tx,
            action=action,
            actor=actor,
            origin=origin,
            subject_type="credential",
            subject_id=credential_id,
            data={"owner_id": owner_id, "kind": kind},
        )


def references(provider_config: Mapping[str, Any]) -> dict[str, str]:
    """Return field → credential id of a stored provider config."""
    return {
        field: value["value"]
        for field, value in provider_config.items()
        if is_credential_field(field) and isinstance(value, Mapping) and isinstance(value.get("value"), str)
    }


def is_credential_field(name: str) -> bool:
    """Return whether this field of a provider config holds a credential."""
    return name == "credential" or name.endswith("_credential")


def _credential(row: RowMapping) -> CredentialRecord:
    return CredentialRecord(**{k: v for k, v in row.items() if k not in {"plain", "sealed"}})


def _context(row: Mapping[str, Any] | RowMapping, name: str) -> tuple[str, ...]:
    return (row["account_id"], row["owner_id"], f"credential/{row['id']}/{name}")

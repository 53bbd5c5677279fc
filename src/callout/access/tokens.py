"""Tokens: pairs of random secrets of which only the hashes are kept; scoped, expiring, revoked at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import RowMapping, delete, select, update

from callout.access import resources as scopes
from callout.access.caller import Caller
from callout.access.members import Member
from callout.access.naming import choose_names
from callout.access.permissions import GRANTABLE, PERMISSIONS, PROVISIONED
from callout.access.stamps import next_update
from callout.access.tables import token_secrets, tokens
from callout.access.ttl import parse_ttl
from callout.access.version import SettingsVersion
from callout.audit import ORGANIZATION_ID, Audit
from callout.kit.clock import Clock
from callout.kit.ids import new_id, random_token
from callout.kit.secrets import Secret, hash_token
from callout.ports.errors import ForbiddenError, InvalidRequestError, NotFoundError
from callout.ports.values import Actor, ActorKind, Origin
from callout.storage import Tx

Half = Literal["access", "refresh"]
OwnerType = Literal["organization", "integration"]

PREFIXES: Final[dict[tuple[OwnerType, Half], str]] = {
    ("organization", "access"): "co_org_",
    ("organization", "refresh"): "co_rfo_",
    ("integration", "access"): "co_int_",
    ("integration", "refresh"): "co_rfi_",
}
DEFAULT_TTL: Final = "24h"
INTEGRATION_TTL: Final = "8760h"
"""Programs keep the token of an integration in their configuration: a year."""
ISSUED_TTL: Final = "10m"
REFRESH_FACTOR: Final = 2
"""The refresh half lives so many times as long as the access half, so that an expired pair can still be
renewed.
"""


@dataclass(frozen=True, slots=True)
class Token:
    """One half. `secret` is known only right after it was made."""

    id: str
    expires: datetime
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The half that opens the API and the half that renews the pair."""

    access: Token
    refresh: Token


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A token as it is managed: up to two pairs, and what they open."""

    id: str
    organization_id: str
    name: str
    fullname: str
    owner_type: OwnerType
    owner_id: str
    owner_account_id: str | None
    permission_set: str
    resources: Mapping[str, Any]
    token_type: str
    token_ttl: str
    member_id: str | None
    expires: datetime
    created_at: datetime
    updated_at: datetime
    primary: TokenPair
    secondary: TokenPair | None = None


class Tokens:
    """Makes, renews and revokes tokens."""

    def __init__(self, clock: Clock, audit: Audit, version: SettingsVersion) -> None:
        self._clock = clock
        self._audit = audit
        self._version = version

    async def create(
        self,
        tx: Tx,
        caller: Caller,
        *,
        permission_set: str,
        resources: Mapping[str, Any] = scopes.EVERYTHING,
        ttl: str = DEFAULT_TTL,
        name: str | None = None,
        fullname: str | None = None,
        member_id: str | None = None,
        token_type: str = "adhoc",  # noqa: S107  # a kind of token
        origin: Origin | None = None,
    ) -> RefreshToken:
        """Create an organization token, never wider than the caller's own.

        Args:
            tx: the transaction.
            caller: who asks; :data:`~callout.access.caller.SYSTEM` on the server's own command line.
            permission_set: one of :data:`~callout.access.permissions.GRANTABLE`.
            resources: the accounts and kinds of integrations it opens.
            ttl: how long the access half lives.
            name: unique is not asked of it; made from the id when absent.
            fullname: for people.
            member_id: the member it acts as.
            token_type: adhoc, logon or default.
            origin: by which way in.

        Returns the token with its secrets, which are shown this once. Raises InvalidRequestError,
        ForbiddenError.
        """
        if permission_set not in GRANTABLE:
            raise InvalidRequestError(
                f"unknown permission set {permission_set!r}; there are {', '.join(sorted(GRANTABLE))}",
                fields={"/permission_set": "unknown"},
            )
        wanted = await scopes.pin_names(tx, scopes.checked(resources))
        await _refuse_wider(tx, caller, permission_set, wanted)
        return await self._create(
            tx,
            owner=("organization", ORGANIZATION_ID, None),
            permission_set=permission_set,
            resources=wanted,
            ttl=ttl,
            names=(name, fullname),
            member_id=member_id,
            token_type=token_type,
            actor=caller.actor,
            origin=origin,
        )

    async def create_with_account(
        self,
        tx: Tx,
        caller: Caller,
        account_id: str,
        *,
        permission_set: str,
        ttl: str = DEFAULT_TTL,
        name: str | None = None,
        fullname: str | None = None,
        origin: Origin | None = None,
    ) -> RefreshToken:
        """Create the token that goes with an account just made, for that account alone.

        It may do more than the caller may: making it is what `token.provision` stands for. Raises InvalidRequestError,
        ForbiddenError.
        """
        caller.require("token.provision")
        if permission_set not in PROVISIONED:
            raise InvalidRequestError(
                f"the token of a new account is one of {', '.join(sorted(PROVISIONED))}",
                fields={"/token/permission_set": "not one of them"},
            )
        return await self._create(
            tx,
            owner=("organization", ORGANIZATION_ID, None),
            permission_set=permission_set,
            resources={"accounts": {"ids": [account_id]}},
            ttl=ttl,
            names=(name, fullname),
            member_id=None,
            token_type="adhoc",  # noqa: S106  # a kind of token
            actor=caller.actor,
            origin=origin,
        )

    async def create_for_logon(self, tx: Tx, member: Member, *, origin: Origin | None = None) -> RefreshToken:
        """Create the token of a member who signed in; it does what their role may, wherever."""
        return await self._create(
            tx,
            owner=("organization", ORGANIZATION_ID, None),
            permission_set=member.permission_set,
            resources=scopes.EVERYTHING,
            ttl=member.token_ttl,
            names=(None, None),
            member_id=member.id,
            token_type="logon",  # noqa: S106  # a kind of token
            actor=Actor(ActorKind.MEMBER, member.id, member.fullname),
            origin=origin,
        )

    async def create_for_integration(
        self,
        tx: Tx,
        *,
        account_id: str,
        integration_id: str,
        actor: Actor,
        origin: Origin | None = None,
        ttl: str = INTEGRATION_TTL,
        name: str | None = None,
    ) -> RefreshToken:
        """Create the token of one integration, with its secrets. Raises InvalidRequestError."""
        return await self._create(
            tx,
            owner=("integration", integration_id, account_id),
            permission_set="integration",
            resources={},
            ttl=ttl,
            names=(name, None),
            member_id=None,
            token_type="default",  # noqa: S106  # a kind of token
            actor=actor,
            origin=origin,
        )

    async def issue_access(
        self,
        tx: Tx,
        token_id: str,
        *,
        actor: Actor,
        origin: Origin | None = None,
        ttl: str = ISSUED_TTL,
    ) -> Token:
        """Return one more, short-lived access half of a token; it dies with it. Raises NotFoundError."""
        token = await self.get(tx, token_id)
        expires = self._clock.now() + parse_ttl(ttl)
        half = await self._add(tx, token.id, token.owner_type, half="access", slot="issued", expires=expires)
        await self._record(tx, "token.issued", token, actor=actor, origin=origin, data={"token_ttl": ttl})
        return half

    async def get(self, tx: Tx, token_id: str) -> RefreshToken:
        """Return a token that was not revoked, without secrets. Raises NotFoundError."""
        row = await tx.one(select(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)))
        if row is None:
            raise NotFoundError(f"there is no token {token_id!r}")
        return await self._assemble(tx, row)

    async def require_reach(self, tx: Tx, caller: Caller, token: RefreshToken) -> None:
        """Raise ForbiddenError when `token` opens more than the caller: whoever renews it holds what it opens."""
        if token.id == caller.token_id:
            return
        if token.owner_account_id is not None:
            caller.require("token.read", token.owner_account_id)
        else:
            await _refuse_wider(tx, caller, token.permission_set, token.resources)

    async def list(
        self, tx: Tx, *, owner_type: OwnerType | None = None, owner_id: str | None = None
    ) -> Sequence[RefreshToken]:
        """Return the tokens that were not revoked, oldest first."""
        query = select(tokens).where(tokens.c.revoked_at.is_(None)).order_by(tokens.c.created_at, tokens.c.id)
        if owner_type is not None:
            query = query.where(tokens.c.owner_type == owner_type)
        if owner_id is not None:
            query = query.where(tokens.c.owner_id == owner_id)
        return [await self._assemble(tx, row) for row in await tx.all(query)]

    async def refresh(
        self,
        tx: Tx,
        token_id: str,
        *,
        actor: Actor,
        origin: Origin | None = None,
        action: str = "token.refreshed",
    ) -> RefreshToken:
        """Give the token a new primary pair; the old one becomes secondary and works on. Raises
        NotFoundError.
        """
        token = await self.get(tx, token_id)
        await self._drop(tx, token.id, "secondary")
        await tx.execute(
            update(token_secrets)
            .where(token_secrets.c.token_id == token.id, token_secrets.c.slot == "primary")
            .values(slot="secondary"),
        )
        return await self._renew(tx, token, actor=actor, origin=origin, action=action)

    async def rotate(
        self, tx: Tx, token_id: str, *, actor: Actor, origin: Origin | None = None
    ) -> RefreshToken:
        """As :meth:`refresh`, by an administrator. Raises NotFoundError."""
        return await self.refresh(tx, token_id, actor=actor, origin=origin, action="token.rotated")

    async def reset(
        self, tx: Tx, token_id: str, *, actor: Actor, origin: Origin | None = None
    ) -> RefreshToken:
        """Give the token a new primary pair and end every earlier secret at once. Raises NotFoundError."""
        token = await self.get(tx, token_id)
        await self._drop(tx, token.id)
        return await self._renew(tx, token, actor=actor, origin=origin, action="token.reset")

    async def remove_secondary(
        self, tx: Tx, token_id: str, *, actor: Actor, origin: Origin | None = None
    ) -> None:
        """End the secondary pair at once. Raises NotFoundError when there is none."""
        token = await self.get(tx, token_id)
        if not await self._drop(tx, token.id, "secondary"):
            raise NotFoundError("the token has no secondary pair")
        await self._record(tx, "token.secondary_removed", token, actor=actor, origin=origin)
        await self._version.bump(tx)

    async def revoke(self, tx: Tx, token_id: str, *, actor: Actor, origin: Origin | None = None) -> None:
        """End a token and all its secrets at once. Raises NotFoundError."""
        token = await self.get(tx, token_id)
        await self._drop(tx, token.id)
        await tx.execute(update(tokens).where(tokens.c.id == token.id).values(revoked_at=self._clock.now()))
        await self._record(tx, "token.revoked", token, actor=actor, origin=origin)
        await self._version.bump(tx)

    async def revoke_owner(
        self, tx: Tx, owner_type: OwnerType, owner_id: str, *, actor: Actor, origin: Origin | None = None
    ) -> int:
        """End all tokens of an owner; return how many."""
        owned = await self.list(tx, owner_type=owner_type, owner_id=owner_id)
        for token in owned:
            await self.revoke(tx, token.id, actor=actor, origin=origin)
        return len(owned)

    async def purge(self, tx: Tx, *, before: datetime) -> int:
        """Remove secrets that ended before `before`; return how many."""
        ended = (token_secrets.c.expires < before) | (token_secrets.c.revoked_at < before)
        return await tx.execute(delete(token_secrets).where(ended))

    async def _create(
        self,
        tx: Tx,
        *,
        owner: tuple[OwnerType, str, str | None],
        permission_set: str,
        resources: Mapping[str, Any],
        ttl: str,
        names: tuple[str | None, str | None],
        member_id: str | None,
        token_type: str,
        actor: Actor,
        origin: Origin | None,
    ) -> RefreshToken:
        lifetime, now, token_id = parse_ttl(ttl), self._clock.now(), new_id()
        name, fullname = await choose_names(tx, tokens, name=names[0], fullname=names[1], record_id=token_id)
        row = {
            "id": token_id,
            "organization_id": ORGANIZATION_ID,
            "name": name,
            "fullname": fullname,
            "owner_type": owner[0],
            "owner_id": owner[1],
            "owner_account_id": owner[2],
            "permission_set": permission_set,
            "resources": dict(resources),
            "token_type": token_type,
            "token_ttl": ttl,
            "member_id": member_id,
            "expires": now + REFRESH_FACTOR * lifetime,
            "created_at": now,
            "updated_at": now,
        }
        await tx.execute(tokens.insert().values(**row))
        pair = await self._pair(tx, token_id, owner[0], ttl)
        token = RefreshToken(**row, primary=pair)  # type: ignore[arg-type]
        await self._record(
            tx,
            "token.created",
            token,
            actor=actor,
            origin=origin,
            data={"permission_set": permission_set, "resources": dict(resources), "token_ttl": ttl},
        )
        return token

    async def _renew(
        self, tx: Tx, token: RefreshToken, *, actor: Actor, origin: Origin | None, action: str
    ) -> RefreshToken:
        pair = await self._pair(tx, token.id, token.owner_type, token.token_ttl)
        moved = next_update(self._clock, token.updated_at)
        await tx.execute(
            update(tokens)
            .where(tokens.c.id == token.id)
            .values(expires=pair.refresh.expires, updated_at=moved),
        )
        await self._record(tx, action, token, actor=actor, origin=origin)
        await self._version.bump(tx)
        return replace(await self.get(tx, token.id), primary=pair)

    async def _pair(self, tx: Tx, token_id: str, owner_type: OwnerType, ttl: str) -> TokenPair:
        lifetime, now = parse_ttl(ttl), self._clock.now()
        return TokenPair(
            access=await self._add(
                tx, token_id, owner_type, half="access", slot="primary", expires=now + lifetime
            ),
            refresh=await self._add(
                tx,
                token_id,
                owner_type,
                half="refresh",
                slot="primary",
                expires=now + REFRESH_FACTOR * lifetime,
            ),
        )

    async def _add(
        self, tx: Tx, token_id: str, owner_type: OwnerType, *, half: Half, slot: str, expires: datetime
    ) -> Token:
        secret = Secret(PREFIXES[owner_type, half] + random_token(32))
        row = {
            "hash": hash_token(secret),
            "id": new_id(),
            "token_id": token_id,
            "half": half,
            "slot": slot,
            "expires": expires,
            "created_at": self._clock.now(),
        }
        await tx.execute(token_secrets.insert().values(**row))
        return Token(row["id"], expires, secret)  # type: ignore[arg-type]

    async def _drop(self, tx: Tx, token_id: str, slot: str | None = None) -> int:
        """Revoke secrets of a token; the hashes stay a while, so that a late user is told `revoked`."""
        statement = update(token_secrets).where(
            token_secrets.c.token_id == token_id, token_secrets.c.revoked_at.is_(None)
        )
        if slot is not None:
            statement = statement.where(token_secrets.c.slot == slot)
        return await tx.execute(statement.values(revoked_at=self._clock.now(), slot="gone"))

    async def _assemble(self, tx: Tx, row: RowMapping) -> RefreshToken:
        halves: dict[tuple[str, str], Token] = {}
        found = await tx.all(
            select(token_secrets).where(
                token_secrets.c.token_id == row["id"], token_secrets.c.revoked_at.is_(None)
            ),
        )
        for one in found:
            halves[one["slot"], one["half"]] = Token(one["id"], one["expires"])
        pairs = {
            slot: TokenPair(halves[slot, "access"], halves[slot, "refresh"])
            for slot in ("primary", "secondary")
            if {(slot, "access"), (slot, "refresh")} <= set(halves)
        }
        # A pair whose secrets were purged long after their end is still shown as the expired pair it is.
        gone = TokenPair(Token("", row["expires"]), Token("", row["expires"]))
        fields = {name: row[name] for name in row if name != "revoked_at"}
        return RefreshToken(**fields, primary=pairs.get("primary", gone), secondary=pairs.get("secondary"))

    async def _record(
        self,
        tx: Tx,
        action: str,
        token: RefreshToken,
        *,
        actor: Actor,
        origin: Origin | None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        await self._audit.record(
            tx,
            action=action,
            actor=actor,
            origin=origin,
            subject_type="token",
            subject_id=token.id,
            data={
                "name": token.name,
                "owner_type": token.owner_type,
                "owner_id": token.owner_id,
                **(data or {}),
            },
            account_id=token.owner_account_id,
            integration_id=token.owner_id if token.owner_type == "integration" else None,
        )


async def _refuse_wider(tx: Tx, caller: Caller, permission_set: str, wanted: Mapping[str, Any]) -> None:
    more = PERMISSIONS[permission_set] - caller.permissions
    if more:
        raise ForbiddenError(
            f"a new token cannot do more than its maker: {', '.join(sorted(more)[:3])}",
            remediation="Ask somebody with a wider permission set.",
        )
    if caller.account_ids is not None:
        opened = await scopes.account_ids(tx, wanted)
        if opened is None or not opened <= caller.account_ids or "organizations" in wanted:
            raise ForbiddenError("a new token cannot open more accounts than its maker's")
    kinds = scopes.categories(wanted)
    if caller.categories is not None and (kinds is None or not kinds <= caller.categories):
        raise ForbiddenError("a new token cannot open more kinds of integrations than its maker's")

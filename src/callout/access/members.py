"""Members: the people (and service users) who sign in or act through chat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, delete, or_, select, update

from callout.access.last_administrator import refuse_loss
from callout.access.listing import EVERYTHING, Listed, Listing, apply
from callout.access.naming import MAX_FULLNAME, choose_names, clean_fullname, clean_name
from callout.access.permissions import ROLES
from callout.access.stamps import next_update, refuse_stale
from callout.access.tables import chat_identities, members, sessions, token_secrets, tokens
from callout.access.ttl import parse_ttl
from callout.access.version import SettingsVersion
from callout.audit import ORGANIZATION_ID, Audit
from callout.kit.clock import Clock
from callout.kit.ids import new_id
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.values import Actor, ActorKind, Origin
from callout.storage import Tx
from callout.storage.upsert import insert_or_ignore

STATES: Final = ("enabled", "disabled", "invited", "locked", "forgotten")
DEFAULT_TTL: Final = "24h"
KINDS: Final = ("personal", "service")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
# An address that can stand in a path as it is.
_EMAIL_NAME = re.compile(r"[a-z0-9._+-]{1,100}@[a-z0-9.-]{1,150}")
_UNSHOWN: Final = frozenset({"password_hash", "failed_logons", "locked_until"})
_CHANGEABLE: Final = frozenset(
    {"name", "fullname", "email", "role", "state", "nickname", "picture", "token_ttl", "expires"}
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member. `role` is admin, manager, responder or viewer; `permission_set` is what it stands for."""

    id: str
    organization_id: str
    name: str
    fullname: str
    role: str
    state: str
    type: str
    token_ttl: str
    created_at: datetime
    updated_at: datetime
    email: str | None = None
    nickname: str | None = None
    picture: str | None = None
    last_logon: datetime | None = None
    expires: datetime | None = None

    @property
    def permission_set(self) -> str:
        """The permission set of the role."""
        return ROLES[self.role]

    def may_act(self, now: datetime) -> bool:
        """Return whether the member may sign in and act at `now`."""
        return self.state == "enabled" and (self.expires is None or now < self.expires)


class Members:
    """Creates, reads and changes members."""

    def __init__(self, clock: Clock, audit: Audit, version: SettingsVersion) -> None:
        self._clock = clock
        self._audit = audit
        self._version = version

    async def create(
        self,
        tx: Tx,
        *,
        actor: Actor,
        origin: Origin | None = None,
        name: str | None = None,
        fullname: str | None = None,
        email: str | None = None,
        role: str = "responder",
        kind: str = "personal",
        password_hash: str | None = None,
        nickname: str | None = None,
        picture: str | None = None,
        token_ttl: str = DEFAULT_TTL,
        expires: datetime | None = None,
    ) -> Member:
        """Create a member; `kind` is personal or service, and the name of a personal one may be an e-mail address, which is theirs.

        Without `password_hash` (of :func:`~callout.access.passwords.hashed`) they cannot sign in. Raises InvalidRequestError,
        ConflictError.
        """
        member_id, now = new_id(), self._clock.now()
        if name and "@" in name:
            chosen = _email_name(name)
            full, email = clean_fullname(fullname or name), email or chosen
        else:
            chosen, full = await choose_names(tx, members, name=name, fullname=fullname, record_id=member_id)
        if kind not in KINDS:
            raise InvalidRequestError(
                f"a member is personal or service, not {kind!r}", fields={"/type": "unknown"}
            )
        parse_ttl(token_ttl)
        row = {
            "id": member_id,
            "organization_id": ORGANIZATION_ID,
            "name": chosen,
            "fullname": full,
            "email": _email(email),
            "role": _role(role),
            "state": "enabled",
            "type": kind,
            "nickname": _short(nickname, "nickname"),
            "picture": _short(picture, "picture"),
            "password_hash": password_hash,
            "token_ttl": token_ttl,
            "expires": expires,
            "created_at": now,
            "updated_at": now,
        }
        if not await tx.execute(insert_or_ignore(tx, members, row)):
            raise ConflictError(
                "there is a member with this name or e-mail already",
                fields={"/name": "taken", "/email": "taken"},
            )
        data = {"name": chosen, "email": row["email"], "role": role}
        await self._record(tx, "member.created", member_id, data, actor=actor, origin=origin)
        return await self.get(tx, member_id)

    async def get(self, tx: Tx, id_or_name: str) -> Member:
        """Return the member with that id or name. Raises NotFoundError."""
        rows = await tx.all(
            select(members).where(or_(members.c.id == id_or_name, members.c.name == id_or_name.lower())),
        )
        if not rows:
            raise NotFoundError(
                f"there is no member {id_or_name!r}", remediation="List the members to find their name or id."
            )
        return _member(min(rows, key=lambda row: row["id"] != id_or_name))

    async def by_email(self, tx: Tx, email: str) -> Member | None:
        """Return the member with that e-mail, whatever its case, or None."""
        row = await tx.one(select(members).where(members.c.email == email.strip().lower()))
        return None if row is None else _member(row)

    async def list(self, tx: Tx, listing: Listing = EVERYTHING) -> Listed[Member]:
        """Return members. Raises InvalidRequestError for a bad filter or order."""
        rows = await tx.all(select(members).order_by(members.c.name))
        return apply([_member(row) for row in rows], listing, asdict)

    async def update(
        self,
        tx: Tx,
        member_id: str,
        *,
        changes: Mapping[str, Any],
        actor: Actor,
        origin: Origin | None = None,
        expected: datetime | None = None,
        guarded: bool = True,
    ) -> Member:
        """Change a member. Tokens and sessions of one that is no longer enabled stop at once.

        `guarded`: whether the last administrator, and whoever does it, keep role and access; a directory that says what people are
        is not asked. Raises NotFoundError, InvalidRequestError, ConflictError.
        """
        before = await self.get(tx, member_id)
        refuse_stale(expected, before.updated_at)
        unknown = sorted(set(changes) - _CHANGEABLE)
        if unknown:
            raise InvalidRequestError(
                f"cannot change {', '.join(unknown)} of a member",
                fields={f"/{name}": "cannot be changed" for name in unknown},
            )
        values = _checked(changes)
        if guarded:
            await refuse_loss(tx, before, values, by=_member_id(actor), now=self._clock.now())
        await self._refuse_taken(tx, before, values)
        values["updated_at"] = next_update(self._clock, before.updated_at)
        await tx.execute(update(members).where(members.c.id == before.id).values(**values))
        await self._record(tx, "member.updated", before.id, dict(changes), actor=actor, origin=origin)
        await self._version.bump(tx)
        after, now = await self.get(tx, before.id), self._clock.now()
        if not (before.may_act(now) and after.may_act(now)):
            # Also when they may again: what has ended does not come back to life.
            await tx.execute(delete(sessions).where(sessions.c.member_id == before.id))
        return after

    async def set_secret(
        self,
        tx: Tx,
        member_id: str,
        *,
        password_hash: str,
        actor: Actor,
        origin: Origin | None = None,
        kept_session: str = "",
    ) -> None:
        """Give a member another secret to sign in with; who is signed in already is signed out, `kept_session` excepted.

        Raises NotFoundError.
        """
        before = await self.get(tx, member_id)
        values = {"password_hash": password_hash, "failed_logons": None, "locked_until": None}
        moved = next_update(self._clock, before.updated_at)
        await tx.execute(update(members).where(members.c.id == before.id).values(**values, updated_at=moved))
        await self._end_tokens(tx, before.id, token_type="logon")  # noqa: S106  # a kind of token
        theirs = (sessions.c.member_id == before.id, sessions.c.id != kept_session)
        await tx.execute(delete(sessions).where(*theirs))
        await self._record(tx, "member.secret_changed", before.id, {}, actor=actor, origin=origin)
        await self._version.bump(tx)

    async def delete(self, tx: Tx, member_id: str, *, actor: Actor, origin: Origin | None = None) -> None:
        """Remove a member; their tokens end at once, and chat no longer knows them.

        Raises NotFoundError, ConflictError for the last administrator and for oneself.
        """
        before = await self.get(tx, member_id)
        await refuse_loss(tx, before, None, by=_member_id(actor), now=self._clock.now())
        await self._end_tokens(tx, before.id)
        await tx.execute(update(tokens).where(tokens.c.member_id == before.id).values(member_id=None))
        await tx.execute(
            update(chat_identities).where(chat_identities.c.member_id == before.id).values(member_id=None)
        )
        await tx.execute(delete(members).where(members.c.id == before.id))
        await self._record(tx, "member.deleted", before.id, {"name": before.name}, actor=actor, origin=origin)
        await self._version.bump(tx)

    async def _end_tokens(self, tx: Tx, member_id: str, *, token_type: str | None = None) -> None:
        now = self._clock.now()
        living = [tokens.c.member_id == member_id, tokens.c.revoked_at.is_(None)]
        if token_type is not None:
            living.append(tokens.c.token_type == token_type)
        theirs = select(tokens.c.id).where(*living)
        await tx.execute(
            update(token_secrets)
            .where(token_secrets.c.token_id.in_(theirs), token_secrets.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        await tx.execute(update(tokens).where(*living).values(revoked_at=now))

    async def _refuse_taken(self, tx: Tx, before: Member, values: Mapping[str, Any]) -> None:
        for field in ("name", "email"):
            if values.get(field):
                same = select(members.c.id).where(
                    members.c[field] == values[field], members.c.id != before.id
                )
                if await tx.scalar(same) is not None:
                    raise ConflictError(f"another member has this {field}", fields={f"/{field}": "taken"})

    async def _record(
        self,
        tx: Tx,
        action: str,
        member_id: str,
        data: Mapping[str, Any],
        *,
        actor: Actor,
        origin: Origin | None,
    ) -> None:
        await self._audit.record(
            tx,
            action=action,
            actor=actor,
            origin=origin,
            subject_type="member",
            subject_id=member_id,
            data=data,
        )


def _member_id(actor: Actor) -> str | None:
    return actor.id if actor.kind is ActorKind.MEMBER else None


def _checked(changes: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(changes)
    if "name" in values:
        values["name"] = _email_name(values["name"]) if "@" in values["name"] else clean_name(values["name"])
    if "fullname" in values:
        values["fullname"] = clean_fullname(values["fullname"])
    for field in ("nickname", "picture"):
        if field in values:
            values[field] = _short(values[field], field)
    if "email" in values:
        values["email"] = _email(values["email"])
    if "role" in values:
        _role(values["role"])
    if "token_ttl" in values:
        parse_ttl(values["token_ttl"])
    if "state" in values and values["state"] not in STATES:
        raise InvalidRequestError(f"unknown state {values['state']!r}", fields={"/state": "unknown"})
    return values


def _member(row: Mapping[str, Any] | RowMapping) -> Member:
    return Member(**{k: v for k, v in row.items() if k not in _UNSHOWN})


def _short(value: str | None, field: str) -> str | None:
    if value is not None and (len(value) > MAX_FULLNAME or any(ord(c) < ord(" ") for c in value)):
        raise InvalidRequestError(
            f"the {field} is too long, or holds control characters", fields={f"/{field}": "too long"}
        )
    return value


def _email_name(value: str) -> str:
    lower = value.strip().lower()
    if _EMAIL_NAME.fullmatch(lower) is None:
        raise InvalidRequestError(
            f"{value!r} is no e-mail address that can be a name", fields={"/name": "not an e-mail address"}
        )
    return lower


def _email(value: str | None) -> str | None:
    if not value:
        return None
    if _EMAIL.fullmatch(value.strip()) is None:
        raise InvalidRequestError(
            f"{value!r} is no e-mail address", fields={"/email": "not an e-mail address"}
        )
    return value.strip().lower()


def _role(value: str) -> str:
    if value not in ROLES:
        raise InvalidRequestError(
            f"unknown role {value!r}; there are {', '.join(ROLES)}", fields={"/role": "unknown"}
        )
    return value

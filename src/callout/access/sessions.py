"""Sessions: who is signed in to the pages, in which browser, since when. Every request looks; an ended one is refused from its next use on.

The cookie holds 256 random bits, of which only the hash is kept. What a form has to send along is made from the same secret, so that
it is worth nothing in another session.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import ColumnElement, RowMapping, and_, delete, or_, select, update

from callout.access.caller import Caller
from callout.access.errors import OrganizationDisabledError, Reason, UnauthenticatedError
from callout.access.permissions import ROLES
from callout.access.tables import members, organizations, sessions
from callout.kit.ids import new_id, random_token
from callout.kit.secrets import Secret, hash_token
from callout.ports.errors import NotFoundError
from callout.ports.values import Actor, ActorKind, Origin

if TYPE_CHECKING:
    from callout.access.authentication import Authentication
    from callout.access.members import Member
    from callout.audit import Audit
    from callout.kit.clock import Clock
    from callout.storage import Tx

Method = Literal["password", "setup", "oidc", "token"]
"""How somebody signed in."""
SEEN_EVERY: Final = timedelta(minutes=1)
"""How often it is written down that a session is in use."""
MOST: Final = 50
"""So many sessions a member has at a time; the one that was in use longest ago ends for one more."""
LONGEST_ADDRESS: Final = 60
LONGEST_AGENT: Final = 200


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """How long a session lasts.

    Args:
        idle: without being used.
        whole: from its start, however much it is used.
        openid: from its start, where an OpenID provider told who it is: what becomes of them there is asked again then.
    """

    idle: timedelta = timedelta(hours=24)
    whole: timedelta = timedelta(days=14)
    openid: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session as it is listed. `member_id` is None where somebody came with a token of no member."""

    id: str
    member_id: str | None
    method: Method
    address: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """The session behind a request: who it is, and what their forms have to send along.

    `due` says that :meth:`Sessions.seen` is to be called, which takes a transaction that writes.
    """

    info: SessionInfo
    caller: Caller
    csrf: Secret
    due: bool

    @property
    def id(self) -> str:
        """What it is ended by; not its secret."""
        return self.info.id

    def sent_by(self, form_token: str) -> bool:
        """Return whether a form with `form_token` comes from a page of this session."""
        return hmac.compare_digest(self.csrf.reveal().encode(), form_token.encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session: `secret` is for the cookie and shown this once."""

    id: str
    secret: Secret
    csrf: Secret
    expires: datetime
    kept: datetime
    """So long the browser keeps it: after its end it says who may be asked for again without a word."""


class Sessions:
    """Opens, finds, lists and ends sessions."""

    def __init__(
        self,
        clock: Clock,
        audit: Audit,
        authentication: Authentication,
        *,
        times: SessionTimes | None = None,
    ) -> None:
        self._clock = clock
        self._audit = audit
        self._authentication = authentication
        self._times = times or SessionTimes()

    async def open(
        self,
        tx: Tx,
        member: Member,
        *,
        method: Method,
        address: str = "",
        user_agent: str = "",
        sid: str = "",
        origin: Origin | None = None,
    ) -> OpenedSession:
        """Sign a member in, who has shown who they are; `sid` is their session at the OpenID provider.

        Raises UnauthenticatedError when they may not sign in.
        """
        now = self._clock.now()
        if not member.may_act(now):
            raise UnauthenticatedError(Reason.MEMBER_DISABLED)
        await tx.execute(update(members).where(members.c.id == member.id).values(last_logon=now))
        await self._make_room(tx, member.id)
        who = Actor(ActorKind.MEMBER, member.id, member.fullname)
        where = (address, user_agent)
        return await self._open(
            tx, who, method=method, where=where, origin=origin, member_id=member.id, sid=sid
        )

    async def open_with_token(
        self, tx: Tx, token: Secret, *, address: str = "", user_agent: str = "", origin: Origin | None = None
    ) -> OpenedSession:
        """Sign in whoever holds the access half of an organization token; the session ends with it.

        Raises UnauthenticatedError, ForbiddenError for a token of another kind.
        """
        caller = await self._authentication.authenticate(tx, token)
        caller.require_kind("organization")
        return await self._open(
            tx,
            caller.actor,
            method="token",
            where=(address, user_agent),
            origin=origin,
            member_id=caller.member_id,
            token_hash=hash_token(token),
        )

    async def find(self, tx: Tx, secret: Secret | str | None) -> Session:
        """Return the session of a cookie.

        Raises:
            UnauthenticatedError: there is none, it has ended, or who it is of may not sign in any more.
            OrganizationDisabledError: nobody may work at the moment.
        """
        if not secret:
            raise UnauthenticatedError(Reason.SIGNED_OUT)
        columns = (
            *sessions.c,
            members.c.fullname.label("member_name"),
            members.c.role.label("member_role"),
            members.c.state.label("member_state"),
            members.c.expires.label("member_expires"),
            organizations.c.id.label("organization_id"),
            organizations.c.state.label("organization_state"),
        )
        row = await tx.one(
            select(*columns)
            .select_from(
                sessions.outerjoin(members, members.c.id == sessions.c.member_id).outerjoin(
                    organizations, organizations.c.id == members.c.organization_id
                )
            )
            .where(sessions.c.hash == hash_token(secret), self._living())
        )
        if row is None:
            raise UnauthenticatedError(Reason.SIGNED_OUT)
        plain = secret.reveal() if isinstance(secret, Secret) else secret
        return Session(
            _info(row),
            await self._caller(tx, row),
            _csrf(plain),
            due=self._clock.now() - row["seen_at"] >= SEEN_EVERY,
        )

    async def seen(self, tx: Tx, session_id: str) -> None:
        """Write down that a session is in use; at most once a minute, however often this is called."""
        now = self._clock.now()
        due = and_(sessions.c.id == session_id, sessions.c.seen_at <= now - SEEN_EVERY)
        await tx.execute(update(sessions).where(due).values(seen_at=now))

    async def list(self, tx: Tx, member_id: str | None = None) -> Sequence[SessionInfo]:
        """Return the sessions of a member, or of everybody, the one used last first."""
        query = select(sessions).where(self._living()).order_by(sessions.c.seen_at.desc(), sessions.c.id)
        if member_id is not None:
            query = query.where(sessions.c.member_id == member_id)
        return [_info(row) for row in await tx.all(query)]

    async def end(
        self,
        tx: Tx,
        session_id: str,
        *,
        actor: Actor,
        origin: Origin | None = None,
        member_id: str | None = None,
    ) -> None:
        """End a session at once; with `member_id` only one of theirs. Raises NotFoundError."""
        mine = [sessions.c.id == session_id]
        if member_id is not None:
            mine.append(sessions.c.member_id == member_id)
        row = await tx.one(select(sessions).where(*mine))
        if row is None or not await tx.execute(delete(sessions).where(*mine)):
            raise NotFoundError("there is no such session, or it has ended already")
        data = {"method": row["method"]}
        await self._record(tx, "session.ended", session_id, data, actor=actor, origin=origin)

    async def drop(self, tx: Tx, secret: Secret | None) -> None:
        """End the session that a browser had before it signed in anew, if there is one."""
        if secret is not None:
            await tx.execute(delete(sessions).where(sessions.c.hash == hash_token(secret)))

    async def end_all(
        self,
        tx: Tx,
        member_id: str,
        *,
        actor: Actor,
        kept: str = "",
        origin: Origin | None = None,
    ) -> int:
        """End all sessions of a member, but for the one with the id `kept`; return how many."""
        mine = (sessions.c.member_id == member_id, sessions.c.id != kept)
        ended = await tx.execute(delete(sessions).where(*mine))
        if ended:
            data = {"sessions": ended}
            await self._record(
                tx, "sessions.ended", member_id, data, actor=actor, origin=origin, subject="member"
            )
        return ended

    async def renewable(self, tx: Tx, secret: Secret | None) -> str | None:
        """Return of which member a session was that ended only because the OpenID provider is to be asked again, else None."""
        if secret is None:
            return None
        mine = sessions.c.hash == hash_token(secret)
        found = await tx.scalar(select(sessions.c.member_id).where(mine, self._over()))
        return None if found is None else str(found)

    async def end_openid(
        self, tx: Tx, member_id: str | None, sid: str, *, actor: Actor, origin: Origin | None = None
    ) -> int:
        """End what an OpenID provider says has ended; return how many.

        Args:
            tx: the caller's.
            member_id: whose; None where the provider told the session alone.
            sid: that session there; empty: all of the member's. Those of which it never told its own end with it, when it told whose.
            actor: the provider.
            origin: the notice.
        """
        ended = [sessions.c.method == "oidc"]
        if member_id is not None:
            ended.append(sessions.c.member_id == member_id)
            if sid:
                ended.append(or_(sessions.c.sid == sid, sessions.c.sid.is_(None)))
        else:
            ended.append(sessions.c.sid == sid)
        rows = await tx.all(select(sessions.c.id, sessions.c.member_id).where(*ended))
        for row in rows:
            await tx.execute(delete(sessions).where(sessions.c.id == row["id"]))
            data = {"method": "oidc", "member_id": row["member_id"], "why": "signed out at the provider"}
            await self._record(tx, "session.ended", row["id"], data, actor=actor, origin=origin)
        return len(rows)

    async def purge(self, tx: Tx) -> int:
        """Remove what has ended by time; return how many."""
        return await tx.execute(delete(sessions).where(~self._living(), ~self._over()))

    def _over(self) -> ColumnElement[bool]:
        """Those that would live on, were it not for the OpenID provider, which is to be asked again."""
        now = self._clock.now()
        return and_(
            sessions.c.method == "oidc",
            sessions.c.expires <= now,
            sessions.c.created_at > now - self._times.whole,
            sessions.c.seen_at > now - self._times.idle,
        )

    def _living(self) -> ColumnElement[bool]:
        now = self._clock.now()
        return and_(sessions.c.expires > now, sessions.c.seen_at > now - self._times.idle)

    async def _caller(self, tx: Tx, row: RowMapping) -> Caller:
        if row["token_hash"] is not None:
            return await self._authentication.of_hash(tx, row["token_hash"])
        now = self._clock.now()
        expires = row["member_expires"]
        if row["member_state"] != "enabled" or (expires is not None and now >= expires):
            raise UnauthenticatedError(Reason.MEMBER_DISABLED)
        if row["organization_state"] != "enabled":
            raise OrganizationDisabledError("the organization is disabled")
        return Caller(
            kind="organization",
            token_id=f"session:{row['id']}",
            permission_set=ROLES[row["member_role"]],
            organization_id=row["organization_id"],
            member_id=row["member_id"],
            role=row["member_role"],
            name=row["member_name"],
        )

    async def _open(
        self,
        tx: Tx,
        who: Actor,
        *,
        method: Method,
        where: tuple[str, str],
        origin: Origin | None,
        member_id: str | None,
        token_hash: str | None = None,
        sid: str = "",
    ) -> OpenedSession:
        now, secret, session_id = self._clock.now(), random_token(), new_id()
        kept = now + self._times.whole
        expires = min(kept, now + self._times.openid) if method == "oidc" else kept
        row = {
            "hash": hash_token(secret),
            "id": session_id,
            "member_id": member_id,
            "token_hash": token_hash,
            "method": method,
            "address": _short(where[0], LONGEST_ADDRESS),
            "user_agent": _short(where[1], LONGEST_AGENT),
            "created_at": now,
            "seen_at": now,
            "expires": expires,
            "sid": sid or None,
        }
        await tx.execute(sessions.insert().values(**row))
        await self._record(tx, "session.opened", session_id, {"method": method}, actor=who, origin=origin)
        return OpenedSession(session_id, Secret(secret), _csrf(secret), expires, kept)

    async def _make_room(self, tx: Tx, member_id: str) -> None:
        mine = (
            select(sessions.c.id)
            .where(sessions.c.member_id == member_id)
            .order_by(sessions.c.seen_at.desc(), sessions.c.id.desc())
            .offset(MOST - 1)
        )
        too_many = [row["id"] for row in await tx.all(mine)]
        if too_many:
            await tx.execute(delete(sessions).where(sessions.c.id.in_(too_many)))

    async def _record(
        self,
        tx: Tx,
        action: str,
        subject_id: str,
        data: dict[str, Any],
        *,
        actor: Actor,
        origin: Origin | None,
        subject: str = "session",
    ) -> None:
        await self._audit.record(
            tx,
            action=action,
            actor=actor,
            origin=origin,
            subject_type=subject,
            subject_id=subject_id,
            data=data,
        )


def _csrf(secret: str) -> Secret:
    """Return what the forms of a session send along: it can be told from the secret, and the secret not from it."""
    return Secret(hmac.new(secret.encode("utf-8", "replace"), b"callout form", sha256).hexdigest())


def _info(row: RowMapping) -> SessionInfo:
    return SessionInfo(**{name: row[name] for name in SessionInfo.__dataclass_fields__})


def _short(text: str, longest: int) -> str:
    return "".join(one for one in text if one.isprintable())[:longest]

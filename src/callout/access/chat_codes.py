"""Codes by which a member says in chat who they are: made by whoever is signed in, typed in chat, good once and for ten minutes.

The member makes the code and the chat user types it, not the other way round: there is no link that somebody could be talked into
opening, and a code that was stolen needs the thief to be in the same workspace within minutes. Only hashes are kept.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, select, update

from callout.access.tables import chat_codes, chat_identities
from callout.kit.secrets import Secret
from callout.ports.errors import ForbiddenError

if TYPE_CHECKING:
    from callout.access.identities import ChatIdentities, ChatIdentity
    from callout.access.members import Member, Members
    from callout.audit import Audit
    from callout.kit.clock import Clock
    from callout.ports.values import Actor, Origin
    from callout.storage import Tx

LIFETIME: Final = timedelta(minutes=10)
WRONG_AT_MOST: Final = 5
"""So many wrong codes in a row, and none is right for a while."""
LOCKED_FOR: Final = timedelta(minutes=15)
LENGTH: Final = 10
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: nothing in it looks like something else. Ten of its letters are 50 bits."""
_ALIKE: Final = str.maketrans("OIL", "011", "- ")


@dataclass(frozen=True, slots=True)
class ChatCode:
    """A new code, shown this once."""

    code: Secret
    expires: datetime


class ChatCodes:
    """Makes codes and takes them."""

    def __init__(self, clock: Clock, audit: Audit, members: Members, identities: ChatIdentities) -> None:
        self._clock = clock
        self._audit = audit
        self._members = members
        self._identities = identities

    async def issue(self, tx: Tx, id_or_name: str, *, actor: Actor, origin: Origin | None = None) -> ChatCode:
        """Make a code for a member; an earlier one ends. Raises NotFoundError, and ForbiddenError for one who may not sign in."""
        member = await self._members.get(tx, id_or_name)
        now = self._clock.now()
        if not member.may_act(now):
            raise ForbiddenError(
                f"{member.name} is {member.state} and may not act",
                remediation="An administrator enables the member first.",
            )
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        expires = now + LIFETIME
        await tx.execute(delete(chat_codes).where(chat_codes.c.member_id == member.id))
        row = {"hash": _hash(code), "member_id": member.id, "created_at": now, "expires": expires}
        await tx.execute(chat_codes.insert().values(**row))
        await self._audit.record(
            tx,
            action="member.chat_code_made",
            actor=actor,
            origin=origin,
            subject_type="member",
            subject_id=member.id,
            data={"expires": expires.isoformat()},
        )
        half = LENGTH // 2
        return ChatCode(Secret(f"{code[:half]}-{code[half:]}"), expires)

    async def redeem(
        self, tx: Tx, identity: ChatIdentity, code: str, *, origin: Origin
    ) -> tuple[Member | None, str]:
        """Link a chat user to the member whose code this is; return the member, or None and what to tell the person.

        A wrong code is no error: it has to be counted in the caller's commit.
        """
        now = self._clock.now()
        mine = (
            chat_identities.c.provider == identity.provider,
            chat_identities.c.team == identity.team,
            chat_identities.c.user_id == identity.user_id,
        )
        # First, and whatever comes of it: this holds the row, so that tries at the same moment are counted one by one.
        tries = func.coalesce(chat_identities.c.failed_codes, 0) + 1
        await tx.execute(update(chat_identities).where(*mine).values(failed_codes=tries))
        row = await tx.one(select(chat_identities).where(*mine))
        locked = None if row is None else row["codes_locked_until"]
        if row is None or (locked is not None and locked > now):
            end = "" if locked is None else f" until {locked:%H:%M} UTC"
            return None, f"Too many wrong codes: no code is right{end}."
        member = await self._taken(tx, code, now)
        if member is None:
            if row["failed_codes"] < WRONG_AT_MOST:
                return None, "That code is not right, or too old, or was used already. Make another."
            until = now + LOCKED_FOR
            await tx.execute(
                update(chat_identities).where(*mine).values(failed_codes=None, codes_locked_until=until)
            )
            return None, f"Too many wrong codes: no code is right until {until:%H:%M} UTC."
        await tx.execute(
            update(chat_identities).where(*mine).values(failed_codes=None, codes_locked_until=None)
        )
        await self._identities.link(tx, identity, member_id=member.id, actor=identity.actor, origin=origin)
        return member, ""

    async def void(self, tx: Tx, code: str) -> None:
        """End a code that others may have seen."""
        await tx.execute(delete(chat_codes).where(chat_codes.c.hash == _hash(code)))

    async def purge(self, tx: Tx) -> int:
        """Remove codes that are too old; return how many."""
        return await tx.execute(delete(chat_codes).where(chat_codes.c.expires <= self._clock.now()))

    async def _taken(self, tx: Tx, code: str, now: datetime) -> Member | None:
        """Return the member whose code this is and use it up, or None. Of two who come at once, one gets it."""
        row = await tx.one(select(chat_codes).where(chat_codes.c.hash == _hash(code)))
        if row is None or not await tx.execute(delete(chat_codes).where(chat_codes.c.hash == row["hash"])):
            return None
        member = await self._members.get(tx, row["member_id"])
        return member if row["expires"] > now and member.may_act(now) else None


def _hash(code: str) -> str:
    """Return the hash of a code, however it was typed."""
    plain = code.strip().strip("`*_").upper().translate(_ALIKE)
    return hashlib.sha256(f"callout chat code {plain[:100]}".encode()).hexdigest()

"""What keeps an installation from losing its last administrator, and people from shutting themselves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from callout.access.tables import members
from callout.ports.errors import ConflictError

if TYPE_CHECKING:
    from datetime import datetime

    from callout.access.members import Member
    from callout.storage import Tx


async def refuse_loss(
    tx: Tx, member: Member, changes: Mapping[str, Any] | None, *, by: str | None, now: datetime
) -> None:
    """Refuse what takes the role or the access of the last administrator, or of whoever does it.

    Args:
        tx: the transaction of the change; of two people who do this to each other, one waits here and is refused.
        member: as they are now.
        changes: the new values by field; None when they are to be removed.
        by: the member who does it, where it is one.
        now: when.

    Raises ConflictError.
    """
    if not _loses(member, changes, now):
        return
    if by == member.id:
        raise ConflictError(
            "you cannot take your own role or access away",
            remediation="Ask another administrator to do it.",
        )
    if member.role != "admin" or not member.may_act(now):
        return
    rows = await tx.all(
        select(members).where(members.c.role == "admin").order_by(members.c.id).with_for_update()
    )
    others = [
        row
        for row in rows
        if row["id"] != member.id
        and row["state"] == "enabled"
        and (row["expires"] is None or now < row["expires"])
    ]
    if not others:
        raise ConflictError(
            f"{member.fullname} is the last administrator: without one nobody could manage Callout",
            remediation="Make somebody else an administrator first.",
        )


def _loses(member: Member, changes: Mapping[str, Any] | None, now: datetime) -> bool:
    if changes is None:
        return True
    role = changes.get("role", member.role)
    state = changes.get("state", member.state)
    expires = changes.get("expires", member.expires)
    ended = expires is not None and expires <= now
    return role != member.role or (state != "enabled" and member.state == "enabled") or ended


__all__ = ["refuse_loss"]

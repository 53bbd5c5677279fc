"""Asking a platform's directory who somebody is: a job, since nobody waits for a vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext, Workspace
    from callout.ports.values import Person
    from callout.storage import AccountTx

IDENTIFY: Final = "chat.identify"
NAME_HOLDER: Final = "chat.name_holder"
CHAT_ID_PARTS: Final = 2
"""Slashes in the id of a chat user: between provider, team and user."""


async def look_up(
    context: ChatContext, tx: AccountTx, workspace: Workspace, team: str, user_id: str, *, because: str = ""
) -> None:
    """Ask what the directory says of a chat user; asked twice within a day, it is done once for each thing it is `because` of."""
    payload = {"integration_id": workspace.integration_id, "team": team, "user": user_id}
    await context.queue.enqueue(
        tx,
        IDENTIFY,
        payload,
        dedupe=f"{workspace.integration_id}/{team}/{user_id}{because and f'/{because}'}",
    )


async def name_later(
    context: ChatContext,
    tx: AccountTx,
    workspace: Workspace,
    person: Person,
    *,
    incident_id: str,
    role: str,
) -> None:
    """Have name and e-mail learned of somebody who got a role and whose e-mail is not known: tickets know people by it."""
    if person.id.count("/") != CHAT_ID_PARTS:
        return
    team, user = person.id.split("/")[1:]
    if person.email:
        return
    payload = {
        "integration_id": workspace.integration_id,
        "incident_id": incident_id,
        "role": role,
        "person_id": person.id,
        "team": team,
        "user": user,
    }
    await context.queue.enqueue(tx, NAME_HOLDER, payload)

"""Whether somebody belongs to the workspace: asked of the platform's directory before the first thing that a person does is done.

This is the one time that a command waits for a platform, and not for long. What was told is kept with the chat user, so that every later
command finds it where it finds the person.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final, cast

from callout.chatops.lookups import look_up
from callout.ports.chat_people import DirectoryEntry, Membership
from callout.ports.errors import CalloutError, OperationNotSupportedError
from callout.ports.values import Person

if TYPE_CHECKING:
    from callout.access import ChatIdentity
    from callout.chatops.context import ChatContext, Workspace
    from callout.ports.chat_people import SupportsDirectory
    from callout.storage import Tx

PATIENCE: Final = 1.2
"""Seconds in which the platform has to tell; whom it does not tell of in time may do nothing yet. A command has three to be answered in."""
ASKED_AGAIN_AFTER: Final = timedelta(seconds=10)
OF_OTHERS: Final = frozenset({Membership.GUEST, Membership.EXTERNAL, Membership.UNSURE})
"""Whoever stands so has the role for guests."""
NOBODY: Final = frozenset({Membership.GONE, Membership.PROGRAM})
"""Whoever stands so has no role, whoever they were."""


class NotAskedYetError(Exception):
    """It is not known how somebody belongs to the workspace: the platform has to be asked, with no transaction open."""

    def __init__(self, team: str, user: Person) -> None:
        super().__init__(f"nobody asked yet who {user.id} is")
        self.team = team
        self.user = user


def has_to_be_asked(context: ChatContext, workspace: Workspace, found: ChatIdentity | None) -> bool:
    """Return whether it matters how a chat user, who is no member of ours, belongs to the workspace, and is not known."""
    settings = workspace.settings
    if settings.guest_role == settings.default_role:
        return False
    if found is None or found.membership is None:
        return True
    is_unsure = found.membership == Membership.UNSURE.value
    return is_unsure and context.clock.now() - found.updated_at > ASKED_AGAIN_AFTER


async def learn(context: ChatContext, workspace: Workspace, team: str, user: Person) -> Membership:
    """Ask the platform who somebody is, and keep the answer. A platform that does not tell in time is asked again by a job."""
    entry = DirectoryEntry(user, Membership.UNSURE)
    try:
        async with asyncio.timeout(PATIENCE):
            entry = await ask(context, workspace, user)
    except OperationNotSupportedError:
        entry = DirectoryEntry(user)
    except (CalloutError, TimeoutError):
        pass

    async def keep(tx: Tx) -> None:
        # Only the directory's own e-mail counts; the name in a request is what a person is called until it tells.
        person = entry.person if entry.person.name else Person(user.id, user.name, entry.person.email)
        if entry.membership is Membership.UNSURE:
            person = Person(user.id, user.name)
            because = f"{context.clock.now():%Y-%m-%dT%H:%M}"
            await look_up(
                context, tx.account(workspace.account_id), workspace, team, user.id, because=because
            )
        await context.identities.remember(tx, workspace.provider, team, person)
        await context.identities.stand(tx, workspace.provider, team, user.id, entry.membership.value)

    await context.database.transaction(keep)
    return entry.membership


async def ask(context: ChatContext, workspace: Workspace, user: Person) -> DirectoryEntry:
    """Return what the directory says of somebody: of whom it does not know, that they are not of this workspace.

    Raises:
        OperationNotSupportedError: the platform has none.
        ConnectorError: and its kinds.
    """
    directory = cast("SupportsDirectory", await context.chat(workspace))
    found = await directory.look_up(user.id)
    return DirectoryEntry(user, Membership.EXTERNAL) if found is None else found


__all__ = ["NOBODY", "OF_OTHERS", "NotAskedYetError", "ask", "has_to_be_asked", "learn"]

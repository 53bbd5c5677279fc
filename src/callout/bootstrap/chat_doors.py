"""Where chat comes in: from request or connection to the workspace it is for, and to the dispatcher."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Counter

from callout.chatops.dispatch import Dispatcher
from callout.chatops.forms import PREFIX as FORM_PREFIX
from callout.chatops.jobs import RESPOND
from callout.kit import tracing
from callout.kit.lanes import Lane, in_lane
from callout.ports.chat import ChatEvent, Interaction, InteractionKind
from callout.ports.errors import CalloutError
from callout.storage import StorageUnavailableError

if TYPE_CHECKING:
    from callout.bootstrap.connections import Connections, Door
    from callout.bootstrap.core import Core
    from callout.chatops.context import ChatContext, Workspace
    from callout.ports.chat import Answer, ChatInbound, ChatInput, SlashCommand
    from callout.ports.chat_forms import Form
    from callout.storage import Tx

CATEGORY: Final = "chat"
PATIENCE: Final = 2.5
"""Seconds for opening a form: platforms forget the act that it belongs to after three."""
AT_ONCE: Final = 200
"""Most forms that are being opened at a time, in one process."""
REMEMBERED: Final = 1_000
"""Workspaces; those not asked for longest are forgotten first."""
_log = structlog.get_logger(__name__)
forms_failed = Counter(
    "callout_chat_forms_failed_total", "Forms that could not be opened in time", ["provider"]
)


@dataclass(slots=True)
class ChatDoor:
    """The way in of one chat app: verified by the integration whose address or connection it is, carried out for the workspace
    that it came from.
    """

    provider: str
    dialect: ChatInbound
    workspace: Workspace
    doors: ChatDoors

    async def handle(self, given: ChatInput) -> Answer:
        """Carry out what a person did; return what they see at once. Raises StorageUnavailableError."""
        return await self.doors.carry_out(self.workspace, given)


class ChatDoors:
    """Finds doors, and the workspaces behind them: several may have installed one app."""

    def __init__(self, core: Core, connections: Connections, chat: ChatContext) -> None:
        self._core = core
        self._connections = connections
        self._chat = chat
        self._dispatcher = Dispatcher(chat)
        self._opening: set[asyncio.Task[None]] = set()
        self._found: dict[str, tuple[Door, Workspace]] = {}
        connections.close_also(self.close)

    async def find(self, integration_id: str) -> ChatDoor | None:
        """Return the door at an integration's address, or None when there is none."""
        door = await self._connections.door(integration_id)
        if door is None or door.integration.category != CATEGORY:
            self._found.pop(integration_id, None)
            return None
        known = self._found.get(integration_id)
        if known is not None and known[0] is door:  # another one is made when the settings change
            workspace: Workspace | None = known[1]
        else:
            workspace = await self.workspace(door.integration.account_id, integration_id)
        self._found.pop(integration_id, None)
        if workspace is None:
            return None
        self._found[integration_id] = (door, workspace)  # at the end: the first one was asked for longest ago
        if len(self._found) > REMEMBERED:
            del self._found[next(iter(self._found))]
        return ChatDoor(door.integration.provider_type, door.dialect, workspace, self)

    async def workspace(self, account_id: str, integration_id: str) -> Workspace | None:
        """Return an integration as chatops sees it; None when it is gone, disabled or none of chat."""
        return await self._core.database.read(
            lambda tx: self._chat.workspace(tx.account(account_id), integration_id)
        )

    async def carry_out(self, home: Workspace, given: ChatInput) -> Answer:
        """Carry out what came in at `home`, for the workspace that it came from. Raises StorageUnavailableError.

        A form is opened beside the answer, which never waits for the platform: it is all that must happen while the person's act is
        seconds old. When it cannot be, the person is told what to type instead.
        """
        attributes: tracing.Attributes = {
            "callout.provider": home.provider,
            "callout.account_id": home.account_id,
            "callout.integration_id": home.integration_id,
        }
        with tracing.within(f"chat {type(given).__name__}", attributes=attributes):
            workspace = await self._meant(home, given.team)
            answer = await self._dispatcher.handle(workspace, given)
        if answer.form is None or isinstance(given, ChatEvent) or not given.trigger:
            return answer
        if isinstance(given, Interaction) and given.kind is InteractionKind.SUBMITTED:
            return answer  # the next form stands in the answer itself
        self._open_beside(workspace, given, answer.form)
        return replace(answer, form=None)

    async def close(self) -> None:
        """Give up forms that are being opened."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _open_beside(self, workspace: Workspace, given: SlashCommand | Interaction, form: Form) -> None:
        if len(self._opening) >= AT_ONCE:
            _log.warning("chat_form_not_opened", workspace=workspace.name, error="too many are being opened")
            return
        task = asyncio.create_task(self._open_form(workspace, given, form), name="chat form")
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open_form(self, workspace: Workspace, given: SlashCommand | Interaction, form: Form) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                with in_lane(Lane.URGENT):
                    provider = await self._connections.provider(
                        workspace.account_id, workspace.integration_id
                    )
                    await provider.open_form(given.trigger, form)
        except (CalloutError, StorageUnavailableError, TimeoutError) as error:
            _log.warning("chat_form_not_opened", workspace=workspace.name, form=form.action, error=str(error))
            forms_failed.labels(workspace.provider).inc()
            await self._say_so(workspace, given, form)

    async def _say_so(self, workspace: Workspace, given: SlashCommand | Interaction, form: Form) -> None:
        if not given.response:
            return
        typed = form.action.removeprefix(FORM_PREFIX)
        text = (
            f"{workspace.title} did not open the form in time. Try again, or type "
            f"`{workspace.settings.command} {typed} …` (`{workspace.settings.command} help {typed}`)."
        )
        payload = {"integration_id": workspace.integration_id, "response": given.response, "text": text}

        async def unit(tx: Tx) -> None:
            await self._chat.queue.enqueue(tx.account(workspace.account_id), RESPOND, payload)

        with contextlib.suppress(StorageUnavailableError):  # the log has it
            await self._core.database.transaction(unit)

    async def _meant(self, home: Workspace, team: str) -> Workspace:
        if not team or team == (home.settings.team or team):
            return home

        async def sharing(tx: Tx) -> Workspace | None:
            # Of the app's own account alone: whoever else names our app in their settings would hear our people.
            account = tx.account(home.account_id)
            for one in await self._core.integrations.of_category(account, CATEGORY):
                config = one.provider_config
                if config.get("app") == home.integration_id and config.get("team") == team:
                    return await self._chat.workspace(account, one.id)
            return None

        # Whether a team that nobody installed for is turned away is the dispatcher's to say.
        return await self._core.database.read(sharing) or home

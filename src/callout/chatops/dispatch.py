"""From what a person did in chat to its answer: authorised, carried out and answered in one commit, with no vendor call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from callout.chatops import grammar, messages, store
from callout.chatops.cards import answer_json
from callout.chatops.cleaning import cleaned
from callout.chatops.commands import ShowChanges
from callout.chatops.context import ChatContext, Workspace
from callout.chatops.files.taking import note_files
from callout.chatops.forms import BARE, open_form
from callout.chatops.groups import Group, Groups, Mentioned, labelled
from callout.chatops.handlers import HANDLERS, Asked, carry_out
from callout.chatops.happenings import note_happening
from callout.chatops.home import ask_for_home
from callout.chatops.intent import Hearing
from callout.chatops.interactions import interact, kept_message
from callout.chatops.jobs import REPLY, RESPOND
from callout.chatops.lookups import look_up
from callout.chatops.once import SILENT, once, tell
from callout.chatops.pace import Pace
from callout.chatops.plain_words import CHATTER, command_said
from callout.chatops.redacting import Redactor
from callout.chatops.speakers import speaker_of
from callout.chatops.standing import NotAskedYetError, learn
from callout.chatops.tickets import ANSWER_PREFIX
from callout.jobs import NewJob
from callout.ports.chat import (
    Answer,
    ChatEvent,
    ChatEventKind,
    ChatInput,
    Interaction,
    InteractionKind,
    SlashCommand,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.access import Known
    from callout.chatops.commands import Command
    from callout.ports.values import Person
    from callout.storage import AccountTx, Tx

T = TypeVar("T")


class Dispatcher:
    """Answers what people do in chat."""

    def __init__(self, context: ChatContext) -> None:
        self._context = context
        self._pace = Pace(context.clock)
        self._groups = Groups(context)

    async def handle(self, workspace: Workspace, given: ChatInput) -> Answer:
        """Carry out `given` and return what its sender sees at once. Raises StorageUnavailableError."""
        answer = await self._handle(workspace, given)
        return answer if answer.is_silent else Redactor(workspace.settings).answer(answer)

    async def _handle(self, workspace: Workspace, given: ChatInput) -> Answer:
        given = cleaned(given)
        team = workspace.settings.team
        if team and given.team != team:
            return Answer("This workspace is not connected to Callout.")
        if isinstance(given, ChatEvent) and given.files:
            await self._asked_first(workspace, partial(note_files, self._context, workspace, given))
        slow = None if _is_overheard(given) else self._pace.refusal(workspace, given)
        mentioned = Mentioned() if slow is not None else await self._groups.mentioned(workspace, given)
        given, groups = labelled(given, mentioned), mentioned.groups
        if isinstance(given, ChatEvent) and _is_overheard(given):
            await self._event(workspace, given)
            return SILENT
        if slow is None:
            return await self._asked_first(workspace, partial(self._acted, workspace, given, groups))
        if isinstance(given, SlashCommand):
            return Answer(slow.text)
        if isinstance(given, Interaction) and given.values:
            # At a field, each time: a form that closes has lost what was typed into it.
            return Answer("", errors={next(iter(given.values)): slow.text})
        # Told once: an answer to each would be a flood of our own.
        if slow.first:
            await self._refuse(workspace, given, Answer(slow.text))
        return SILENT

    async def _acted(self, workspace: Workspace, given: ChatInput, groups: Mapping[str, Group]) -> Answer:
        if isinstance(given, SlashCommand):
            return await self._command(workspace, given, groups)
        if isinstance(given, Interaction):
            return await self._interaction(workspace, given, groups)
        await self._mention(workspace, given, groups)
        return SILENT

    async def _asked_first(self, workspace: Workspace, act: Callable[[], Awaitable[T]]) -> T:
        """Do something; where that needs to know whether somebody belongs to the workspace, ask the platform, and do it then."""
        try:
            return await act()
        except NotAskedYetError as unknown:
            await learn(self._context, workspace, unknown.team, unknown.user)
            return await act()

    # ------------------------------------------------------------------------------------------- the ways in

    async def _command(
        self, workspace: Workspace, given: SlashCommand, groups: Mapping[str, Group]
    ) -> Answer:
        form = BARE.get(given.text.strip().lower()) if given.trigger else None
        command = grammar.parse(given.text).command

        async def unit(tx: AccountTx, known: Known | None) -> Answer:
            asked = await self._asked(
                tx, workspace, given.team, given.user, given.channel.id, known=known, groups=groups
            )
            return await (carry_out(asked, command) if form is None else open_form(asked, form, ""))

        speaks = (given.team, given.user)
        if form is None and HANDLERS[type(command)].only_tells:
            told = await tell(self._context, workspace, unit, speaks=speaks)
            if told is not None:
                return told
        return await once(self._context, workspace, given.invocation, unit, speaks=speaks)

    async def _event(self, workspace: Workspace, given: ChatEvent) -> None:
        """Take note of something that nobody said to us."""
        user = given.user
        if given.kind is ChatEventKind.HOME_OPENED and user is not None:

            async def unit(tx: Tx) -> None:
                account = tx.account(workspace.account_id)
                await ask_for_home(
                    self._context, account, workspace, given.team, user.id, key=f"home/{given.id}"
                )

            await self._context.database.transaction(unit)
            return
        if given.kind is ChatEventKind.PERSON_CHANGED and user is not None:
            await self._look_again(workspace, given.team, user.id, because=given.id)
            return
        await note_happening(self._context, workspace, given)
        await messages.follow(self._context, workspace, given)

    async def _look_again(self, workspace: Workspace, team: str, user: str, *, because: str) -> None:
        """Have somebody whom we know looked up once more: they may be a guest now, deactivated, or called something else."""

        async def unit(tx: Tx) -> None:
            if await self._context.identities.find(tx, workspace.provider, team, user) is not None:
                await look_up(
                    self._context, tx.account(workspace.account_id), workspace, team, user, because=because
                )

        await self._context.database.transaction(unit)

    async def _mention(self, workspace: Workspace, given: ChatEvent, groups: Mapping[str, Group]) -> None:
        """Read a mention, or a message to us alone, as a command; the answer is a reply in its thread."""
        if given.user is None or given.message is None or given.channel is None:
            return
        user, channel, thread = given.user, given.channel, given.message.thread
        to = ""

        async def reply(tx: AccountTx, answer: Answer) -> None:
            if answer.text or answer.card is not None:  # chatter is not answered
                await self._reply(tx, workspace, given, answer, to=to)

        async def unit(tx: AccountTx, known: Known | None) -> Answer:
            nonlocal to
            asked = await self._asked(
                tx,
                workspace,
                given.team,
                user,
                channel.id,
                in_public=not given.direct,
                known=known,
                groups=groups,
                thread=thread,
            )
            command = await _understood(asked, given)
            to = user.id if await _may_tell_of_private(asked, command) else ""
            return SILENT if command == CHATTER else await carry_out(asked, command)

        await once(self._context, workspace, given.id, unit, reply, speaks=(given.team, user))

    async def _interaction(
        self, workspace: Workspace, given: Interaction, groups: Mapping[str, Group]
    ) -> Answer:
        """Carry out what a person did with what we show; return what the platform takes at once: a form, or errors at one's fields."""
        submitted = given.kind is InteractionKind.SUBMITTED

        async def after(tx: AccountTx, answer: Answer) -> None:
            if not submitted and (answer.text or answer.card is not None):
                # Where the answer shows how things stand, it takes the place of the one that was pressed.
                replace = answer.card is not None and given.action.startswith(ANSWER_PREFIX)
                await self._respond(tx, workspace, given, answer, replace=replace)
            if given.message is None and not answer.errors:  # pressed on the home page, or a form of it
                await ask_for_home(
                    self._context, tx, workspace, given.team, given.user.id, key=f"home/{given.invocation}"
                )

        async def unit(tx: AccountTx, known: Known | None) -> Answer:
            channel = "" if given.channel is None else given.channel.id
            thread = "" if given.message is None else given.message.thread or given.message.id
            asked = await self._asked(
                tx, workspace, given.team, given.user, channel, known=known, groups=groups, thread=thread
            )
            return await interact(asked, given)

        answer = await once(
            self._context,
            workspace,
            given.invocation,
            unit,
            after,
            speaks=(given.team, given.user),
            kept=kept_message(given),
        )
        return answer if submitted else Answer("", form=answer.form)

    # --------------------------------------------------------------------------------------------- answers

    async def _refuse(self, workspace: Workspace, given: Interaction | ChatEvent, answer: Answer) -> None:
        """Tell somebody who is too quick, by a job."""
        invocation = given.id if isinstance(given, ChatEvent) else given.invocation

        async def unit(_tx: AccountTx, _known: Known | None) -> Answer:
            return answer

        async def after(tx: AccountTx, answer: Answer) -> None:
            if isinstance(given, Interaction):
                await self._respond(tx, workspace, given, answer)
            elif given.message is not None and given.channel is not None:
                await self._reply(tx, workspace, given, answer)

        await once(self._context, workspace, invocation, unit, after)

    async def _reply(
        self, tx: AccountTx, workspace: Workspace, given: ChatEvent, answer: Answer, *, to: str = ""
    ) -> None:
        """Answer a mention by a job: in its thread, or with `to` directly to that person."""
        if given.message is None or given.channel is None:
            return
        payload = {
            "integration_id": workspace.integration_id,
            "event_id": given.id,
            "channel": to or given.channel.id,
            "thread": "" if to else given.message.thread or given.message.id,
            "answer": answer_json(answer),
        }
        job = NewJob(REPLY, payload, dedupe=f"{workspace.integration_id}/{given.id}")
        await self._context.queue.enqueue_later(tx, [job])

    async def _respond(
        self,
        tx: AccountTx,
        workspace: Workspace,
        given: Interaction,
        answer: Answer,
        *,
        replace: bool = False,
    ) -> None:
        """Answer a pressed button, to the one who pressed it, by a job: where the platform says, else by a direct message."""
        payload = {"integration_id": workspace.integration_id, "answer": answer_json(answer)}
        if given.response:
            job = NewJob(RESPOND, {**payload, "response": given.response, "replace": replace})
        else:  # the home page and shortcuts have no address to answer at
            payload |= {"event_id": given.invocation, "channel": given.user.id, "thread": ""}
            job = NewJob(REPLY, payload, dedupe=f"{workspace.integration_id}/{given.invocation}")
        await self._context.queue.enqueue_later(tx, [job])

    async def _asked(
        self,
        tx: AccountTx,
        workspace: Workspace,
        team: str,
        user: Person,
        channel: str = "",
        *,
        in_public: bool = False,
        known: Known | None = None,
        groups: Mapping[str, Group],
        thread: str = "",
    ) -> Asked:
        speaker = await speaker_of(self._context, tx, workspace, team, user, known=known)
        return Asked(self._context, tx, workspace, speaker, channel, in_public, groups, thread)


def _is_overheard(given: ChatInput) -> bool:
    return isinstance(given, ChatEvent) and not _is_said_to_us(given)


def _is_said_to_us(given: ChatEvent) -> bool:
    return given.kind is ChatEventKind.MENTION or (given.kind is ChatEventKind.MESSAGE and given.direct)


async def _may_tell_of_private(asked: Asked, command: Command) -> bool:
    """Whether the answer may say something of an incident with a private channel where everybody reads it.

    In an incident's own channel, what is said of it stays among its people.
    """
    settings = asked.workspace.settings
    if not asked.in_public or not (settings.private_severities or settings.private_services):
        return False
    here = await store.incident_of_channel(asked.tx, asked.workspace.integration_id, asked.channel)
    named = getattr(command, "incident", None)
    return not here or not (named == here or (named == "" and not isinstance(command, ShowChanges)))


async def _understood(asked: Asked, given: ChatEvent) -> Command:
    """Return what is asked for by a mention, in plain words or as a command."""
    here = await asked.here()
    return command_said(given.text, Hearing(channel_incident=here, bot_ids=given.bot_ids))

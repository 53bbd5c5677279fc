"""From what a person did in chat to its answer: authorised, carried out and answered in one commit, with no vendor call.

Every invocation is claimed in that same commit, so that a repeated request acts once and gets the same answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from callout.chatops import grammar, store, words
from callout.chatops.cards import ACTION_PREFIX, answer_from_json, answer_json, incident_card
from callout.chatops.commands import (
    Act,
    AddNote,
    Change,
    Command,
    Declare,
    Help,
    ListIncidents,
    Show,
    ShowTickets,
    Unclear,
)
from callout.chatops.context import ChatContext, Workspace
from callout.chatops.jobs import IDENTIFY, REPLY, RESPOND
from callout.chatops.speakers import Speaker, speaker_of
from callout.chatops.tickets import ANSWER_PREFIX, conflicts_card, pressed, tickets_card
from callout.incidents import ACTIONS, DeclareIncident, Incident, IncidentFilter
from callout.ports.chat import Answer, Card, ChatEvent, ChatEventKind, ChatInput, Interaction, SlashCommand
from callout.ports.errors import CalloutError, InvalidRequestError
from callout.ports.values import Audience, Person

if TYPE_CHECKING:
    from callout.storage import AccountTx, Tx
    from callout.sync.conflicts import Decision

SILENT: Final = Answer("")
"""Nothing to say at once: an acknowledgement."""
_NOTE_PERMISSION: Final = {Audience.INTERNAL: "incident.note.internal"}


class Dispatcher:
    """Answers what people do in chat."""

    def __init__(self, context: ChatContext) -> None:
        self._context = context

    async def handle(self, workspace: Workspace, given: ChatInput) -> Answer:
        """Carry out `given` and return what its sender sees at once. Raises StorageUnavailableError."""
        team = workspace.settings.team
        if team and given.team != team:
            return Answer("This workspace is not connected to Callout.")
        if isinstance(given, SlashCommand):
            return await self._command(workspace, given)
        if isinstance(given, Interaction):
            await self._interaction(workspace, given)
        elif given.kind is ChatEventKind.MENTION:
            await self._mention(workspace, given)
        return SILENT

    # ------------------------------------------------------------------------------------------- the ways in

    async def _command(self, workspace: Workspace, given: SlashCommand) -> Answer:
        async def unit(tx: AccountTx) -> Answer:
            speaker = await self._speaker(tx, workspace, given.team, given.user)
            return await self._obey(tx, workspace, speaker, given.text, given.channel.id)

        return await self._once(workspace, given.invocation, unit)

    async def _mention(self, workspace: Workspace, given: ChatEvent) -> None:
        """Read a mention as a command; the answer is a reply in its thread."""
        if given.user is None or given.message is None or given.channel is None:
            return
        user, message, channel = given.user, given.message, given.channel

        async def reply(tx: AccountTx, answer: Answer) -> None:
            payload = {
                "integration_id": workspace.integration_id,
                "event_id": given.id,
                "channel": channel.id,
                "thread": message.thread or message.id,
                "text": answer.text,
            }
            await self._context.queue.enqueue(
                tx, REPLY, payload, dedupe=f"{workspace.integration_id}/{given.id}"
            )

        async def unit(tx: AccountTx) -> Answer:
            speaker = await self._speaker(tx, workspace, given.team, user)
            return await self._obey(tx, workspace, speaker, given.text, channel.id)

        await self._once(workspace, given.id, unit, reply)

    async def _interaction(self, workspace: Workspace, given: Interaction) -> None:
        """Carry out a pressed button. The card and its thread tell the outcome; only a refusal is told to the person."""
        choice = pressed(given.action, given.value)
        if choice is not None:
            await self._resolve(workspace, given, *choice)
            return
        action = given.action.removeprefix(ACTION_PREFIX)
        if not given.action.startswith(ACTION_PREFIX) or action not in ACTIONS:
            return

        async def refuse(tx: AccountTx, answer: Answer) -> None:
            if answer.text and given.response:
                payload = {
                    "integration_id": workspace.integration_id,
                    "response": given.response,
                    "text": answer.text,
                }
                await self._context.queue.enqueue(tx, RESPOND, payload)

        async def unit(tx: AccountTx) -> Answer:
            speaker = await self._speaker(tx, workspace, given.team, given.user)
            speaker.require("incident.write")
            await self._context.incidents.act(tx, given.value, action, speaker.origin(workspace))
            return SILENT

        await self._once(workspace, given.invocation, unit, refuse)

    async def _resolve(
        self, workspace: Workspace, given: Interaction, link_id: str, field: str, decision: Decision
    ) -> None:
        """Resolve a conflict by a pressed button: its message in the channel is edited by a visit, an answer of ours is replaced."""

        async def after(tx: AccountTx, answer: Answer) -> None:
            if given.response and (answer.text or answer.card is not None):
                payload = {
                    "integration_id": workspace.integration_id,
                    "response": given.response,
                    "answer": answer_json(answer),
                    "replace": answer.card is not None,
                }
                await self._context.queue.enqueue(tx, RESPOND, payload)

        async def unit(tx: AccountTx) -> Answer:
            speaker = await self._speaker(tx, workspace, given.team, given.user)
            speaker.require("conflict.resolve")
            done = await self._context.conflicts.resolve(
                tx, link_id, field, decision, speaker.origin(workspace)
            )
            if not given.action.startswith(ANSWER_PREFIX):
                return SILENT
            return Answer("", card=await self._tickets(tx, done.conflict.incident.id))

        await self._once(workspace, given.invocation, unit, after)

    async def _tickets(self, tx: AccountTx, incident_id: str) -> Card:
        incident = await self._context.incidents.get(tx, incident_id)
        return tickets_card(
            incident,
            await self._context.conflicts.tickets(tx, incident.id),
            await self._context.conflicts.of_incident(tx, incident.id),
            link=self._context.link(incident.key),
        )

    # -------------------------------------------------------------------------------------------- once only

    async def _once(
        self,
        workspace: Workspace,
        invocation: str,
        work: Callable[[AccountTx], Awaitable[Answer]],
        after: Callable[[AccountTx, Answer], Awaitable[None]] | None = None,
    ) -> Answer:
        """Run `work` and store its answer in one commit; for a repeated invocation return the stored one.

        `after` runs in the same commit. A refusal rolls the work back and is an answer like any other.
        """

        async def claimed(tx: Tx, perform: Callable[[AccountTx], Awaitable[Answer]]) -> Answer:
            account = tx.account(workspace.account_id)
            now = self._context.clock.now()
            if not await store.claim_invocation(account, workspace.integration_id, invocation, now):
                stored = await store.answer(account, workspace.integration_id, invocation)
                return SILENT if stored is None else answer_from_json(stored)
            answer = await perform(account)
            await store.put_answer(account, workspace.integration_id, invocation, answer_json(answer))
            if after is not None:
                await after(account, answer)
            return answer

        async def unit(tx: Tx) -> Answer:
            return await claimed(tx, work)

        try:
            return await self._context.database.transaction(unit)
        except CalloutError as error:
            refusal = Answer(words.refused(error))

        async def refused(tx: Tx) -> Answer:
            async def say(_account: AccountTx) -> Answer:
                return refusal

            return await claimed(tx, say)

        return await self._context.database.transaction(refused)

    async def _speaker(self, tx: AccountTx, workspace: Workspace, team: str, user: Person) -> Speaker:
        speaker = await speaker_of(self._context, tx, workspace, team, user)
        if not speaker.known:
            payload = {"integration_id": workspace.integration_id, "team": team, "user": user.id}
            await self._context.queue.enqueue(
                tx, IDENTIFY, payload, dedupe=f"{workspace.integration_id}/{team}/{user.id}"
            )
        return speaker

    # ---------------------------------------------------------------------------------------------- commands

    async def _obey(
        self, tx: AccountTx, workspace: Workspace, speaker: Speaker, text: str, channel: str
    ) -> Answer:
        parsed = grammar.parse(text)
        name = workspace.settings.command
        if isinstance(parsed.command, Unclear):
            hints = [grammar.usage(grammar.BY_WORD[word], name) for word in parsed.command.suggestions]
            return Answer(words.unclear(parsed.command.problem, hints))
        if parsed.verb is not None:
            speaker.require(parsed.verb.needs)
        return await self._carry_out(tx, workspace, speaker, parsed.command, channel)

    async def _carry_out(  # noqa: C901, PLR0911  # one line per command
        self, tx: AccountTx, workspace: Workspace, speaker: Speaker, command: Command, channel: str
    ) -> Answer:
        incidents, origin = self._context.incidents, speaker.origin(workspace)

        async def named(incident: str) -> str:
            return await self._named(tx, workspace, incident, channel)

        match command:
            case Declare():
                incident = await incidents.declare(tx, _draft(command), origin)
                return Answer(words.declared(incident), card=self._card(incident))
            case Act():
                incident = await incidents.act(tx, await named(command.incident), command.action, origin)
                if command.comment:
                    await incidents.add_note(tx, incident.id, command.comment, Audience.RESPONDERS, origin)
                return Answer(words.acted(incident, command.action))
            case Change():
                incident = await incidents.patch(tx, await named(command.incident), command.values, origin)
                return Answer(words.changed(incident, tuple(command.values)))
            case AddNote():
                speaker.require(_NOTE_PERMISSION.get(command.audience, "incident.note"))
                incident = await incidents.get(tx, await named(command.incident))
                await incidents.add_note(tx, incident.id, command.text, command.audience, origin)
                return Answer(f"Noted on **{incident.key}** (for {_AUDIENCES[command.audience]}).")
            case Show():
                found = await self._named(tx, workspace, command.incident, channel, optional=True)
                if not found:
                    return await self._list(tx, ListIncidents())
                incident = await incidents.get(tx, found)
                return Answer("", card=self._card(incident))
            case ShowTickets():
                found = await self._named(tx, workspace, command.incident, channel, optional=True)
                if not found:
                    return Answer("", card=conflicts_card(await self._context.conflicts.of_account(tx)))
                return Answer("", card=await self._tickets(tx, found))
            case ListIncidents():
                return await self._list(tx, command)
            case Help():
                return Answer(grammar.help_text(workspace.settings.command, command.topic))
            case Unclear():
                return Answer(words.unclear(command.problem, command.suggestions))

    async def _list(self, tx: AccountTx, command: ListIncidents) -> Answer:
        wanted = IncidentFilter(
            statuses=command.statuses,
            severities=command.severities,
            service=command.service,
            team=command.team,
        )
        found, more = await self._context.incidents.search(tx, wanted, limit=words.LIST_LIMIT)
        return Answer(words.listed(found, more=bool(more)))

    async def _named(
        self, tx: AccountTx, workspace: Workspace, incident: str, channel: str, *, optional: bool = False
    ) -> str:
        """Return the incident that was named, or else the one whose own channel this is."""
        found = incident or await store.incident_of_channel(tx, workspace.integration_id, channel)
        if not found and not optional:
            command = workspace.settings.command
            raise InvalidRequestError(
                "which incident? This is no incident's own channel",
                remediation=f"Add its key, such as INC-7; {command} list shows what is active",
            )
        return found

    def _card(self, incident: Incident) -> Card:
        return incident_card(incident, link=self._context.link(incident.key))


_AUDIENCES: Final = {
    Audience.INTERNAL: "us alone",
    Audience.RESPONDERS: "responders",
    Audience.CUSTOMER: "customers",
}


def _draft(command: Declare) -> DeclareIncident:
    draft = DeclareIncident(
        title=command.title,
        description=command.description,
        service=command.service,
        team=command.team,
        tags=command.tags,
    )
    return draft if command.severity is None else replace(draft, severity=command.severity)

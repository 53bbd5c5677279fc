"""The app's home page of a person: their incidents first, then what is active, each with its buttons. Made anew whenever it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callout.chatops import words
from callout.chatops.cards import buttons_of, headline, tone_of
from callout.chatops.commands import ACTIVE
from callout.chatops.forms.shapes import DECLARE
from callout.chatops.handlers import Asked
from callout.chatops.private import listed_for
from callout.chatops.speakers import own_ids, speaker_of
from callout.chatops.standing import NotAskedYetError, learn
from callout.incidents import IncidentFilter
from callout.jobs import NewJob
from callout.ports.chat import Button, ButtonStyle, Card, Section
from callout.ports.errors import ForbiddenError, OperationNotSupportedError, RejectedError
from callout.ports.values import Person

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext, Workspace
    from callout.incidents import Incident
    from callout.jobs import Settle, Work
    from callout.storage import AccountTx, Tx

HOME: Final = "chat.home"
SHOWN: Final = 15
OPEN_LABEL: Final = "Open"


async def ask_for_home(
    context: ChatContext, tx: AccountTx, workspace: Workspace, team: str, user: str, *, key: str
) -> None:
    """Have the home page of a person shown by a job, once for `key`."""
    payload = {"integration_id": workspace.integration_id, "team": team, "user": user}
    await context.queue.enqueue_later(tx, [NewJob(HOME, payload, dedupe=f"{workspace.integration_id}/{key}")])


async def show_home(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.home` job: `integration_id`, `team`, `user`."""
    payload, account_id = work.job.payload, work.job.account_id or ""

    async def workspace_of(tx: Tx) -> Workspace | None:
        return await context.workspace(tx.account(account_id), payload["integration_id"])

    async def load(tx: Tx) -> tuple[Workspace, Card] | None:
        account = tx.account(account_id)
        workspace = await context.workspace(account, payload["integration_id"])
        if workspace is None:
            return None
        # Who opens the page is remembered by what they do; looking makes nobody known.
        speaker = await speaker_of(
            context, account, workspace, payload["team"], Person(payload["user"]), remember=False
        )
        return workspace, await home_card(Asked(context, account, workspace, speaker, ""))

    try:
        loaded = await work.read(load)
    except NotAskedYetError as unknown:
        known = await work.read(workspace_of)
        if known is None:
            return None
        await learn(context, known, unknown.team, unknown.user)
        loaded = await work.read(load)
    if loaded is None:
        return None
    workspace, card = loaded
    provider = await context.chat(workspace)
    try:
        await provider.publish_home(payload["user"], card)
    except (RejectedError, OperationNotSupportedError):
        return None  # the page is off in the app's settings, or the platform has none
    return None


async def home_card(asked: Asked) -> Card:
    """Return the page; for somebody who may not read, what they can do about it."""
    try:
        asked.speaker.require("incident.read")
    except ForbiddenError as error:
        return Card(title="Callout", text=words.refused(error))
    mine, _ = await asked.incidents.search(
        asked.tx, IncidentFilter(statuses=ACTIVE, person_ids=await own_ids(asked)), limit=SHOWN
    )
    active, more = await listed_for(asked, IncidentFilter(statuses=ACTIVE), limit=SHOWN)
    known = {one.id for one in mine}
    others = [one for one in active if one.id not in known]
    sections = [Section("**Your incidents**" if mine else "No incident is yours.")]
    sections += [_line(asked, one) for one in mine]
    if others:
        sections.append(Section("**Active**"))
        sections += [_line(asked, one) for one in others]
    return Card(
        title="Callout",
        sections=tuple(sections),
        buttons=(Button(DECLARE, "Declare an incident", "", ButtonStyle.DANGER),),
        footer=f"There are more: {asked.command} list" if more else "",
    )


def _line(asked: Asked, incident: Incident) -> Section:
    emoji = tone_of(incident.severity, incident.status)[1]
    text = f"{emoji} **{words.literal(headline(incident))}** ({incident.status.value})"
    if incident.assignee is not None:
        text += f", {words.literal(words.called(incident.assignee))} is on it"
    return Section(
        text,
        (
            *buttons_of(incident)[:2],
            Button("link", OPEN_LABEL, url=asked.context.link(incident.key)),
        ),
    )

"""An incident's own channel in Slack: kept true, and what people do to it respected. Read back with Slack's own client."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callout.access import Organizations
from callout.audit import Audit
from callout.chatops import store
from callout.chatops.loading import PAGE
from callout.chatops.store import ChannelState, IncidentChannel, MessageState
from callout.incidents.catalogue import Catalogue
from callout.incidents.response_settings import ResponseSettings
from callout.ports.chat import ChannelRef, ChatEvent, ChatEventKind
from callout.ports.errors import OutcomeUnknownError
from callout.ports.values import Actor, ActorKind, Channel, Origin, Person
from callout.storage import AccountTx
from callout.sync import links
from callout.sync.links import Link, LinkStatus
from tests.chatops.lab import SETTINGS, ChatLab
from tests.chatops.test_notifications import INCIDENTS, Slack, rows

API = Origin(Channel.API, Actor(ActorKind.TOKEN, "t1", "Ann"))


@pytest.fixture
def workspace(slack: Any) -> Slack:
    return Slack(slack)


async def row(lab: ChatLab) -> IncidentChannel:
    found = await lab.tx(lambda tx: _row(lab, tx))
    assert found is not None
    return found


async def _row(lab: ChatLab, tx: AccountTx) -> IncidentChannel | None:
    return await store.channel(tx, "slack-1", (await lab.incidents.get(tx, "INC-1")).id)


async def happened(lab: ChatLab, kind: ChatEventKind, *, event_id: str = "Ev1", name: str = "") -> None:
    """Let Slack tell of what was done to the channel, and work."""
    channel = ChannelRef((await row(lab)).channel_id, name)
    given = ChatEvent(kind, event_id, "T01ACC", Person("U0BOB"), channel)
    await lab.dispatcher.handle(lab.workspace, given)
    await lab.run_jobs()


async def kinds(lab: ChatLab) -> list[str]:
    return [entry.kind for entry in await lab.timeline()]


def members(workspace: Slack, name: str) -> set[str]:
    own = workspace.channel(name)
    assert own is not None
    return set(workspace.web.conversations_members(channel=own["id"])["members"])


async def test_a_name_that_a_person_gave_stays(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = SETTINGS.model_copy(update={"rename_on_title": True})
    await lab.type("declare db is slow")
    await lab.run_jobs()
    await lab.type("title INC-1 db is down")
    await lab.run_jobs()
    assert workspace.channel("inc-1-db-is-down") is not None
    await workspace.control.act(
        "rename_channel", user="U0BOB", channel=(await row(lab)).channel_id, name="war-room"
    )
    await happened(lab, ChatEventKind.CHANNEL_RENAMED, name="war-room")
    await lab.type("title INC-1 db is gone")
    await lab.run_jobs()

    assert workspace.channel("war-room") is not None
    assert len(workspace.control.effects("conversations.rename")) == 1  # ours, of the first title
    [card] = workspace.cards(INCIDENTS)
    assert "#war-room" in str(card)
    assert "chat_channel_renamed" in await kinds(lab)
    # What comes late, of an earlier name, changes nothing: the platform is asked how it is called.
    await happened(lab, ChatEventKind.CHANNEL_RENAMED, event_id="Ev2", name="inc-1-db-is-down")
    assert (await row(lab)).name == "war-room"


async def test_by_default_a_title_renames_nothing(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare db is slow")
    await lab.run_jobs()
    await lab.type("title INC-1 db is down")
    await lab.run_jobs()
    assert workspace.channel("inc-1-db-is-slow") is not None


async def test_a_channel_that_a_person_archived_stays_so(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare db")
    await lab.run_jobs()
    channel = (await row(lab)).channel_id
    await workspace.control.act("archive_channel", user="U0ANN", channel=channel)
    await happened(lab, ChatEventKind.CHANNEL_ARCHIVED)
    assert (await row(lab)).state is ChannelState.PUT_AWAY
    await lab.type("ack INC-1")
    await lab.run_jobs()

    [card] = workspace.cards(INCIDENTS)
    assert any("acknowledged" in text for text in workspace.replies(INCIDENTS, card["ts"]))
    assert "Channel" not in str(card)
    assert {one.state for one in (await rows(lab)).values()} == {MessageState.SENT}
    assert (await kinds(lab)).count("chat_channel_put_away") == 1
    # Opened again by a person, it is used again, and told what is new from then on.
    await workspace.control.act("unarchive_channel", user="U0ANN", channel=channel)
    await happened(lab, ChatEventKind.CHANNEL_UNARCHIVED, event_id="Ev2")
    await lab.type("resolve INC-1")
    await lab.run_jobs()
    [home] = workspace.cards(channel)
    assert any("resolved" in text for text in workspace.replies(channel, home["ts"]))


async def test_archived_without_a_word_is_found_out_by_what_is_refused(
    lab: ChatLab, workspace: Slack
) -> None:
    await lab.type("declare db")
    await lab.run_jobs()
    await workspace.control.act("archive_channel", user="U0ANN", channel=(await row(lab)).channel_id)
    await lab.type("ack INC-1")
    await lab.run_jobs()
    assert (await row(lab)).state is ChannelState.PUT_AWAY
    assert await lab.waiting() == []


@pytest.mark.parametrize("how", ["delete_channel", "remove_bot"])
async def test_a_channel_that_is_gone_is_said_in_words(lab: ChatLab, workspace: Slack, how: str) -> None:
    await lab.type("declare db")
    await lab.run_jobs()
    user = "U0ADMIN" if how == "delete_channel" else "U0ANN"
    await workspace.control.act(how, user=user, channel=(await row(lab)).channel_id)
    await happened(lab, ChatEventKind.CHANNEL_GONE)
    lost = await row(lab)
    assert lost.state is ChannelState.GONE
    assert lost.error in {"it was deleted, or is hidden from the app", "the app was taken out of it"}
    await lab.type("ack INC-1")
    await lab.run_jobs()
    [card] = workspace.cards(INCIDENTS)
    assert workspace.replies(INCIDENTS, card["ts"])
    assert (await kinds(lab)).count("chat_channel_lost") == 1
    assert await lab.waiting() == []


# -------------------------------------------------------------------------------------------- the end, and again


async def test_reopened_the_archived_channel_is_opened_again(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = SETTINGS.model_copy(update={"archive_on_close": True})
    await lab.type("declare db")
    await lab.run_jobs()
    for text in ("resolve INC-1", "close INC-1"):
        await lab.type(text)
    await lab.run_jobs()
    assert (await row(lab)).state is ChannelState.ARCHIVED
    await lab.type("reopen INC-1")
    await lab.run_jobs()
    own = workspace.channel("inc-1-db")
    assert own is not None
    assert own["is_archived"] is False
    assert len(workspace.cards(own["id"])) == 1
    assert own["topic"]["value"].startswith("SEV-3 · open")


async def test_where_it_cannot_be_opened_a_fresh_one_takes_its_place(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = SETTINGS.model_copy(update={"archive_on_close": True})
    await lab.type("declare db")
    await lab.run_jobs()
    for text in ("resolve INC-1", "close INC-1"):
        await lab.type(text)
    await lab.run_jobs()
    workspace.control.fault(
        {
            "match": {"path": "conversations.unarchive"},
            "effect": {"kind": "status", "status": 200, "body": '{"ok": false, "error": "not_in_channel"}'},
        }
    )
    await lab.type("reopen INC-1")
    await lab.run_jobs()
    fresh = workspace.channel("inc-1-db-2")
    assert fresh is not None
    [card] = workspace.cards(fresh["id"])
    assert "INC-1 db" in card["text"]
    assert "U0ANN" in members(workspace, "inc-1-db-2")


async def test_archived_days_after_the_close_by_a_timer(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = SETTINGS.model_copy(update={"archive_on_close": True, "archive_after_days": 3})
    await lab.type("declare db")
    await lab.run_jobs()
    for text in ("resolve INC-1", "close INC-1"):
        await lab.type(text)
    await lab.run_later(timedelta(days=2))
    assert (await row(lab)).state is ChannelState.OPEN
    await lab.run_later(timedelta(days=1, minutes=1))
    assert (await row(lab)).state is ChannelState.ARCHIVED
    assert await lab.waiting() == []


async def test_a_timer_of_an_incident_that_goes_on_archives_nothing(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = SETTINGS.model_copy(update={"archive_on_close": True, "archive_after_days": 1})
    await lab.type("declare db")
    await lab.run_jobs()
    for text in ("resolve INC-1", "close INC-1", "reopen INC-1"):
        await lab.type(text)
        await lab.run_jobs()
    await lab.run_later(timedelta(days=2))
    assert (await row(lab)).state is ChannelState.OPEN


async def test_what_a_person_opened_again_is_not_archived_again(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = SETTINGS.model_copy(update={"archive_on_close": True})
    await lab.type("declare db")
    await lab.run_jobs()
    for text in ("resolve INC-1", "close INC-1"):
        await lab.type(text)
    await lab.run_jobs()
    await workspace.control.act("unarchive_channel", user="U0ANN", channel=(await row(lab)).channel_id)
    await happened(lab, ChatEventKind.CHANNEL_UNARCHIVED)
    await lab.type("note INC-1 one more thing")
    await lab.run_jobs()
    assert (await row(lab)).state is ChannelState.OPEN


# ------------------------------------------------------------------------------------------------------ bookmarks


def bookmarks(workspace: Slack, channel: str) -> dict[str, str]:
    found: list[dict[str, str]] = workspace.web.bookmarks_list(channel_id=channel)["bookmarks"]
    assert len({one["link"] for one in found}) == len(found)  # none is there twice
    return {one["title"]: one["link"] for one in found}


async def ticket(lab: ChatLab, key: str, url: str) -> Link:
    """Link a ticket that is in step, and let chat hear of it."""
    incident = await lab.incident()
    link = Link(
        id=f"link-{key}",
        account_id="default",
        incident_id=incident.id,
        integration_id="jira-1",
        mark=f"mark-{key}",
        status=LinkStatus.ACTIVE,
        created_at=lab.clock.now(),
        ticket_id=key,
        ticket_key=key,
        ticket_url=url,
    )
    await lab.tx(lambda tx: links.insert(tx, link))
    await lab.tx(lambda tx: lab.incidents.add_entry(tx, "INC-1", "ticket_created", {"ticket": key}, API))
    return link


async def test_bookmarks_lead_to_the_incident_and_its_tickets(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare db")
    await lab.run_jobs()
    channel = (await row(lab)).channel_id
    assert bookmarks(workspace, channel) == {"INC-1 in Callout": "https://callout.example/incidents/INC-1"}
    link = await ticket(lab, "OPS-1", "https://jira.example/browse/OPS-1")
    await lab.run_jobs()
    assert bookmarks(workspace, channel)["jira OPS-1"] == "https://jira.example/browse/OPS-1"
    # It moved over there.
    moved = replace(link, ticket_key="WEB-9", ticket_url="https://jira.example/browse/WEB-9")
    await lab.tx(lambda tx: links.save(tx, moved, lab.clock.now()))
    await lab.type("ack INC-1")
    await lab.run_jobs()
    assert list(bookmarks(workspace, channel)) == ["INC-1 in Callout", "jira WEB-9"]
    assert len(workspace.control.effects("bookmarks.add")) == 2
    assert (await row(lab)).bookmarks[PAGE][1] == "INC-1 in Callout"


async def test_a_bookmark_whose_answer_was_lost_is_there_once(lab: ChatLab, workspace: Slack) -> None:
    async def lose(real: Any, *args: Any, **options: Any) -> None:
        await real(*args, **options)
        raise OutcomeUnknownError("lost")

    lab.provider.spoiled["keep_bookmarks"] = lose  # type: ignore[attr-defined]
    await lab.type("declare db")
    await lab.run_jobs()
    lab.provider.spoiled.clear()  # type: ignore[attr-defined]
    await lab.run_later()
    assert len(bookmarks(workspace, (await row(lab)).channel_id)) == 1
    assert await lab.waiting() == []


async def test_a_persons_own_bookmarks_stay(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare db")
    await lab.run_jobs()
    channel = (await row(lab)).channel_id
    workspace.web.bookmarks_add(
        channel_id=channel, title="Runbook", type="link", link="https://wiki.example/run"
    )
    link = await ticket(lab, "OPS-1", "https://jira.example/browse/OPS-1")
    await lab.run_jobs()
    await lab.tx(lambda tx: links.save(tx, replace(link, ticket_url=""), lab.clock.now()))
    await lab.type("ack INC-1")
    await lab.run_jobs()
    assert list(bookmarks(workspace, channel)) == ["INC-1 in Callout", "Runbook"]


# --------------------------------------------------------------------------------------------------------- people


async def with_catalogue(lab: ChatLab) -> Catalogue:
    """Give the lab a catalogue with Bob and Dee in the team Database, which owns `checkout`."""
    audit = Audit(lab.clock)
    settings = ResponseSettings(clock=lab.clock, audit=audit)
    catalogue = Catalogue(clock=lab.clock, audit=audit, members=lab.members, settings=settings)

    async def fill(tx: AccountTx) -> None:
        await Organizations(lab.clock, Audit(lab.clock)).ensure(tx.system)
        for name in ("bob", "dee"):
            email = f"{name}@example.com"
            await lab.members.create(
                tx.system, actor=API.actor, name=name, fullname=name.title(), email=email
            )
        team = {"name": "Database", "members": ["bob", "dee"], "group": "oncall"}
        await catalogue.add_team(tx, team, API)
        await catalogue.add_service(tx, {"name": "checkout", "team": "Database"}, API)

    await lab.tx(fill)
    object.__setattr__(lab.context, "catalogue", catalogue)
    return catalogue


async def test_who_joins_takes_a_role_or_owns_the_service_is_invited(lab: ChatLab, workspace: Slack) -> None:
    await with_catalogue(lab)
    everyone = ("declarer", "roles", "participants", "service")
    lab.settings = SETTINGS.model_copy(update={"invite": everyone})
    await lab.type("declare pay --service checkout")
    await lab.run_jobs()
    assert {"U0ANN", "U0BOB"} <= members(workspace, "inc-1-pay")
    [entry] = [entry for entry in await lab.timeline() if entry.kind == "chat_people_not_invited"]
    assert [one["name"] for one in entry.data["people"]] == ["Dee"]
    await lab.type("join INC-1", user="U0ADMIN")
    await lab.run_jobs()
    assert "U0ADMIN" in members(workspace, "inc-1-pay")
    assert (await kinds(lab)).count("chat_people_not_invited") == 1


async def test_a_user_group_is_invited(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = SETTINGS.model_copy(update={"invite_groups": ("oncall", "nobody-knows")})
    await lab.type("declare db", user="U0ADMIN")
    await lab.run_jobs()
    assert {"U0ANN", "U0BOB", "U0ADMIN"} <= members(workspace, "inc-1-db")
    [entry] = [entry for entry in await lab.timeline() if entry.kind == "chat_people_not_invited"]
    assert "nobody-knows" in str(entry.data)


async def test_who_left_is_not_invited_again(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare db")
    await lab.run_jobs()
    await workspace.control.act("leave_channel", user="U0ANN", channel=(await row(lab)).channel_id)
    await lab.type("ack INC-1")
    await lab.type("join INC-1", user="U0BOB")
    await lab.run_jobs()
    assert "U0ANN" not in members(workspace, "inc-1-db")
    assert "U0BOB" in members(workspace, "inc-1-db")


async def test_a_deactivated_person_is_a_warning_once(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("join INC-1", user="U0BOB")  # so that Bob is known
    await workspace.control.act("deactivate_user", user="U0BOB")
    await lab.type("declare db")
    await lab.type("assign INC-1 <@U0BOB>")
    await lab.run_jobs()
    await lab.type("ack INC-1")
    await lab.run_jobs()
    [entry] = [entry for entry in await lab.timeline() if entry.kind == "chat_people_not_invited"]
    [warned] = entry.data["people"]
    assert warned["why"] == "deactivated in Slack"
    assert "U0ANN" in members(workspace, "inc-1-db")
    assert await lab.waiting() == []

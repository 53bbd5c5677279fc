"""What Slack shows of an incident, read back with Slack's own client; what must not happen twice is counted by the twin's ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from callout.chatops import store
from callout.chatops.context import Pause
from callout.chatops.store import ChannelState, ChatMessage, MessageState
from callout.ports.chat import MessageRef
from callout.ports.errors import OutcomeUnknownError
from callout.ports.values import Actor, ActorKind, Audience, Channel, Origin, Severity
from callout.storage import AccountTx
from tests.chatops.lab import SETTINGS, ChatLab
from tests.chatops.test_dispatch import mention
from tests.sandbox.conftest import TwinControl

JIRA = Origin(Channel.SYNC, Actor(ActorKind.VENDOR_USER, "jira:5", "Jo from Jira"), integration_id="jira-1")
INCIDENTS, CRITICAL = "C0INCIDENTS", "C0CRITICAL"


class Killed(BaseException):
    """Stands for SIGKILL at a place in the middle of a job: nothing of ours runs after it."""


class Slack:
    """What a person sees in the workspace."""

    def __init__(self, control: TwinControl) -> None:
        self.control = control
        self.web = WebClient(token="xoxb-acc", base_url=f"{control.url}/api/")

    def channel(self, name: str) -> dict[str, Any] | None:
        channels: list[dict[str, Any]] = self.web.conversations_list(types="public_channel,private_channel")[
            "channels"
        ]
        return next((channel for channel in channels if channel["name"] == name), None)

    def cards(self, channel: str) -> list[dict[str, Any]]:
        """Messages with a header, oldest first."""
        found: list[dict[str, Any]] = self.web.conversations_history(channel=channel)["messages"]
        return [message for message in reversed(found) if message.get("attachments")]

    def posts(self, channel: str) -> list[dict[str, Any]]:
        """Messages in the channel itself, oldest first."""
        found: list[dict[str, Any]] = self.web.conversations_history(channel=channel)["messages"]
        return [message for message in reversed(found) if "subtype" not in message]

    def replies(self, channel: str, ts: str) -> list[str]:
        found: list[dict[str, Any]] = self.web.conversations_replies(channel=channel, ts=ts)["messages"]
        return [message["text"] for message in found[1:]]

    def posted(self) -> int:
        return len(self.control.effects("chat.postMessage"))


@pytest.fixture
def workspace(slack: TwinControl) -> Slack:
    return Slack(slack)


async def rows(lab: ChatLab, key: str = "INC-1") -> dict[str, ChatMessage]:
    """The messages about an incident, by purpose and place; the newest of each."""

    async def read(tx: AccountTx) -> list[ChatMessage]:
        return await store.messages(tx, (await lab.incidents.get(tx, key)).id)

    return {f"{row.purpose} {row.place}": row for row in await lab.tx(read)}


def facts(message: dict[str, Any]) -> dict[str, str]:
    fields = [
        field["text"] for block in message["attachments"][0]["blocks"] for field in block.get("fields", [])
    ]
    return {label.strip("*"): value for label, value in zip(fields[::2], fields[1::2], strict=True)}


def actions(message: dict[str, Any]) -> list[str]:
    blocks = message["attachments"][0]["blocks"]
    return [
        element["action_id"]
        for block in blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]


async def test_declared_in_chat_makes_channel_and_cards_and_invites(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare sev1 checkout is down --service checkout")
    await lab.run_jobs()

    own = workspace.channel("inc-1-checkout-is-down")
    assert own is not None
    assert own["is_private"] is False
    assert own["topic"]["value"] == "SEV-1 · open · checkout is down"
    assert "U0ANN" in workspace.web.conversations_members(channel=own["id"])["members"]
    [card] = workspace.cards(CRITICAL)
    assert "SEV-1 INC-1 checkout is down" in card["text"]
    assert facts(card)["Channel"] == "#inc-1-checkout-is-down"
    assert actions(card) == [
        "incident.acknowledge",
        "incident.mitigate",
        "form.resolve",
        "link",
        "menu.severity",
        "menu.more",
    ]
    assert len(workspace.cards(own["id"])) == 1
    assert workspace.cards(INCIDENTS) == []
    assert {row.state for row in (await rows(lab)).values()} == {MessageState.SENT}
    assert [entry.kind for entry in await lab.timeline()] == ["declared", "chat_channel_created"]


async def test_a_change_updates_the_card_and_is_told_in_the_thread(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare checkout is down")
    await lab.run_jobs()
    [before] = workspace.cards(INCIDENTS)
    await lab.type("ack INC-1 looking", user="U0BOB")
    await lab.tx(lambda tx: lab.incidents.patch(tx, "INC-1", {"title": "checkout & cart are down"}, JIRA))
    await lab.run_jobs()

    [card] = workspace.cards(INCIDENTS)
    assert card["ts"] == before["ts"]
    assert "checkout &amp; cart are down" in card["text"]
    assert facts(card)["Status"] == "acknowledged"
    assert actions(card) == ["incident.mitigate", "form.resolve", "link", "menu.severity", "menu.more"]
    told = workspace.replies(INCIDENTS, card["ts"])
    assert len(told) == 3
    assert "open → acknowledged" in told[0]
    assert "u0bob" in told[0]
    assert "looking" in told[1]
    assert "Jo from Jira" in told[2]
    own = workspace.channel("inc-1-checkout-is-down")
    assert own is not None
    assert own["topic"]["value"] == "SEV-3 · acknowledged · checkout & cart are down"
    [home] = workspace.cards(own["id"])
    assert len(workspace.replies(own["id"], home["ts"])) == 3


async def test_changes_that_queue_up_update_each_card_once(lab: ChatLab, slack: TwinControl) -> None:
    await lab.type("declare checkout is down")
    await lab.run_jobs()
    for text in ("ack INC-1", "severity INC-1 sev2", "title INC-1 cart", "resolve INC-1"):
        await lab.type(text)
    await lab.run_jobs()
    assert len(slack.effects("chat.update")) == 2


async def test_when_it_gets_worse_the_other_channel_hears_of_it_too(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare sev3 checkout is down")
    await lab.run_jobs()
    assert workspace.cards(CRITICAL) == []
    await lab.type("severity INC-1 sev1")
    await lab.run_jobs()
    [critical], [earlier] = workspace.cards(CRITICAL), workspace.cards(INCIDENTS)
    assert facts(critical)["Severity"] == facts(earlier)["Severity"] == "SEV-1"


async def test_an_internal_note_stays_out_of_the_channels(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare checkout is down")
    await lab.run_jobs()
    posted = workspace.posted()
    await lab.type("note INC-1 --internal canary-4711")
    await lab.run_jobs()
    assert workspace.posted() == posted
    await lab.type("note INC-1 fail-over started")
    await lab.run_jobs()
    [card] = workspace.cards(INCIDENTS)
    [told] = workspace.replies(INCIDENTS, card["ts"])
    assert "fail-over started" in told
    notes = await lab.tx(lambda tx: lab.incidents.notes(tx, "INC-1"))
    assert notes[0].audience is Audience.INTERNAL


async def test_hostile_words_mention_nobody(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare <!channel> <@U0BOB> @here is down")
    await lab.type("note INC-1 ping <!everyone> and [x](<!here>)")
    await lab.run_jobs()
    [card] = workspace.cards(INCIDENTS)
    replies = workspace.web.conversations_replies(channel=INCIDENTS, ts=card["ts"]).data
    for marker in ("<!channel", "<@U0BOB", "<!everyone", "<!here"):
        assert marker not in str(replies)


async def test_a_private_channel_by_rule(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = SETTINGS.model_copy(update={"private_severities": ("SEV-1",)})
    await lab.type("declare sev1 breach")
    await lab.run_jobs()
    own = workspace.channel("inc-1-breach")
    assert own is not None
    assert own["is_private"] is True


async def test_no_channels_and_no_route_by_setting(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = SETTINGS.model_copy(update={"incident_channels": False, "channels": {}})
    await lab.type("declare db")
    await lab.run_jobs()
    assert workspace.posted() == 0
    assert await rows(lab) == {}


async def test_a_closed_incidents_channel_is_archived_by_rule(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = SETTINGS.model_copy(update={"archive_on_close": True})
    await lab.type("declare db")
    await lab.type("resolve INC-1")
    await lab.run_jobs()
    await lab.type("close INC-1")
    await lab.run_jobs()
    own = workspace.channel("inc-1-db")
    assert own is not None
    assert own["is_archived"] is True
    assert {row.state for row in (await rows(lab)).values()} == {MessageState.SENT}


# ------------------------------------------------------------------------------------------ trouble, crashes


async def test_slack_down_holds_up_nothing_and_is_made_up_for(lab: ChatLab, workspace: Slack) -> None:
    workspace.control.fault({"effect": {"kind": "status", "status": 503}})
    assert "INC-1" in (await lab.type("declare sev1 db")).text
    await lab.run_jobs()
    assert "acknowledged" in (await lab.type("ack INC-1")).text
    workspace.control.fault()
    await lab.run_later()
    await lab.run_later()
    [card] = workspace.cards(CRITICAL)
    assert facts(card)["Status"] == "acknowledged"
    assert len(workspace.replies(CRITICAL, card["ts"])) == 1
    assert facts(card)["Channel"] == "#inc-1-db"
    assert await lab.waiting() == []


async def test_a_rate_limit_is_obeyed(lab: ChatLab, workspace: Slack) -> None:
    rule = {
        "match": {"path": "chat.postMessage", "first": 1},
        "effect": {"kind": "status", "status": 429, "retry_after": 30},
    }
    workspace.control.fault(rule)
    await lab.type("declare db")
    await lab.run_jobs()
    assert "card route:incidents" in await rows(lab)
    assert workspace.cards(INCIDENTS) == []
    await lab.run_later(timedelta(seconds=20))
    assert workspace.cards(INCIDENTS) == []
    await lab.run_later(timedelta(seconds=20))
    assert len(workspace.cards(INCIDENTS)) == 1


@pytest.mark.parametrize(
    ("effect", "there"),
    [
        ({"kind": "timeout_after_write", "hold": 2}, 1),
        ({"kind": "disconnect_after_write"}, 1),
        ({"kind": "disconnect"}, 0),
    ],
)
async def test_a_lost_answer_is_shown_as_perhaps_sent_and_never_repeated(
    lab: ChatLab, workspace: Slack, effect: dict[str, Any], there: int
) -> None:
    lab.settings = SETTINGS.model_copy(update={"incident_channels": False})
    workspace.control.fault({"match": {"path": "chat.postMessage", "first": 1}, "effect": effect})
    await lab.type("declare db")
    await lab.run_jobs()
    await lab.run_later()
    assert workspace.posted() == there
    row = (await rows(lab))["card route:incidents"]
    assert row.state is MessageState.PERHAPS_SENT
    assert row.error
    [entry] = [entry for entry in await lab.timeline() if entry.kind == "chat_message_perhaps_sent"]
    assert entry.data["place"] == "route:incidents"
    assert len(await lab.tx(store.perhaps_sent)) == 1
    # The news still reaches the channel: without a card we know, outside its thread.
    await lab.type("ack INC-1")
    await lab.run_jobs()
    assert any("acknowledged" in post["text"] for post in workspace.posts(INCIDENTS))


@pytest.mark.parametrize("after_the_call", [False, True])
async def test_killed_around_a_post_it_is_perhaps_sent_and_never_doubled(
    lab: ChatLab, workspace: Slack, *, after_the_call: bool
) -> None:
    lab.settings = SETTINGS.model_copy(update={"incident_channels": False})

    async def die(real: Any, *args: Any, **options: Any) -> None:
        if after_the_call:
            await real(*args, **options)
        raise Killed

    lab.provider.spoiled["post_message"] = die  # type: ignore[attr-defined]
    await lab.type("declare db")
    await lab.run_jobs()
    assert (await rows(lab))["card route:incidents"].state is MessageState.PENDING
    lab.provider.spoiled.clear()  # type: ignore[attr-defined]
    await lab.run_later()
    assert workspace.posted() == int(after_the_call)
    assert (await rows(lab))["card route:incidents"].state is MessageState.PERHAPS_SENT
    assert await lab.waiting() == []


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("how", ["killed before", "killed after", "answer lost"])
async def test_a_channel_is_made_once_whatever_happens_in_between(
    lab: ChatLab, workspace: Slack, how: str, *, taken: bool
) -> None:
    if taken:  # an older channel of the same name, archived: Slack keeps its name
        older = workspace.web.conversations_create(name="inc-1-db")["channel"]["id"]
        workspace.web.conversations_archive(channel=older)

    async def spoil(real: Any, *args: Any, **options: Any) -> None:
        if how != "killed before":
            await real(*args, **options)
        if how == "answer lost":
            raise OutcomeUnknownError("lost")
        raise Killed

    lab.provider.spoiled["create_channel"] = spoil  # type: ignore[attr-defined]
    created = len(workspace.control.effects("conversations.create"))
    await lab.type("declare db")
    await lab.run_jobs()
    lab.provider.spoiled.clear()  # type: ignore[attr-defined]
    await lab.run_later()
    await lab.run_later()
    assert len(workspace.control.effects("conversations.create")) == created + 1
    name = "inc-1-db-2" if taken else "inc-1-db"
    own = workspace.channel(name)
    assert own is not None
    assert own["is_archived"] is False
    assert len(workspace.cards(own["id"])) == 1
    incident = await lab.incident()
    row = await lab.tx(lambda tx: store.channel(tx, "slack-1", incident.id))
    assert row is not None
    assert (row.state, row.name) == (ChannelState.OPEN, name)


async def test_an_older_channel_of_the_name_is_not_taken_over_after_a_crash(
    lab: ChatLab, workspace: Slack
) -> None:
    workspace.control.configure(clock_offset=-86_400)
    workspace.web.conversations_create(name="inc-1-db")
    workspace.control.configure(clock_offset=0)

    async def die(real: Any, *args: Any, **options: Any) -> None:
        raise Killed

    lab.provider.spoiled["create_channel"] = die  # type: ignore[attr-defined]
    await lab.type("declare db")
    await lab.run_jobs()
    lab.provider.spoiled.clear()  # type: ignore[attr-defined]
    await lab.run_later()
    incident = await lab.incident()
    row = await lab.tx(lambda tx: store.channel(tx, "slack-1", incident.id))
    assert row is not None
    assert row.name == "inc-1-db-2"


async def test_a_channel_that_cannot_be_posted_to_is_a_visible_failure(
    lab: ChatLab, workspace: Slack
) -> None:
    lab.settings = SETTINGS.model_copy(update={"channels": {"default": "no-such-channel"}})
    await lab.type("declare db")
    await lab.run_jobs()
    found = await rows(lab)
    assert found["card route:no-such-channel"].state is MessageState.FAILED
    assert found["card home"].state is MessageState.SENT
    [entry] = [entry for entry in await lab.timeline() if entry.kind == "chat_message_failed"]
    assert "channel_not_found" in entry.data["error"]
    assert await lab.waiting() == []


async def test_without_the_right_to_make_channels_the_route_still_hears(
    lab: ChatLab, workspace: Slack
) -> None:
    workspace.control.configure(
        scopes=["chat:write", "channels:read", "groups:read", "users:read", "users:read.email"]
    )
    await lab.type("declare db")
    await lab.run_jobs()
    assert (await rows(lab))["card route:incidents"].state is MessageState.SENT
    [entry] = [entry for entry in await lab.timeline() if entry.kind == "chat_channel_failed"]
    assert "channels:manage" in entry.data["error"] or "missing_scope" in entry.data["error"]
    assert await lab.waiting() == []


async def test_a_card_that_somebody_deleted_stops_nothing(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare db")
    await lab.run_jobs()
    [card] = workspace.cards(INCIDENTS)
    workspace.web.chat_delete(channel=INCIDENTS, ts=card["ts"])
    await lab.type("ack INC-1")
    await lab.run_jobs()
    assert (await rows(lab))["card home"].version == (await lab.incident()).version
    assert await lab.waiting() == []


async def test_while_writes_are_paused_nothing_is_sent(lab: ChatLab, workspace: Slack) -> None:
    lab.pause = Pause("maintenance")
    await lab.type("declare db")
    await lab.run_jobs()
    await lab.run_later()
    assert workspace.posted() == 0
    assert lab.calls == 1  # only the directory was asked who Ann is
    lab.pause = None
    await lab.run_later()
    assert len(workspace.cards(INCIDENTS)) == 1


async def test_a_mention_is_answered_in_its_thread(lab: ChatLab, workspace: Slack) -> None:
    asked = workspace.web.chat_postMessage(channel=INCIDENTS, text="(stands for Ann's question)")["ts"]
    event = replace(mention("list"), message=MessageRef(INCIDENTS, asked))
    await lab.dispatcher.handle(lab.workspace, event)
    await lab.run_jobs()
    assert workspace.replies(INCIDENTS, asked) == ["No such incidents."]


async def test_severity_one_goes_first(lab: ChatLab) -> None:
    await lab.type("declare sev1 db")
    await lab.type("declare sev3 search")
    assert (await lab.incident()).severity == Severity(1)
    await lab.run_jobs()

    async def lanes(tx: AccountTx) -> int:
        return len(await store.messages(tx, (await lab.incidents.get(tx, "INC-1")).id))

    assert await lab.tx(lanes) == 2


async def test_threads_hear_of_roles_at_once_and_of_tasks_and_participants_together(
    lab: ChatLab, workspace: Slack
) -> None:
    await lab.type("declare sev1 db")
    await lab.run_later()
    [card] = workspace.cards(CRITICAL)
    await lab.type("role INC-1 scribe @bob@example.com")
    await lab.run_jobs()
    assert workspace.replies(CRITICAL, card["ts"]) == ["*Scribe*: bob@example.com\nby ann"]
    await lab.type('task INC-1 "check the *lag*" --for bob@example.com --due 2026-12-01T10:00Z')
    await lab.type("join INC-1", user="U0BOB")
    await lab.type("task INC-1 done 1")
    await lab.type("role INC-1 scribe nobody")
    await lab.type("leave INC-1", user="U0BOB")
    await lab.run_jobs()
    await lab.run_later()
    roles, together = sorted(workspace.replies(CRITICAL, card["ts"])[1:], key=len)
    assert roles == "*Scribe*: bob@example.com → nobody\nby ann"
    assert "*Task 1 added*: check the" in together
    assert "for bob@example.com, by 2026-12-01 10:00 UTC" in together
    assert "*u0bob* joined" in together
    assert "*u0bob* left" in together
    assert "*Task 1 done*" in together

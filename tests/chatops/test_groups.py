"""Groups and broadcasts that somebody mentions: reached person by person, asked about where one is needed, and kept as words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from callout.chatops.groups import KNOWN_FOR, UNKNOWN_FOR
from callout.connectors.slack.said import said as in_port_words
from callout.ports.chat import ChannelRef, ChatEvent, ChatEventKind, Interaction, InteractionKind, MessageRef
from callout.ports.values import Person
from tests.chatops.lab import ChatLab
from tests.chatops.test_mentions import told
from tests.chatops.test_notifications import Slack, workspace
from tests.chatops.test_paging import PagingLab
from tests.sandbox.conftest import TwinControl

__all__ = ["workspace"]

ONCALL = "<!subteam^S0ONCALL|@oncall>"
BARE = "<!subteam^S0ONCALL>"
NASTY = "<!channel> <!here|here> <!everyone> <@U0BOB> <!subteam^S0ONCALL> &lt;!channel&gt; &lt;b&gt; a &amp;amp; b"


@pytest.fixture
async def declared(lab: ChatLab) -> ChatLab:
    await lab.type("declare sev1 checkout is down")
    return lab


async def said(lab: ChatLab, text: str) -> str:
    """Type what Slack would send; return the answer without its backslashes."""
    answer = await lab.type(in_port_words(text))
    return (answer.text + ("" if answer.card is None else answer.card.text)).replace("\\", "")


def own_channel(workspace: Slack) -> str:
    channels = workspace.control.get("state")["channels"].values()
    return next(str(one["id"]) for one in channels if one.get("name", "").startswith("inc-1-"))


def asked(slack: TwinControl) -> int:
    calls = slack.get("ledger", kind="http")["entries"]
    return sum("usergroups.list" in json.dumps(one["summary"]) for one in calls)


async def test_where_one_person_is_needed_a_group_is_asked_about(
    declared: ChatLab, slack: TwinControl
) -> None:
    lab = declared
    for typed in (
        f"assign INC-1 {ONCALL}",
        f"role INC-1 scribe {BARE}",
        f"task INC-1 look --for {ONCALL}",
    ):
        answer = await said(lab, typed)
        assert "@oncall is a group of 2: @ann, @bob. One person is needed" in answer
        assert "Which one?" in answer
    incident = await lab.incident()
    assert (incident.assignee, incident.version) == (None, 1)
    assert asked(slack) == 1  # it is known for a while
    await slack.act("set_usergroup", handle="oncall", users=["cat"])
    lab.clock.advance(KNOWN_FOR + timedelta(seconds=1))
    assert "assignee is cat now" in await said(lab, f"assign INC-1 {ONCALL}")  # nobody else can be meant


async def test_invite_puts_everybody_of_a_group_on_the_incident(declared: ChatLab, workspace: Slack) -> None:
    lab = declared
    assert await said(lab, f"invite INC-1 {ONCALL}, <@U0CAT|cat> and <@U0BOB|bob>") == (
        "On **INC-1**: ann, bob, cat."
    )
    await lab.run_jobs()
    own = workspace.control.get("state")["channels"][own_channel(workspace)]
    assert {"U0ANN", "U0BOB", "U0CAT"} <= set(own["members"])
    again = await said(lab, f"invite INC-1 {ONCALL}")
    assert again == "On **INC-1**: ann, bob."
    joined = [line for line in await lab.timeline() if line.kind == "joined"]
    assert len(joined) == 3
    assert "is no person" in await said(lab, "invite INC-1 everybody please")
    assert "everybody who reads the channel" in await said(lab, "invite INC-1 <!here>")


async def test_what_cannot_be_had_is_said_and_the_handle_stays(declared: ChatLab, slack: TwinControl) -> None:
    lab = declared
    slack.configure(user_groups=False)
    answer = await said(lab, f"assign INC-1 {ONCALL}")
    assert "Who is in the group @oncall cannot be seen in Slack now, so nothing was done" in answer
    assert "Noted" in await said(lab, f"note INC-1 told {ONCALL} and {BARE}")
    assert (await lab.timeline())[-1].data["text"] == "told @oncall and @S0ONCALL"
    assert asked(slack) == 1  # a platform that does not tell is not asked with every command
    slack.configure(user_groups=True)
    lab.clock.advance(UNKNOWN_FOR + timedelta(seconds=1))
    await said(lab, f"note INC-1 told {BARE}")
    assert (await lab.timeline())[-1].data["text"] == "told @oncall"
    assert "Nobody is in the group" in await _of(lab, slack, users=[])
    names = []
    for number in range(21):
        added = await slack.act("add_user", name=f"p{number}", email=f"p{number}@example.com")
        names.append(added["user"]["name"])
    assert "has 21 people, and at most 20 are reached" in await _of(lab, slack, users=names)
    slack.fault({"match": {"path": "usergroups.list"}, "effect": {"kind": "status", "status": 503}})
    lab.clock.advance(KNOWN_FOR + timedelta(seconds=1))
    assert "Noted" in await said(lab, f"note INC-1 and {ONCALL}")
    assert (await lab.timeline())[-1].data["text"] == "and @oncall"


async def _of(lab: ChatLab, slack: TwinControl, *, users: list[str]) -> str:
    await slack.act("set_usergroup", handle="oncall", users=users)
    lab.clock.advance(KNOWN_FOR + timedelta(seconds=1))
    return await said(lab, f"assign INC-1 {ONCALL}")


async def test_words_of_people_are_kept_without_mark_up_and_call_nobody(
    declared: ChatLab, workspace: Slack
) -> None:
    lab = declared
    await lab.run_jobs()
    words = "@channel @here @everyone @bob @oncall <!channel> <b> a &amp; b"
    await said(lab, f"title INC-1 {NASTY}")
    await said(
        lab,
        f"note INC-1 {NASTY} <https://x.example/a|the graph> <#C0GENERAL|general> <mailto:a@b.example|a@b.example>",
    )
    await said(lab, f"task INC-1 {NASTY}")
    await said(lab, f"resolve INC-1 {NASTY}")
    own = ChannelRef(own_channel(workspace))
    message, ann, text = MessageRef(own.id, "1700000000.000100"), Person("U0ANN", "ann"), in_port_words(NASTY)
    kept = Interaction("add_to_timeline", "", ann, "T01ACC", own, message, "shortcut-1", text=text)
    await lab.dispatcher.handle(lab.workspace, replace(kept, kind=InteractionKind.MESSAGE_ACTION))
    edited = ChatEvent(
        ChatEventKind.MESSAGE_CHANGED, "Ev1", "T01ACC", ann, own, message=message, text=f"{text}!"
    )
    await lab.dispatcher.handle(lab.workspace, edited)
    await lab.run_jobs()
    await lab.run_later()
    assert (await lab.incident()).title == words
    timeline = {line.kind: line.data for line in await lab.timeline()}
    assert timeline["noted"]["text"].startswith(words)
    notes = [line.data["text"] for line in await lab.timeline() if line.kind == "noted"]
    assert notes[0] == f"{words} the graph (https://x.example/a) #general a@b.example"
    assert timeline["task_added"]["title"] == words
    assert timeline["message_added"]["text"] == words
    assert timeline["message_edited"]["text"] == f"{words}!"
    state = workspace.control.get("state")
    ours = [one for channel in state["channels"].values() for one in channel["messages"] if one.get("bot_id")]
    assert len(ours) > 5
    for one in ours:
        assert one["notified"] == []
        assert not {"<!", "<@"} & {pair for pair in ("<!", "<@") if pair in json.dumps(one)}, one
    topics = json.dumps([channel.get("topic") for channel in state["channels"].values()])
    assert "<!" not in topics


async def test_a_mention_in_plain_words_asks_too(declared: ChatLab, workspace: Slack) -> None:
    lab = declared
    [answer] = await told(lab, workspace, f"<@U0CALLOUT> please assign INC-1 to {ONCALL}", 1)
    assert "@oncall is a group of 2: @ann, @bob" in answer
    [everybody] = await told(lab, workspace, "<@U0CALLOUT> page <!channel> for INC-1", 2)
    assert "did nothing" in everybody


@pytest.fixture
async def calling(lab: ChatLab) -> ChatLab:
    made = PagingLab(lab.database, lab.clock, lab.provider)  # type: ignore[arg-type]  # it is wrapped
    object.__setattr__(made.context, "escalations", made.escalations)
    return made


async def test_page_calls_everybody_of_a_group_at_once(calling: PagingLab, slack: TwinControl) -> None:
    await calling.type("declare sev1 checkout is down")
    answer = await said(calling, f"page INC-1 {ONCALL} it burns")
    assert "Called for **INC-1**: ann, bob" in answer
    await calling.run_jobs()
    pages = await calling.tx(lambda tx: calling.escalations.pages(tx, "INC-1"))
    assert [(one.callee.name, one.state) for one in pages] == [("ann", "told"), ("bob", "told")]
    assert len([kind for kind in await calling.kinds() if kind == "paged"]) == 1

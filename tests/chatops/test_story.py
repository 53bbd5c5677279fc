"""Whole stories: the twin's people type and press, its signed requests come in over HTTP, and Slack shows the outcome."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from callout.chatops import Manager, Notification, NotificationType, Registry
from callout.connectors.slack.chat import SlackChat
from callout.connectors.slack.webhook import SlackInbound
from callout.kit.clock import SystemClock
from callout.kit.secrets import Secret
from callout.ports.chat import ChannelRef, MessageRef, SlashCommand
from callout.ports.errors import ConflictError, NotFoundError, RecordNotFoundError
from callout.ports.inbound import InboundRequest, Trust
from callout.ports.values import Person, Status
from tests.chatops.lab import SETTINGS, ChatLab
from tests.chatops.test_notifications import INCIDENTS, Slack, facts
from tests.sandbox.conftest import TwinControl, serving


@dataclass(slots=True)
class Door:
    """The smallest way in: verify, handshake, parse, dispatch, answer."""

    lab: ChatLab
    refused: list[str] = field(default_factory=list)

    async def receive(self, request: Request) -> Response:
        inbound = SlackInbound([Secret("slack-signing-secret")])
        given = InboundRequest(
            method=request.method,
            path=request.url.path,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.body(),
            received_at=SystemClock().now(),
        )
        verdict = inbound.verify(given)
        if verdict.trust is Trust.REFUSED:
            self.refused.append(verdict.reason)
            return Response(status_code=401)
        reply = inbound.reply(given)
        if reply is not None:
            return Response(reply.body, reply.status, media_type=reply.media_type)
        parsed = inbound.parse(given)
        if parsed is None:
            return Response()
        body, media_type = inbound.render_answer(
            await self.lab.dispatcher.handle(self.lab.workspace, parsed), parsed
        )
        return Response(body, media_type=media_type)


@pytest.fixture
async def door(lab: ChatLab, slack: TwinControl) -> AsyncIterator[Door]:
    door = Door(lab)
    async with serving(Starlette(routes=[Route("/slack", door.receive, methods=["POST"])])) as url:
        slack.configure(**dict.fromkeys(("command_url", "interactivity_url", "events_url"), f"{url}/slack"))
        yield door


@pytest.fixture
def workspace(slack: TwinControl) -> Slack:
    return Slack(slack)


async def test_declared_acknowledged_by_button_and_resolved_in_its_channel(
    lab: ChatLab, door: Door, slack: TwinControl, workspace: Slack
) -> None:
    assert (await slack.act("url_verification"))["verified"] is True
    said = await slack.act(
        "slash_command", user="ann", channel="random", command="/im", text="declare checkout is down"
    )
    assert said["status"] == 200
    assert "INC-1" in said["shown"]["text"]
    await lab.run_jobs()

    [card] = workspace.cards(INCIDENTS)
    pressed = await slack.act(
        "press_button", user="bob", channel="incidents", ts=card["ts"], action_id="incident.acknowledge"
    )
    assert pressed["status"] == 200
    await lab.run_jobs()
    assert facts(workspace.cards(INCIDENTS)[0])["Status"] == "acknowledged"

    own = workspace.channel("inc-1-checkout-is-down")
    assert own is not None
    said = await slack.act(
        "slash_command", user="ann", channel=own["id"], command="/im", text="resolve rolled back"
    )
    assert "resolved" in said["shown"]["text"]
    await lab.run_jobs()
    assert (await lab.incident()).status is Status.RESOLVED
    told = workspace.replies(INCIDENTS, card["ts"])
    assert "bob" in told[0]
    assert "acknowledged → resolved" in told[1]
    assert "rolled back" in told[2]
    assert door.refused == []


async def test_responders_divide_the_work_in_the_incidents_channel(
    lab: ChatLab, door: Door, slack: TwinControl, workspace: Slack
) -> None:
    async def types(user: str, text: str, words: str, channel: str = "incidents") -> None:
        said = await slack.act("slash_command", user=user, channel=channel, command="/im", text=text)
        # A machine under load may answer after Slack's three seconds; what was typed is done all the same.
        assert said["status"] in {0, 200}, text
        assert said["status"] == 0 or words in str(said["shown"]), text
        await lab.run_jobs()

    bob = next(one["id"] for one in workspace.web.users_list()["members"] if one["name"] == "bob")
    await types("ann", "declare sev2 checkout is down", "INC-1")
    own = workspace.channel("inc-1-checkout-is-down")
    assert own is not None
    await types("ann", "role commander me", "commander is ann", own["id"])
    await types("ann", f"role scribe <@{bob}|bob>", "scribe is bob", own["id"])
    await types("bob", "join", "You are on", own["id"])
    await types("bob", "task check the replica lag --for me", "check the replica lag", own["id"])
    await types("bob", "task done 1", "No open", own["id"])
    await types("bob", "link OPS-31", "Tickets of INC-1", own["id"])
    await types("cat", "who INC-1", "Who is on INC-1")

    asked = await slack.act("message", user="ann", channel="incidents", text="<@U0BOTACC> who is on INC-1?")
    changed = await slack.act(
        "message", user="ann", channel="incidents", text="<@U0BOTACC> what changed in the last hour"
    )
    await slack.drain()
    await lab.run_jobs()
    for written, *words in (
        (asked, "Who is on INC-1", "Commander", "Scribe"),
        (changed, "Changes since", "check the replica lag"),
    ):
        [told] = workspace.web.conversations_replies(channel=INCIDENTS, ts=written["ts"])["messages"][1:]
        assert all(word in str(told) for word in words)
    roles = await lab.tx(lambda tx: lab.incidents.roles.holders(tx, "INC-1"))
    assert [(one.role, one.person.name) for one in roles] == [("commander", "ann"), ("scribe", "bob")]
    [task] = await lab.tx(lambda tx: lab.incidents.tasks.of(tx, "INC-1"))
    assert task.assignee is not None
    assert (task.done, task.assignee.id) == (True, roles[1].person.id)
    [taking_part] = await lab.tx(lambda tx: lab.incidents.participants.of(tx, "INC-1"))
    assert taking_part.person.id == roles[1].person.id
    assert door.refused == []


async def test_a_late_press_is_told_to_that_person_alone(
    lab: ChatLab, door: Door, slack: TwinControl, workspace: Slack
) -> None:
    await lab.type("declare db")
    await lab.run_jobs()
    [card] = workspace.cards(INCIDENTS)
    await lab.type("ack INC-1")  # the card in Slack still has its button
    await slack.act(
        "press_button", user="bob", channel="incidents", ts=card["ts"], action_id="incident.acknowledge"
    )
    lab.settings = SETTINGS
    posted = workspace.posted()
    await lab.run_jobs()
    answered = slack.effects("response_url.post")
    assert len(answered) == 1
    assert workspace.posted() == posted + 2  # the news of the acknowledgement itself, in two threads
    assert await lab.waiting() == []


async def test_a_mention_is_a_command_and_retries_act_once(
    lab: ChatLab, door: Door, slack: TwinControl, workspace: Slack
) -> None:
    slack.fault({"match": {"event": "app_mention"}, "effect": {"kind": "webhook_repeat", "times": 2}})
    written = await slack.act(
        "message", user="ann", channel="incidents", text="<@U0BOTACC> declare sev2 search is slow"
    )
    await slack.drain()
    await lab.run_jobs()
    assert (await lab.incident()).title == "search is slow"
    with pytest.raises(NotFoundError):
        await lab.incident("INC-2")
    replies = workspace.replies(INCIDENTS, written["ts"])
    assert len(replies) == 1
    assert "INC-1" in replies[0]


async def test_a_tampered_request_is_refused_and_does_nothing(
    lab: ChatLab, door: Door, slack: TwinControl
) -> None:
    slack.configure(signing_secret="another")
    said = await slack.act("slash_command", user="ann", channel="random", command="/im", text="declare db")
    assert said["status"] == 401
    with pytest.raises(NotFoundError):
        await lab.incident()


# ------------------------------------------------------------------------------------------------ the facade


async def test_the_manager_takes_commands_and_sends_notifications(
    lab: ChatLab, chat: SlackChat, workspace: Slack
) -> None:
    manager = Manager(lab.context)
    manager.add_provider(lab.workspace, chat)
    command = SlashCommand(
        "/im", "declare db", Person("U0ANN", "ann"), "T01ACC", ChannelRef("C0GENERAL"), invocation="1"
    )
    assert "INC-1" in (await manager.process_slash_command("ops-slack", command)).text
    note = Notification(
        NotificationType.SLA_BREACH, await lab.incident(), "Nobody is **on it**.", mentions=("U0ANN",)
    )
    sent = (await manager.send_incident_notification(note))["ops-slack"]
    assert isinstance(sent, MessageRef)
    [card] = workspace.cards(INCIDENTS)
    assert card["ts"] == sent.id
    assert "<@U0ANN>" in str(card)

    with pytest.raises(ConflictError):
        manager.add_provider(lab.workspace, chat)
    with pytest.raises(NotFoundError, match="nowhere"):
        await manager.process_slash_command("nowhere", command)


async def test_the_manager_says_which_workspace_could_not_be_told(lab: ChatLab, chat: SlackChat) -> None:
    lab.settings = SETTINGS.model_copy(update={"channels": {"default": "no-such-channel"}})
    await lab.type("declare db")
    manager = Manager(lab.context)
    manager.add_provider(lab.workspace, chat)
    outcome = await manager.send_incident_notification(
        Notification(NotificationType.CREATED, await lab.incident())
    )
    assert isinstance(outcome["ops-slack"], RecordNotFoundError)


async def test_the_registry_makes_providers_by_name(chat: SlackChat) -> None:
    registry = Registry()
    registry.register("chat_slack", lambda _settings: chat)
    assert registry.create("chat_slack", {}) is chat
    assert list(registry.names()) == ["chat_slack"]
    with pytest.raises(ConflictError):
        registry.register("chat_slack", lambda _settings: chat)
    with pytest.raises(NotFoundError, match="chat_irc"):
        registry.create("chat_irc", {})

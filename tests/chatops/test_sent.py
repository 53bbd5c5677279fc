"""How messages stand, and sending one again when a person wants it."""

from __future__ import annotations

from typing import Any

import pytest

from callout.chatops.places import CARD, UPDATE
from callout.chatops.sent import Sent, SentMessages
from callout.chatops.store import MessageState
from callout.cli.incident_messages import line_of
from callout.ports.errors import ConflictError, NotFoundError
from callout.ports.values import Actor, ActorKind, Channel, Origin
from tests.chatops.lab import SETTINGS, ChatLab
from tests.chatops.test_notifications import INCIDENTS, Slack

ANN = Origin(Channel.API, Actor(ActorKind.TOKEN, "t1", "Ann"))


@pytest.fixture
def workspace(slack: Any) -> Slack:
    return Slack(slack)


@pytest.fixture
def sent(lab: ChatLab) -> SentMessages:
    lab.settings = SETTINGS.model_copy(update={"incident_channels": False})
    return SentMessages(lab.context)


async def only(lab: ChatLab, sent: SentMessages, purpose: str) -> Sent:
    [found] = [one for one in await lab.tx(lambda tx: sent.of(tx, "INC-1")) if one.message.purpose == purpose]
    return found


async def again(lab: ChatLab, sent: SentMessages, one: Sent) -> Sent:
    return await lab.tx(lambda tx: sent.repost(tx, "INC-1", one.message.id, ANN))


async def test_a_card_that_was_perhaps_sent_is_sent_again_by_a_person_alone(
    lab: ChatLab, workspace: Slack, sent: SentMessages
) -> None:
    rule = {"match": {"path": "chat.postMessage", "first": 1}, "effect": {"kind": "disconnect_after_write"}}
    workspace.control.fault(rule)
    await lab.type("declare db")
    await lab.run_jobs()
    await lab.run_later()
    unknown = await only(lab, sent, CARD)
    assert (unknown.message.state, unknown.can_be_reposted) == (MessageState.PERHAPS_SENT, True)
    assert line_of(unknown) == (
        "card (created) in ops-slack, #incidents: perhaps sent: Slack's answer was lost (chat.postMessage)"
    )
    assert workspace.posted() == 1
    assert (await again(lab, sent, unknown)).message.state is MessageState.PENDING
    await lab.run_jobs()
    assert workspace.posted() == 2
    there = await only(lab, sent, CARD)
    assert line_of(there) == "card (created) in ops-slack, #incidents: sent"
    assert [entry.kind for entry in await lab.timeline()][-1] == "chat_message_reposted"
    # What was sent is not sent again, whoever asks; from now on it is kept true.
    with pytest.raises(ConflictError, match="is sent"):
        await again(lab, sent, there)
    await lab.type("ack INC-1")
    await lab.run_jobs()
    assert "acknowledged" in str(workspace.cards(INCIDENTS)[-1])


async def test_news_that_was_perhaps_told_is_told_again(
    lab: ChatLab, workspace: Slack, sent: SentMessages
) -> None:
    await lab.type("declare db")
    await lab.run_jobs()
    rule = {"match": {"path": "chat.postMessage", "first": 1}, "effect": {"kind": "disconnect"}}
    workspace.control.fault(rule)
    await lab.type("ack INC-1")
    await lab.run_jobs()
    [card] = workspace.cards(INCIDENTS)
    assert workspace.replies(INCIDENTS, card["ts"]) == []
    await again(lab, sent, await only(lab, sent, UPDATE))
    await lab.run_jobs()
    [told] = workspace.replies(INCIDENTS, card["ts"])
    assert "acknowledged" in told
    assert line_of(await only(lab, sent, UPDATE)) == "update (acknowledged) in ops-slack, #incidents: sent"
    assert await lab.waiting() == []


async def test_a_message_that_is_none_is_not_found(lab: ChatLab, sent: SentMessages) -> None:
    await lab.type("declare db")
    await lab.run_jobs()
    with pytest.raises(NotFoundError, match="no message"):
        await lab.tx(lambda tx: sent.repost(tx, "INC-1", "other", ANN))

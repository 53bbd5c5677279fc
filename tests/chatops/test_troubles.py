"""What was not sent is told in the incident's own channel, with a button that sends it again."""

from __future__ import annotations

from typing import Any

from callout.chatops.store import MessageState
from tests.chatops.lab import ChatLab
from tests.chatops.test_files import room
from tests.chatops.test_notifications import CRITICAL, Slack, rows, workspace
from tests.sandbox.conftest import TwinControl

__all__ = ["room", "workspace"]


def replies(workspace: Slack, channel: str) -> list[dict[str, Any]]:
    [card] = workspace.cards(channel)
    found: list[dict[str, Any]] = workspace.web.conversations_replies(channel=channel, ts=card["ts"])[
        "messages"
    ]
    return found[1:]


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        one for block in message["blocks"] for one in block.get("elements", []) if one["type"] == "button"
    ]


async def test_a_refused_card_is_told_once_and_sent_again_by_a_button(
    lab: ChatLab, slack: TwinControl, workspace: Slack
) -> None:
    await slack.act("archive_channel", user="ann", channel="critical-incidents")
    await lab.type("declare sev1 db")
    await lab.run_later()
    await lab.type("ack INC-1")
    await lab.run_later()
    own = workspace.channel("inc-1-db")
    assert own is not None
    [trouble] = [one for one in replies(workspace, own["id"]) if "Not sent" in one["text"]]
    assert "#critical-incidents: card" in trouble["text"].replace("\\", "")
    assert "archived" in trouble["text"]
    [button] = buttons(trouble)

    # Somebody who may not write changes nothing by it.
    lab.settings = lab.settings.model_copy(update={"default_role": "viewer"})
    await lab.press("chat.send_again", button["value"])
    lab.settings = lab.settings.model_copy(update={"default_role": "responder"})
    assert (await rows(lab))["card route:critical-incidents"].state is MessageState.FAILED

    await slack.act("unarchive_channel", user="ann", channel="critical-incidents")
    await lab.press("chat.send_again", button["value"])
    await lab.run_later()
    assert len(workspace.cards(CRITICAL)) == 1
    [told] = [one for one in replies(workspace, own["id"]) if one["ts"] == trouble["ts"]]
    assert told["text"] == "What was not sent before is sent now."
    assert buttons(told) == []
    # Pressed once more, nothing is left of it.
    await lab.press("chat.send_again", button["value"])
    await lab.run_later()
    assert len(workspace.cards(CRITICAL)) == 1
    assert await lab.waiting() == []


async def test_a_file_that_was_refused_is_sent_again_by_a_button(room: Any) -> None:
    lab, slack = room.lab, room.slack
    scopes = slack.get("config")["scopes"]
    slack.configure(scopes=[one for one in scopes if one != "files:write"])
    await room.attach("error.log")
    await lab.run_later()
    [trouble] = [one for one in replies(room.workspace, room.channel) if "Not sent" in one["text"]]
    assert "file error.log" in trouble["text"]
    assert "files:write" in trouble["text"]
    slack.configure(scopes=scopes)
    await lab.press("chat.send_again", buttons(trouble)[0]["value"])
    await lab.run_later()
    assert room.shown() == ["error.log"]
    texts = [one["text"] for one in replies(room.workspace, room.channel)]
    assert "What was not sent before is sent now." in texts
    assert not [text for text in texts if "Not sent" in text]

"""A worker killed with SIGKILL at each named point of chat: nothing accepted is lost, and what Slack has is there once."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from callout.chatops import store
from callout.chatops.store import ChannelState, MessageState
from callout.storage import AccountTx
from tests.chatops import crash_process
from tests.chatops.lab import ChatLab
from tests.chatops.test_files import CLI, PNG, Room, room
from tests.chatops.test_notifications import CRITICAL, Slack, rows, workspace
from tests.sandbox.conftest import TwinControl

__all__ = ["room", "workspace"]

REPOSITORY = Path(__file__).parents[2]
POINTS = ["chat.channel_recorded", "chat.channel_created", "chat.message_recorded", "chat.message_posted"]

FILE_POINTS = ["chat.file_fetched", "chat.file_put", "chat.file_shown"]


async def killed_at(point: str, lab: ChatLab, slack: TwinControl) -> None:
    """Let a process of its own do what is to be done, until it is killed there."""
    assert await crash_process.exit_code(point, lab.database.url, f"{slack.url}/api") == -signal.SIGKILL


def test_every_crash_point_of_chat_is_documented_and_killed_here() -> None:
    sources = (REPOSITORY / "src" / "callout" / "chatops").rglob("*.py")
    coded = {name for path in sources for name in re.findall(r'crash_point\("([^"]+)"\)', path.read_text())}
    text = (REPOSITORY / "docs" / "crash-points.md").read_text()
    documented = set(re.findall(r"^\| `(chat\.[a-z_]+)` \|", text, flags=re.MULTILINE))
    assert coded == documented == {*POINTS, *FILE_POINTS}


@pytest.mark.parametrize("point", POINTS)
async def test_killed_there_everything_is_made_up_for_and_nothing_doubled(
    lab: ChatLab, slack: TwinControl, point: str
) -> None:
    await lab.type("declare sev1 db")
    await killed_at(point, lab, slack)

    await lab.run_later()
    await lab.type("ack INC-1")
    await lab.run_later()

    workspace = Slack(slack)
    assert len(slack.effects("conversations.create")) == 1
    incident = await lab.incident()

    async def channel(tx: AccountTx) -> store.IncidentChannel | None:
        return await store.channel(tx, "slack-1", incident.id)

    own = await lab.tx(channel)
    assert own is not None
    assert own.state is ChannelState.OPEN
    assert len(workspace.cards(own.channel_id)) == 1
    routed = (await rows(lab))["card route:critical-incidents"]
    in_doubt = point.startswith("chat.message")
    assert routed.state is (MessageState.PERHAPS_SENT if in_doubt else MessageState.SENT)
    assert len(workspace.cards(CRITICAL)) == (0 if point == "chat.message_recorded" else 1)
    doubts = [entry for entry in await lab.timeline() if entry.kind == "chat_message_perhaps_sent"]
    assert len(doubts) == int(in_doubt)
    told = [post for post in workspace.posts(CRITICAL) if "acknowledged" in post["text"]]
    threaded = [] if routed.ts == "" else workspace.replies(CRITICAL, routed.ts)
    assert len(told) + len(threaded) == 1  # the news came exactly once, in the thread where we know one
    assert await lab.waiting() == []


@pytest.mark.parametrize("point", FILE_POINTS)
async def test_killed_while_a_file_travels_it_is_there_once(
    room: Room, lab: ChatLab, slack: TwinControl, point: str
) -> None:
    taken = point == "chat.file_fetched"
    if taken:
        await room.share("shot.png", PNG)
    else:
        await room.attach("error.log", origin=CLI)
    await killed_at(point, lab, slack)
    for _ in range(8):
        await lab.run_later()
    assert [one.name for one in await room.files()] == ["shot.png" if taken else "error.log"]
    assert room.shown() == ["shot.png" if taken else "error.log"]
    assert len(slack.effects("files.completeUploadExternal")) == int(not taken)
    assert [row.state for row in await room.sent()] == ([] if taken else [MessageState.SENT])
    assert await lab.waiting() == []

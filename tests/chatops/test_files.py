"""Files between an incident's channel and the incident, over the twin: each once, in both directions, and never farther than they may."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from callout.chatops import store
from callout.chatops.sent import SentMessages
from callout.chatops.store import ChatMessage, MessageState
from callout.connectors.slack.events import event_of
from callout.connectors.slack.payloads import interaction
from callout.incidents import Attachment, AttachmentState, NewFile
from callout.ports.errors import OutcomeUnknownError, UnavailableError
from callout.ports.values import Actor, ActorKind, Audience, Channel, Origin, Status
from callout.storage import AccountTx
from tests.chatops.lab import ChatLab, Wrapped
from tests.chatops.test_notifications import Slack, workspace
from tests.sandbox.conftest import TwinControl

__all__ = ["workspace"]

US = "U0BOTACC"
JIRA = Origin(Channel.SYNC, Actor(ActorKind.VENDOR_USER, "jira:5", "Jo from Jira"), integration_id="jira-1")
CLI = Origin(Channel.CLI, Actor.system("tests"))
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40


class Room:
    """The channel of the one incident, and what people do in it."""

    def __init__(self, lab: ChatLab, slack: TwinControl, workspace: Slack, channel: str) -> None:
        self.lab = lab
        self.slack = slack
        self.workspace = workspace
        self.channel = channel
        self.heard = 0
        self.thread = ""
        """The message in whose thread people write now."""

    async def share(self, name: str, content: bytes = b"one line\n", **more: Any) -> dict[str, Any]:
        """Let Ann share a file, and Callout hear of it; return what the twin says of it."""
        encoded = base64.b64encode(content).decode()
        shared: dict[str, Any] = await self.slack.act(
            "upload_file",
            **{"user": "ann", "channel": self.channel, "filename": name, "content_base64": encoded, **more},
        )
        await self.hear(shared)
        return shared

    async def hear(self, shared: dict[str, Any], *, kind: str = "message", **envelope: Any) -> None:
        """Have the event of a message as Slack has it delivered."""
        message = self.message(shared)
        await self.event({**message, "type": kind, "channel": shared["channel"]}, **envelope)

    async def event(self, event: dict[str, Any], **envelope: Any) -> None:
        self.heard += 1
        read = event_of(
            {
                "type": "event_callback",
                "team_id": "T01ACC",
                "event_id": f"Ev{self.heard}",
                "authorizations": [{"team_id": "T01ACC", "user_id": US, "is_bot": True}],
                "event": event,
                **envelope,
            }
        )
        if read is not None:
            await self.lab.dispatcher.handle(self.lab.workspace, read)

    def message(self, shared: dict[str, Any]) -> dict[str, Any]:
        at = shared["ts"]
        if self.thread:
            replies = self.workspace.web.conversations_replies(channel=shared["channel"], ts=self.thread)
            return next(dict(one) for one in replies["messages"] if one["ts"] == at)
        found = self.workspace.web.conversations_history(
            channel=shared["channel"], oldest=at, latest=at, inclusive=True
        )
        message: dict[str, Any] = found["messages"][0]
        return message

    async def files(self) -> list[Attachment]:
        return await self.lab.tx(lambda tx: self.lab.incidents.attachments(tx, "INC-1"))

    async def content(self, one: Attachment) -> bytes:
        _, content = await self.lab.tx(lambda tx: self.lab.incidents.attachment(tx, "INC-1", one.id))
        return content

    async def attach(
        self,
        name: str,
        content: bytes = b"theirs",
        audience: Audience = Audience.RESPONDERS,
        origin: Origin = JIRA,
    ) -> Attachment:
        file = NewFile(name, "text/plain", content=content)
        return await self.lab.tx(lambda tx: self.lab.incidents.attach(tx, "INC-1", file, audience, origin))

    async def sent(self) -> list[ChatMessage]:
        async def read(tx: AccountTx) -> list[ChatMessage]:
            return await store.messages(tx, (await self.lab.incidents.get(tx, "INC-1")).id)

        return [row for row in await self.lab.tx(read) if row.purpose == "file"]

    def shown(self) -> list[str]:
        """The names of the files that the channel shows, oldest first."""
        listed = self.workspace.web.files_list(channel=self.channel)["files"]
        return [one["name"] for one in reversed(listed)]


@pytest.fixture
async def room(lab: ChatLab, slack: TwinControl, workspace: Slack) -> Room:
    """The channel of INC-1, with Ann in it."""
    await lab.type("declare checkout is down")
    await lab.run_jobs()
    own = workspace.channel("inc-1-checkout-is-down")
    assert own is not None
    return Room(lab, slack, workspace, own["id"])


# --------------------------------------------------------------------------------------------------- from chat


async def test_a_file_shared_in_the_channel_is_attached_once_for_responders(room: Room) -> None:
    shared = await room.share("shot.png", PNG, comment="look")
    assert await room.files() == []  # nothing was asked of Slack while it waited for an answer
    await room.hear(shared)
    await room.hear(shared, kind="app_mention")
    await room.lab.run_jobs()
    [one] = await room.files()
    assert (one.name, one.media_type, one.audience) == ("shot.png", "image/png", Audience.RESPONDERS)
    assert await room.content(one) == PNG
    assert (one.origin.channel, one.origin.integration_id) == (Channel.CHAT, "slack-1")
    assert one.author is not None
    assert one.author.id.endswith("U0ANN")
    # An edit, and the same file in the channel once more, are no other file; it is not shown there again either.
    await room.event(
        {
            "type": "message",
            "subtype": "message_changed",
            "channel": room.channel,
            "message": {**room.message(shared), "text": "look!"},
        }
    )
    again = await room.slack.act("share_file", user="ann", file=shared["file"]["id"], channel=room.channel)
    await room.hear(again)
    await room.lab.run_jobs()
    assert len(await room.files()) == 1
    assert room.shown() == ["shot.png"]
    assert await room.sent() == []
    assert await room.lab.waiting() == []


async def test_files_of_other_channels_of_bots_and_of_viewers_stay_where_they_are(room: Room) -> None:
    lab = room.lab
    await room.share("elsewhere.txt", channel="incidents")
    shared = await room.slack.act(
        "upload_file", user="ann", channel=room.channel, filename="n.txt", content="n"
    )
    await room.event({**room.message(shared), "channel": room.channel, "bot_id": "B0OTHER"})
    # A colleague of another organization, in a channel that is shared with it.
    await room.event(
        {**room.message(shared), "channel": room.channel, "user_team": "T9OTHER"}, is_ext_shared_channel=True
    )
    lab.settings = replace_settings(lab, default_role="viewer")
    await room.hear(shared)
    lab.settings = replace_settings(lab, default_role="responder", take_files="asked")
    await room.hear(shared)
    await lab.run_jobs()
    assert await room.files() == []
    lab.settings = replace_settings(lab, take_files="all", file_audience="internal")
    await room.hear(shared)
    await lab.run_jobs()
    assert [(one.name, one.audience) for one in await room.files()] == [("n.txt", Audience.INTERNAL)]


def replace_settings(lab: ChatLab, **values: Any) -> Any:
    return lab.settings.model_copy(update=values)


@pytest.mark.parametrize("sign_in", ["redirect", "page"])
async def test_a_sign_in_page_in_place_of_the_file_is_told_and_mended(room: Room, sign_in: str) -> None:
    """Slack answers whoever may not read the file with its sign-in page, as a redirect or with status 200."""
    scopes = room.slack.get("config")["scopes"]
    room.slack.configure(file_sign_in=sign_in)

    class HalfBlind:
        """`files.info` is answered as ever, and the bytes are not."""

        async def __call__(self, real: Any, *args: Any, **options: Any) -> Any:
            found = await real(*args, **options)
            room.slack.configure(scopes=[one for one in scopes if one != "files:read"])
            return found

    provider = room.lab.provider
    assert isinstance(provider, Wrapped)
    provider.spoiled["get_file"] = HalfBlind()
    shared = await room.share("shot.png", PNG)
    await room.lab.run_jobs()
    [one] = await room.files()
    assert one.state is AttachmentState.ELSEWHERE
    assert "sign-in page" in one.why
    assert "files:read" in one.why
    [line] = [entry for entry in await room.lab.timeline() if entry.kind == "attached"]
    assert line.data["why"] == one.why
    # With the scope, putting the message on the timeline fetches it into the same place.
    provider.spoiled.clear()
    room.slack.configure(scopes=scopes)
    await keep(room, shared)
    await room.lab.run_jobs()
    [one] = await room.files()
    assert one.state is AttachmentState.STORED
    assert await room.content(one) == PNG


async def test_a_missing_scope_is_told_in_words(room: Room) -> None:
    scopes = room.slack.get("config")["scopes"]
    room.slack.configure(scopes=[one for one in scopes if one != "files:read"])
    await room.share("log.txt")
    await room.lab.run_jobs()
    [one] = await room.files()
    assert "the app lacks the scope files:read" in one.why
    assert (one.name, one.state) == ("log.txt", AttachmentState.ELSEWHERE)


async def keep(room: Room, shared: dict[str, Any], *, channel: str = "") -> None:
    """Let Ann choose *Add to timeline* at a message."""
    room.heard += 1
    given = interaction(
        {
            "type": "message_action",
            "callback_id": "add_to_timeline",
            "team": {"id": "T01ACC"},
            "user": {"id": "U0ANN", "team_id": "T01ACC", "username": "ann"},
            "channel": {"id": channel or shared["channel"]},
            "message": room.message(shared),
            "trigger_id": f"trigger-{room.heard}",
        }
    )
    assert given is not None
    await room.lab.dispatcher.handle(room.lab.workspace, given)


async def test_add_to_timeline_takes_the_files_along(room: Room) -> None:
    lab = room.lab
    lab.settings = replace_settings(lab, take_files="asked")
    shared = await room.share("log.txt", b"12", comment="this is the log")
    await keep(room, shared)
    bare = await room.share("bare.txt", b"3")
    await keep(room, bare)
    await lab.run_jobs()
    assert sorted(one.name for one in await room.files()) == ["bare.txt", "log.txt"]
    said = [entry for entry in await lab.timeline() if entry.kind == "message_added"]
    assert [entry.data["text"] for entry in said] == ["this is the log"]
    # Of somebody else's file the one who shared it is the author; nothing else of it is asked for twice.
    await keep(room, shared)
    await lab.run_jobs()
    assert len(await room.files()) == 2
    lab.settings = replace_settings(lab, take_files="none")
    third = await room.share("third.txt", comment="words")
    await keep(room, third)
    await lab.run_jobs()
    assert len(await room.files()) == 2


async def test_what_slack_does_not_have_or_does_not_tell_at_once(room: Room) -> None:
    lab = room.lab
    await room.share("plan.gdoc", mode="external", external_type="gdrive")
    await room.share("old.txt", mode="hidden_by_limit")
    await room.share("guest.txt", b"from a shared channel", file_access="check_file_info")
    lab.incidents.attachment_limit = 100
    await room.share("large.bin", b"x" * 101)
    gone = await room.share("gone.txt")
    await room.slack.act("delete_file", user="ann", file=gone["file"]["id"])
    await room.event({"type": "file_deleted", "file_id": gone["file"]["id"]})
    await lab.run_jobs()
    found = {one.name: one for one in await room.files()}
    assert "gdrive" in found["plan.gdoc"].why
    assert "beyond what its plan keeps" in found["old.txt"].why
    assert await room.content(found["guest.txt"]) == b"from a shared channel"
    assert found["large.bin"].why == (
        "it has 101 bytes, and at most 100 bytes are kept here: it stays in Slack"
    )
    assert found["gone.txt"].why == "it was deleted in Slack before it was fetched"
    assert await lab.waiting() == []


async def test_a_file_that_is_deleted_there_stays_and_the_timeline_says_so_once(room: Room) -> None:
    shared = await room.share("log.txt")
    await room.lab.run_jobs()
    file_id = shared["file"]["id"]
    await room.slack.act("delete_file", user="ann", file=file_id)
    for _ in range(2):
        await room.event({"type": "file_deleted", "file_id": file_id})
    # What is left of it in an edited message says the same.
    tombstone = {
        "type": "message",
        "user": "U0ANN",
        "text": "",
        "files": [{"id": file_id, "mode": "tombstone"}],
    }
    changed = {"type": "message", "subtype": "message_changed", "channel": room.channel}
    await room.event({**changed, "message": {**tombstone, "ts": shared["ts"]}})
    lines = [entry for entry in await room.lab.timeline() if entry.kind == "chat_file_deleted"]
    assert [entry.data["name"] for entry in lines] == ["log.txt"]
    [one] = await room.files()
    assert one.state is AttachmentState.STORED


async def test_slack_that_is_down_is_waited_for(room: Room) -> None:
    provider = room.lab.provider
    assert isinstance(provider, Wrapped)

    async def down(*_given: Any, **_options: Any) -> Any:
        raise UnavailableError("Slack cannot be reached (files.info)")

    provider.spoiled["get_file"] = down
    await room.share("log.txt")
    await room.lab.run_jobs()
    assert await room.files() == []
    provider.spoiled.clear()
    await room.lab.run_later()
    assert [one.state for one in await room.files()] == [AttachmentState.STORED]


# ----------------------------------------------------------------------------------------------------- to chat


async def test_a_file_from_elsewhere_is_shown_once_in_the_thread_of_the_card(room: Room) -> None:
    await room.attach("error.log", b"boom")
    await room.attach("secret.txt", audience=Audience.INTERNAL)
    await room.lab.run_jobs()
    assert room.shown() == ["error.log"]
    [row] = await room.sent()
    [card] = room.workspace.cards(room.channel)
    assert (row.state, row.text, row.thread) == (MessageState.SENT, "error.log", card["ts"])
    [reply] = room.workspace.web.conversations_replies(channel=room.channel, ts=card["ts"])["messages"][1:]
    assert "error.log" in reply["text"]
    assert "Jo from Jira" in reply["text"]
    # The event of our own message brings it not back, nor does a person who shares it again.
    await room.event({**reply, "type": "message", "channel": room.channel})
    again = await room.slack.act("share_file", user="ann", file=reply["files"][0]["id"], channel=room.channel)
    await room.hear(again)
    await room.lab.run_jobs()
    assert [one.name for one in await room.files()] == ["error.log", "secret.txt"]
    assert room.shown() == ["error.log"]
    assert await room.lab.waiting() == []


async def test_files_wait_for_the_channel_and_setting_and_outsiders_hold_them_back(
    lab: ChatLab, slack: TwinControl, workspace: Slack
) -> None:
    await lab.type("declare checkout is down")
    early = Room(lab, slack, workspace, "")
    await early.attach("early.log")  # before there is a channel
    await lab.run_later()
    own = workspace.channel("inc-1-checkout-is-down")
    assert own is not None
    room = Room(lab, slack, workspace, own["id"])
    assert room.shown() == ["early.log"]
    lab.settings = replace_settings(lab, show_files=False)
    await room.attach("kept.log")
    await lab.run_jobs()
    assert room.shown() == ["early.log"]
    lab.settings = replace_settings(lab, show_files=True)
    # People of another organization are let in: only what is for customers goes there.
    await slack.act("connect_channel", user="ann", channel=room.channel)
    await room.attach("late.log")
    await room.attach("public.txt", audience=Audience.CUSTOMER)
    await lab.run_jobs()
    assert room.shown() == ["early.log", "public.txt"]
    states = {row.text: row.state for row in await room.sent()}
    assert states == {
        "early.log": MessageState.SENT,
        "kept.log": MessageState.FAILED,
        "late.log": MessageState.FAILED,
        "public.txt": MessageState.SENT,
    }
    told = [entry.data["error"] for entry in await lab.timeline() if entry.kind == "chat_message_failed"]
    assert len(told) == 2
    assert "people of another organization" in told[0]


async def test_a_refusal_is_shown_and_a_person_has_it_sent_again(room: Room) -> None:
    scopes = room.slack.get("config")["scopes"]
    room.slack.configure(scopes=[one for one in scopes if one != "files:write"])
    await room.attach("error.log")
    await room.lab.run_jobs()
    [row] = await room.sent()
    assert row.state is MessageState.FAILED
    assert "files:write" in row.error
    room.slack.configure(scopes=scopes)
    shown = SentMessages(room.lab.context)
    await room.lab.tx(lambda tx: shown.repost(tx, "INC-1", row.id, CLI))
    await room.lab.run_jobs()
    assert room.shown() == ["error.log"]


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_lost_answer_is_looked_into_before_anything_is_done_again(room: Room, arrived: bool) -> None:
    room.slack.configure(file_lag=5)
    provider = room.lab.provider
    assert isinstance(provider, Wrapped)

    async def lost(real: Any, *args: Any, **options: Any) -> Any:
        provider.spoiled.clear()
        if arrived:
            await real(*args, **options)
        raise OutcomeUnknownError("Slack's answer was lost (files.completeUploadExternal)")

    provider.spoiled["share_file"] = lost
    await room.attach("error.log")
    await room.lab.run_jobs()
    room.slack.configure(clock_offset=60)
    for _ in range(12):
        await room.lab.run_later()
    assert room.shown() == ["error.log"]
    assert len(room.slack.effects("files.completeUploadExternal")) == 1
    [row] = await room.sent()
    assert row.state is MessageState.SENT
    assert await room.lab.waiting() == []


async def test_where_nobody_can_tell_it_is_perhaps_shown_and_not_repeated(room: Room) -> None:
    provider = room.lab.provider
    assert isinstance(provider, Wrapped)
    scopes = room.slack.get("config")["scopes"]

    async def lost(real: Any, *args: Any, **options: Any) -> Any:
        await real(*args, **options)
        room.slack.configure(scopes=[one for one in scopes if one != "files:read"])
        raise OutcomeUnknownError("Slack's answer was lost (files.completeUploadExternal)")

    provider.spoiled["share_file"] = lost
    await room.attach("error.log")
    await room.lab.run_jobs()
    for _ in range(3):
        await room.lab.run_later()
    [row] = await room.sent()
    assert row.state is MessageState.PERHAPS_SENT
    room.slack.configure(scopes=scopes)
    assert len(room.slack.effects("files.completeUploadExternal")) == 1


async def test_a_file_of_one_workspace_is_shown_in_another(room: Room) -> None:
    """What came from one chat is no echo in the other."""
    lab = room.lab
    other = replace(lab.workspace, integration_id="slack-2", name="other-slack")
    lab.others.append((other, lab.provider))
    await lab.type("title INC-1 checkout is down again")
    await lab.run_later()
    await room.share("shot.png", PNG)
    await lab.run_later()
    [row] = await room.sent()
    assert (row.integration_id, row.state) == ("slack-2", MessageState.SENT)
    assert row.channel != room.channel


async def test_in_the_thread_of_a_card_elsewhere_nothing_is_read_but_what_is_said_to_us(room: Room) -> None:
    """A channel that many incidents share is no incident's: a file in the thread of a card there stays in chat, as its words do."""
    [card] = room.workspace.cards("C0INCIDENTS")
    room.thread = card["ts"]
    about: dict[str, Any] = {"channel": "C0INCIDENTS", "thread_ts": room.thread}
    shared = await room.share("there.log", **about)
    await room.lab.run_jobs()
    assert await room.files() == []
    # Whoever wants it there says so, and is not asked of which incident: the thread tells.
    await keep(room, shared)
    await room.lab.run_jobs()
    assert [one.name for one in await room.files()] == ["there.log"]
    said = await room.slack.act("message", user="ann", text=f"<@{US}> ack, looking", **about)
    await room.hear(said, kind="app_mention")
    assert (await room.lab.incident()).status is Status.ACKNOWLEDGED
    room.thread = ""
    said = await room.slack.act("message", user="ann", text=f"<@{US}> mitigate", channel="C0INCIDENTS")
    await room.hear(said, kind="app_mention")  # beside the thread it is nobody's
    assert (await room.lab.incident()).status is Status.ACKNOWLEDGED

"""Users, guests, groups, channels and files: what changes is reported, and the SDK reads it back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.sandbox.conftest import TwinControl

Events = list[dict[str, Any]]


@pytest.fixture
def web(slack: TwinControl) -> WebClient:
    return WebClient(token="xoxb-acc", base_url=f"{slack.url}/api/")


@pytest.fixture
async def events(slack: TwinControl, serve: Callable[..., Any]) -> AsyncIterator[Events]:
    """Every event the app hears, the newest last."""
    heard: Events = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        heard.append(orjson.loads(body))
        await PlainTextResponse("")(scope, receive, send)

    async with serve(app) as url:
        slack.configure(events_url=url)
        yield heard
        slack.configure(events_url=None)


def kinds(events: Events) -> list[str]:
    return [body["event"]["type"] for body in events]


def error_of(call: Any, **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        call(**arguments)
    code: str = caught.value.response["error"]
    return code


async def test_people_come_change_and_go(slack: TwinControl, web: WebClient, events: Events) -> None:
    added = (await slack.act("add_user", name="zoe", email="zoe@example.com"))["user"]
    assert web.users_lookupByEmail(email="zoe@example.com")["user"]["id"] == added["id"]
    await slack.act("change_user", user="zoe", set={"email": "z@example.com", "real_name": "Zoe Zed"})
    assert web.users_info(user=added["id"])["user"]["real_name"] == "Zoe Zed"
    web.conversations_invite(channel="C0INCIDENTS", users=added["id"])
    await slack.act("deactivate_user", user="zoe")
    assert added["id"] not in web.conversations_members(channel="C0INCIDENTS")["members"]
    assert web.users_info(user=added["id"])["user"]["deleted"] is True
    assert error_of(web.users_lookupByEmail, email="z@example.com") == "users_not_found"
    assert error_of(web.conversations_open, users=added["id"]) == "user_disabled"
    await slack.act("reactivate_user", user="zoe")
    await slack.drain()
    told = [body["event"] for body in events if body["event"]["type"] in {"team_join", "user_change"}]
    assert [event["type"] for event in told] == ["team_join", "user_change", "user_change", "user_change"]
    assert told[2]["user"]["deleted"] is True
    assert told[1]["user"]["profile"]["email"] == "z@example.com"


async def test_guests_are_limited(slack: TwinControl, web: WebClient) -> None:
    single = (await slack.act("add_user", name="guest", email="g@partner.example", guest="single"))["user"]
    assert (single["is_restricted"], single["is_ultra_restricted"]) == (True, True)
    channel = web.conversations_create(name="inc-1")["channel"]["id"]
    assert web.conversations_invite(channel=channel, users=single["id"])["ok"]
    other = web.conversations_create(name="inc-2")["channel"]["id"]
    assert error_of(web.conversations_invite, channel=other, users=single["id"]) == "ura_max_channels"


def test_user_groups_are_listed(slack: TwinControl, web: WebClient) -> None:
    (group,) = web.usergroups_list(include_users=True, include_count=True)["usergroups"]
    assert (group["handle"], group["users"], group["user_count"]) == ("oncall", ["U0ANN", "U0BOB"], 2)
    asyncio.run(slack.act("set_usergroup", handle="oncall", users=["cat"]))
    assert web.usergroups_users_list(usergroup=group["id"])["users"] == ["U0CAT"]
    assert error_of(web.usergroups_users_list, usergroup="S404") == "no_such_subteam"
    asyncio.run(slack.act("set_usergroup", handle="oncall", disabled=True))
    assert web.usergroups_list()["usergroups"] == []


async def test_channels_public_and_private_are_reported(
    slack: TwinControl, web: WebClient, events: Events
) -> None:
    public = web.conversations_create(name="inc-1")["channel"]["id"]
    private = web.conversations_create(name="inc-2", is_private=True)["channel"]["id"]
    for channel in (public, private):
        web.conversations_invite(channel=channel, users="U0ADMIN")
        await slack.act("rename_channel", user="admin", channel=channel, name=f"{channel.lower()}-x")
        await slack.act("archive_channel", user="admin", channel=channel)
        await slack.act("unarchive_channel", user="admin", channel=channel)
    await slack.drain()
    changed = [kind for kind in kinds(events) if kind.startswith(("channel_", "group_"))]
    assert sorted(changed) == [
        "channel_archive",
        "channel_created",
        "channel_created",
        "channel_rename",
        "channel_unarchive",
        "group_archive",
        "group_rename",
        "group_unarchive",
    ]
    await slack.act("delete_channel", user="admin", channel=public)
    assert error_of(web.conversations_info, channel=public) == "channel_not_found"
    await slack.act("remove_bot", user="admin", channel=private)
    assert error_of(web.conversations_info, channel=private) == "channel_not_found"


async def test_reactions_come_and_go(slack: TwinControl, web: WebClient, events: Events) -> None:
    slack.configure(subscriptions=["reaction_added", "reaction_removed"])
    ts = web.chat_postMessage(channel="C0INCIDENTS", text="x")["ts"]
    where = {"user": "ann", "channel": "incidents", "ts": ts, "name": "eyes"}
    await slack.act("react", **where)
    shown = web.reactions_get(channel="C0INCIDENTS", timestamp=ts)["message"]["reactions"]
    assert shown == [{"name": "eyes", "users": ["U0ANN"], "count": 1}]
    await slack.act("react", **where, remove=True)
    await slack.drain()
    assert kinds(events) == ["reaction_added", "reaction_removed"]


async def test_edits_and_deletions_of_people_are_told(
    slack: TwinControl, web: WebClient, events: Events
) -> None:
    written = await slack.act("message", user="ann", channel="@callout", text="first")
    await slack.act("edit_message", user="ann", channel=written["channel"], ts=written["ts"], text="second")
    await slack.act("delete_message", user="ann", channel=written["channel"], ts=written["ts"])
    await slack.drain()
    told = {body["event"].get("subtype"): body["event"] for body in events}
    assert set(told) == {None, "message_changed", "message_deleted"}
    assert told["message_changed"]["message"]["text"] == "second"
    assert told["message_changed"]["previous_message"]["text"] == "first"
    assert told["message_deleted"]["deleted_ts"] == written["ts"]
    assert {event["channel_type"] for event in told.values()} == {"im"}
    assert web.conversations_close(channel=written["channel"])["ok"]
    assert web.conversations_close(channel=written["channel"])["already_closed"] is True
    assert "already_open" not in web.conversations_open(users="U0ANN").data


async def test_a_file_is_uploaded_in_three_steps_shared_read_and_deleted(
    slack: TwinControl, web: WebClient, events: Events
) -> None:
    def upload() -> Any:
        return web.files_upload_v2(
            channel="C0INCIDENTS",
            filename="log.txt",
            content="line 1\n",
            initial_comment="the log",
            title="Log",
        )

    file = (await asyncio.to_thread(upload))["file"]
    assert (file["name"], file["title"], file["mimetype"], file["size"]) == (
        "log.txt",
        "Log",
        "text/plain",
        7,
    )
    (message,) = web.conversations_history(channel="C0INCIDENTS")["messages"]
    assert (message["text"], message["files"][0]["id"]) == ("the log", file["id"])
    got = slack.http.get(file["url_private"], headers={"Authorization": "Bearer xoxb-acc"})
    assert (got.text, got.headers["content-type"].partition(";")[0]) == ("line 1\n", "text/plain")
    assert slack.http.get(file["url_private"]).status_code == 302
    assert web.files_info(file=file["id"])["file"]["channels"] == ["C0INCIDENTS"]
    assert [item["id"] for item in web.files_list(channel="C0INCIDENTS")["files"]] == [file["id"]]
    await slack.drain()
    shared = [body["event"] for body in events if body["event"]["type"] == "file_shared"]
    assert [(event["file_id"], event["channel_id"]) for event in shared] == [(file["id"], "C0INCIDENTS")]
    assert web.files_delete(file=file["id"])["ok"]
    assert error_of(web.files_info, file=file["id"]) == "file_not_found"
    assert web.conversations_history(channel="C0INCIDENTS")["messages"][0]["files"] == [
        {"id": file["id"], "mode": "tombstone"}
    ]


async def test_a_persons_file_mentions_the_app_and_stays_theirs(
    slack: TwinControl, web: WebClient, events: Events
) -> None:
    shared = await slack.act(
        "upload_file",
        user="ann",
        channel="incidents",
        filename="shot.png",
        content_base64="iVBORw0KGgo=",
        comment="<@U0BOTACC> look",
    )
    await slack.drain()
    assert shared["app_mention"] in {body["event_id"] for body in events}
    assert sorted(kinds(events)) == ["app_mention", "file_shared", "message"]
    message = next(body["event"] for body in events if body["event"]["type"] == "message")
    assert (message["subtype"], message["files"][0]["mimetype"]) == ("file_share", "image/png")
    assert error_of(web.files_delete, file=shared["file"]["id"]) == "cant_delete_file"
    hidden = await slack.act("upload_file", user="admin", channel="security", filename="s.txt", content="s")
    assert error_of(web.files_info, file=hidden["file"]["id"]) == "file_not_found"
    assert (
        slack.http.get(
            hidden["file"]["url_private"], headers={"Authorization": "Bearer xoxb-acc"}
        ).status_code
        == 404
    )


async def test_files_of_elsewhere_and_those_of_which_only_the_id_is_told(
    slack: TwinControl, web: WebClient, events: Events
) -> None:
    ann = {"user": "ann", "channel": "incidents", "content": "x"}
    external = (await slack.act("upload_file", **ann, filename="plan", mode="external"))["file"]
    assert (external["is_external"], external["external_type"]) == (True, "gdrive")
    shared = await slack.act("upload_file", **ann, filename="a.txt", file_access="check_file_info")
    again = await slack.act("share_file", user="bob", file=shared["file"]["id"], channel="general")
    assert again["channel"] == "C0GENERAL"
    await slack.act("connect_channel", user="ann", channel="incidents")
    await slack.act("upload_file", **ann, filename="b.txt")
    await slack.act("delete_file", user="ann", file=shared["file"]["id"])
    await slack.drain()
    told = [body["event"]["files"][0] for body in events if body["event"]["type"] == "message"]
    assert told[1]["file_access"] == "check_file_info"
    assert "name" not in told[1]
    assert [body["is_ext_shared_channel"] for body in events if body["event"]["type"] == "message"][-1]
    assert events[-1]["event"] == {
        "type": "file_deleted",
        "file_id": shared["file"]["id"],
        "event_ts": events[-1]["event"]["event_ts"],
    }
    assert web.conversations_info(channel="C0INCIDENTS")["channel"]["is_ext_shared"] is True


def test_where_a_file_is_shown_comes_later_and_a_sign_in_page_may_come_with_200(
    slack: TwinControl, web: WebClient
) -> None:
    slack.configure(file_lag=30, file_sign_in="page")
    place = web.files_getUploadURLExternal(filename="a.txt", length=3)
    assert error_of(web.files_info, file=place["file_id"]) == "file_not_found"
    slack.http.post(place["upload_url"], content=b"abc")
    files = [{"id": place["file_id"], "title": "A"}]
    file = web.files_completeUploadExternal(files=files, channel_id="C0INCIDENTS")["files"][0]
    assert (
        error_of(web.files_completeUploadExternal, files=files, channel_id="C0INCIDENTS") == "file_not_found"
    )
    assert web.files_info(file=file["id"])["file"]["shares"] == {}
    slack.configure(clock_offset=31)
    assert list(web.files_info(file=file["id"])["file"]["shares"]["public"]) == ["C0INCIDENTS"]
    shown = slack.http.get(file["url_private_download"], headers={"Authorization": "Bearer xoxb-wrong"})
    assert (shown.status_code, shown.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert "Sign in" in shown.text


def test_uploads_that_do_not_fit_are_refused(slack: TwinControl, web: WebClient) -> None:
    assert error_of(web.files_getUploadURLExternal, filename="a", length=0) == "invalid_arguments"
    place = web.files_getUploadURLExternal(filename="a.txt", length=3)
    assert error_of(web.files_completeUploadExternal, files=[{"id": place["file_id"]}]) == "file_not_found"
    assert slack.http.post(place["upload_url"], content=b"toolong").status_code == 400
    assert slack.http.post(place["upload_url"], content=b"abc").text == "OK - 3"
    files = [{"id": place["file_id"], "title": "A"}]
    assert error_of(web.files_completeUploadExternal, files=files, channel_id="C0RANDOM") == "not_in_channel"
    assert web.files_completeUploadExternal(files=files, channel_id="C0INCIDENTS")["files"][0]["title"] == "A"
    assert slack.http.post(place["upload_url"], content=b"abc").status_code == 404


def test_scheduled_messages_are_posted_by_the_clock(slack: TwinControl, web: WebClient) -> None:
    at = slack.get("state")["channels"]["C0INCIDENTS"]["created"] + 3600
    first = web.chat_scheduleMessage(channel="C0INCIDENTS", post_at=at, text="later")
    second = web.chat_scheduleMessage(channel="C0INCIDENTS", post_at=at + 1, text="never")
    assert error_of(web.chat_scheduleMessage, channel="C0INCIDENTS", post_at=1, text="x") == "time_in_past"
    far = at + 130 * 86400
    assert error_of(web.chat_scheduleMessage, channel="C0INCIDENTS", post_at=far, text="x") == "time_too_far"
    listed = web.chat_scheduledMessages_list()["scheduled_messages"]
    assert [item["id"] for item in listed] == [first["scheduled_message_id"], second["scheduled_message_id"]]
    gone = {"channel": "C0INCIDENTS", "scheduled_message_id": second["scheduled_message_id"]}
    assert web.chat_deleteScheduledMessage(**gone)["ok"]
    assert error_of(web.chat_deleteScheduledMessage, **gone) == "invalid_scheduled_message_id"
    slack.configure(clock_offset=4000)
    messages = web.conversations_history(channel="C0INCIDENTS")["messages"]
    assert [message["text"] for message in messages] == ["later"]
    assert web.chat_scheduledMessages_list()["scheduled_messages"] == []


async def test_an_app_that_hears_too_much_is_told(slack: TwinControl, events: Events) -> None:
    assert (await slack.act("app_rate_limited"))["sent"] is True
    await slack.drain()
    assert (events[0]["type"], events[0]["team_id"]) == ("app_rate_limited", "T01ACC")

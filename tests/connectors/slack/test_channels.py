"""Slack's channels beside posting, against the twin: what is there already is no error, and nobody's own things are touched."""

from __future__ import annotations

import pytest

from callout.connectors.slack.chat import SlackChat
from callout.ports.chat import Bookmark, Card, GroupRef, MessageRef
from callout.ports.errors import PermissionDeniedError, RecordNotFoundError, RejectedError
from tests.sandbox.conftest import TwinControl


async def test_archived_and_opened_again_twice(chat: SlackChat) -> None:
    made = await chat.create_channel("inc-1-db", private=False)
    for _ in range(2):
        await chat.archive_channel(made.id)
    found = await chat.read_channel(made.id)
    assert found is not None
    assert found.archived
    for _ in range(2):
        await chat.unarchive_channel(made.id)
    again = await chat.read_channel(made.id)
    assert again is not None
    assert (again.archived, again.member) == (False, True)
    assert await chat.read_channel("C0NOSUCH1") is None


async def test_a_name_that_is_taken_gets_a_number(chat: SlackChat) -> None:
    await chat.create_channel("inc-1-db", private=False)
    other = await chat.create_channel("inc-2", private=False)
    assert (await chat.rename_channel(other.id, "inc-1-db")).name == "inc-1-db-2"


async def test_bookmarks_are_brought_in_line(chat: SlackChat, slack: TwinControl) -> None:
    made = await chat.create_channel("inc-1-db", private=False)
    page = Bookmark("page", "INC-1", "https://callout.example/1")
    ticket = Bookmark("ticket", "OPS-1", "https://jira.example/OPS-1")
    first = await chat.keep_bookmarks(made.id, [page, ticket], {})
    assert list(first) == ["page", "ticket"]
    # Its answer was lost: the same are known by their addresses.
    assert await chat.keep_bookmarks(made.id, [page, ticket], {}) == first
    renamed = Bookmark("ticket", "WEB-1", "https://jira.example/WEB-1")
    assert await chat.keep_bookmarks(made.id, [page, renamed], first) == first
    assert list(await chat.keep_bookmarks(made.id, [page], first)) == ["page"]
    assert len(slack.effects("bookmarks.add")) == 2
    assert len(slack.effects("bookmarks.edit")) == len(slack.effects("bookmarks.remove")) == 1


async def test_groups_by_handle_name_or_id(chat: SlackChat) -> None:
    for word in ("oncall", "@oncall", "S0ONCALL"):
        assert list(await chat.group_members(word)) == ["U0ANN", "U0BOB"]
    with pytest.raises(RecordNotFoundError, match="no user group"):
        await chat.group_members("nobody")


async def test_a_group_is_told_with_its_people_and_without_them_where_these_are_not_told(
    chat: SlackChat, slack: TwinControl
) -> None:
    assert await chat.read_group("S0ONCALL") == GroupRef("S0ONCALL", "oncall", "On call", ("U0ANN", "U0BOB"))
    await slack.act("set_usergroup", handle="oncall", disabled=True)
    with pytest.raises(RecordNotFoundError):
        await chat.read_group("S0ONCALL")
    await slack.act("set_usergroup", handle="oncall", disabled=False)
    slack.fault(
        {
            "match": {"path": "usergroups.users.list"},
            "effect": {"kind": "status", "status": 200, "body": '{"ok": false, "error": "missing_scope"}'},
        }
    )
    assert (await chat.read_group("oncall")).members is None
    slack.configure(user_groups=False)
    with pytest.raises(PermissionDeniedError, match="plan"):
        await chat.read_group("oncall")
    slack.configure(user_groups=True, scopes=["chat:write"])
    with pytest.raises(PermissionDeniedError, match="usergroups:read"):
        await chat.read_group("oncall")


async def test_a_direct_conversation(chat: SlackChat, slack: TwinControl) -> None:
    direct = await chat.open_direct("U0BOB")
    assert direct.id.startswith("D")
    assert await chat.open_direct("U0BOB") == direct
    await slack.act("deactivate_user", user="U0BOB")
    with pytest.raises(RejectedError, match="deactivated"):
        await chat.open_direct("U0BOB")


async def test_a_message_is_deleted_once(chat: SlackChat, slack: TwinControl) -> None:
    sent = await chat.post_message("incidents", Card(title="", text="hello"), key="k")
    for _ in range(2):
        await chat.delete_message(sent)
    assert len(slack.effects("chat.delete")) == 1
    await chat.delete_message(MessageRef(sent.channel, "1.000100"))

"""Guests of a workspace, people of other organizations and those who left: no role unless somebody gave them one; told what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callout.chatops import groups
from callout.chatops.standing import ASKED_AGAIN_AFTER, PATIENCE
from callout.connectors.slack.chat import SlackChat
from callout.connectors.slack.events import event_of
from callout.incidents import IncidentFilter
from callout.ports.chat import ChatEvent, ChatEventKind
from callout.ports.chat_people import Membership
from callout.ports.errors import UnavailableError
from callout.ports.values import Person
from callout.storage import AccountTx
from tests.chatops.lab import ChatLab, Wrapped
from tests.chatops.test_commands import member
from tests.chatops.test_mentions import told
from tests.chatops.test_notifications import Slack, workspace
from tests.sandbox.conftest import TwinControl

__all__ = ["workspace"]


@pytest.fixture
async def strict(lab: ChatLab) -> ChatLab:
    """A lab with what an integration does where nothing is set."""
    lab.guests_alike = False
    return lab


async def said(lab: ChatLab, text: str, user: str = "U0ANN") -> str:
    answer = await lab.type(text, user=user)
    return (answer.text + ("" if answer.card is None else answer.card.title)).replace("\\", "")


async def count(lab: ChatLab) -> int:
    async def unit(tx: AccountTx) -> int:
        found, _ = await lab.incidents.search(tx, IncidentFilter())
        return len(found)

    return await lab.tx(unit)


async def add(slack: TwinControl, name: str, **more: object) -> str:
    added = await slack.act("add_user", name=name, email=f"{name}@example.com", **more)
    return str(added["user"]["id"])


async def test_a_member_of_the_workspace_is_asked_about_once_and_works(strict: ChatLab) -> None:
    assert "Declared" in await said(strict, "declare one")
    asked = strict.calls
    assert asked == 1
    assert "Declared" in await said(strict, "declare two")
    assert strict.calls == asked


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"guest": "multi"}, "You are a guest in Slack, and guests have no role here."),
        ({"guest": "single"}, "You are a guest in Slack, and guests have no role here."),
        ({"stranger": True}, "You belong to another organization than this Slack workspace"),
    ],
)
async def test_who_is_no_member_is_refused_from_the_first_command_on_and_told_what_to_do(
    strict: ChatLab, slack: TwinControl, more: dict[str, object], words: str
) -> None:
    lab, user = strict, await add(slack, "visitor", **more)
    for _ in range(2):
        answer = await said(lab, "declare sev1 everything is down", user)
        assert words in answer
        assert "add you as a member with your e-mail address" in answer
        assert "guest_role" in answer
    assert await count(lab) == 0
    assert "What you can type" in await said(lab, "help", user)  # that is free to all
    lab.settings = lab.settings.model_copy(update={"guest_role": "viewer"})
    assert "No such incidents" in await said(lab, "list", user)
    assert "your role viewer does not allow this" in (await said(lab, "declare x", user)).lower()
    lab.settings = lab.settings.model_copy(update={"guest_role": "responder"})
    assert "Declared" in await said(lab, "declare x", user)


async def test_a_guest_who_is_a_member_of_ours_has_that_role(strict: ChatLab, slack: TwinControl) -> None:
    user = await add(slack, "visitor", guest="multi")
    await member(strict, "visitor", role="responder")
    assert "Declared" in await said(strict, "declare x", user)


async def test_who_becomes_a_guest_or_leaves_is_refused_from_then_on(
    strict: ChatLab, slack: TwinControl
) -> None:
    lab = strict
    assert "Declared" in await said(lab, "declare one", "U0CAT")
    await slack.act("change_user", user="cat", set={"guest": "single"})
    await changed(lab, "U0CAT", 1)
    assert "You are a guest in Slack" in await said(lab, "declare two", "U0CAT")
    await slack.act("change_user", user="cat", set={"guest": None})
    await changed(lab, "U0CAT", 2)
    assert "Declared" in await said(lab, "declare two", "U0CAT")
    await member(lab, "cat", role="admin")
    await slack.act("deactivate_user", user="cat")
    await changed(lab, "U0CAT", 3)
    assert "Your account in Slack is deactivated" in await said(lab, "declare three", "U0CAT")
    assert await count(lab) == 2
    # Whoever nobody knows here is not asked about because their profile changed.
    calls = lab.calls
    await changed(lab, "U0DAN", 4)
    assert lab.calls == calls


async def changed(lab: ChatLab, user: str, number: int) -> None:
    event = event_of(
        {
            "type": "event_callback",
            "team_id": "T01ACC",
            "event_id": f"EvChanged{number}",
            "event": {"type": "user_change", "user": {"id": user}},
        }
    )
    assert event is not None
    assert event.kind is ChatEventKind.PERSON_CHANGED
    await lab.dispatcher.handle(lab.workspace, event)
    await lab.run_jobs()


async def test_a_platform_that_does_not_tell_in_time_lets_nobody_new_in_yet(strict: ChatLab) -> None:
    lab = strict
    assert "Declared" in await said(lab, "declare one", "U0BOB")
    provider = lab.provider
    assert isinstance(provider, Wrapped)

    async def down(*_args: object) -> None:
        raise UnavailableError("Slack is down")

    provider.spoiled["look_up"] = down
    assert "Declared" in await said(lab, "declare two", "U0BOB")  # who is known is not asked about
    answer = await said(lab, "declare three")
    assert "Slack did not say in time whether you belong to the workspace" in answer
    assert "Try again in a moment" in answer
    calls = lab.calls
    assert "did not say in time" in await said(lab, "declare three")
    assert lab.calls == calls  # not asked again with every try
    provider.spoiled.clear()
    lab.clock.advance(ASKED_AGAIN_AFTER + timedelta(seconds=1))
    assert "Declared" in await said(lab, "declare three")
    assert PATIENCE + groups.PATIENCE < 2.5  # of the three seconds that the platform gives


async def test_a_mention_and_files_of_a_guest_are_refused_too(
    strict: ChatLab, workspace: Slack, slack: TwinControl
) -> None:
    lab = strict
    await said(lab, "declare sev1 checkout is down", "U0BOB")
    await slack.act("change_user", user="ann", set={"guest": "multi"})
    [answer] = await told(lab, workspace, "<@U0CALLOUT> resolve INC-1", 1)
    assert "You are a guest in Slack" in answer
    home = ChatEvent(ChatEventKind.HOME_OPENED, "EvHome", "T01ACC", Person("U0ANN"))
    await lab.dispatcher.handle(lab.workspace, home)
    await lab.run_jobs()
    assert "You are a guest in Slack" in str(slack.get("state")["homes"]["U0ANN"])


async def test_how_slack_tells_them_apart(chat: SlackChat, slack: TwinControl) -> None:
    guest, stranger = await add(slack, "guest", guest="multi"), await add(slack, "other", stranger=True)
    found = {user: await chat.look_up(user) for user in ("U0ANN", guest, stranger, "U0GONE", "U0BOTACC")}
    assert {user: None if one is None else one.membership for user, one in found.items()} == {
        "U0ANN": Membership.MEMBER,
        guest: Membership.GUEST,
        stranger: Membership.EXTERNAL,
        "U0GONE": Membership.GONE,
        "U0BOTACC": Membership.PROGRAM,
    }
    other = found[stranger]
    assert other is not None
    assert other.person.email == ""  # an address that the other organization wrote
    assert await chat.look_up("U0NOBODY") is None

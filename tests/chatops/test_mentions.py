"""What is said to us in plain words, from the platform's envelope to the thread: commands, questions back, silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from callout.chatops.intent import Intent
from callout.chatops.offering import offered
from callout.connectors.slack.events import event_of
from callout.ports.chat import ChatEvent
from callout.ports.errors import UnavailableError
from callout.ports.values import Status
from tests.chatops.lab import ChatLab, Wrapped
from tests.chatops.test_notifications import INCIDENTS, Slack, workspace

__all__ = ["workspace"]

US = "U0CALLOUT"


def mention(text: str, ts: str, *, event_id: str) -> ChatEvent:
    event = event_of(
        {
            "type": "event_callback",
            "team_id": "T01ACC",
            "event_id": event_id,
            "authorizations": [{"team_id": "T01ACC", "user_id": US, "is_bot": True}],
            "event": {"type": "app_mention", "user": "U0ANN", "text": text, "ts": ts, "channel": INCIDENTS},
        }
    )
    assert event is not None
    return event


async def told(lab: ChatLab, workspace: Slack, text: str, number: int) -> list[str]:
    """Say `text` in the channel, and return what is answered in its thread."""
    ts = workspace.web.chat_postMessage(channel=INCIDENTS, text="(stands for what Ann says)")["ts"]
    await lab.dispatcher.handle(lab.workspace, mention(text, ts, event_id=f"Ev{number}"))
    await lab.run_jobs()
    return workspace.replies(INCIDENTS, ts)


async def test_an_ask_is_answered_in_the_thread_with_what_was_read_and_chatter_is_not(
    lab: ChatLab, workspace: Slack
) -> None:
    await lab.type("declare checkout is down")
    [asked] = await told(lab, workspace, f"<@{US}> can we resolve INC-1 or set it to sev2?", 1)
    assert "I am not sure what you mean, so I did nothing." in asked
    assert "resolve INC-1`" in asked
    assert "severity INC-1 SEV-2`" in asked
    assert asked.count("\n\u2022") + asked.count("\n- ") <= 3
    [once] = await told(lab, workspace, f"<@{US}> INC-1 close resolve ack reopen escalate", 2)
    assert once.count("INC-1`") == 3
    assert await told(lab, workspace, f"<@{US}> good morning", 3) == []
    assert await told(lab, workspace, f"<@{US}> thank you <@U0BOB>", 4) == []
    assert (await lab.incident()).status is Status.OPEN


async def test_we_are_nobody_wherever_we_are_named(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare checkout is down")
    await told(lab, workspace, f"hey <@{US}|callout> please ack INC-1 <@{US}> thanks", 1)
    assert (await lab.incident()).status is Status.ACKNOWLEDGED
    [asked] = await told(lab, workspace, f"assign INC-1 to <@{US}>", 2)
    assert "not sure" in asked
    assert (await lab.incident()).assignee is None
    await told(lab, workspace, f"<@{US}> assign INC-1 to <@U0BOB>", 3)
    found = (await lab.incident()).assignee
    assert found is not None
    assert found.id.endswith("U0BOB")


async def test_a_task_is_ticked_off_and_who_is_not_known_gets_nothing(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare checkout is down")
    await told(lab, workspace, f"<@{US}> someone needs to call the vendor, make it a task on INC-1", 1)
    [asked] = await told(lab, workspace, f"<@{US}> task #1 on INC-1 done?", 2)
    assert "task INC-1 done 1`" in asked
    [ticked] = await told(lab, workspace, f"ok that was quick. <@{US}> check off task #1 on INC-1", 3)
    assert "call the vendor" in ticked
    assert "No open" in ticked
    [refused] = await told(lab, workspace, f"<@{US}> assign INC-1 to priya", 4)
    assert "priya" in refused
    assert (await lab.incident()).assignee is None


async def test_what_is_said_to_somebody_else_is_not_said_to_us(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare checkout is down")
    await told(lab, workspace, f"<@U0BOB> resolve INC-1 (<@{US}> listens)", 1)
    await told(lab, workspace, "<@U0BOB> resolve INC-1", 2)
    assert (await lab.incident()).status is Status.OPEN


@pytest.mark.parametrize(
    ("command", "slots", "line"),
    [
        ("close", {"incident": "INC-4"}, "close INC-4"),
        ("close", {}, "close"),
        ("severity", {"incident": "INC-4", "severity": "SEV-2"}, "severity INC-4 SEV-2"),
        ("severity", {"incident": "INC-4"}, "severity"),
        ("assign", {"incident": "INC-4", "person": "@bob"}, "assign INC-4 @bob"),
        ("role", {"incident": "INC-4", "role": "scribe", "person": "me"}, "role INC-4 scribe me"),
        (
            "note",
            {"incident": "INC-4", "audience": "internal", "text": "a `b`"},
            "note INC-4 a 'b' --internal",
        ),
        (
            "declare",
            {"severity": "SEV-1", "title": "db", "service": "api"},
            "declare SEV-1 db --service api",
        ),
        ("task", {"incident": "INC-4", "done": "2"}, "task INC-4 done 2"),
        ("page", {"people": ["@a", "@b"]}, "page"),
        ("note", {"incident": "INC-4", "text": "x" * 200}, "note"),
    ],
)
def test_what_is_offered_can_be_typed(command: str, slots: Mapping[str, Any], line: str) -> None:
    assert offered(Intent(command, slots)) == line


async def _down(*_args: object) -> None:
    raise UnavailableError("Slack is down")


async def test_somebody_never_seen_gets_a_role_by_id_and_a_name_right_after(lab: ChatLab) -> None:
    await lab.type("declare checkout is down")
    provider = lab.provider
    assert isinstance(provider, Wrapped)
    provider.spoiled["get_person"] = _down
    answer = await lab.type("assign INC-1 <@U0BOB>")
    assert answer.text == "**INC-1**: assignee is U0BOB now."
    provider.spoiled.clear()
    answer = await lab.type(
        "role INC-1 communications <@U0DAN>"
    )  # the platform tells at once how he is called
    assert answer.text == "**INC-1**: communications is dan now."
    await lab.type("role INC-1 scribe <@U0CAT>")
    await lab.type("role INC-1 scribe me")  # somebody else has it before the directory answers
    await lab.run_jobs()
    found = (await lab.incident()).assignee
    assert found is not None
    assert (found.name, found.email) == ("bob", "bob@example.com")
    holders = await lab.tx(lambda tx: lab.incidents.roles.holders(tx, "INC-1"))
    assert {one.person.email for one in holders if one.role == "communications"} == {"dan@example.com"}
    assert {one.role: one.person.id.rpartition("/")[2] for one in holders} == {
        "assignee": "U0BOB",
        "communications": "U0DAN",
        "scribe": "U0ANN",
    }
    assert await lab.waiting() == []

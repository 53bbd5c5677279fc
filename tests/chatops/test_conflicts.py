"""Conflicts in chat, on both databases: told once in the incident's channel, edited as they change, resolved by a button."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callout.chatops import cards, tickets
from callout.chatops.store import MessageState
from callout.kit.ids import new_id
from callout.ports.chat import Answer
from callout.ports.errors import UnavailableError
from callout.ports.values import Actor, ActorKind, Channel, Origin
from callout.storage import AccountTx
from callout.sync import Base, FieldConflict, Link, LinkState, LinkStatus, links
from callout.sync.conflicts import CONFLICT_EVENT
from callout.sync.links import SyncProblem
from tests.chatops.lab import ACCOUNT, SETTINGS, ChatLab
from tests.chatops.test_notifications import CRITICAL, Slack, rows, workspace

__all__ = ["workspace"]
JIRA = Origin(Channel.SYNC, Actor(ActorKind.VENDOR_USER, "jira:5", "Jo from Jira"), integration_id="jira-1")


async def conflicted(lab: ChatLab, *, theirs: str = "LOW", link: Link | None = None) -> Link:
    """Let the incident's ticket be in conflict about the severity, as a merge leaves it."""
    incident = await lab.incident()
    conflict = FieldConflict("severity", "SEV-1", theirs, Base("SEV-2", "HIGH"))
    state = LinkState({"severity": conflict.base}, {}, {"severity": conflict})
    fresh = link or Link(
        id=new_id(),
        account_id=ACCOUNT,
        incident_id=incident.id,
        integration_id="jira-1",
        mark="callout-inc-1",
        status=LinkStatus.ACTIVE,
        created_at=lab.clock.now(),
        ticket_id="1",
        ticket_key="TST-1",
        ticket_url="https://jira.example/browse/TST-1",
    )
    changed = replace(fresh, merge=state)

    async def unit(tx: AccountTx) -> None:
        if link is None:
            await links.insert(tx, changed)
        else:
            await links.save(tx, changed, lab.clock.now())
        await tell(lab, tx, incident.id, changed)

    await lab.tx(unit)
    return changed


async def tell(lab: ChatLab, tx: AccountTx, incident_id: str, link: Link) -> None:
    edit = await lab.incidents.edit(tx, incident_id)
    edit.event(CONFLICT_EVENT, {"link_id": link.id}, origin=JIRA)
    await edit.save()


async def ended(lab: ChatLab, link: Link) -> None:
    """Both sides came to mean the same."""

    async def unit(tx: AccountTx) -> None:
        await links.save(tx, replace(link, merge=LinkState()), lab.clock.now())
        edit = await lab.incidents.edit(tx, link.incident_id)
        edit.entry("sync_conflict_ended", {"field": "severity", "link_id": link.id}, origin=JIRA)
        edit.event(CONFLICT_EVENT, {"link_id": link.id}, origin=JIRA)
        await edit.save()

    await lab.tx(unit)


def about(slack: Slack, channel: str, words: str) -> list[dict[str, Any]]:
    return [message for message in slack.posts(channel) if words in json.dumps(message)]


async def own(slack: Slack) -> str:
    found = slack.channel("inc-1-checkout-is-down")
    assert found is not None
    return str(found["id"])


def seen(lab_message: dict[str, Any]) -> dict[str, str]:
    """Return the values of the buttons by their action."""
    return {
        element["action_id"]: element["value"]
        for attachment in lab_message["attachments"]
        for block in attachment["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
        if "value" in element
    }


async def test_a_conflict_is_told_once_follows_its_values_and_says_how_it_ended(
    lab: ChatLab, workspace: Slack
) -> None:
    await lab.type("declare sev1 checkout is down")
    link = await conflicted(lab)
    await lab.run_jobs()
    channel = await own(workspace)
    [message] = about(workspace, channel, "do not agree")
    assert set(seen(message)) == {"conflict.ours", "conflict.theirs", "form.conflict"}
    await lab.tx(lambda tx: tell(lab, tx, link.incident_id, link))  # told again: nothing is posted
    posted = workspace.posted()
    await lab.run_jobs()
    assert workspace.posted() == posted

    link = await conflicted(lab, theirs="MEDIUM", link=link)
    await lab.run_jobs()
    [message] = about(workspace, channel, "MEDIUM")
    assert workspace.posted() == posted

    await ended(lab, link)
    await lab.run_jobs()
    assert about(workspace, channel, "do not agree") == []
    [message] = about(workspace, channel, "both sides mean the same")
    assert seen(message) == {}

    await conflicted(lab, link=link)  # the next one is a message of its own
    await lab.run_jobs()
    assert len(about(workspace, channel, "do not agree")) == 1
    assert len(about(workspace, channel, "both sides mean the same")) == 1
    assert lab.calls > 0


async def test_a_button_resolves_and_a_second_press_changes_nothing(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare sev1 checkout is down")
    link = await conflicted(lab)
    await lab.run_jobs()
    [message] = about(workspace, await own(workspace), "do not agree")
    value = seen(message)["conflict.theirs"]

    await lab.press("conflict.theirs", value)
    await lab.press("conflict.ours", value)
    await lab.run_jobs()

    assert str((await lab.incident()).severity) == "SEV-4"
    stored = await lab.tx(lambda tx: links.load(tx, link.id))
    assert (stored.merge.conflicts, stored.merge.bases["severity"]) == ({}, Base("SEV-4", "LOW"))
    [line] = [entry for entry in await lab.timeline() if entry.kind == "sync_conflict_resolved"]
    assert (line.origin.actor.kind, line.origin.channel) == (ActorKind.CHAT_USER, Channel.CHAT)
    [message] = about(workspace, await own(workspace), "took theirs")
    assert "ann" in json.dumps(message)


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("conflict.theirs", "nothing"),
        ("conflict.value", "a/severity/b"),
        ("conflict.", "a/b/c"),
        ("conflict.theirs", "nobody/severity/abc"),
    ],
)
async def test_a_button_that_is_none_of_ours_does_nothing(lab: ChatLab, action: str, value: str) -> None:
    await lab.type("declare sev1 checkout is down")
    await conflicted(lab)
    before = len(await lab.timeline())
    await lab.press(action, value)
    assert str((await lab.incident()).severity) == "SEV-1"
    assert len(await lab.timeline()) == before


async def test_a_stale_button_is_refused_and_so_is_one_whose_presser_may_not(lab: ChatLab) -> None:
    await lab.type("declare sev1 checkout is down")
    link = await conflicted(lab)
    [shown] = await lab.tx(lambda tx: lab.context.conflicts.of_incident(tx, "INC-1"))
    button = f"{link.id}/severity/{shown.seen}"
    await conflicted(lab, theirs="MEDIUM", link=link)
    await lab.press("conflict.theirs", button)
    assert str((await lab.incident()).severity) == "SEV-1"

    lab.settings = SETTINGS.model_copy(update={"default_role": "viewer"})
    [shown] = await lab.tx(lambda tx: lab.context.conflicts.of_incident(tx, "INC-1"))
    await lab.press("conflict.theirs", f"{link.id}/severity/{shown.seen}")
    assert str((await lab.incident()).severity) == "SEV-1"
    answer = await lab.type("sync INC-1")
    assert answer.card is not None  # looking is allowed


async def test_without_a_channel_of_its_own_it_is_told_under_the_card(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = SETTINGS.model_copy(update={"incident_channels": False})
    await lab.type("declare sev1 checkout is down")
    await lab.run_jobs()
    await conflicted(lab)
    await lab.run_jobs()
    [card] = workspace.cards(CRITICAL)
    assert [text for text in workspace.replies(CRITICAL, card["ts"]) if "do not agree" in text]


async def test_slack_being_down_delays_the_message_and_doubles_nothing(
    lab: ChatLab, workspace: Slack
) -> None:
    await lab.type("declare sev1 checkout is down")
    await lab.run_jobs()

    async def down(*_given: Any, **_options: Any) -> None:
        raise UnavailableError("down")

    lab.provider.spoiled["post_message"] = down  # type: ignore[attr-defined]
    link = await conflicted(lab)
    await lab.run_jobs()
    lab.provider.spoiled.clear()  # type: ignore[attr-defined]
    await lab.run_later(timedelta(minutes=3))
    assert len(about(workspace, await own(workspace), "do not agree")) == 1
    row = (await rows(lab))[f"conflict {link.id}/severity"]
    assert row.state is MessageState.SENT


async def test_a_conflict_that_was_over_before_it_could_be_told_is_not_told(
    lab: ChatLab, workspace: Slack
) -> None:
    await lab.type("declare sev1 checkout is down")
    await lab.run_jobs()

    async def down(*_given: Any, **_options: Any) -> None:
        raise UnavailableError("down")

    lab.provider.spoiled["post_message"] = down  # type: ignore[attr-defined]
    link = await conflicted(lab)
    await lab.run_jobs()
    await ended(lab, link)
    lab.provider.spoiled.clear()  # type: ignore[attr-defined]
    await lab.run_later(timedelta(minutes=3))
    channel = await own(workspace)
    assert about(workspace, channel, "do not agree") == about(workspace, channel, "settled") == []


async def test_sync_shows_every_ticket_with_its_state_and_what_is_wrong(lab: ChatLab) -> None:
    await lab.type("declare sev1 checkout is down")
    answer = await lab.type("sync INC-1")
    assert answer.card is not None
    assert answer.card.text == "It has no ticket."
    link = await conflicted(lab)
    answer = await lab.type("sync INC-1")
    assert answer.card is not None
    first, second = answer.card.sections
    assert "[TST\\-1](https://jira.example/browse/TST-1)" in first.text
    assert "waits for a decision" in first.text
    assert second.text == "**severity**: here “SEV\\-1”, there “LOW” (“SEV\\-4” here)"
    assert [button.action for button in second.buttons] == ["sync.ours", "sync.theirs", "form.conflict"]
    assert cards.answer_from_json(cards.answer_json(answer)) == answer

    problem = SyncProblem("X", "priority *is* refused", "Map it", lab.clock.now())
    broken = replace(link, problem=problem, retry_at=lab.clock.now(), ticket_url="javascript:x")
    await lab.tx(lambda tx: links.save(tx, broken, lab.clock.now()))
    answer = await lab.type("sync INC-1")
    assert answer.card is not None
    text = answer.card.sections[0].text
    assert "not in step" in text
    assert "priority \\*is\\* refused" in text
    assert "tried again at" in text
    assert "javascript" not in text

    everywhere = await lab.type("conflicts")
    assert everywhere.card is not None
    assert "INC-1" in everywhere.card.sections[0].text
    await ended(lab, broken)
    nothing = await lab.type("sync")
    assert nothing.card is not None
    assert "None" in nothing.card.text


async def test_the_answer_to_sync_is_replaced_after_a_press(lab: ChatLab) -> None:
    given: list[tuple[Answer, bool]] = []

    async def respond(_real: Any, _response: str, answer: Answer, *, replace: bool = False) -> None:
        given.append((answer, replace))

    lab.provider.spoiled["respond"] = respond  # type: ignore[attr-defined]
    await lab.type("declare sev1 checkout is down")
    await conflicted(lab)
    shown = await lab.type("sync INC-1")
    assert shown.card is not None
    button = shown.card.sections[1].buttons[0]
    await lab.press(button.action, button.value, response="https://hooks.slack.com/actions/x")
    await lab.press(button.action, button.value, response="https://hooks.slack.com/actions/x")
    await lab.run_jobs()
    (fresh, replaced), (refusal, kept) = sorted(
        given, key=lambda one: not one[1]
    )  # the two jobs are of no order
    assert (replaced, kept) == (True, False)
    assert fresh.card is not None
    assert [part.buttons for part in fresh.card.sections] == [()]
    assert "no open conflict" in refusal.text.replace("\\", "")


def test_a_pressed_button_is_read_back() -> None:
    found = tickets.pressed("sync.ours", "link-1/severity/abc")
    assert found is not None
    assert (found[0], found[1], found[2].choice, found[2].seen) == ("link-1", "severity", "ours", "abc")
    for action, value in (("incident.ours", "a/b/c"), ("conflict.mine", "a/b/c"), ("conflict.ours", "a/b")):
        assert tickets.pressed(action, value) is None

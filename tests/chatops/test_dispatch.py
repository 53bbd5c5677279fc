"""Commands and buttons: what they do to incidents and what they answer, on both databases, with no vendor call."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from callout.access import Organizations
from callout.audit import Audit
from callout.chatops import store
from callout.incidents import DeclareIncident
from callout.ports.chat import ChannelRef, ChatEvent, ChatEventKind, MessageRef
from callout.ports.errors import NotFoundError
from callout.ports.values import Actor, ActorKind, Audience, Channel, Origin, Person, Severity, Status
from callout.storage import AccountTx, Tx
from tests.chatops.lab import SETTINGS, ChatLab


async def test_declare_answers_at_once_and_calls_no_vendor(lab: ChatLab) -> None:
    answer = await lab.type("declare sev1 checkout is down --service checkout")
    assert "SEV-1 INC-1" in answer.text
    assert answer.card is not None
    assert answer.card.title == "SEV-1 INC-1 checkout is down"
    assert answer.card.link == "https://callout.example/incidents/INC-1"
    assert not answer.in_channel
    incident = await lab.incident()
    assert (incident.severity, incident.service, incident.status) == (Severity(1), "checkout", Status.OPEN)
    assert incident.declared_by == Person("chat_user:chat_slack/T01ACC/U0ANN", "u0ann")
    assert lab.calls == 0


async def test_the_whole_life_by_commands(lab: ChatLab) -> None:
    await lab.type("declare db is down")
    assert (await lab.type("ack INC-1")).text == "**INC-1** is acknowledged."
    assert (await lab.type("mitigate 1")).text == "**INC-1** is mitigated."
    assert (await lab.type("resolve INC-1 rolled back")).text == "**INC-1** is resolved."
    assert (await lab.type("close INC-1")).text == "**INC-1** is closed."
    assert (await lab.type("reopen INC-1")).text == "**INC-1** is open again."
    await lab.type("severity INC-1 sev1")
    await lab.type("title INC-1 database is down")
    incident = await lab.incident()
    assert (incident.status, incident.severity, incident.title) == (
        Status.OPEN,
        Severity(1),
        "database is down",
    )
    notes = await lab.tx(lambda tx: lab.incidents.notes(tx, "INC-1"))
    assert [note.text for note in notes] == ["rolled back"]
    assert {entry.origin.channel for entry in await lab.timeline()} == {Channel.CHAT}
    assert lab.calls == 0


async def test_an_illegal_move_is_answered_with_what_is_possible(lab: ChatLab) -> None:
    await lab.type("declare db is down")
    answer = await lab.type("close INC-1")
    assert "cannot close" in answer.text
    assert "acknowledge" in answer.text
    assert (await lab.incident()).status is Status.OPEN


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("ack", "which incident"),
        ("ack INC-99", "INC"),
        ("delcare x", "`/im declare"),
        ("declare", "Say what is broken"),
        ("help list", "List incidents"),
        ("list", "No such incidents"),
    ],
)
async def test_what_cannot_be_done_is_answered_in_words(lab: ChatLab, typed: str, words: str) -> None:
    answer = (await lab.type(typed)).text.replace("\\", "")
    assert words.lower() in answer.lower()
    with pytest.raises(NotFoundError):
        await lab.incident()


async def test_what_is_so_already_is_said_to_be(lab: ChatLab) -> None:
    await lab.type("declare db is down")
    await lab.type("ack INC-1")
    answer = (await lab.type("ack INC-1 me too")).text.replace("\\", "")
    assert answer == "INC-1 is acknowledged already. To write down what you said: /im note INC-1 text."
    assert "is acknowledged already. /im status INC-1 shows" in (await lab.type("ack INC-1")).text.replace(
        "\\", ""
    )


async def test_a_title_that_is_too_long_is_cut_and_nothing_of_it_is_lost(lab: ChatLab) -> None:
    text = "the pool of the database is exhausted and " * 10
    answer = await lab.type(f"declare sev2 {text} --description see the graph")
    assert "the whole text is in the description" in answer.text
    incident = await lab.incident()
    assert len(incident.title) <= 255
    assert incident.title.endswith("…")
    assert incident.description == f"{' '.join(text.split())} the graph\n\nsee"


async def test_a_repeated_command_acts_once_and_gets_the_same_answer(lab: ChatLab) -> None:
    first = await lab.type("declare db is down", invocation="13.37.abc")
    again = await lab.type("declare db is down", invocation="13.37.abc")
    assert again == first
    with pytest.raises(NotFoundError):
        await lab.incident("INC-2")
    refused = await lab.type("close INC-1", invocation="13.37.def")
    await lab.type("resolve INC-1")
    assert await lab.type("close INC-1", invocation="13.37.def") == refused
    assert (await lab.incident()).status is Status.RESOLVED


async def test_twins_of_one_command_at_the_same_moment_act_once(lab: ChatLab) -> None:
    answers = await asyncio.gather(*(lab.type("declare db", invocation="same") for _ in range(5)))
    assert len({answer.text for answer in answers}) == 1
    with pytest.raises(NotFoundError):
        await lab.incident("INC-2")


async def test_old_invocations_can_be_forgotten(lab: ChatLab) -> None:
    await lab.type("declare db", invocation="old")
    later = lab.clock.now() + timedelta(days=2)
    assert await lab.database.transaction(lambda tx: store.forget_invocations(tx, later)) == 1


async def test_in_its_own_channel_an_incident_needs_no_key(lab: ChatLab) -> None:
    await lab.type("declare db is down")
    await lab.run_jobs()
    incident = await lab.incident()
    own = await lab.tx(lambda tx: store.channel(tx, "slack-1", incident.id))
    assert own is not None
    assert (await lab.type("ack", channel=own.channel_id)).text == "**INC-1** is acknowledged."
    shown = await lab.type("status", channel=own.channel_id)
    assert shown.card is not None
    assert shown.card.title.startswith("SEV-3 INC-1")


async def test_status_elsewhere_lists_what_is_active(lab: ChatLab) -> None:
    await lab.type("declare sev1 db")
    await lab.type("declare sev2 search")
    await lab.type("resolve INC-2")
    assert "INC\\-1" in (await lab.type("status")).text
    assert "INC\\-2" not in (await lab.type("list")).text
    assert "INC\\-2" in (await lab.type("list all")).text
    assert "INC\\-1" not in (await lab.type("list all sev2")).text


async def test_notes_have_an_audience(lab: ChatLab) -> None:
    await lab.type("declare db")
    await lab.type("note INC-1 --internal we broke it")
    await lab.type("note INC-1 all is well --customer")
    notes = await lab.tx(lambda tx: lab.incidents.notes(tx, "INC-1"))
    assert [(note.text, note.audience) for note in notes] == [
        ("we broke it", Audience.INTERNAL),
        ("all is well", Audience.CUSTOMER),
    ]


# ------------------------------------------------------------------------------------------------- who may


async def test_unknown_people_have_the_default_role(lab: ChatLab) -> None:
    lab.settings = SETTINGS.model_copy(update={"default_role": "viewer"})
    assert "viewer" in (await lab.type("declare db")).text
    assert "No such incidents" in (await lab.type("list")).text
    lab.settings = SETTINGS.model_copy(update={"default_role": "none"})
    assert "no role" in (await lab.type("list")).text
    shown = (await lab.type("help")).card
    assert shown is not None
    assert "/im ack" in shown.sections[0].text
    assert await lab.type("") == await lab.type("help")


async def test_a_members_own_role_counts_once_their_email_is_known(lab: ChatLab) -> None:
    async def add_member(tx: Tx) -> str:
        actor = Actor.system()
        await Organizations(lab.clock, Audit(lab.clock)).ensure(tx)
        member = await lab.members.create(
            tx, actor=actor, name="ann", fullname="Ann Ames", email="ann@example.com", role="viewer"
        )
        return member.id

    member_id = await lab.database.transaction(add_member)
    await lab.type("declare db")
    assert (await lab.incident()).declared_by is not None
    await lab.run_jobs()  # looks the new person up in Slack's directory
    assert "viewer" in (await lab.type("declare db")).text
    found = await lab.tx(lambda tx: lab.identities.find(tx.system, "chat_slack", "T01ACC", "U0ANN"))
    assert found is not None
    assert (found.member_id, found.email) == (member_id, "ann@example.com")
    assert found.actor.kind is ActorKind.MEMBER


async def test_another_workspace_is_turned_away(lab: ChatLab) -> None:
    lab.settings = SETTINGS.model_copy(update={"team": "T02OTHER"})
    assert "not connected" in (await lab.type("declare db")).text
    with pytest.raises(NotFoundError):
        await lab.incident()


# ------------------------------------------------------------------------------------------------- buttons


async def test_a_button_acts_once(lab: ChatLab) -> None:
    await lab.type("declare db")
    incident = await lab.incident()
    assert (await lab.press("incident.acknowledge", incident.id, invocation="p1")).text == ""
    await lab.press("incident.acknowledge", incident.id, invocation="p1")
    assert (await lab.incident()).status is Status.ACKNOWLEDGED
    assert len([entry for entry in await lab.timeline() if entry.kind == "changed"]) == 1
    assert lab.calls == 0


async def test_a_button_that_is_too_late_is_told_to_the_person_alone(lab: ChatLab) -> None:
    await lab.type("declare db")
    incident = await lab.incident()
    await lab.run_jobs()
    await lab.type("ack INC-1")
    await lab.press(
        "incident.acknowledge", incident.id, response="https://hooks.slack.com/actions/1", invocation="p1"
    )
    await lab.press(
        "incident.acknowledge", incident.id, response="https://hooks.slack.com/actions/1", invocation="p1"
    )
    assert (await lab.waiting()).count("chat.respond") == 1


@pytest.mark.parametrize("action", ["acknowledge", "incident.destroy", "incident.", "link", ""])
async def test_unknown_buttons_do_nothing(lab: ChatLab, action: str) -> None:
    await lab.type("declare db")
    incident = await lab.incident()
    await lab.press(action, incident.id)
    assert (await lab.incident()).version == incident.version


async def test_a_button_of_another_account_finds_nothing(lab: ChatLab) -> None:
    async def elsewhere(tx: Tx) -> str:
        origin = Origin(Channel.API, Actor.system())
        return (await lab.incidents.declare(tx.account("other"), DeclareIncident("theirs"), origin)).id

    theirs = await lab.database.transaction(elsewhere)
    await lab.press("incident.acknowledge", theirs)

    async def read(tx: Tx) -> Status:
        return (await lab.incidents.get(tx.account("other"), theirs)).status

    assert await lab.database.read(read) is Status.OPEN


# ------------------------------------------------------------------------------------------------ mentions


def mention(text: str, event_id: str = "Ev01") -> ChatEvent:
    return ChatEvent(
        kind=ChatEventKind.MENTION,
        id=event_id,
        team="T01ACC",
        user=Person("U0ANN"),
        channel=ChannelRef("C0INCIDENTS"),
        message=MessageRef("C0INCIDENTS", "1712345678.000100"),
        text=text,
    )


async def test_a_mention_is_a_command_answered_in_its_thread_once(lab: ChatLab) -> None:
    for _ in range(3):  # Slack's retries carry the same event id
        assert (await lab.dispatcher.handle(lab.workspace, mention("declare sev2 db"))).text == ""
    assert (await lab.incident()).severity == Severity(2)
    assert (await lab.waiting()).count("chat.reply") == 1
    assert lab.calls == 0


async def test_other_events_do_nothing(lab: ChatLab) -> None:
    event = ChatEvent(ChatEventKind.CHANNEL_ARCHIVED, "Ev9", "T01ACC")
    assert (await lab.dispatcher.handle(lab.workspace, event)).text == ""

    async def none(tx: AccountTx) -> object:
        return await store.answer(tx, "slack-1", "Ev9")

    assert await lab.tx(none) is None

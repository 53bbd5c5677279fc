"""The commands beside declaring and moving: people, roles, tasks, tickets, what happened. On both databases, with no vendor call."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from callout.access import Member, Organizations
from callout.audit import Audit
from callout.audit.tables import audit_log
from callout.chatops import store
from callout.chatops.grammar import VERBS
from callout.chatops.handlers import Asked
from callout.chatops.messages import add_to_timeline
from callout.chatops.speakers import speaker_of
from callout.incidents import DeclareIncident
from callout.ports.chat import ChannelRef, ChatEvent, ChatEventKind, MessageRef
from callout.ports.errors import ForbiddenError
from callout.ports.values import Actor, Audience, Channel, Origin, Person
from callout.storage import AccountTx, Tx
from callout.sync import links
from tests.chatops.lab import SETTINGS, ChatLab
from tests.chatops.test_dispatch import mention

ANN = "chat_user:chat_slack/T01ACC/U0ANN"


async def said(lab: ChatLab, text: str, **more: str) -> str:
    """Let Ann type a command and return all words of the answer, without the marks of Markdown."""
    answer = await lab.type(text, **more)
    parts = [answer.text]
    if answer.card is not None:
        parts += [answer.card.title, answer.card.text]
        parts += [f"{fact.label} {fact.value}" for fact in answer.card.facts]
        parts += [part.text for part in answer.card.sections]
    return "\n".join(filter(None, parts)).replace("\\", "").replace("**", "")


async def member(lab: ChatLab, name: str = "bob", role: str = "responder") -> Member:
    async def unit(tx: Tx) -> Member:
        await Organizations(lab.clock, Audit(lab.clock)).ensure(tx)
        return await lab.members.create(
            tx,
            actor=Actor.system(),
            name=name,
            fullname=f"{name.title()} Builder",
            email=f"{name}@example.com",
            role=role,
        )

    return await lab.database.transaction(unit)


@pytest.fixture
async def declared(lab: ChatLab) -> ChatLab:
    await lab.type("declare sev2 checkout is down --service checkout")
    return lab


# -------------------------------------------------------------------------------------------------- people


async def test_assign_knows_people_by_name_address_and_mention(declared: ChatLab) -> None:
    lab, bob = declared, await member(declared)
    assert await said(lab, "assign INC-1 me") == "INC-1: assignee is u0ann now."
    assert (await lab.incident()).assignee == Person(ANN, "u0ann")
    for typed in ("@bob", "bob@example.com", "to <mailto:bob@example.com|bob@example.com>", "BOB"):
        await lab.type("assign INC-1 nobody")
        assert (await lab.incident()).assignee is None
        assert await said(lab, f"assign INC-1 {typed}") == "INC-1: assignee is Bob Builder now."
        assert (await lab.incident()).assignee == Person(f"member:{bob.id}", "Bob Builder", "bob@example.com")
    await said(lab, "assign INC-1 <@U0BOB|bob>")
    assert (await lab.incident()).assignee == Person("chat_user:chat_slack/T01ACC/U0BOB", "bob")
    assert lab.calls == 0
    await lab.run_jobs()  # the platform's directory says who U0BOB is
    await said(lab, "assign INC-1 <@U0BOB>")
    found = (await lab.incident()).assignee
    assert found is not None
    assert (found.id, found.email) == (f"member:{bob.id}", "bob@example.com")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("assign INC-1 @nobody-here", "nobody called nobody-here is known here"),
        ("role INC-1 scrib me", "did you mean scribe?"),
        ("role INC-1 scribe @ghost", "nobody called ghost"),
        ("who INC-1 pope", "there is no role 'pope'"),
        ("task done 9", "which incident"),
        ("task INC-1 done 9", "has no task 9"),
        ("task INC-1 x --due soon", "'soon' is not a time"),
        ("list --period 2h INC-1", "neither a status nor a severity"),
        ("link INC-1 OPS-1 --integration nowhere", "no ticketing integration 'nowhere'"),
        ("link INC-1 https://jira.example.com/", "no ticket can be seen"),
        ("page INC-1 @bob", "nobody can be called from here"),
        ("escalate INC-1", "nobody can be called from here"),
        ("changes INC-9", "no incident 'INC-9'"),
        ("asign INC-1 @bob", "/im assign"),
    ],
)
async def test_what_cannot_be_is_answered_in_words_and_changes_nothing(
    declared: ChatLab, typed: str, words: str
) -> None:
    assert words.lower() in (await said(declared, typed)).lower()
    assert (await declared.incident()).version == 1
    assert [line.kind for line in await declared.timeline()] == ["declared"]


async def test_two_people_of_one_name_are_not_guessed_between(declared: ChatLab) -> None:
    async def meet(tx: AccountTx) -> None:
        for user in ("U1", "U2"):
            await declared.identities.remember(tx.system, "chat_slack", "T01ACC", Person(user, "Sam"))

    await declared.tx(meet)
    assert "several people are called sam" in (await said(declared, "assign INC-1 @sam")).lower()


async def test_roles_and_participants_and_who_is_on_it(declared: ChatLab) -> None:
    lab = declared
    await member(lab)
    assert await said(lab, "role INC-1 ic me") == "INC-1: commander is u0ann now."
    assert await said(lab, "role INC-1 comms lead @bob") == "INC-1: communications is Bob Builder now."
    assert (await said(lab, "join INC-1")).startswith("You are on INC-1 checkout is down.")
    assert await said(lab, "who INC-1") == (
        "Who is on INC-1\nCommander u0ann\nCommunications Bob Builder\nTaking part u0ann\nDeclared by u0ann"
    )
    assert await said(lab, "who INC-1 commander") == "INC-1: commander is u0ann."
    assert await said(lab, "who INC-1 scribe") == "INC-1: scribe is nobody."
    assert "You are still its commander" in await said(lab, "leave INC-1")
    assert "You were not on INC-1" in await said(lab, "leave INC-1")
    await said(lab, "role INC-1 communications --clear")
    kinds = [line.kind for line in await lab.timeline()]
    assert kinds == ["declared", "changed", "role_changed", "joined", "left", "role_changed"]
    assert {line.origin.channel for line in await lab.timeline()} == {Channel.CHAT}
    assert lab.calls == 0


async def test_who_joined_before_we_knew_them_can_leave_afterwards(declared: ChatLab) -> None:
    await declared.type("join INC-1")
    await member(declared, "ann")
    await declared.run_jobs()
    assert "scribe is ann now" in await said(declared, "role INC-1 scribe me")
    assert "INC-1" in await said(declared, "list mine")
    assert "You are on INC-1" in await said(declared, "join INC-1")
    assert len(await declared.tx(lambda tx: declared.incidents.participants.of(tx, "INC-1"))) == 1
    assert "You are no longer on INC-1" in await said(declared, "leave INC-1")


async def test_mine_are_those_i_have_a_role_in_or_take_part_in(declared: ChatLab) -> None:
    lab = declared
    assert await said(lab, "list mine") == "No such incidents."
    await lab.type("declare second")
    await lab.type("declare third")
    await lab.type("join INC-2")
    await lab.type("role INC-3 scribe me")
    mine = await said(lab, "list mine")
    assert "INC-2" in mine
    assert "INC-3" in mine
    assert "INC-1" not in mine
    lab.clock.advance(timedelta(hours=3))
    await lab.type("declare fourth")
    assert "INC-4" in await said(lab, "list 1h")
    assert "INC-1" not in await said(lab, "list 1h")


# --------------------------------------------------------------------------------------------------- tasks


async def test_tasks_from_chat(declared: ChatLab) -> None:
    lab = declared
    await member(lab)
    first = await said(lab, "task INC-1 check the replica lag --for @bob --due 30m")
    assert "task" in first
    assert "1 check the replica lag, for Bob Builder, by " in first
    await said(lab, "task INC-1 call the vendor")
    assert "for u0ann" in await said(lab, "task INC-1 2 --for me")
    assert "1 open." in await said(lab, "task INC-1 done 1")
    shown = await said(lab, "tasks INC-1")
    assert shown.startswith("Tasks of INC-1: 1 open, 1 done")
    assert "No open." in await said(lab, "task INC-1 done 2")
    assert "1 open." in await said(lab, "task INC-1 reopen 2")
    [one, two] = await lab.tx(lambda tx: lab.incidents.tasks.of(tx, "INC-1"))
    assert (one.done, two.done, two.title) == (True, False, "call the vendor")
    assert one.due is not None
    assert one.due - lab.clock.now() == timedelta(minutes=30)


# ------------------------------------------------------------------------------------------------- tickets


async def test_a_ticket_is_linked_by_key_or_address_and_made_on_request(declared: ChatLab) -> None:
    lab = declared
    for _ in range(3):
        await lab.type("declare more")
    assert "jira OPS-31: being linked" in await said(lab, "link INC-1 OPS-31")
    assert "being linked" in await said(
        lab, "link INC-2 <https://acme.example/browse/OPS-32?x=1|OPS-32> --integration jira --prefer ticket"
    )
    assert "being created" in await said(lab, "link INC-3 --create")
    assert "has OPS-31 in jira already" in await said(lab, "link INC-1 new jira")
    assert "OPS-31 in jira is linked to INC-1 already" in await said(lab, "link INC-4 OPS-31")

    async def found(tx: AccountTx, key: str) -> list[tuple[str, str]]:
        incident = await lab.incidents.get(tx, key)
        return [(one.ticket_key, one.prefer) for one in await links.of_incident(tx, incident.id)]

    assert await lab.tx(lambda tx: found(tx, "INC-2")) == [("OPS-32", "ticket")]
    assert await lab.tx(lambda tx: found(tx, "INC-3")) == [("", "")]
    assert lab.calls == 0


async def test_why_a_field_is_as_it_is(declared: ChatLab) -> None:
    await declared.type("severity INC-1 sev1")
    told = await said(declared, "why INC-1 severity")
    assert told.startswith("INC-1 severity is 'SEV-1'")
    assert "by u0ann, by way of chat (ops-slack)" in told
    assert "before that 'SEV-2'" in told


# ---------------------------------------------------------------------------------------- what happened


async def test_the_timeline_and_the_changes_in_words(declared: ChatLab) -> None:
    lab = declared
    await lab.type("note INC-1 --internal we broke it")
    await lab.type("note INC-1 fail-over started")
    lab.clock.advance(timedelta(hours=2))
    await lab.type("ack INC-1")
    await lab.type("declare search is slow")
    timeline = await said(lab, "timeline INC-1")
    assert timeline.index("declared SEV-2 “") < timeline.index("noted: fail-over started")
    assert "Status: open → acknowledged" in timeline
    assert "we broke it" not in timeline
    lately = await said(lab, "changes")
    assert "INC-1 u0ann: Status: open → acknowledged" in lately
    assert "INC-2 u0ann: declared SEV-3 “search is slow”" in lately
    assert "fail-over" not in lately
    assert "fail-over" in await said(lab, "changes INC-1 3h")
    assert "search" not in await said(lab, "changes INC-1 3h")
    lab.clock.advance(timedelta(hours=5))
    assert "Nothing." in await said(lab, "changes 30m")


async def test_commands_in_its_own_channel_need_no_key(declared: ChatLab) -> None:
    lab = declared
    await lab.run_jobs()
    own = await lab.tx(lambda tx: own_channel(lab, tx))
    for typed in ("join", "assign me", "role scribe me", "task look at it", "task done 1", "who", "timeline"):
        assert "INC-1" in await said(lab, typed, channel=own), typed


async def own_channel(lab: ChatLab, tx: AccountTx) -> str:
    found = await store.channel(tx, "slack-1", (await lab.incidents.get(tx, "INC-1")).id)
    assert found is not None
    return found.channel_id


async def test_a_mention_gets_a_card_as_its_answer(declared: ChatLab) -> None:
    lab = declared
    await lab.run_jobs()
    await lab.dispatcher.handle(lab.workspace, mention("who INC-1", "Ev77"))
    await lab.run_jobs()
    assert await lab.waiting() == []


# ------------------------------------------------------------------------------------ messages on the timeline


async def test_a_message_on_the_timeline_follows_its_edits_and_its_deletion(declared: ChatLab) -> None:
    lab, message = declared, MessageRef("C0INCIDENTS", "17.1")

    async def add(tx: AccountTx, audience: Audience = Audience.RESPONDERS) -> None:
        speaker = await speaker_of(lab.context, tx, lab.workspace, "T01ACC", Person("U0ANN", "u0ann"))
        asked = Asked(lab.context, tx, lab.workspace, speaker, "C0INCIDENTS")
        await add_to_timeline(
            asked,
            "INC-1",
            message,
            "fail-over started",
            author=Person("U0BOB", "bob"),
            permalink="https://acme.slack.com/archives/C0INCIDENTS/p171",
            audience=audience,
        )

    await lab.tx(add)
    for kind, text in (
        (ChatEventKind.MESSAGE_CHANGED, "fail-over done"),
        (ChatEventKind.MESSAGE_CHANGED, "fail-over done"),
        (ChatEventKind.MESSAGE_DELETED, ""),
    ):
        await lab.dispatcher.handle(
            lab.workspace,
            ChatEvent(kind, "Ev1", "T01ACC", Person("U0BOB"), ChannelRef("C0INCIDENTS"), message, text),
        )
    lines = (await lab.timeline())[1:]
    assert [line.kind for line in lines] == ["message_added", "message_edited", "message_deleted"]
    assert lines[0].data["author"]["name"] == "bob"
    assert lines[1].origin.actor.name == "bob"
    assert "bob said: fail-over started" in await said(lab, "timeline INC-1")
    lab.settings = SETTINGS.model_copy(update={"default_role": "viewer"})
    with pytest.raises(ForbiddenError):
        await lab.tx(add)


# ------------------------------------------------------------------------------------------------- who may


ACTING = (
    "declare x",
    "ack INC-1",
    "note INC-1 x",
    "severity INC-1 1",
    "title INC-1 x",
    "assign INC-1 me",
    "join INC-1",
    "leave INC-1",
    "role INC-1 scribe me",
    "task INC-1 x",
    "task INC-1 done 1",
    "task INC-1 1 --for me",
    "link INC-1 OPS-1",
    "link INC-1 --create",
    "escalate INC-1",
    "page INC-1 @bob",
)
LOOKING = (
    "status INC-1",
    "list",
    "who INC-1",
    "tasks INC-1",
    "sync",
    "why INC-1 status",
    "changes",
    "timeline INC-1",
)


async def test_a_viewer_looks_and_does_not_act(declared: ChatLab) -> None:
    lab = declared
    await lab.type("task INC-1 first")
    before = await lab.timeline()
    lab.settings = SETTINGS.model_copy(update={"default_role": "viewer"})
    for typed in ACTING:
        assert "does not allow this" in await said(lab, typed), typed
    for typed in LOOKING:
        assert "does not allow" not in await said(lab, typed), typed
    lab.settings = SETTINGS.model_copy(update={"default_role": "none"})
    for typed in (*ACTING, *LOOKING):
        assert "no role here" in await said(lab, typed), typed
    assert await lab.timeline() == before


async def test_a_deactivated_member_loses_it_at_once(declared: ChatLab) -> None:
    lab, ann = declared, await member(declared, "ann")
    await lab.run_jobs()
    await lab.type("list")
    await lab.run_jobs()
    assert "assignee is ann now" in await said(lab, "assign INC-1 me")
    found = (await lab.incident()).assignee
    assert found is not None
    assert found.id == f"member:{ann.id}"

    async def disable(tx: Tx) -> None:
        await lab.members.update(tx, ann.id, changes={"state": "disabled"}, actor=Actor.system())

    await lab.database.transaction(disable)
    assert "no role here" in await said(lab, "ack INC-1")
    assert "no role here" in await said(lab, "list")


async def test_everything_done_is_audited_with_who_and_by_which_way(declared: ChatLab) -> None:
    lab = declared
    for typed in (
        "join INC-1",
        "role INC-1 scribe me",
        "task INC-1 x",
        "task INC-1 done 1",
        "assign INC-1 me",
    ):
        await lab.type(typed)

    async def rows(tx: Tx) -> list[tuple[str, str, str]]:
        found = await tx.all(
            audit_log.select().where(audit_log.c.subject_type == "incident").order_by(audit_log.c.id)
        )
        return [(row["action"], row["actor_id"], row["channel"]) for row in found]

    audited = await lab.database.read(rows)
    assert [action for action, _, _ in audited] == [
        "incident.declared",
        "incident.joined",
        "incident.role_changed",
        "incident.task_added",
        "incident.task_done",
        "incident.changed",
    ]
    assert {(actor, channel) for _, actor, channel in audited} == {("chat_slack/T01ACC/U0ANN", "chat")}


async def test_another_accounts_incident_cannot_be_named(lab: ChatLab) -> None:
    async def elsewhere(tx: Tx) -> None:
        await lab.incidents.declare(
            tx.account("other"), DeclareIncident("theirs"), Origin(Channel.API, Actor.system())
        )

    await lab.database.transaction(elsewhere)
    for typed in (*ACTING[1:-2], *LOOKING):
        assert "theirs" not in await said(lab, typed)


TYPED = """
INC-1 #1 7 INC-99999999999999999 sev1 SEV-9 @bob <@U0BOB|bob> <@> <@U1|> me nobody to for done reopen list
--for --due --clear --create --integration jira --prefer ticket --policy x --service payments --team core
2h 14:30 2026-01-31T12:00Z 9999-12-31T23:59 0h today commander scribe pope severity status OPS-31 1e9 -1 +1
https://jira.example.com/browse/OPS-31 https://[ mailto:a@b.c a@b.c <mailto:a@b.c|a@b.c>
"""
PIECES = (*TYPED.split(), "\x00", "\ud800", '"', "\N{FIRE}", "x" * 600)


async def test_whatever_is_typed_is_answered(declared: ChatLab) -> None:
    """Every verb with what people may put behind it, by chance but always the same: an answer in words, never an error of ours."""
    lab, chance = declared, random.Random(5)  # noqa: S311  # the same every time
    for verb in VERBS:
        for _ in range(5):
            text = " ".join((verb.name, *chance.choices(PIECES, k=chance.randint(0, 5))))
            answer = await lab.type(text)
            assert answer.text or answer.card is not None, text
    assert lab.calls == 0

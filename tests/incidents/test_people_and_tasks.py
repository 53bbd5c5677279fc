"""Roles, participants, tasks and messages of a chat: what one commit carries, and what the timeline says of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from callout.audit.tables import audit_log
from callout.incidents import DeclareIncident, Incident, IncidentFilter, Incidents, SaidInChat
from callout.jobs.tables import event
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.ports.values import Audience, Person
from tests.incidents.conftest import ANN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callout.incidents import TimelineEntry
    from callout.kit.clock import ManualClock
    from callout.storage import AccountTx, Database, Tx

BOB = Person("member:bob", "Bob", "bob@example.com")
CAT = Person("member:cat", "Cat")


class Desk:
    """One account with one incident."""

    def __init__(self, database: Database, incidents: Incidents) -> None:
        self.database = database
        self.incidents = incidents

    async def do(self, work: Callable[..., Awaitable[Any]], account: str = "a") -> Any:
        return await self.database.transaction(lambda tx: work(tx.account(account)))

    async def declare(self, title: str = "db is down", **more: Any) -> Incident:
        found: Incident = await self.do(
            lambda tx: self.incidents.declare(tx, DeclareIncident(title, **more), ANN)
        )
        return found

    async def lines(self, key: str = "INC-1") -> list[TimelineEntry]:
        found: list[TimelineEntry] = await self.do(lambda tx: self.incidents.timeline(tx, key))
        return found

    async def told(self) -> tuple[list[str], list[tuple[str, dict[str, Any]]]]:
        async def read(tx: Tx) -> tuple[list[str], list[tuple[str, dict[str, Any]]]]:
            events = await tx.all(select(event.c.kind).order_by(event.c.seq))
            audited = await tx.all(select(audit_log.c.action, audit_log.c.data).order_by(audit_log.c.id))
            return [row["kind"] for row in events], [(row["action"], row["data"]) for row in audited]

        return await self.database.read(read)


@pytest.fixture
async def desk(database: Database, incidents: Incidents) -> Desk:
    desk = Desk(database, incidents)
    await desk.declare()
    return desk


# --------------------------------------------------------------------------------------------------- roles


async def test_a_role_goes_from_hand_to_hand_and_the_timeline_knows_when(
    desk: Desk, clock: ManualClock
) -> None:
    roles = desk.incidents.roles
    began = clock.now()
    for minutes, person in ((5, BOB), (10, CAT), (0, CAT), (15, None), (20, BOB)):
        clock.advance(timedelta(minutes=minutes))
        await desk.do(lambda tx, person=person: roles.set(tx, "INC-1", "Scribe", person, ANN))
    held = await desk.do(lambda tx: roles.history(tx, "INC-1"))

    def minutes_of(at: datetime | None) -> float | None:
        return None if at is None else (at - began) / timedelta(minutes=1)

    assert [(one.role, one.person, minutes_of(one.since), minutes_of(one.until)) for one in held] == [
        ("scribe", BOB, 5, 15),
        ("scribe", CAT, 15, 30),
        ("scribe", BOB, 50, None),
    ]
    events, audited = await desk.told()
    assert events[1:] == ["incident.role_changed"] * 4
    assert [action for action, _ in audited[1:]] == ["incident.role_changed"] * 4
    assert [line.kind for line in await desk.lines()][1:] == ["role_changed"] * 4


async def test_commander_and_assignee_are_roles_too_and_stay_fields(desk: Desk, clock: ManualClock) -> None:
    roles = desk.incidents.roles
    await desk.do(lambda tx: roles.set(tx, "INC-1", "commander", BOB, ANN))
    clock.advance(timedelta(minutes=1))
    changed = await desk.do(lambda tx: desk.incidents.patch(tx, "INC-1", {"commander": CAT}, ANN))
    assert changed.commander == CAT
    held = await desk.do(lambda tx: roles.history(tx, "INC-1"))
    assert [(one.person, one.until is None) for one in held] == [(BOB, False), (CAT, True)]
    assert (await desk.told())[0][1:] == ["incident.changed"] * 2
    assert [one.role for one in await desk.do(lambda tx: roles.holders(tx, "INC-1"))] == ["commander"]


async def test_a_commander_from_the_start_has_it_since_then(desk: Desk, clock: ManualClock) -> None:
    await desk.declare("second", commander=BOB)
    [held] = await desk.do(lambda tx: desk.incidents.roles.holders(tx, "INC-2"))
    assert (held.person, held.since) == (BOB, clock.now())


async def test_only_roles_that_there_are(desk: Desk) -> None:
    with pytest.raises(InvalidRequestError, match="no role 'scrib'") as refused:
        await desk.do(lambda tx: desk.incidents.roles.set(tx, "INC-1", "scrib", BOB, ANN))
    assert "Did you mean scribe?" in refused.value.remediation
    own = Incidents(clock=desk.incidents.clock, audit=None, outbox=None, roles=["legal"])  # type: ignore[arg-type]
    assert own.roles.names == ("commander", "assignee", "legal")
    with pytest.raises(ValueError, match="not the name of a role"):
        Incidents(clock=desk.incidents.clock, audit=None, outbox=None, roles=["Legal & Co"])  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------------- participants


async def test_people_join_and_leave_once_each(desk: Desk) -> None:
    people = desk.incidents.participants
    for _ in range(2):
        await desk.do(lambda tx: people.join(tx, "INC-1", BOB, ANN))
    await desk.do(lambda tx: people.join(tx, "INC-1", CAT, ANN))
    assert [one.person for one in await desk.do(lambda tx: people.of(tx, "INC-1"))] == [BOB, CAT]
    assert await desk.do(lambda tx: people.leave(tx, "INC-1", BOB, ANN)) is True
    assert await desk.do(lambda tx: people.leave(tx, "INC-1", BOB, ANN)) is False
    assert [one.person for one in await desk.do(lambda tx: people.of(tx, "INC-1"))] == [CAT]
    assert len(await desk.do(lambda tx: people.of(tx, "INC-1", gone=True))) == 2
    await desk.do(lambda tx: people.join(tx, "INC-1", BOB, ANN))
    assert [line.kind for line in await desk.lines()][1:] == ["joined", "joined", "left", "joined"]
    assert (await desk.told())[0][1:] == [
        "incident.participant_joined",
        "incident.participant_joined",
        "incident.participant_left",
        "incident.participant_joined",
    ]


async def test_somebody_whom_we_know_better_by_now_can_leave(desk: Desk) -> None:
    stranger = Person("chat_user:chat_slack/T1/U1", "Bob")
    people = desk.incidents.participants
    await desk.do(lambda tx: people.join(tx, "INC-1", stranger, ANN))
    assert await desk.do(lambda tx: people.leave(tx, "INC-1", BOB, ANN, also=[stranger.id])) is True


async def test_two_who_join_at_the_same_moment_are_both_on_it(desk: Desk) -> None:
    people = [Person(f"member:{n}", f"n{n}") for n in range(6)]
    await asyncio.gather(
        *(
            desk.do(lambda tx, one=one: desk.incidents.participants.join(tx, "INC-1", one, ANN))
            for one in (*people, *people)
        )
    )
    found = await desk.do(lambda tx: desk.incidents.participants.of(tx, "INC-1"))
    assert {one.person for one in found} == set(people)
    assert len([line for line in await desk.lines() if line.kind == "joined"]) == 6


async def test_my_incidents_are_those_where_i_have_a_role_or_take_part(desk: Desk) -> None:
    for title, more in (("assigned", {"assignee": BOB}), ("theirs", {"commander": CAT}), ("role", {})):
        await desk.declare(title, **more)
    await desk.declare("joined")
    await desk.declare("left")
    await desk.do(lambda tx: desk.incidents.roles.set(tx, "INC-4", "scribe", BOB, ANN))
    for key in ("INC-5", "INC-6"):
        await desk.do(lambda tx, key=key: desk.incidents.participants.join(tx, key, BOB, ANN))
    await desk.do(lambda tx: desk.incidents.participants.leave(tx, "INC-6", BOB, ANN))
    wanted = IncidentFilter(person_ids=("chat_user:x", BOB.id))
    found, _ = await desk.do(lambda tx: desk.incidents.search(tx, wanted))
    assert {one.title for one in found} == {"assigned", "role", "joined"}
    none, _ = await desk.do(
        lambda tx: desk.incidents.search(tx, IncidentFilter(person_ids=("member:b%", "member:bo")))
    )
    assert none == []


# --------------------------------------------------------------------------------------------------- tasks


async def test_a_tasks_life_is_on_the_timeline_in_the_audit_and_in_the_events(
    desk: Desk, clock: ManualClock
) -> None:
    tasks = desk.incidents.tasks
    due = clock.now() + timedelta(hours=1)
    task = await desk.do(lambda tx: tasks.add(tx, "INC-1", "  check   the lag ", ANN, assignee=BOB, due=due))
    assert (task.number, task.title, task.assignee, task.due, task.done) == (
        1,
        "check the lag",
        BOB,
        due,
        False,
    )
    await desk.do(lambda tx: tasks.change(tx, "INC-1", 1, {"assignee": CAT, "due": None}, ANN))
    await desk.do(lambda tx: tasks.change(tx, "INC-1", 1, {"assignee": CAT}, ANN))
    for _ in range(2):
        await desk.do(lambda tx: tasks.finish(tx, "INC-1", 1, ANN))
    done = await desk.do(lambda tx: tasks.get(tx, "INC-1", 1))
    assert (done.done, done.done_at, done.done_by) == (True, clock.now(), Person("token:t1", "Ann"))
    again = await desk.do(lambda tx: tasks.finish(tx, "INC-1", 1, ANN, done=False))
    assert (again.done, again.done_by) == (False, None)
    kinds = ["task_added", "task_changed", "task_done", "task_reopened"]
    assert [line.kind for line in await desk.lines()][1:] == kinds
    events, audited = await desk.told()
    assert events[1:] == [f"incident.{kind}" for kind in kinds]
    assert [action for action, _ in audited[1:]] == [f"incident.{kind}" for kind in kinds]
    assert (await desk.lines())[2].data["changes"] == {
        "assignee": {"before": {"id": BOB.id, "name": "Bob", "email": BOB.email}, "after": {"id": CAT.id, "name": "Cat", "email": ""}},
        "due": {"before": due.isoformat(), "after": None},
    }  # fmt: skip


async def test_tasks_have_an_order(desk: Desk) -> None:
    tasks = desk.incidents.tasks
    for title in "abcd":
        await desk.do(lambda tx, title=title: tasks.add(tx, "INC-1", title, ANN))
    await desk.do(lambda tx: tasks.move(tx, "INC-1", 4, 1, ANN))
    await desk.do(lambda tx: tasks.move(tx, "INC-1", 1, 99, ANN))
    ordered = await desk.do(lambda tx: tasks.of(tx, "INC-1"))
    assert [one.title for one in ordered] == ["d", "b", "c", "a"]
    assert [one.position for one in ordered] == [1, 2, 3, 4]
    added = await desk.do(lambda tx: tasks.add(tx, "INC-1", "e", ANN))
    assert (added.number, added.position) == (5, 5)


async def test_tasks_added_at_once_get_numbers_of_their_own(desk: Desk) -> None:
    await asyncio.gather(
        *(desk.do(lambda tx, n=n: desk.incidents.tasks.add(tx, "INC-1", f"t{n}", ANN)) for n in range(8))
    )
    found = await desk.do(lambda tx: desk.incidents.tasks.of(tx, "INC-1"))
    assert [one.number for one in found] == list(range(1, 9))


@pytest.mark.parametrize(
    ("work", "error"),
    [
        (lambda i, tx: i.tasks.add(tx, "INC-1", " ", ANN), InvalidRequestError),
        (lambda i, tx: i.tasks.add(tx, "INC-1", "x", ANN, due=datetime(2026, 1, 1)), InvalidRequestError),  # noqa: DTZ001
        (lambda i, tx: i.tasks.change(tx, "INC-1", 1, {"number": 7}, ANN), InvalidRequestError),
        (lambda i, tx: i.tasks.finish(tx, "INC-1", 7, ANN), NotFoundError),
        (lambda i, tx: i.tasks.move(tx, "INC-1", 2**80, 1, ANN), NotFoundError),
        (lambda i, tx: i.tasks.add(tx, "INC-9", "x", ANN), NotFoundError),
    ],
)
async def test_what_cannot_be_is_refused_and_leaves_nothing(
    desk: Desk, work: Callable[[Incidents, AccountTx], Awaitable[object]], error: type[Exception]
) -> None:
    await desk.do(lambda tx: desk.incidents.tasks.add(tx, "INC-1", "first", ANN))
    with pytest.raises(error):
        await desk.do(lambda tx: work(desk.incidents, tx))
    assert len(await desk.lines()) == 2


async def test_other_accounts_see_nothing_of_it(desk: Desk) -> None:
    await desk.do(lambda tx: desk.incidents.declare(tx, DeclareIncident("theirs"), ANN), account="b")
    await desk.do(lambda tx: desk.incidents.tasks.add(tx, "INC-1", "ours", ANN))
    await desk.do(lambda tx: desk.incidents.participants.join(tx, "INC-1", BOB, ANN))
    await desk.do(lambda tx: desk.incidents.roles.set(tx, "INC-1", "scribe", BOB, ANN))
    assert await desk.do(lambda tx: desk.incidents.tasks.of(tx, "INC-1"), account="b") == []
    assert await desk.do(lambda tx: desk.incidents.participants.of(tx, "INC-1"), account="b") == []
    assert await desk.do(lambda tx: desk.incidents.roles.holders(tx, "INC-1"), account="b") == []
    since = datetime(2020, 1, 1, tzinfo=UTC)
    theirs = await desk.do(lambda tx: desk.incidents.recent_entries(tx, since), account="b")
    assert [line.kind for line in theirs] == ["declared"]


# ------------------------------------------------------------------------------------------------ messages

SAID = SaidInChat("slack-1/C1/17.1", "fail-over *started*", BOB, "https://x.slack.com/archives/C1/p171")


async def test_a_message_is_put_on_the_timeline_once_and_what_becomes_of_it_follows(desk: Desk) -> None:
    messages = desk.incidents.messages
    first = await desk.do(lambda tx: messages.add(tx, "INC-1", SAID, ANN, audience=Audience.INTERNAL))
    again = await desk.do(lambda tx: messages.add(tx, "INC-1", SAID, ANN))
    assert again == first
    assert (first.kind, first.audience, first.data["text"], first.data["permalink"]) == (
        "message_added",
        Audience.INTERNAL,
        SAID.text,
        SAID.permalink,
    )
    assert await desk.do(lambda tx: messages.edited(tx, SAID.source, SAID.text, ANN)) == []
    [edited] = await desk.do(lambda tx: messages.edited(tx, SAID.source, "fail-over done", ANN))
    [gone] = await desk.do(lambda tx: messages.deleted(tx, SAID.source, ANN))
    assert (edited.corrects, gone.corrects) == (first.id, first.id)
    assert edited.audience is Audience.INTERNAL
    assert await desk.do(lambda tx: messages.deleted(tx, SAID.source, ANN)) == []
    assert await desk.do(lambda tx: messages.edited(tx, SAID.source, "too late", ANN)) == []
    assert await desk.do(lambda tx: messages.edited(tx, "slack-1/C1/17.2", "no news", ANN)) == []
    lines = await desk.lines()
    assert [line.kind for line in lines][1:] == ["message_added", "message_edited", "message_deleted"]
    assert lines[1].data["text"] == SAID.text
    events, audited = await desk.told()
    assert events[1:] == [
        "incident.message_added",
        "incident.message_corrected",
        "incident.message_corrected",
    ]
    assert "fail-over" not in str(audited)


async def test_one_message_may_stand_on_two_timelines(desk: Desk) -> None:
    await desk.declare("second")
    for key in ("INC-1", "INC-2"):
        await desk.do(lambda tx, key=key: desk.incidents.messages.add(tx, key, SAID, ANN))
    assert len(await desk.do(lambda tx: desk.incidents.messages.deleted(tx, SAID.source, ANN))) == 2


@pytest.mark.parametrize(
    "said",
    [
        SaidInChat("", "x"),
        SaidInChat("s" * 501, "x"),
        SaidInChat("s", " "),
        SaidInChat("s", "x", permalink="javascript:alert(1)"),
    ],
)
async def test_messages_that_are_none(desk: Desk, said: SaidInChat) -> None:
    with pytest.raises(InvalidRequestError):
        await desk.do(lambda tx: desk.incidents.messages.add(tx, "INC-1", said, ANN))


async def test_what_changed_lately(desk: Desk, clock: ManualClock) -> None:
    clock.advance(timedelta(hours=2))
    await desk.declare("second")
    await desk.do(lambda tx: desk.incidents.add_note(tx, "INC-2", "secret", Audience.INTERNAL, ANN))
    await desk.do(lambda tx: desk.incidents.act(tx, "INC-1", "acknowledge", ANN))
    since = clock.now() - timedelta(hours=1)
    readers = (Audience.RESPONDERS, Audience.CUSTOMER)
    found = await desk.do(lambda tx: desk.incidents.recent_entries(tx, since, audiences=readers))
    assert [line.kind for line in found] == ["changed", "declared"]
    one = await desk.do(lambda tx: desk.incidents.get(tx, "INC-2"))
    ours = await desk.do(lambda tx: desk.incidents.recent_entries(tx, since, incident_id=one.id))
    assert [line.kind for line in ours] == ["noted", "declared"]

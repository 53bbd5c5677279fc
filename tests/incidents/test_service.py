"""Incidents on both databases: numbers, changes, notes, timeline, search, and what one commit carries."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from callout.audit.tables import audit_log
from callout.incidents import DeclareIncident, Incident, IncidentFilter, Note
from callout.incidents.searching import InvalidCursorError
from callout.incidents.tables import incident as incident_table
from callout.jobs.tables import event
from callout.ports.errors import ConflictError, IllegalTransitionError, InvalidRequestError, NotFoundError
from callout.ports.values import Audience, Person, Severity, Status
from tests.incidents.conftest import ANN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callout.incidents import Incidents
    from callout.kit.clock import ManualClock
    from callout.storage import AccountTx, Database, Tx


async def declare(
    database: Database, incidents: Incidents, title: str = "db is down", account: str = "a", **more: object
) -> Incident:
    draft = DeclareIncident(title, **more)  # type: ignore[arg-type]
    return await database.transaction(lambda tx: incidents.declare(tx.account(account), draft, ANN))


async def test_numbers_do_not_repeat_under_concurrency_and_only_what_fails_leaves_a_gap(
    database: Database, incidents: Incidents
) -> None:
    async def fails(tx: Tx) -> None:
        await incidents.declare(tx.account("a"), DeclareIncident("rolled back"), ANN)
        raise RuntimeError

    async def refused(tx: Tx) -> None:
        await incidents.declare(tx.account("a"), DeclareIncident(" "), ANN)

    rolled = [database.transaction(fails) for _ in range(5)]
    never = [database.transaction(refused) for _ in range(5)]
    made = [declare(database, incidents, f"n{n}") for n in range(20)]
    results = await asyncio.gather(*rolled, *never, *made, return_exceptions=True)
    numbers = sorted(r.number for r in results if isinstance(r, Incident))
    assert len(set(numbers)) == 20
    # On PostgreSQL a number is taken beside the transaction, and none that is refused takes one.
    assert numbers[-1] <= (20 if database.dialect == "sqlite" else 25)
    assert (await declare(database, incidents)).number <= numbers[-1] + 6
    assert (await declare(database, incidents, account="b")).key == "INC-1"


async def test_who_declares_waits_for_nobody_who_declared_and_has_not_committed(
    database: Database, incidents: Incidents
) -> None:
    if database.dialect == "sqlite":
        return  # one writes at a time
    declared, go_on = asyncio.Event(), asyncio.Event()

    async def dawdles(tx: Tx) -> Incident:
        made = await incidents.declare(tx.account("a"), DeclareIncident("first"), ANN)
        declared.set()
        await go_on.wait()
        return made

    first = asyncio.create_task(database.transaction(dawdles))
    await declared.wait()
    second = await asyncio.wait_for(declare(database, incidents, "second"), 5)
    go_on.set()
    assert ((await first).number, second.number) == (1, 2)


async def test_one_commit_carries_state_timeline_audit_and_event(
    database: Database, incidents: Incidents
) -> None:
    made = await declare(database, incidents, severity=Severity(1))
    await database.transaction(lambda tx: incidents.act(tx.account("a"), made.key, "acknowledge", ANN))

    async def everything(tx: Tx) -> tuple[Sequence[object], ...]:
        events = await tx.all(select(event.c.kind).order_by(event.c.seq))
        audited = await tx.all(select(audit_log.c.action).order_by(audit_log.c.id))
        lines = await incidents.timeline(tx.account("a"), made.key)
        return [e["kind"] for e in events], [a["action"] for a in audited], [line.kind for line in lines]

    events, audited, lines = await database.read(everything)
    assert events == ["incident.declared", "incident.changed"]
    assert audited == ["incident.declared", "incident.changed"]
    assert lines == ["declared", "changed"]


async def test_a_failed_unit_leaves_nothing(database: Database, incidents: Incidents) -> None:
    made = await declare(database, incidents)

    async def fails(tx: Tx) -> None:
        await incidents.patch(tx.account("a"), made.id, {"title": "other"}, ANN)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.transaction(fails)
    again = await database.read(lambda tx: incidents.get(tx.account("a"), made.id))
    assert (again.title, again.version) == ("db is down", 1)
    assert len(await database.read(lambda tx: incidents.timeline(tx.account("a"), made.id))) == 1


async def test_fields_change_and_nothing_happens_when_nothing_changed(
    database: Database, incidents: Incidents
) -> None:
    made = await declare(database, incidents, tags=("db", "db"))
    bob = Person("u2", "Bob", "bob@example.com")
    values = {"severity": Severity(1), "assignee": bob, "tags": ["x", "db"], "description": "a\r\nb"}
    changed = await database.transaction(lambda tx: incidents.patch(tx.account("a"), made.id, values, ANN))
    assert (changed.severity, changed.assignee, changed.tags, changed.description) == (
        Severity(1),
        bob,
        ("db", "x"),
        "a\nb",
    )
    assert changed.version == 2
    same = await database.transaction(lambda tx: incidents.patch(tx.account("a"), made.id, values, ANN))
    assert same.version == 2


@pytest.mark.parametrize(
    "values",
    [
        {"title": " "},
        {"title": "x" * 256},
        {"nonsense": 1},
        {"severity": "huge"},
        {"tags": "no list"},
        {"assignee": "no person"},
        {"description": "x" * 100_001},
        {"title": 7},
    ],
)
async def test_bad_values_are_refused_by_name(
    database: Database, incidents: Incidents, values: dict[str, object]
) -> None:
    made = await declare(database, incidents)
    with pytest.raises(InvalidRequestError) as refused:
        await database.transaction(lambda tx: incidents.patch(tx.account("a"), made.id, values, ANN))
    assert set(values) <= set(refused.value.fields)


async def test_texts_that_a_database_dislikes_are_kept_as_far_as_they_can_be(
    database: Database, incidents: Incidents
) -> None:
    made = await declare(database, incidents, "nul \x00 lone \ud800 emoji 🔥")
    assert made.title == "nul lone ? emoji 🔥"


async def test_a_stale_version_is_refused(database: Database, incidents: Incidents) -> None:
    made = await declare(database, incidents)
    await database.transaction(lambda tx: incidents.patch(tx.account("a"), made.id, {"title": "b"}, ANN))
    with pytest.raises(ConflictError):
        await database.transaction(
            lambda tx: incidents.patch(tx.account("a"), made.id, {"title": "c"}, ANN, expected_version=1)
        )


async def test_applying_a_far_status_walks_there_by_legal_moves(
    database: Database, incidents: Incidents
) -> None:
    made = await declare(database, incidents)
    closed = await database.transaction(
        lambda tx: incidents.apply(tx.account("a"), made.id, {}, Status.CLOSED, ANN)
    )
    assert closed.status is Status.CLOSED
    assert closed.resolved_at is not None
    with pytest.raises(IllegalTransitionError):
        await database.transaction(lambda tx: incidents.act(tx.account("a"), made.id, "acknowledge", ANN))


async def test_notes_are_shown_to_their_audience_only(database: Database, incidents: Incidents) -> None:
    made = await declare(database, incidents)
    for audience in Audience:

        async def note(tx: Tx, audience: Audience = audience) -> Note:
            return await incidents.add_note(tx.account("a"), made.id, f"for {audience}", audience, ANN)

        await database.transaction(note)
    wide = (Audience.RESPONDERS, Audience.CUSTOMER)
    seen = await database.read(lambda tx: incidents.notes(tx.account("a"), made.id, audiences=wide))
    assert [note.text for note in seen] == ["for responders", "for customer"]
    lines = await database.read(lambda tx: incidents.timeline(tx.account("a"), made.id, audiences=wide))
    assert "for internal" not in str(lines)


async def test_the_timeline_is_corrected_by_a_later_line(database: Database, incidents: Incidents) -> None:
    made = await declare(database, incidents)
    first = (await database.read(lambda tx: incidents.timeline(tx.account("a"), made.id)))[0]
    await database.transaction(
        lambda tx: incidents.correct(tx.account("a"), made.id, first.id, "it was 11:58", ANN)
    )
    lines = await database.read(lambda tx: incidents.timeline(tx.account("a"), made.id))
    assert lines[0] == first
    assert (lines[1].corrects, lines[1].data["text"]) == (first.id, "it was 11:58")
    with pytest.raises(NotFoundError):
        await database.transaction(
            lambda tx: incidents.correct(tx.account("a"), made.id, "no such", "x", ANN)
        )


async def test_paging_neither_repeats_nor_skips_while_incidents_are_declared(
    database: Database, incidents: Incidents, clock: ManualClock
) -> None:
    for n in range(7):
        await declare(database, incidents, f"old {n}")
        if n % 2:
            clock.advance(timedelta(seconds=1))

    async def two(cursor: str, tx: Tx) -> tuple[list[Incident], str]:
        return await incidents.search(tx.account("a"), IncidentFilter(), limit=2, cursor=cursor)

    seen: list[int] = []
    cursor = ""
    while True:
        page, cursor = await database.read(partial(two, cursor))
        seen += [one.number for one in page]
        if not cursor:
            break
        await declare(database, incidents, "new")
    assert seen == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("cursor", ["garbage", "////", "MTIz", "e" * 400])
async def test_a_forged_cursor_is_refused(database: Database, incidents: Incidents, cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        await database.read(lambda tx: incidents.search(tx.account("a"), IncidentFilter(), cursor=cursor))


async def test_a_cursor_belongs_to_its_filters(database: Database, incidents: Incidents) -> None:
    for _ in range(3):
        await declare(database, incidents)
    _, cursor = await database.read(lambda tx: incidents.search(tx.account("a"), IncidentFilter(), limit=1))
    other = IncidentFilter(service="db")
    with pytest.raises(InvalidCursorError):
        await database.read(lambda tx: incidents.search(tx.account("a"), other, limit=1, cursor=cursor))


async def test_filters(database: Database, incidents: Incidents) -> None:
    await declare(database, incidents, "100% full", severity=Severity(1), service="db", tags=("hot",))
    await declare(database, incidents, "other", severity=Severity(2), team="core")
    for wanted, titles in {
        IncidentFilter(severities=(Severity(1),)): ["100% full"],
        IncidentFilter(service="db"): ["100% full"],
        IncidentFilter(team="core"): ["other"],
        IncidentFilter(tag="hot"): ["100% full"],
        IncidentFilter(tag="cold"): [],
        IncidentFilter(text="0%"): ["100% full"],
        IncidentFilter(text="OTHER"): ["other"],
        IncidentFilter(statuses=(Status.CLOSED,)): [],
    }.items():

        async def find(tx: Tx, wanted: IncidentFilter = wanted) -> tuple[list[Incident], str]:
            return await incidents.search(tx.account("a"), wanted)

        page, _ = await database.read(find)
        assert [one.title for one in page] == titles, wanted


async def test_another_account_sees_and_changes_nothing(database: Database, incidents: Incidents) -> None:
    made = await declare(database, incidents)

    async def as_other(tx: AccountTx) -> None:
        assert await incidents.search(tx, IncidentFilter()) == ([], "")
        for attempt in (
            incidents.get(tx, made.id),
            incidents.get(tx, made.key),
            incidents.patch(tx, made.id, {"title": "x"}, ANN),
            incidents.act(tx, made.id, "resolve", ANN),
            incidents.add_note(tx, made.id, "x", Audience.INTERNAL, ANN),
            incidents.timeline(tx, made.id),
            incidents.notes(tx, made.id),
        ):
            with pytest.raises(NotFoundError):
                await attempt

    await database.transaction(lambda tx: as_other(tx.account("b")))
    rows = await database.read(lambda tx: tx.all(select(incident_table.c.title)))
    assert [row["title"] for row in rows] == ["db is down"]


async def test_many_changes_of_one_edit_are_one_write_and_one_event(
    database: Database, incidents: Incidents
) -> None:
    made = await declare(database, incidents)

    async def work(tx: Tx) -> Incident:
        edit = await incidents.edit(tx.account("a"), made.id)
        for title in ("b", "c", "d"):
            edit.change({"title": title}, origin=ANN)
        edit.change({"severity": Severity(1)}, origin=ANN)
        edit.change({"severity": Severity(3)}, origin=ANN)
        return await edit.save()

    saved = await database.transaction(work)
    assert (saved.title, saved.version) == ("d", 2)
    lines = await database.read(lambda tx: incidents.timeline(tx.account("a"), made.id))
    assert [line.kind for line in lines] == ["declared", *["changed"] * 5]
    rows = await database.read(lambda tx: tx.all(select(event.c.envelope).order_by(event.c.seq)))
    changes = (
        rows[-1]["envelope"]["data"]["changes"]
        if isinstance(rows[-1]["envelope"], dict)
        else rows[-1]["envelope"]
    )
    assert "db is down" in str(changes)
    assert "severity" not in (changes if isinstance(changes, dict) else {})
    assert len(rows) == 2

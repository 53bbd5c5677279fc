"""Histories that once broke a property: each failed before the repair it is named after."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from sqlalchemy import select

from callout.incidents.tables import incident
from callout.ports.ticketing import Ticket
from callout.ports.values import Priority
from callout.sync.apply import Told, must_read
from callout.sync.links import Link, LinkStatus
from callout.sync.mapping import FieldMappings
from callout.sync.merge import Base, LinkState, Pending, merge
from callout.sync.simulate.meaning import Meaning
from callout.sync.simulate.play import Outcome, Player, play
from callout.sync.simulate.quirks import Priorities, Quirks
from callout.sync.simulate.records import CHECKED, WINDOWS
from callout.sync.simulate.steps import WAYS, Plan, Step
from callout.sync.simulate.store import MemoryDatabase

RULES = FieldMappings().rules("A")


@pytest.fixture(scope="module")
def database() -> Iterator[MemoryDatabase]:
    with structlog.testing.capture_logs():
        yield MemoryDatabase()


def played(database: MemoryDatabase, vendors: list[Quirks], *steps: Step) -> Outcome:
    plan = Plan(1, tuple(vendors), "#1 db", "SEV-2", "#2 what we know", steps)
    return play(plan, Meaning({}), database)


ALL = Step("go", n=200)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_what_was_told_before_a_write_is_not_news_after_it_though_their_clock_went_back(
    database: MemoryDatabase,
) -> None:
    link = Link("l", "a", "i", "A", "m", LinkStatus.ACTIVE, NOW, ticket_id="A-1", seen_at=NOW)
    read = Ticket(id="A-1", key="A-1", title="db", updated_at=NOW - timedelta(seconds=1))
    assert link.seen_until(read) == NOW

    plan = Plan(1, (Quirks(),), "#1 db", "SEV-2", "#2 what we know", ())
    player = Player(plan, Meaning({}), database)
    steps = (
        Step("fault", field="changes_since", value="time-out, done later"),
        Step("poll"),
        ALL,
        Step("their comment", field="responders", value="#3 db"),
        Step("deliver"),
        ALL,
    )
    for step in (ALL, Step("deliver"), ALL, *steps):
        player.step(step)
    seen = player.world.links()["A"].seen_at
    for step in (Step("our edit", field="severity", value="SEV-4"), ALL):
        player.step(step)
    vendor = player.world.vendors["A"]
    assert seen is not None
    assert vendor.records["A-1"].updated_at < seen, "their clock did not go back"
    assert player.world.links()["A"].seen_at == seen


def test_a_second_change_within_one_tick_of_the_vendors_clock_is_found_by_polling(
    database: MemoryDatabase,
) -> None:
    slow_clock = Quirks(tick=60.0, version_is_time=True)
    edit = Step("their edit", field="status", value="On Hold")
    assert played(database, [slow_clock], ALL, Step("poll"), ALL, edit).broken == []


def test_our_comment_with_a_lost_answer_does_not_come_back_as_a_note_where_no_mark_is_kept(
    database: MemoryDatabase,
) -> None:
    fault = Step("fault", field="create_comment", value="time-out after")
    note = Step("our note", field="customer", value="#3 we are on it")
    outcome = played(database, [Quirks(findable=False), Quirks()], ALL, fault, note, ALL)
    assert outcome.broken == []


@pytest.mark.parametrize("fault", ["502 after", "time-out after", "time-out, done later"])
def test_the_lag_of_searches_counts_from_when_a_lost_creation_can_have_arrived(
    database: MemoryDatabase, fault: str
) -> None:
    assert played(database, [Quirks(lag=60)], Step("fault", value=fault), ALL).broken == []


def test_the_lag_counts_from_the_arrival_after_a_crash_too(database: MemoryDatabase) -> None:
    for boundaries in range(3, 14):
        steps = (Step("go", n=boundaries), Step("crash"), ALL)
        assert played(database, [Quirks(lag=15)], *steps).broken == []


def test_a_status_moved_back_after_a_write_of_unknown_fate_is_shown_when_ours_wins() -> None:
    state = LinkState({"status": Base("open", "New|new")}, {"status": Pending("resolved", "category:done")})
    rules = {"status": RULES["status"]}
    result = merge(state, {"status": "resolved"}, {"status": "In Progress|active"}, rules)
    assert dict(result.to_theirs) == {"status": "category:done"}
    assert [(one.lost, one.side) for one in result.overridden] == [("acknowledged", "theirs")]


@pytest.mark.parametrize(("theirs", "lost"), [("Triage|unknown", ["Triage|unknown"]), ("Odd|unknown", [])])
def test_a_status_without_a_counterpart_that_gives_way_is_shown_unless_it_was_there_before(
    theirs: str, lost: list[Any]
) -> None:
    state = LinkState({"status": Base("open", "Odd|unknown")})
    rules = {"status": RULES["status"]}
    result = merge(state, {"status": "acknowledged"}, {"status": theirs}, rules)
    assert dict(result.to_theirs) == {"status": "category:active"}
    assert [one.lost for one in result.overridden] == lost


def test_what_is_told_while_the_fate_of_a_write_is_open_is_read_again() -> None:
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    bases = {"severity": Base("SEV-2", "HIGH"), "title": Base("db", "db")}
    pending = {"severity": Pending("SEV-1", "URGENT")}
    link = Link("l", "a", "i", "A", "m", LinkStatus.ACTIVE, now, merge=LinkState(bases, pending), seen_at=now)
    ticket = Ticket("1", "OPS-1", "db", priority=Priority.HIGH, updated_at=now + timedelta(seconds=1))
    assert must_read(link, Told(ticket), RULES)
    assert not must_read(link, Told(ticket, frozenset({"title"})), RULES)


def test_a_title_cut_at_a_creation_with_a_lost_answer_is_nobodys_edit(database: MemoryDatabase) -> None:
    fault = Step("fault", field="create_ticket", value="time-out after")
    plan = Plan(
        1,
        (Quirks(title_limit=40),),
        "#1 orders fail in region two and people wait",
        "SEV-2",
        "",
        (fault, ALL),
    )
    assert play(plan, Meaning({}), database).broken == []
    database_title = history_title(database)
    assert database_title == plan.title


def history_title(database: MemoryDatabase) -> str:
    async def unit(tx: Any) -> str:
        return str(await tx.account("default").scalar(select(incident.c.title)))

    return database.run(unit)


def test_a_move_back_elsewhere_that_gives_way_to_the_further_status_is_shown(
    database: MemoryDatabase,
) -> None:
    """The link to A never saw the status that B went back from: for it, both had only moved on."""
    told = [Step("deliver", at=1)] * 6
    steps = (
        ALL,
        Step("down"),
        *(Step("their edit", at=1, field="status", value="Resolved"), *told, ALL),
        Step("their edit", field="status", value="Closed"),
        Step("wait", n=20),
        *(Step("their edit", at=1, field="status", value="On Hold"), *told, ALL),
        Step("up"),
    )
    assert played(database, [Quirks(), Quirks()], *steps).broken == []


def test_a_title_that_a_vendor_cut_before_we_knew_of_the_ticket_does_not_cut_ours(
    database: MemoryDatabase,
) -> None:
    title = "#1 orders fail in region two and people wait for minutes"
    cut = 0
    for boundaries in range(3, 14):
        steps = (
            Step("go", n=boundaries),
            Step("crash"),
            Step("their edit", field="priority", value="MODERATE"),
            ALL,
        )
        player = Player(Plan(1, (Quirks(title_limit=40),), title, "SEV-2", "", steps), Meaning({}), database)
        for step in steps:
            player.step(step)
        player.end()
        assert player.outcome.broken == []
        assert player.world.incident().title == title
        cut += any(
            record.title == title[:40].rstrip() for record in player.world.vendors["A"].records.values()
        )
    assert cut


def test_a_file_whose_ticket_goes_while_it_is_fetched_is_not_on_its_way_for_ever(
    database: MemoryDatabase,
) -> None:
    file = Step("their file", field="responders", value="#3 a file")
    for boundaries in range(4, 40, 3):
        gone = (Step("go", n=boundaries), Step("crash"), Step("their delete"))
        outcome = played(database, [Quirks()], ALL, file, Step("poll"), *gone)
        assert outcome.broken == [], boundaries


@pytest.mark.parametrize("fault", ["", "time-out after"])
def test_an_edit_that_gave_way_to_what_had_been_there_before_is_told_where_the_clock_ticks_in_minutes(
    database: MemoryDatabase, fault: str
) -> None:
    """Seed 45924: what we send is kept as just the value that we had read, and all lines of the history bear one time."""
    lost = (Step("fault", field="patch_ticket", value=fault), ALL) if fault else (ALL,)
    lowest = Step("our edit", field="severity", value="SEV-4")
    steps = (*lost, at_the_write("URGENT"), lowest, ALL, Step("wait", n=61), ALL)
    quirks = Quirks(priorities=Priorities.FEW, tick=60.0, history=True)
    plan = Plan(1, (quirks,), "#1 db", "SEV-3", "#2 what we know", steps)
    assert play(plan, Meaning({}), database).broken == []


def test_a_write_of_before_is_not_found_again_where_the_clock_ticks_in_minutes(
    database: MemoryDatabase,
) -> None:
    """Nobody edited there: our second SEV-4 changes nothing, and the line of the first is not of it."""
    steps: list[Step] = [ALL]
    for severity in ("SEV-4", "SEV-3", "SEV-4"):
        steps += [Step("our edit", field="severity", value=severity), ALL]
    player = Player(
        Plan(
            1,
            (Quirks(priorities=Priorities.FEW, tick=60.0, history=True),),
            "#1 db",
            "SEV-1",
            "",
            tuple(steps),
        ),
        Meaning({}),
        database,
    )
    for step in steps:
        player.step(step)
    link = player.world.links()["A"]
    assert (dict(link.merge.conflicts), link.merge.accounted["severity"].count) == ({}, 1)
    player.end()
    assert player.outcome.broken == []


def at_the_write(priority: str) -> Step:
    """Return an edit of theirs between our look at the version and our write."""
    return Step("their quick edit", field="priority", value=priority, n=WAYS * WINDOWS.index(CHECKED))

"""What a vendor's history tells of a write of ours, by hand: whose line is whose, where clocks cannot be trusted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from callout.ports.ticketing import FieldEdit, Ticket
from callout.ports.values import Priority
from callout.storage.schema import json_text
from callout.sync import links
from callout.sync.accounted import Accounted
from callout.sync.mapping import FieldMappings
from callout.sync.merge import Base, FieldRule, LinkState, Pending
from callout.sync.overwritten import Trace, accounted_for, merge_found, nothing_written, stamped, trace

READ_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TITLE = FieldRule("title", lambda value: value, lambda value: value, lambda one, other: one == other)
STATE = LinkState(
    {"title": Base("read", "read")}, {"title": Pending("ours", "ours", since=READ_AT.isoformat())}, {}
)


def line(before: str, after: str, *, own: bool, late: float) -> FieldEdit:
    at = READ_AT + timedelta(seconds=late)
    return FieldEdit("title", {"title": before}, {"title": after}, at=at, own=own)


def move(before: str, after: str, *, own: bool) -> FieldEdit:
    was, became = ({"priority": Priority(one)} for one in (before, after))
    return FieldEdit("priority", was, became, at=READ_AT, own=own)


@pytest.mark.parametrize("late", [2.0, 0.0, -1.0])
def test_an_unread_edit_is_found_whatever_their_clock_says(late: float) -> None:
    """What had been read may carry a later time than the write that came after it: another of their machines set it."""
    history = (line("read", "theirs", own=False, late=late), line("theirs", "ours", own=True, late=late))
    found = trace(Ticket("1", "A-1", "ours", edits=history), STATE, {"title"}, {"title": TITLE}, done=True)
    assert found.replaced == {"title": "theirs"}
    assert found.arrived == {"title"}


def test_an_older_write_of_ours_is_not_taken_for_this_one() -> None:
    """It led to something that somebody changed back to what was read."""
    history = (line("old", "ours", own=True, late=-60), line("ours", "read", own=False, late=-30))
    found = trace(Ticket("1", "A-1", "read", edits=history), STATE, {"title"}, {"title": TITLE}, done=False)
    assert (found.arrived, dict(found.replaced)) == (frozenset(), {})


# --------------------------------------------------- where all times are alike, and what we send is kept as what was there

SEVERITY = FieldMappings().rules("A")["severity"]
NONE_YET = Accounted()
ONE = Accounted(READ_AT.isoformat(), 1)
OLDER = move("HIGH", "MEDIUM", own=True)
THEIRS, OURS = move("MEDIUM", "URGENT", own=False), move("URGENT", "MEDIUM", own=True)


def severity_trace(
    *history: FieldEdit, accounted: Accounted | None, done: bool = True, since: datetime = READ_AT
) -> Trace:
    """Return what is told of a LOW of ours that the vendor keeps as MEDIUM, which is what had been read."""
    write = Pending("SEV-4", "LOW", since.isoformat(), accounted)
    state = LinkState({"severity": Base("SEV-3", "MEDIUM")}, {"severity": write})
    ticket = Ticket("1", "A-1", "db", priority=Priority.MEDIUM, edits=history)
    return trace(ticket, state, {"severity"}, {"severity": SEVERITY}, done=done)


@pytest.mark.parametrize(("history", "accounted"), [((THEIRS, OURS), NONE_YET), ((OLDER, THEIRS, OURS), ONE)])
def test_a_line_of_ours_that_was_not_there_before_is_of_this_write(
    history: tuple[FieldEdit, ...], accounted: Accounted
) -> None:
    found = severity_trace(*history, accounted=accounted)
    assert (found.replaced, found.left) == ({"severity": "URGENT"}, {"severity": "MEDIUM"})
    assert found.arrived == {"severity"}


def test_a_line_of_ours_that_was_known_is_not_taken_for_this_write() -> None:
    """Our write made none: it found its result there."""
    found = severity_trace(OLDER, accounted=ONE)
    assert (dict(found.replaced), found.arrived) == ({}, frozenset())


@pytest.mark.parametrize(
    "accounted", [None, Accounted("2026-03-01T11:00:00+00:00", 1), replace(ONE, count=3)]
)
def test_where_the_known_line_is_not_found_no_line_counts_as_new(accounted: Accounted | None) -> None:
    """Never looked at, or so long ago that the newest part of the history begins after it."""
    assert dict(severity_trace(THEIRS, OURS, accounted=accounted).replaced) == {}


def test_a_line_that_is_older_than_our_look_by_their_clock_is_not_new() -> None:
    """Other programs write through our account, too."""
    later = READ_AT + timedelta(seconds=1)
    assert dict(severity_trace(THEIRS, OURS, accounted=NONE_YET, since=later).replaced) == {}


def test_after_a_lost_answer_what_gave_way_is_told_and_the_write_stays_open() -> None:
    found = severity_trace(THEIRS, OURS, accounted=NONE_YET, done=False)
    assert (found.replaced, found.arrived) == ({"severity": "URGENT"}, frozenset())
    write = {"severity": Pending("SEV-4", "LOW")}
    state = LinkState({"severity": Base("SEV-3", "MEDIUM")}, write)
    result = merge_found(state, {"severity": "SEV-4"}, found, state, {"severity": SEVERITY})
    assert [(one.lost, one.side) for one in result.overridden] == [("URGENT", "theirs")]
    assert (result.state, result.conflicts) == (state, ())


def test_after_a_lost_answer_a_line_is_told_of_only_where_it_is_known_to_be_new() -> None:
    assert dict(severity_trace(THEIRS, OURS, accounted=None, done=False).replaced) == {}
    assert dict(severity_trace(OLDER, accounted=ONE, done=False).replaced) == {}


# --------------------------------------------------- what is remembered of a history


def test_what_is_accounted_for_is_found_again_in_a_longer_and_in_a_cut_history() -> None:
    late = replace(OURS, at=READ_AT + timedelta(minutes=1))
    history = (OLDER, THEIRS, OURS, late)
    known = Accounted.of(history[:3])
    assert known == Accounted(READ_AT.isoformat(), 2)
    assert known.beyond(history) == 3
    assert known.beyond(history[1:]) == 3, "of the two of its time one is told no more: nothing counts as new"
    assert Accounted.of(history).beyond(history[3:]) == 1
    assert Accounted.of((THEIRS,)) == NONE_YET
    assert NONE_YET.beyond(history) == 0


def test_times_are_the_same_whatever_zone_they_are_told_in() -> None:
    elsewhere = replace(OURS, at=READ_AT.astimezone(timezone(timedelta(hours=5))))
    assert Accounted.of((elsewhere,)) == ONE
    assert ONE.beyond((elsewhere,)) == 1


def test_a_write_takes_what_is_accounted_for_with_it_and_its_history_brings_it_back() -> None:
    read = Ticket("1", "A-1", "db", updated_at=READ_AT)
    write = {"severity": Pending("SEV-4", "LOW")}
    state = LinkState(pending=write, accounted={"severity": ONE, "title": NONE_YET})
    begun = stamped(state, {"severity"}, read)
    assert begun.accounted == {"title": NONE_YET}, "should its history not be told, nothing is known"
    assert begun.pending["severity"] == Pending("SEV-4", "LOW", READ_AT.isoformat(), ONE)
    written = replace(read, edits=(OLDER, THEIRS, OURS))
    assert accounted_for(begun, written, {"severity"}).accounted["severity"] == replace(ONE, count=2)
    assert accounted_for(begun, read, {"severity"}) == begun


def test_of_a_ticket_that_we_made_no_line_of_ours_is_there_unless_it_was_changed_at_once() -> None:
    made = Ticket("1", "A-1", "db", created_at=READ_AT, updated_at=READ_AT)
    assert nothing_written(made, ["title"]) == {"title": NONE_YET}
    completed = replace(made, updated_at=READ_AT + timedelta(milliseconds=40))
    assert (nothing_written(completed, ["title"]), nothing_written(Ticket("1", "A-1", "db"), ["title"])) == (
        {},
        {},
    )


def test_a_link_remembers_it_and_those_stored_before_are_read() -> None:
    state = LinkState(
        {"severity": Base("SEV-3", "MEDIUM")},
        {"severity": Pending("SEV-4", "LOW", READ_AT.isoformat(), ONE), "title": Pending("a", "a")},
        {},
        {"description": NONE_YET},
    )
    stored = json_text(links._state_json(state))
    assert links._state_of(json.loads(stored)) == state
    assert stored.endswith('"conflicts":{}}'), "links without a conflict are found by this ending"
    settled = json_text(links._state_json(replace(state, pending={})))
    assert settled.endswith('"pending":{},"since":{},"conflicts":{}}'), "and those at rest by this"
    before = '{"bases":{},"pending":{"title":["a","a"]},"since":{},"conflicts":{}}'
    assert links._state_of(json.loads(before)) == LinkState(pending={"title": Pending("a", "a")})
    assert json_text(links._state_json(links._state_of(json.loads(before)))) == before

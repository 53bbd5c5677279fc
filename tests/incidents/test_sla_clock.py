"""The clocks of an incident: pure, told by stories and by properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.incidents.sla.clock import (
    Clock,
    ClockKind,
    Clocks,
    ClockState,
    Limit,
    Rule,
    Step,
    advance,
    next_of,
    tick,
)
from callout.incidents.sla.hours import between
from callout.incidents.sla.rules import BUILT_IN, read, shown
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Status

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
ACK, UPDATE, RESOLVE = ClockKind.ACKNOWLEDGE, ClockKind.UPDATE, ClockKind.RESOLVE


def rule(ack: int = 15, update: int = 60, resolve: int = 240, **more: Any) -> Rule:
    pause = more.pop("pause", {})
    amounts = {ACK: ack, UPDATE: update, RESOLVE: resolve}
    limits = {
        kind: Limit(timedelta(minutes=n), frozenset(pause.get(kind, ()))) for kind, n in amounts.items() if n
    }
    return Rule(more.pop("name", "SEV-1"), limits, **more)


def minutes(n: float) -> datetime:
    return START + timedelta(minutes=n)


def declared(held_to: Rule | None = None) -> dict[ClockKind, Clock]:
    clocks, told = advance({}, Step(START, None, Status.OPEN), held_to or rule())
    assert told == []
    return clocks


def states(clocks: Clocks, n: float) -> dict[str, str]:
    return {kind.value: clock.state(minutes(n)).value for kind, clock in clocks.items()}


def test_a_new_incident_has_three_clocks() -> None:
    clocks = declared()
    assert {kind: clock.due_at for kind, clock in clocks.items()} == {
        ACK: minutes(15),
        UPDATE: minutes(60),
        RESOLVE: minutes(240),
    }
    assert next_of(clocks) == clocks[ACK].warn_at == minutes(12)


def test_in_time_is_met() -> None:
    clocks, told = advance(declared(), Step(minutes(14), Status.OPEN, Status.ACKNOWLEDGED, said=True), rule())
    assert told == []
    assert states(clocks, 14) == {"acknowledge": "met", "update": "running", "resolve": "running"}
    assert clocks[UPDATE].due_at == minutes(74)


def test_a_warning_and_a_breach_are_told_once() -> None:
    clocks, told = tick(declared(), minutes(12))
    assert [(one.clock.kind, one.breached) for one in told] == [(ACK, False)]
    assert tick(clocks, minutes(13))[1] == []
    clocks, told = tick(clocks, minutes(15))
    assert [(one.clock.kind, one.breached) for one in told] == [(ACK, True)]
    assert tick(clocks, minutes(16))[1] == []


def test_after_hours_of_silence_each_clock_tells_its_worst_only() -> None:
    _, told = tick(declared(), minutes(230))
    assert {(one.clock.kind, one.breached) for one in told} == {(ACK, True), (UPDATE, True), (RESOLVE, False)}


def test_what_was_missed_before_a_change_is_told_with_it() -> None:
    clocks, told = advance(declared(), Step(minutes(20), Status.OPEN, Status.ACKNOWLEDGED, said=True), rule())
    assert [(one.clock.kind, one.breached) for one in told] == [(ACK, True)]
    assert states(clocks, 20)["acknowledge"] == "breached"
    assert clocks[ACK].ended_at == minutes(20)


def test_every_note_begins_the_update_clock_again() -> None:
    clocks = declared(rule(ack=0))
    for n in (50, 100, 150):
        clocks, told = advance(clocks, Step(minutes(n), Status.OPEN, Status.OPEN, said=True), rule(ack=0))
        assert told == []
    assert clocks[UPDATE].due_at == minutes(210)


def test_a_late_update_is_told_and_the_clock_begins_again() -> None:
    clocks, told = advance(
        declared(rule(ack=0)), Step(minutes(61), Status.OPEN, Status.OPEN, said=True), rule(ack=0)
    )
    assert [one.clock.kind for one in told] == [UPDATE]
    assert (clocks[UPDATE].breached_at, clocks[UPDATE].missed) == (None, 1)
    assert clocks[UPDATE].due_at == minutes(121)


def test_resolving_ends_all() -> None:
    clocks, _ = advance(declared(), Step(minutes(10), Status.OPEN, Status.RESOLVED, said=True), rule())
    assert set(states(clocks, 10).values()) == {"met"}
    assert next_of(clocks) is None


def test_reopening_begins_anew() -> None:
    clocks, _ = advance(declared(), Step(minutes(20), Status.OPEN, Status.RESOLVED, said=True), rule())
    clocks, told = advance(clocks, Step(minutes(500), Status.RESOLVED, Status.OPEN, said=True), rule())
    assert told == []
    assert states(clocks, 500) == dict.fromkeys(["acknowledge", "update", "resolve"], "running")
    assert clocks[ACK].due_at == minutes(515)
    assert clocks[ACK].missed == 1


def test_a_paused_clock_stands_still_and_goes_on_with_what_is_left() -> None:
    held_to = rule(pause={RESOLVE: [Status.MITIGATED], UPDATE: [Status.MITIGATED]})
    clocks, _ = advance(
        declared(held_to), Step(minutes(40), Status.OPEN, Status.MITIGATED, said=True), held_to
    )
    assert states(clocks, 9999)["resolve"] == "paused"
    assert clocks[RESOLVE].left == timedelta(minutes=200)
    clocks, _ = advance(
        clocks, Step(minutes(1000), Status.MITIGATED, Status.ACKNOWLEDGED, said=True), held_to
    )
    assert clocks[RESOLVE].due_at == minutes(1200)
    assert clocks[RESOLVE].warn_at == minutes(1200 - 48)
    assert clocks[UPDATE].due_at == minutes(1060)


def test_a_worse_severity_counts_from_the_change() -> None:
    slow, fast = rule(240, 1440, 4320, name="SEV-3"), rule()
    clocks, told = advance(declared(slow), Step(minutes(100), Status.OPEN, Status.OPEN), fast)
    assert told == []
    assert clocks[ACK].due_at == minutes(115)
    assert clocks[RESOLVE].due_at == minutes(340)


def test_a_worse_severity_gives_nobody_more_time() -> None:
    slow, fast = rule(240, name="SEV-3"), rule(120)
    clocks, _ = advance(declared(slow), Step(minutes(200), Status.OPEN, Status.OPEN), fast)
    assert clocks[ACK].due_at == minutes(240)


def test_a_milder_severity_counts_from_the_start() -> None:
    clocks, _ = advance(declared(), Step(minutes(10), Status.OPEN, Status.OPEN), rule(240, name="SEV-3"))
    assert clocks[ACK].due_at == minutes(240)


def test_what_is_not_asked_any_more_is_not_held_against_anybody() -> None:
    clocks, _ = advance(declared(), Step(minutes(5), Status.OPEN, Status.OPEN), rule(0, 0, 0, name="SEV-4"))
    assert clocks == {}


def test_a_severity_without_a_rule_gets_one_later() -> None:
    clocks, _ = advance({}, Step(START, None, Status.OPEN), None)
    assert clocks == {}
    clocks, _ = advance({}, Step(minutes(60), Status.ACKNOWLEDGED, Status.ACKNOWLEDGED), rule())
    assert states(clocks, 60) == {"update": "running", "resolve": "running"}


AMOUNTS = st.integers(1, 600)


@given(first=AMOUNTS, second=AMOUNTS, at=st.integers(0, 599))
def test_a_change_of_the_rule_never_makes_anybody_late_at_once(first: int, second: int, at: int) -> None:
    at = min(at, first - 1)
    changed = Step(minutes(at), Status.OPEN, Status.OPEN)
    clocks, told = advance(declared(rule(first, 0, 0)), changed, rule(second, 0, 0, name="x"))
    due = clocks[ACK].due_at
    assert told == []
    assert due is not None
    assert due > minutes(at)
    # No later than promised, unless the new rule by itself gives more; no earlier than the new rule from the start.
    assert minutes(second) <= due <= max(minutes(first), minutes(second))


MOVES = st.lists(
    st.tuples(
        st.integers(1, 200),
        st.sampled_from(Status),
        st.booleans(),
        st.tuples(st.integers(0, 60), st.integers(0, 120), st.integers(0, 400)),
    ),
    max_size=12,
)


@given(moves=MOVES, office=st.booleans())
def test_through_any_history_nothing_is_told_twice_and_no_clock_runs_after_the_end(
    moves: list[tuple[int, Status, bool, tuple[int, int, int]]], *, office: bool
) -> None:
    calendar = BUSY if office else rule().calendar
    pause = {UPDATE: [Status.MITIGATED], RESOLVE: [Status.MITIGATED]}
    held_to = rule(pause=pause, calendar=calendar)
    clocks = declared(held_to)
    status, now = Status.OPEN, 0
    for wait, following, said, amounts in moves:
        # The timer fires when it should; a history is then told the same with and without it.
        due = next_of(clocks)
        if due is not None and due <= minutes(now + wait):
            clocks, told = tick(clocks, due)
            assert told
            assert tick(clocks, due)[1] == []
        now += wait
        held_to = rule(*amounts, pause=pause, calendar=calendar)
        step = Step(minutes(now), status, following, said=said or following is not status)
        clocks, told = advance(clocks, step, held_to)
        assert len({one.clock.kind for one in told}) == len(told)
        again, told = advance(clocks, Step(minutes(now), following, following), held_to)
        assert told == []
        if following is not Status.OPEN:
            assert again == clocks
        status = following
        for kind, clock in clocks.items():
            assert clock.warn_at is None or clock.due_at is None or clock.warn_at <= clock.due_at
            if status in {Status.RESOLVED, Status.CLOSED}:
                assert not clock.runs
            if clock.left is not None:
                assert status is Status.MITIGATED
                assert clock.next_at() is None
            if kind is ACK and status is not Status.OPEN:
                assert clock.ended_at is not None
            if clock.runs and clock.due_at is not None:
                assert between(calendar, clock.started_at, clock.due_at) >= timedelta()
                assert clock.state(minutes(now)) in {ClockState.RUNNING, ClockState.BREACHED}


BUSY = (
    read(
        {
            "calendars": {"office": {"time_zone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-17:00"]}}},
            "rules": [{"acknowledge": "1h", "hours": "office"}],
        }
    )
    .rules[0][1]
    .calendar
)


def test_the_built_in_rules() -> None:
    assert shown(BUILT_IN) == [
        {
            "for": "SEV-1",
            "acknowledge": "15m",
            "update": "1h",
            "resolve": "4h",
            "hours": "always",
            "warn_at": 80,
        },
        {
            "for": "SEV-2",
            "acknowledge": "30m",
            "update": "2h",
            "resolve": "8h",
            "hours": "always",
            "warn_at": 80,
        },
        {
            "for": "SEV-3",
            "acknowledge": "4h",
            "update": "1d",
            "resolve": "3d",
            "hours": "always",
            "warn_at": 80,
        },
        {"for": "SEV-4", "acknowledge": "1d", "resolve": "10d", "hours": "always", "warn_at": 80},
    ]


@pytest.mark.parametrize(
    ("document", "said", "remedy"),
    [
        (
            {"rules": [{"severty": "SEV-1"}]},
            "/rules/0/severty: there is no setting 'severty'",
            "Did you mean severity?",
        ),
        ({"rules": [{"severity": "red"}]}, "/rules/0/severity: 'red' is no severity", "SEV-1"),
        ({"rules": [{"acknowledge": "soon"}]}, "'soon' is no duration", "15m"),
        ({"rules": [{"acknowledge": "0m"}]}, "must be at least 1s", ""),
        (
            {"rules": [{"hours": "ofice"}], "calendars": {"office": {"hours": {"mon": "09:00-17:00"}}}},
            "'ofice'",
            "office",
        ),
        ({"rules": [{}, {}]}, "/rules/1: is for the same incidents as /rules/0", "Leave one"),
        ({"rules": [{"warn_at": 120}]}, "from 0 to 99", ""),
        ({"rules": [{"pause": {"update": ["resolved"]}}]}, "no status of an active incident", ""),
        ({"rules": [{"pause": {"acknowledge": ["open"]}}]}, "there is no setting 'acknowledge'", ""),
        (
            {"calendars": {"x": {"time_zone": "Berlin", "hours": {"mon": "09:00-17:00"}}}},
            "'Berlin' is no time zone",
            "Europe/Berlin",
        ),
        ({"calendars": {"x": {"hours": {"monday": "09:00-17:00"}}}}, "'monday' is no day", "mon-fri"),
        ({"calendars": {"x": {"hours": {"fri-mon": "09:00-17:00"}}}}, "the week begins on mon", ""),
        ({"calendars": {"x": {"hours": {"mon": "9-17"}}}}, "no time of day", "09:00"),
        ({"calendars": {"x": {"hours": {"mon": ["09:00-12:00", "11:00-13:00"]}}}}, "must not overlap", ""),
        ({"calendars": {"x": {"hours": {"mon": "09:00"}}}}, "is no span of time", "09:00-17:00"),
        ({"calendars": {"x": {}}}, "names no working time", "mon-fri"),
        (
            {"calendars": {"x": {"hours": {"mon": "09:00-17:00"}, "holidays": ["Easter"]}}},
            "'Easter' is no date",
            "",
        ),
        ({"calendars": {"always": {"hours": {"mon": "09:00-17:00"}}}}, "is built in", "another name"),
        ({"rule": []}, "there is no setting 'rule'", "rules"),
    ],
)
def test_rules_that_cannot_work_are_refused_in_plain_words(
    document: dict[str, Any], said: str, remedy: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read(document)
    assert said in caught.value.message
    assert remedy in caught.value.remediation

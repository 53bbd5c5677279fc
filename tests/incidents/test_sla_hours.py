"""Working time: pure, and held against a count of every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callout.incidents.sla.hours import ALWAYS, DAYS, MIDNIGHT, Calendar, after, between, is_open, ordered

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Calendar("office", BERLIN, dict.fromkeys(DAYS[:5], ((time(9), time(17)),)))
NIGHT = Calendar("night", BERLIN, dict.fromkeys(DAYS, ((time(0), time(6)), (time(22), MIDNIGHT))))
ZONES = [
    BERLIN,
    ZoneInfo("America/New_York"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("Asia/Kathmandu"),
    ZoneInfo("UTC"),
]


def at(day: int, hour: int, minute: int = 0, month: int = 3, zone: ZoneInfo = BERLIN) -> datetime:
    """A moment of 2026, by the calendar's own clock."""
    return datetime(2026, month, day, hour, minute, tzinfo=zone).astimezone(UTC)


def test_all_time_counts_round_the_clock() -> None:
    assert after(ALWAYS, at(1, 3), timedelta(hours=2)) == at(1, 5)
    assert between(ALWAYS, at(1, 3), at(2, 3)) == timedelta(days=1)


def test_what_begins_at_night_counts_from_the_morning() -> None:
    assert after(OFFICE, at(4, 22), timedelta(hours=1)) == at(5, 10)


def test_a_weekend_does_not_count() -> None:
    friday = at(6, 16)
    assert after(OFFICE, friday, timedelta(hours=2)) == at(9, 10)
    assert between(OFFICE, friday, at(9, 10)) == timedelta(hours=2)


def test_a_holiday_does_not_count() -> None:
    calendar = Calendar("office", BERLIN, OFFICE.hours, frozenset({date(2026, 3, 9)}))
    assert after(calendar, at(6, 16), timedelta(hours=2)) == at(10, 10)


def test_the_end_of_a_working_day_is_reached_within_it() -> None:
    assert after(OFFICE, at(4, 9), timedelta(hours=8)) == at(4, 17)


def test_the_night_in_which_the_clocks_go_forward_is_an_hour_shorter() -> None:
    # 2026-03-29: 02:00 becomes 03:00.
    assert between(NIGHT, at(29, 0), at(29, 12)) == timedelta(hours=5)
    assert after(NIGHT, at(29, 0), timedelta(hours=5)) == at(29, 6)


def test_the_night_in_which_the_clocks_go_back_is_an_hour_longer() -> None:
    # 2026-10-25: 03:00 becomes 02:00.
    assert between(NIGHT, at(25, 0, month=10), at(25, 12, month=10)) == timedelta(hours=7)
    assert after(NIGHT, at(25, 0, month=10), timedelta(hours=7)) == at(25, 6, month=10)


def test_a_span_within_the_hour_that_is_left_out_is_no_time_at_all() -> None:
    calendar = Calendar("odd", BERLIN, {"sun": ((time(2, 0), time(3, 0)),)})
    assert between(calendar, at(29, 0), at(29, 12)) == timedelta()


@pytest.mark.parametrize(
    ("begin", "end", "minutes"),
    [
        (time(0), time(2), 120),
        (time(0), time(2, 30), 120),
        (time(2), time(4), 60),
        (time(2, 30), time(4), 60),
        (time(2, 15), time(2, 45), 0),
    ],
)
def test_a_span_that_begins_or_ends_in_the_hour_that_is_left_out_does_so_at_the_change(
    begin: time, end: time, minutes: int
) -> None:
    calendar = Calendar("odd", BERLIN, {"sun": ((begin, end),)})
    assert between(calendar, at(28, 12), at(29, 12)) == timedelta(minutes=minutes)
    if minutes:
        assert after(calendar, at(28, 12), timedelta(minutes=minutes)) in {at(29, 3), at(29, 4)}


def test_a_time_that_never_comes_is_said() -> None:
    every = frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(900))
    assert after(Calendar("never", BERLIN, OFFICE.hours, every), at(4, 9), timedelta(minutes=1)) is None


@pytest.mark.parametrize(
    ("moment", "is_working"),
    [(at(4, 9), True), (at(4, 8, 59), False), (at(4, 17), False), (at(7, 12), False), (at(29, 4), False)],
)
def test_whether_it_is_working_time(moment: datetime, *, is_working: bool) -> None:
    assert is_open(OFFICE, moment) is is_working


def test_spans_are_in_order_and_apart() -> None:
    assert ordered([(time(9), time(12)), (time(13), MIDNIGHT)])
    assert not ordered([(time(9), time(12)), (time(11), time(13))])
    assert not ordered([(time(13), time(14)), (time(9), time(12))])
    assert not ordered([(time(9), time(9))])


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    hours = {}
    for day in draw(st.sets(st.sampled_from(DAYS), min_size=1)):
        marks = sorted(draw(st.sets(st.integers(0, 95), min_size=2, max_size=4)))
        times = [time(mark // 4, mark % 4 * 15) for mark in marks]
        hours[day] = tuple(zip(times[0::2], times[1::2], strict=False))
    zone = draw(st.sampled_from(ZONES))
    days_off = draw(st.sets(st.integers(0, 30), max_size=3))
    holidays = frozenset(date(2026, 3, 20) + timedelta(days=n) for n in days_off)
    return Calendar("drawn", zone, hours, holidays)


MOMENTS = st.one_of(
    # Around the changes of the clocks in March, April, October and November.
    st.integers(0, 13 * 1440).map(lambda n: datetime(2026, 3, 26, tzinfo=UTC) + timedelta(minutes=n)),
    st.integers(0, 35 * 1440).map(lambda n: datetime(2026, 10, 1, tzinfo=UTC) + timedelta(minutes=n)),
)


def counted(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Count the minutes one by one: those whose time of day lies in a span of that day."""
    minutes = 0
    moment = start
    while moment < end:
        local = moment.astimezone(calendar.zone)
        spans = () if local.date() in calendar.holidays else calendar.hours.get(DAYS[local.weekday()], ())
        wall = local.time()
        minutes += any(begin <= wall < stop for begin, stop in spans)
        moment += timedelta(minutes=1)
    return timedelta(minutes=minutes)


@settings(deadline=None, max_examples=60)
@given(calendar=calendars(), start=MOMENTS, minutes=st.integers(0, 3000))
def test_it_is_what_counting_every_minute_finds(calendar: Calendar, start: datetime, minutes: int) -> None:
    end = start + timedelta(minutes=minutes)
    # Where an hour comes twice, a span that ends or begins in it is meant once: from the first time to the last.
    local = {(start + timedelta(minutes=n)).astimezone(calendar.zone).fold for n in range(0, minutes + 1, 15)}
    if 1 in local:
        assert between(calendar, start, end) >= timedelta()
    else:
        assert between(calendar, start, end) == counted(calendar, start, end)


@settings(deadline=None)
@given(calendar=calendars(), start=MOMENTS, minutes=st.integers(1, 5000))
def test_what_is_added_has_passed_by_then_and_not_a_moment_before(
    calendar: Calendar, start: datetime, minutes: int
) -> None:
    amount = timedelta(minutes=minutes)
    due = after(calendar, start, amount)
    assert due is not None
    assert between(calendar, start, due) == amount
    assert between(calendar, start, due - timedelta(seconds=1)) < amount


@settings(deadline=None)
@given(calendar=calendars(), start=MOMENTS, first=st.integers(1, 2000), second=st.integers(1, 2000))
def test_parts_add_up(calendar: Calendar, start: datetime, first: int, second: int) -> None:
    middle = after(calendar, start, timedelta(minutes=first))
    assert middle is not None
    whole = after(calendar, start, timedelta(minutes=first + second))
    assert after(calendar, middle, timedelta(minutes=second)) == whole


@settings(deadline=None)
@given(calendar=calendars(), start=MOMENTS, later=st.integers(0, 5000), minutes=st.integers(1, 2000))
def test_what_begins_later_is_due_no_earlier(
    calendar: Calendar, start: datetime, later: int, minutes: int
) -> None:
    one = after(calendar, start, timedelta(minutes=minutes))
    other = after(calendar, start + timedelta(minutes=later), timedelta(minutes=minutes))
    assert one is not None
    assert other is not None
    assert one <= other

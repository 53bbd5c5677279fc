"""Times in queries: in the zone that the instance reads them in, which is asked and not assumed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from callout.connectors.servicenow import changes
from callout.connectors.servicenow.zone import QueryZone, moment, raw
from callout.ports.provider import PollPosition
from callout.ports.ticketing import ChangeKind, TicketDraft, TicketFilter, TicketQuery
from tests.connectors.servicenow.instance import Instance

BERLIN = QueryZone(ZoneInfo("Europe/Berlin"), "Europe/Berlin")
FIRST = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
"""02:30 in Berlin, the first of two."""


def test_raw_times_are_utc_with_whole_seconds() -> None:
    assert moment("2026-01-02 03:04:05") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert moment("2026-01-02") == datetime(2026, 1, 2, tzinfo=UTC)
    assert (moment(""), moment("02/01/2026"), moment(None)) == (None, None, None)
    assert raw(datetime(2026, 1, 2, 4, 4, 5, tzinfo=ZoneInfo("Europe/Berlin"))) == "2026-01-02 03:04:05"


def test_a_literal_is_the_wall_clock_of_the_zone() -> None:
    assert BERLIN.literal(datetime(2026, 7, 1, 12, tzinfo=UTC)) == "2026-07-01 14:00:00"
    assert BERLIN.literal(datetime(2026, 1, 1, 12, tzinfo=UTC)) == "2026-01-01 13:00:00"


@pytest.mark.parametrize("at", [FIRST, FIRST + timedelta(hours=1)])
def test_an_hour_that_comes_twice_is_asked_for_twice(at: datetime) -> None:
    assert BERLIN.twice(at)
    assert BERLIN.at_least(at) <= "2026-10-25 02:00:00"[:13] + ":30:00"
    low = datetime.strptime(BERLIN.at_least(at), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    high = datetime.strptime(BERLIN.at_most(at), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    for fold in (0, 1):
        zone = ZoneInfo("Europe/Berlin")
        assert low.replace(tzinfo=zone, fold=fold) <= at < high.replace(tzinfo=zone, fold=fold)


@pytest.mark.parametrize("user_zone", ["GMT", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata"])
@pytest.mark.parametrize("read_as", ["user", "utc"])
@pytest.mark.parametrize("username", ["admin", "callout.integration"])
async def test_polling_and_filters_hit_the_second_whatever_the_zone(
    instance: Instance, user_zone: str, read_as: str, username: str
) -> None:
    instance.set(admin_time_zone=user_zone, query_time_zone=read_as)
    provider = instance.provider(username=username, secret={"admin": "admin"}.get(username, "integration"))
    old = await provider.create_ticket(TicketDraft("old"))
    instance.pass_time(timedelta(hours=3))
    new = await provider.create_ticket(TicketDraft("new"))
    report = await provider.check_connection()
    assert report.time_zone in ({user_zone} if read_as == "user" else {"UTC", "GMT"})
    assert new.created_at is not None
    found = [
        change.ticket_id
        async for change in provider.changes_since(PollPosition(new.created_at), overlap=timedelta(minutes=5))
    ]
    assert found == [new.id]
    page = await provider.query_tickets(
        TicketQuery((TicketFilter("created_at", "lt", (new.created_at.isoformat(),)),))
    )
    assert [ticket.id for ticket in page.items] == [old.id]


async def test_a_zone_that_is_in_no_profile_is_the_default_of_the_instance(instance: Instance) -> None:
    provider = instance.provider()
    await provider.create_ticket(TicketDraft("x"))
    instance.set(properties={"glide.sys.default.tz": "Pacific/Auckland"})
    instance.act(
        "edit_record",
        table="sys_user",
        record=await _sys_id(instance),
        fields={"time_zone": ""},
        **{"as": "admin"},
    )
    report = await provider.check_connection()
    assert report.time_zone == "Pacific/Auckland"


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Asia/Kathmandu", "America/St_Johns"])
async def test_a_zone_that_nobody_tells_is_measured(instance: Instance, zone: str) -> None:
    """Neither the profile names it nor may this user read the instance's settings: the distance is found by halving."""
    provider = instance.provider(username="mia.manager", secret="mia")
    made = await provider.create_ticket(TicketDraft("x"))
    instance.set(properties={"glide.sys.default.tz": zone})
    users = instance.control.get("credentials").json()["users"]
    mia = next(user["sys_id"] for user in users if user["username"] == "mia.manager")
    instance.act("edit_record", table="sys_user", record=mia, fields={"time_zone": ""}, **{"as": "admin"})
    report = await provider.check_connection()
    assert made.created_at is not None
    offset = made.created_at.astimezone(ZoneInfo(zone)).utcoffset()
    assert report.time_zone == str(timezone(offset or timedelta()))
    found = [
        change.ticket_id
        async for change in provider.changes_since(PollPosition(made.created_at), overlap=timedelta())
    ]
    assert found == [made.id]


async def _sys_id(instance: Instance) -> str:
    users = instance.control.get("credentials").json()["users"]
    found: str = next(user["sys_id"] for user in users if user["username"] == "admin")
    return found


async def test_a_user_away_from_gmt_is_told_of(instance: Instance) -> None:
    instance.set(admin_time_zone="Europe/Berlin")
    report = await instance.provider().check_connection()
    assert any("Europe/Berlin" in warning and "GMT" in warning for warning in report.warnings)


async def test_the_hour_that_comes_twice_loses_nothing(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Summer time ends while we poll, by a user who was left in Berlin."""
    monkeypatch.setattr(changes, "PAGE", 3)
    instance.set(admin_time_zone="Europe/Berlin")
    instance.pass_time(datetime(2027, 10, 30, 23, 45, tzinfo=UTC) - instance.now())
    provider = instance.provider()
    start = instance.now()
    made: set[str] = set()
    for number in range(12):
        for _ in range(2):
            ticket = await provider.create_ticket(TicketDraft(str(number)))
            instance.act("attach", record=ticket.key, filename="x", text="x")
            made.add(ticket.id)
        instance.pass_time(timedelta(minutes=17))
    for position in (start, start + timedelta(minutes=40)):
        found = [
            change
            async for change in provider.changes_since(PollPosition(position), overlap=timedelta(minutes=5))
        ]
        records = {change.ticket_id for change in found if change.kind is ChangeKind.CREATED}
        files = {change.ticket_id for change in found if change.kind is ChangeKind.ATTACHED}
        assert files == records
        if position == start:
            assert records == made
            assert len([c for c in found if c.kind is ChangeKind.CREATED]) == len(made)
    cursor, seen = "", list[str]()
    while True:
        page = await provider.query_tickets(TicketQuery(limit=5, cursor=cursor))
        seen += [ticket.id for ticket in page.items]
        cursor = page.cursor
        if not cursor:
            break
    assert sorted(seen) == sorted(made)

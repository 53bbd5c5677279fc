"""Times in queries: in the zone that the instance reads them in, which is asked and not assumed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callout.connectors.servicenow.zone import QueryZone, moment, raw
from callout.ports.provider import PollPosition
from callout.ports.ticketing import TicketDraft, TicketFilter, TicketQuery
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


async def test_a_zone_that_nobody_tells_is_measured(instance: Instance) -> None:
    """The user's profile names no zone that is used: the distance is found by halving."""
    instance.set(admin_time_zone="Asia/Kathmandu")
    provider = instance.provider()
    await provider.create_ticket(TicketDraft("x"))
    # The profile says one thing, as an instance whose user record we may not read would say nothing.
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


async def _sys_id(instance: Instance) -> str:
    users = instance.control.get("credentials").json()["users"]
    found: str = next(user["sys_id"] for user in users if user["username"] == "admin")
    return found


async def test_a_user_away_from_gmt_is_told_of(instance: Instance) -> None:
    instance.set(admin_time_zone="Europe/Berlin")
    report = await instance.provider().check_connection()
    assert any("Europe/Berlin" in warning and "GMT" in warning for warning in report.warnings)

"""A vendor's limit in the middle of a backfill: it is kept, what is urgent goes through, and all are told until when the rest waits."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from callout.cli import main
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import Json, eventually
from tests.stories.vendors import ServiceNowPeople, add_servicenow, settled, skip

LIMIT = 60
"""Calls per hour. Less than a customer would allow, so that the story is short: the shares are the same with 500."""
TICKETS = 48
"""More than the backfill may call, even if each took a single call."""
SHADOW = {"shadow": True}


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product with ServiceNow alone, on both databases."""
    settings = {"poll_seconds": 600.0, "watch_seconds": 600.0}
    twins = ("jira", "slack", "servicenow")
    async with running(database_url, tmp_path / "data", vendors=(), twins=twins, settings=settings) as found:
        yield found


async def answered(people: ServiceNowPeople, since: int) -> Counter[int]:
    return Counter(int(entry["status"]) for entry in await people.calls(since=since))


async def at_half_past(installation: Installation, people: ServiceNowPeople) -> None:
    """Let it be half past for everybody, so that the vendor's hour does not end in the middle of the story."""
    await skip(installation, (5400 - datetime.now(UTC).timestamp() % 3600) % 3600, people)


@pytest.mark.timeout(150)
async def test_a_backfill_keeps_the_hours_limit_and_a_sev1_change_goes_through_at_once(
    hub: Installation,
) -> None:
    one, people = await add_servicenow(hub, sync=SHADOW)
    await at_half_past(hub, people)
    keys = [await hub.api.declare(f"old trouble {n}", severity="SEV-3") for n in range(TICKETS)]
    await settled(hub, people)
    assert await people.our_writes() == []
    # Without webhooks, whose changes are normal work and would use up what so small a limit leaves for it.
    await people.configure(rate_limit=LIMIT, business_rules=[])
    since = await people.last_seq()

    # The backfill: every incident gets its ticket, as fast as the limit allows.
    await hub.in_account(
        lambda tx: hub.core.integrations.update(tx, one.id, changes={"settings": {}}, actor=OPERATOR)
    )
    hub.clock.advance(timedelta(seconds=600))  # the schedule that notices it
    await people.configure(clock_offset=hub.clock.ahead.total_seconds())

    async def waits() -> Json:
        links = [await hub.api.link(key, "servicenow") for key in keys]
        waiting = [link["wait"] for link in links if link["wait"] is not None]
        assert len(waiting) > TICKETS // 3
        found: Json = waiting[0]
        return found

    wait = await eventually(waits, what="incidents that wait for the limit")
    used = await answered(people, since)
    assert used[429] == 0, "nobody had to be told"
    # It leaves three tenths; what was under way before the limit was heard of can be too much.
    assert used[200] + used[201] <= LIMIT * 0.7 + 6

    # Everybody is told until when, and how many wait.
    until = datetime.fromisoformat(wait["until"])
    hour = hub.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    assert timedelta() <= until - hour <= timedelta(seconds=3)
    words = rf"ServiceNow's limit of {LIMIT} calls per hour \(rule \w+\) is used up until \d\d:00:0\dZ.*; \d+ changes wait"
    assert re.fullmatch(words, wait["reason"]), wait
    healthy = await hub.in_account(lambda tx: hub.core.health.get(tx, one.id))
    assert healthy.state.value == "ok", "a wait of our own making is no trouble"

    # A SEV-1 incident meanwhile: its ticket, its change and its end go out at once.
    before = await people.last_seq()
    urgent = await hub.api.declare("checkout is down", severity="SEV-1")
    ticket = await hub.ticket_of(urgent, "servicenow")
    await hub.api.patch(urgent, title="checkout is down in Europe")

    async def changed() -> bool:  # looked at past the API, whose calls would count
        record = (await people.state())["tasks"][ticket]
        return bool(record["short_description"] == "checkout is down in Europe")

    await eventually(changed, what=f"the change of {ticket}")
    still = [key for key in keys if (await hub.api.link(key, "servicenow"))["state"] != "active"]
    assert still, "the backfill was over before"
    assert (await answered(people, before))[429] == 0
    # An old incident that becomes urgent is no longer held up by what it waited for.
    await hub.api.patch(still[0], severity="SEV-1")
    await hub.ticket_of(still[0], "servicenow")

    # The next hour, and the customer has raised the limit: the rest goes out by itself, and no ticket is there twice.
    await people.configure(rate_limit=10 * LIMIT)
    await skip(hub, 3600, people)

    async def done() -> bool:
        for key in keys:  # up to the first that is not there yet: each look is a call
            if (await hub.api.link(key, "servicenow"))["state"] != "active":
                return False
        return True

    await eventually(done, what="all tickets")
    titles = [task["short_description"] for task in (await people.state())["tasks"].values()]
    assert len([title for title in titles if title.startswith("old trouble")]) == TICKETS
    assert titles.count("checkout is down in Europe") == 1
    # Calls beyond the limit, from the first to the last: those of the urgent lane, whom only the vendor turns away.
    assert (await answered(people, since))[429] <= 2


async def test_a_refusal_is_told_with_its_end_and_a_token_that_expires_meanwhile_is_renewed_once(
    sqlite_path: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with running(
        f"sqlite:///{sqlite_path}",
        data,
        vendors=(),
        twins=("jira", "slack", "servicenow"),
        settings={"poll_seconds": 600.0, "watch_seconds": 600.0},
    ) as hub:
        _, people = await add_servicenow(hub)
        first = await hub.api.declare("first", severity="SEV-3")
        await hub.ticket_of(first, "servicenow")
        await settled(hub, people)
        await people.fault(
            {"match": {"method": "GET"}, "effect": {"kind": "status", "status": 429, "retry_after": 600}}
        )
        await hub.api.patch(first, title="the first")

        async def told() -> Json:
            link = await hub.api.link(first, "servicenow")
            assert link["wait"] is not None
            found: Json = link
            return found

        link = await eventually(told, what="the wait")
        assert re.search(r"is used up until \d\d:\d\d:\d\dZ", link["problem"]["message"])
        calls = len(await people.calls())
        # Everybody stays away, the urgent ones too: it is the vendor's own word.
        urgent = await hub.api.declare("second", severity="SEV-1")
        await asyncio.sleep(1.5)
        assert len(await people.calls()) - calls <= 2
        assert (await hub.api.link(urgent, "servicenow"))["wait"] is not None

        # An operator who looks is told, too.
        environment = {
            "CALLOUT_DATABASE_URL": f"sqlite:///{sqlite_path}",
            "CALLOUT_KEYS": "",
            "CALLOUT_DATA_DIR": str(data),
        }
        shown = await asyncio.to_thread(
            CliRunner().invoke, main, ["integration", "list", "--json"], env=environment
        )
        assert shown.exit_code == 0, shown.output
        [row] = json.loads(shown.output)
        assert re.search(r"is used up until \d\d:\d\d:\d\dZ; \d+ changes? waits?", row["wait"]["reason"])

        await people.fault()
        await skip(hub, 605, people)
        await hub.ticket_of(urgent, "servicenow")
        await settled(hub, people)
        recovered = await hub.api.link(first, "servicenow")
        assert (recovered["wait"], recovered["problem"]) == (None, None)

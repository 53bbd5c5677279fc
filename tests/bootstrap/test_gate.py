"""The gate in front of a vendor account, against the vendors' twins: one budget for all processes, and until when a wait lasts."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from callout.bootstrap.allowances import Allowances
from callout.bootstrap.gate import IntegrationGate
from callout.connectors.jira.limits import JiraLimits
from callout.connectors.pagerduty.limits import PagerDutyLimits
from callout.connectors.servicenow.limits import ServiceNowLimits
from callout.connectors.slack.limits import SlackLimits
from callout.jobs import Budgets, Refusal, open_engine
from callout.kit.allowance import VendorLimits
from callout.kit.clock import SystemClock
from callout.kit.http import HttpStatusError, VendorHttp
from callout.kit.lanes import Lane, in_lane
from callout.kit.net import AddressGuard
from callout.kit.secrets import Secret
from callout.kit.transport import GuardedTransport
from callout.kit.turnstile import Turnstile
from callout.ports.errors import RateLimitedError
from callout.sandbox.core.serve import SandboxServer, sandbox_in_thread
from callout.storage import Database, open_database

KEY = "integration-1"
CLOCK = SystemClock()
SERVICENOW = {"Authorization": Secret("Basic YWRtaW46YWRtaW4="), "Accept": "application/json"}
PAGERDUTY = {
    "Authorization": Secret("Token token=pd-key-0000000000000"),
    "Accept": "application/vnd.pagerduty+json;version=2",
}
SLACK = {"Authorization": Secret("Bearer xoxb-acc")}
JIRA = {"Authorization": Secret("Basic YWRtaW5AZXhhbXBsZS5jb206dG9rZW4=")}
RECORDS = "/api/now/table/incident?sysparm_limit=1"


TLS = ssl.create_default_context()  # made once: nothing here leaves the loopback


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxServer]:
    """The twins, in a thread of their own."""
    with sandbox_in_thread(["servicenow", "pagerduty", "slack", "jira"]) as server:
        yield server


class Twin:
    """One twin, and what was done to it."""

    def __init__(self, sandbox: SandboxServer, name: str) -> None:
        self.url = f"{sandbox.base_url}/{name}"
        self._control = httpx.Client(base_url=f"{self.url}/_twin/", verify=TLS)
        self._control.post("reset").raise_for_status()

    def close(self) -> None:
        self._control.close()

    def set(self, **settings: object) -> None:
        self._control.put("config", json=settings).raise_for_status()

    def fail(self, effect: dict[str, Any], **match: object) -> None:
        rules = [{"match": match, "effect": effect}]
        self._control.put("faults", json={"rules": rules}).raise_for_status()

    def behave(self) -> None:
        self._control.delete("faults").raise_for_status()

    def answered(self) -> Counter[int]:
        entries = self._control.get("ledger", params={"kind": "http"}).json()["entries"]
        return Counter(entry["status"] for entry in entries)

    def at_half_past(self) -> None:
        """Set its clock, so that its hour ends in half an hour; ours is not moved."""
        self.set(clock_offset=1800 - CLOCK.now().timestamp() % 3600)


Twins = Callable[[str], Twin]


@pytest.fixture
def twins(sandbox: SandboxServer) -> Iterator[Twins]:
    """Freshly seeded twins, by name."""
    with contextlib.ExitStack() as opened:

        def twin(name: str) -> Twin:
            found = Twin(sandbox, name)
            opened.callback(found.close)
            return found

        yield twin


class Process:
    """What one process has of an integration: its own database handle, its own gate."""

    def __init__(
        self, database: Database, twin: Twin, limits: VendorLimits, headers: dict[str, Any], concurrent: int
    ) -> None:
        self.database = database
        self.budgets = Budgets(open_engine(database))
        self.allowances = Allowances(
            CLOCK, KEY, database=database, budgets=self.budgets, limits=limits, on_block=self._heard
        )
        turnstile = Turnstile(CLOCK, rate=5000, burst=5000, concurrent=concurrent)
        self.gate = IntegrationGate(CLOCK, turnstile=turnstile, allowances=self.allowances)
        self._transport = GuardedTransport(AddressGuard.parse("127.0.0.0/8", require_https=False))
        self.http = VendorHttp(twin.url, transport=self._transport, headers=headers, gate=self.gate)
        self.blocks = 0

    def _heard(self) -> None:
        self.blocks += 1

    async def close(self) -> None:
        await self._transport.aclose()
        await self.database.close()

    async def call(self, lane: Lane, path: str = RECORDS, **options: Any) -> None:
        with in_lane(lane):
            await self.http.request(options.pop("method", "GET"), path, **options)

    async def call_on(self, lane: Lane, path: str = RECORDS) -> tuple[int, Exception]:
        """Call until somebody says no; return how many calls were answered, and the no."""
        done = 0
        while True:
            try:
                await self.call(lane, path)
            except (RateLimitedError, HttpStatusError) as no:
                return done, no
            done += 1

    async def write_down(self) -> None:
        committed = await self.database.transaction(self.gate.remember_limits)
        committed()


@contextlib.asynccontextmanager
async def processes(
    url: str, count: int, twin: Twin, limits: VendorLimits, headers: dict[str, Any], *, concurrent: int = 4
) -> AsyncIterator[list[Process]]:
    opened = [await open_database(url) for _ in range(count)]
    found = [Process(database, twin, limits, headers, concurrent) for database in opened]
    try:
        yield found
    finally:
        for one in found:
            await one.close()


@pytest.fixture
def anywhere(sqlite_path: Path) -> str:
    """A database, for what does not depend on its kind."""
    return f"sqlite:///{sqlite_path}"


# ServiceNow: a limit per hour, and nothing about what remains


async def test_two_processes_keep_one_limit_of_500_an_hour_together(twins: Twins, database_url: str) -> None:
    twin = twins("servicenow")
    twin.set(rate_limit=500)
    twin.at_half_past()
    async with processes(database_url, 2, twin, ServiceNowLimits(), SERVICENOW) as both:
        first = await asyncio.gather(*(one.call_on(Lane.BACKFILL) for one in both for _ in range(4)))
        backfill = twin.answered()
        # A fiftieth is taken at a time: so much may be left over in each process, and nothing is taken too much.
        assert 350 - 20 <= backfill[200] <= 350 + 8
        assert backfill[429] == 0
        for _, no in first:
            assert isinstance(no, RateLimitedError)
            assert no.retry_after is not None
            assert timedelta(minutes=29) < no.retry_after <= timedelta(minutes=30, seconds=2)
            assert "ServiceNow's limit of 500 calls per hour (rule " in no.message
            assert "is used up until " in no.message
            assert "kept for more urgent work" in no.message
        await asyncio.gather(*(one.call_on(Lane.NORMAL) for one in both for _ in range(4)))
        normal = twin.answered()
        assert 450 - 40 <= normal[200] <= 450 + 8
        assert normal[429] == 0
        # A change for a SEV-1 incident goes through at once, to the last call that there is.
        await both[0].call(Lane.URGENT)
        answers = await asyncio.gather(*(one.call_on(Lane.URGENT) for one in both for _ in range(4)))
        urgent = twin.answered()
        assert urgent[200] == 500
        # Beyond the limit: what was under way when the first no came, at most one for each call at once.
        assert 1 <= urgent[429] <= 8
        assert {type(no) for _, no in answers} <= {HttpStatusError, RateLimitedError}
        # From now on nobody calls, the urgent ones neither; and the database knows, for processes to come.
        for one in both:
            await one.write_down()
        later = Process(await open_database(database_url), twin, ServiceNowLimits(), SERVICENOW, 4)
        with pytest.raises(RateLimitedError, match="is used up until"):
            await later.call(Lane.URGENT)
        refusal = await later.database.transaction(
            lambda tx: later.budgets.acquire(tx, KEY, holder="job", lane=Lane.URGENT)
        )
        assert isinstance(refusal, Refusal)
        assert refusal.reason.startswith("ServiceNow's limit of 500 calls per hour")
        await later.close()
        assert twin.answered() == urgent


async def test_a_small_limit_is_hardly_overdrawn(twins: Twins, anywhere: str) -> None:
    twin = twins("servicenow")
    twin.set(rate_limit=20)
    twin.at_half_past()
    async with processes(anywhere, 2, twin, ServiceNowLimits(), SERVICENOW) as both:
        await asyncio.gather(*(one.call_on(Lane.NORMAL) for one in both for _ in range(4)))
        answered = twin.answered()
        assert 16 <= answered[200] <= 20
        # What a process had under way before it first heard of the limit can be too much, nothing else.
        assert answered[429] <= 4


async def test_a_limit_without_a_rule_stops_nobody(twins: Twins, anywhere: str) -> None:
    twin = twins("servicenow")
    async with processes(anywhere, 1, twin, ServiceNowLimits(), SERVICENOW) as (one,):
        for _ in range(30):
            await one.call(Lane.BACKFILL)
        assert not one.allowances.has_news
        assert await one.database.read(lambda tx: one.budgets.quotas.known(tx, KEY)) == []


async def test_a_short_wait_is_waited_out_and_is_no_trouble(twins: Twins, anywhere: str) -> None:
    twin = twins("servicenow")
    async with processes(anywhere, 1, twin, ServiceNowLimits(), SERVICENOW) as (one,):
        twin.fail({"kind": "status", "status": 429, "retry_after": 1}, nth=1)
        with pytest.raises(HttpStatusError):
            await one.call(Lane.NORMAL)
        started = asyncio.get_running_loop().time()
        await one.call(Lane.NORMAL)
        assert 0.9 <= asyncio.get_running_loop().time() - started < 3
        assert twin.answered() == {429: 1, 200: 1}


async def test_a_refusal_that_says_nothing_is_taken_for_longer_and_longer(
    twins: Twins, anywhere: str
) -> None:
    twin = twins("pagerduty")
    twin.fail({"kind": "status", "status": 429, "headers": {"ratelimit-reset": "never", "Retry-After": "-7"}})
    async with processes(anywhere, 1, twin, PagerDutyLimits(), PAGERDUTY) as (one,):
        for _ in range(3):  # after 1 s, after 2 s; the next wait is 4 s, which is no moment any more
            with pytest.raises(HttpStatusError):
                await one.call(Lane.URGENT, "/services")
        with pytest.raises(RateLimitedError) as caught:
            await one.call(Lane.URGENT, "/services")
        assert caught.value.retry_after is not None
        assert timedelta(seconds=3) < caught.value.retry_after <= timedelta(seconds=4)
        assert twin.answered() == {429: 3}


@pytest.mark.parametrize("value", ["999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "86400"])
async def test_no_vendor_sends_us_away_for_more_than_an_hour(twins: Twins, anywhere: str, value: str) -> None:
    twin = twins("servicenow")
    twin.fail({"kind": "status", "status": 429, "headers": {"Retry-After": value}}, nth=1)
    async with processes(anywhere, 1, twin, ServiceNowLimits(), SERVICENOW) as (one,):
        with pytest.raises(HttpStatusError):
            await one.call(Lane.NORMAL)
        with pytest.raises(RateLimitedError) as caught:
            await one.call(Lane.URGENT)
        assert caught.value.retry_after is not None
        assert timedelta(minutes=59) < caught.value.retry_after <= timedelta(hours=1)
        assert one.blocks == 1


# PagerDuty: tells what is left


async def test_polls_stop_before_the_minute_is_used_up_and_writes_go_on(twins: Twins, anywhere: str) -> None:
    twin = twins("pagerduty")
    twin.set(rate_limit=30)
    async with processes(anywhere, 2, twin, PagerDutyLimits(), PAGERDUTY) as both:
        await asyncio.gather(*(one.call_on(Lane.BACKFILL, "/services") for one in both for _ in range(2)))
        assert 18 <= twin.answered()[200] <= 21 + 4
        await both[1].call(Lane.URGENT, "/services")
        _, no = await both[0].call_on(Lane.NORMAL, "/services")
        assert isinstance(no, RateLimitedError)
        assert "PagerDuty's limit of 30 calls per minute is used up until" in no.message
        assert twin.answered()[429] == 0


async def test_what_another_program_used_up_counts_too(twins: Twins, anywhere: str) -> None:
    twin = twins("pagerduty")
    twin.set(rate_limit=30)
    async with processes(anywhere, 1, twin, PagerDutyLimits(), PAGERDUTY) as (one,):
        await one.call(Lane.NORMAL, "/services")
        async with httpx.AsyncClient() as other:
            headers = {name: str(getattr(v, "reveal", lambda v=v: v)()) for name, v in PAGERDUTY.items()}
            for _ in range(28):
                await other.get(f"{twin.url}/services", headers=headers)
        await one.call(Lane.NORMAL, "/services")  # is told that nothing is left
        with pytest.raises(RateLimitedError):
            await one.call(Lane.URGENT, "/services")
        assert twin.answered() == {200: 30}


# Slack and Jira: parts that are limited on their own


async def test_one_channel_of_slack_is_closed_and_the_others_are_not(twins: Twins, anywhere: str) -> None:
    twin = twins("slack")
    twin.fail({"kind": "status", "status": 429, "retry_after": 30}, path="chat.postMessage", nth=1)

    async def post(one: Process, channel: str) -> None:
        body = {"channel": channel, "text": "x"}
        await one.call(
            Lane.NORMAL, "/api/chat.postMessage", method="POST", json=body, part=channel, safe=False
        )

    async with processes(anywhere, 2, twin, SlackLimits(), SLACK) as (one, other):
        with pytest.raises(HttpStatusError):
            await post(one, "incidents")
        with pytest.raises(RateLimitedError, match=r"chat\.postMessage in incidents is used up until"):
            await post(one, "incidents")
        await post(one, "critical-incidents")
        await one.call(Lane.NORMAL, "/api/auth.test", method="POST", form={})
        await one.write_down()
        with pytest.raises(RateLimitedError, match="in incidents is used up"):
            await post(other, "incidents")
        # A job is not kept from starting: it may have something else to do.
        refused = await one.database.transaction(lambda tx: one.budgets.acquire(tx, KEY, holder="job"))
        assert refused is None


async def test_a_burst_closes_one_endpoint_of_jira(twins: Twins, anywhere: str) -> None:
    twin = twins("jira")
    headers = {"RateLimit-Reason": "jira-burst-based", "Retry-After": "20"}
    twin.fail({"kind": "status", "status": 429, "headers": headers}, path="myself", nth=1)
    async with processes(anywhere, 1, twin, JiraLimits(), JIRA) as (one,):
        with pytest.raises(HttpStatusError):
            await one.call(Lane.NORMAL, "/rest/api/3/myself")
        with pytest.raises(RateLimitedError, match="Jira's limit for GET /myself is used up until"):
            await one.call(Lane.NORMAL, "/rest/api/3/myself")
        await one.call(Lane.NORMAL, "/rest/api/3/field")


# The window's end, and trouble with the database


async def test_the_next_window_begins_when_it_was_told_to(twins: Twins, anywhere: str) -> None:
    twin = twins("servicenow")
    twin.set(rate_limit=10)
    twin.set(clock_offset=3600 - CLOCK.now().timestamp() % 3600 - 2)  # two seconds before the hour
    async with processes(anywhere, 1, twin, ServiceNowLimits(), SERVICENOW) as (one,):
        for _ in range(14):  # 9 of the first hour, 5 of the next, after a short wait
            await one.call(Lane.NORMAL)
        assert twin.answered() == {200: 14}


async def test_without_the_database_calls_go_on(twins: Twins, anywhere: str) -> None:
    twin = twins("servicenow")
    twin.set(rate_limit=100)
    async with processes(anywhere, 1, twin, ServiceNowLimits(), SERVICENOW) as (one,):
        await one.call(Lane.NORMAL)
        await one.database.close()
        for _ in range(5):
            await one.call(Lane.NORMAL)
        assert twin.answered() == {200: 6}


async def test_urgent_calls_overtake_a_backfill_that_waits_in_the_same_process(
    twins: Twins, anywhere: str
) -> None:
    twin = twins("servicenow")
    twin.fail({"kind": "latency", "seconds": 0.05})
    order: list[str] = []
    async with processes(anywhere, 1, twin, ServiceNowLimits(), SERVICENOW, concurrent=2) as (one,):

        async def named(name: str, lane: Lane) -> None:
            await one.call(lane)
            order.append(name)

        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(named("backfill", Lane.BACKFILL))
            await asyncio.sleep(0.06)
            group.create_task(named("urgent", Lane.URGENT))
    assert order.index("urgent") <= 3, order

"""`callout bench drain`: stored webhooks parsed and merged into incidents by one worker; and the job machinery by itself."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.events import JIRA, KEY, PRIORITIES, STATUSES, Issue, sign, updated
from callout.cli.bench.installation import Installation, add_integration, installation
from callout.cli.bench.rounds import middle
from callout.cli.bench.table import Row
from callout.cli.run import fast_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from callout.bootstrap.wiring import Wired
    from callout.storage import Tx

GOAL = 2_000
LATENCY_GOALS_MS = {"sqlite": 25.0, "postgres": 10.0}
NOTHING_JOBS = 20_000
LATENCY_JOBS = 200
AT_ONCE = 256
LOOK_SECONDS = 0.05
GIVE_UP_SECONDS = 300.0
# Looked at while the worker works: the questions stop at the first row they find.
_MERGING = (
    "SELECT EXISTS (SELECT 1 FROM job WHERE kind IN ('sync.inbound', 'sync.changes') AND state = 'waiting')"
)
_WORKING = (
    "SELECT EXISTS (SELECT 1 FROM job WHERE state = 'waiting' AND kind NOT LIKE 'audit.%'"
    " AND kind NOT LIKE 'retention.%' AND kind NOT LIKE 'sync.poll%' AND kind <> 'incident.clock')"
)


@dataclass(frozen=True, slots=True)
class Drained:
    """One run: until every event was merged, and until everything that followed from it was done too."""

    merged: float
    settled: float
    problems: tuple[str, ...]


def run(
    database: str,
    postgres_url: str | None,
    *,
    rounds: int,
    events: int,
    links: int,
    say: Callable[[str], None],
) -> list[Row]:
    """Measure on one database; rows say `not measured` where something is missing."""
    what = "events through parse and merge, one worker"
    try:
        drained: list[Drained] = []
        for number in range(rounds):
            with installation(database, postgres_url) as one:
                drained.append(_on_fast_loop(lambda one=one: _drain(one, events, links)))  # type: ignore[misc]
            say(f"{what}, {database}, round {number + 1}: {events / drained[-1].merged:,.0f}/s")
        with installation(database, postgres_url) as one:
            nothing = _on_fast_loop(lambda: _nothing(one))
        with installation(database, postgres_url) as one:
            waits = _on_fast_loop(lambda: _latency(one))
    except NotMeasuredError as error:
        return [Row(what, database, note=f"not measured: {error}")]
    return [
        _drain_row(what, database, drained, events),
        Row("no-op jobs, one worker", database, rate=nothing),
        _latency_row(database, waits),
    ]


def _on_fast_loop(work: Callable[[], Any]) -> Any:
    with asyncio.Runner(loop_factory=fast_loop()) as runner:
        return runner.run(work())


def _drain_row(what: str, database: str, drained: Sequence[Drained], events: int) -> Row:
    rate = middle([events / one.merged for one in drained])
    problems = [problem for one in drained for problem in one.problems]
    return Row(
        what,
        database,
        rate=rate,
        goal=f">= {GOAL:,}/s",
        met=rate >= GOAL and not problems,
        detail={"all_followups_done_s": round(middle([one.settled for one in drained]), 1), "events": events},
        note="; ".join(problems),
    )


def _latency_row(database: str, waits: Sequence[float]) -> Row:
    ordered = sorted(waits)
    p99 = ordered[int(len(ordered) * 0.99)]
    goal = LATENCY_GOALS_MS[database]
    return Row(
        "idle: enqueue to start, p99",
        database,
        rate=p99,
        unit="ms",
        goal=f"<= {goal:g} ms",
        met=p99 <= goal,
        detail={"p50_ms": round(middle(ordered), 1), "jobs": len(ordered)},
    )


@asynccontextmanager
async def _wired(one: Installation) -> AsyncIterator[Wired]:
    from callout.bootstrap.core import open_core
    from callout.bootstrap.wiring import wire

    async with open_core(one.settings()) as core:
        wired = wire(core)
        try:
            yield wired
        finally:
            await wired.connections.close()


async def _drain(one: Installation, events: int, links: int) -> Drained:
    async with _wired(one) as wired:
        integration_id = await add_integration(
            wired.core,
            JIRA,
            name="jira",
            webhook_config={"provider_key": KEY, "items": []},
            # The links are made here: no ticket is wanted, so no vendor is called.
            settings={"sync": {"create": False}},
        )
        start = datetime.now(UTC) - timedelta(hours=1)
        await _make_links(wired, integration_id, [_issue(number, 0, 1) for number in range(links)], start)
        per_link = events // links
        await _until_done(wired)  # what the declarations themselves caused
        await _store(wired, integration_id, links, per_link, start)
        gc.collect()
        gc.freeze()
        merged, settled = await _until_done(wired)
        return Drained(merged, settled, tuple(await _check(wired, links, per_link)))


def _issue(number: int, turn: int, of: int) -> Issue:
    """Return the issue after its `turn`-th change: each changes summary, priority and status."""
    status = 0 if turn == 0 else 1 + turn % (len(STATUSES) - 1)
    last = "last" if turn == of - 1 else "next"
    return Issue(number, f"Checkout is slow ({last} {turn})", turn % len(PRIORITIES), status)


async def _make_links(wired: Wired, integration_id: str, issues: Sequence[Issue], at: datetime) -> None:
    """Declare an incident for each issue and link it as if its ticket had been created a while ago."""
    from callout.access import DEFAULT_ACCOUNT
    from callout.incidents import DeclareIncident
    from callout.kit.ids import new_id
    from callout.ports.inbound import InboundRequest
    from callout.ports.values import Actor, Channel, Origin, Severity
    from callout.sync import Base, Link, LinkState, LinkStatus
    from callout.sync.links import insert, mark_of
    from callout.sync.mapping import ours_of, theirs_of

    core = wired.core

    async def unit(tx: Tx) -> None:
        scoped = tx.account((await core.accounts.get(tx, DEFAULT_ACCOUNT)).id)
        origin = Origin(Channel.CLI, Actor.system("bench"))
        for issue in issues:
            draft = DeclareIncident(issue.summary, severity=Severity(issue.priority + 1))
            incident = await core.incidents.declare(scoped, draft, origin)
            told = dialect.parse(InboundRequest("POST", "", {}, updated(issue, at), at))[0].ticket
            ours, theirs = ours_of(incident), theirs_of(told)
            link_id = new_id()
            link = Link(
                id=link_id,
                account_id=scoped.account_id,
                incident_id=incident.id,
                integration_id=integration_id,
                mark=mark_of(incident.key, link_id),
                status=LinkStatus.ACTIVE,
                created_at=at,
                ticket_id=told.id,
                ticket_key=told.key,
                merge=LinkState({name: Base(ours[name], theirs[name]) for name in theirs}),
                seen_at=told.updated_at,
            )
            await insert(scoped, link)

    account_id = await core.database.read(lambda tx: _default_account(wired, tx))
    dialect = await wired.connections.inbound(account_id, integration_id)
    await core.database.transaction(unit)


async def _default_account(wired: Wired, tx: Tx) -> str:
    from callout.access import DEFAULT_ACCOUNT

    return (await wired.core.accounts.get(tx, DEFAULT_ACCOUNT)).id


async def _store(wired: Wired, integration_id: str, links: int, per_link: int, start: datetime) -> None:
    """Accept every webhook by the real intake, in the order in which Jira would have sent them."""
    from callout.ports.inbound import InboundRequest

    hook = await wired.connections.hook(integration_id, None)
    assert hook is not None  # noqa: S101  # added a moment ago

    async def accept(turn: int, number: int) -> None:
        at = start + timedelta(seconds=1 + turn)
        body = updated(_issue(number, turn, per_link), at)
        headers = {"x-hub-signature": sign(body), "x-atlassian-webhook-identifier": f"{number}-{turn}"}
        request = InboundRequest("POST", "", headers, body, datetime.now(UTC))
        answer = await wired.intake.accept(hook.binding, request, admitted=False)
        assert answer.status == 202  # noqa: PLR2004, S101  # the measure is void otherwise

    for turn in range(per_link):
        for first in range(0, links, AT_ONCE):
            await asyncio.gather(
                *(accept(turn, number) for number in range(first, min(first + AT_ONCE, links)))
            )


async def _until_done(wired: Wired) -> tuple[float, float]:
    """Run one worker until nothing is left; return the seconds until all was merged, and until all was done."""
    stop = asyncio.Event()
    worker = asyncio.create_task(wired.worker().run(stop))
    started, merged = time.perf_counter(), None
    try:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            merging, working = await wired.core.database.read(_look)
            passed = time.perf_counter() - started
            if merged is None and not merging:
                merged = passed
            if not working:
                return merged or passed, passed
            if passed > GIVE_UP_SECONDS or worker.done():
                raise NotMeasuredError(f"the worker did not finish within {passed:.0f} s")
    finally:
        stop.set()
        await worker


async def _look(tx: Tx) -> tuple[bool, bool]:
    merging = (await tx.driver_all(_MERGING, _MERGING))[0][0]
    return bool(merging), bool(merging) or bool((await tx.driver_all(_WORKING, _WORKING))[0][0])


async def _check(wired: Wired, links: int, per_link: int) -> list[str]:
    """Look at the outcome: every event parsed, every incident as its last event says, nothing dead."""
    outcomes_sql = "SELECT outcome, count(*) FROM inbound_event GROUP BY outcome"
    states_sql = "SELECT title, severity, status, count(*) FROM incident GROUP BY title, severity, status"
    dead_sql = "SELECT count(*) FROM job WHERE state <> 'waiting'"

    async def look(tx: Tx) -> tuple[dict[str, int], list[tuple[Any, ...]], int]:
        outcomes = {row[0]: row[1] for row in await tx.driver_all(outcomes_sql, outcomes_sql)}
        states = [tuple(row) for row in await tx.driver_all(states_sql, states_sql)]
        return outcomes, states, (await tx.driver_all(dead_sql, dead_sql))[0][0]

    outcomes, states, dead = await wired.core.database.read(look)
    problems = []
    if outcomes != {"parsed": links * per_link}:
        problems.append(f"outcomes of the events: {outcomes}")
    last = _issue(0, per_link - 1, per_link)
    if len(states) != 1 or states[0][0] != last.summary or states[0][3] != links:
        problems.append(f"states of the incidents: {states[:3]}")
    if dead:
        problems.append(f"{dead} dead jobs")
    return problems


async def _nothing(one: Installation) -> float:
    from callout.jobs.measure import measure_drain

    async with _wired(one) as wired:
        figures = await measure_drain(wired.core.database, wired.core.engine, items=NOTHING_JOBS)
        return figures.drained_per_second


async def _latency(one: Installation) -> list[float]:
    from callout.jobs.budgets import Budgets
    from callout.jobs.consumer import Consumers
    from callout.jobs.measure import latency_consumer, send_one_by_one
    from callout.jobs.worker import Worker

    async with _wired(one) as wired:
        core = wired.core
        started: list[float] = []
        worker = Worker(
            core.database, core.engine, Consumers([latency_consumer(started)]), Budgets(core.engine)
        )
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        try:
            await asyncio.sleep(0.5)
            await send_one_by_one(core.database, core.queue, count=LATENCY_JOBS, pause=0.02)
            await asyncio.sleep(0.5)
        finally:
            stop.set()
            await running
        if len(started) < LATENCY_JOBS:
            raise NotMeasuredError(f"{len(started)} of {LATENCY_JOBS} jobs were started")
        return started

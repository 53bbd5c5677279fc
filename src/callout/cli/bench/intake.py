"""`callout bench intake`: signed webhooks into a real `callout serve --role api`, beside what the database can commit."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from callout.cli.bench.baseline import NotMeasuredError, PostgresCommits, SqliteCommits
from callout.cli.bench.events import JIRA, KEY, Issue, updated
from callout.cli.bench.installation import Installation, add_integration, installation, stop
from callout.cli.bench.rounds import Rounds, interleave, middle
from callout.cli.bench.table import Row
from callout.cli.bench.wrk import CONNECTIONS, Load, Wrk

if TYPE_CHECKING:
    from callout.storage import Tx

GOALS = {"sqlite": 1.0, "postgres": 0.60}
UNITS = {"sqlite": "S", "postgres": "W"}
BODIES = 2_000
WARM_UP_SECONDS, WARM_UP_CONNECTIONS = 1, 8


def run(
    database: str,
    postgres_url: str | None,
    *,
    rounds: int,
    seconds: float,
    processes: int | None = None,
    say: Callable[[str], None],
) -> Row:
    """Measure on one database; the row says `not measured` where something is missing.

    `processes` of `callout serve` take the load: as many as the machine has cores on PostgreSQL, one on SQLite.
    """
    what = f"webhook intake, {CONNECTIONS} connections"
    try:
        with installation(database, postgres_url) as one:
            several = processes or (1 if one.embedded else os.cpu_count() or 1)
            row = _measure(one, database, several, rounds=rounds, seconds=seconds, say=say, what=what)
            return replace(row, detail={"processes": several, **row.detail})
    except NotMeasuredError as error:
        return Row(what, database, note=f"not measured: {error}")


def _measure(
    one: Installation,
    database: str,
    processes: int,
    *,
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
    what: str,
) -> Row:
    integration_id = asyncio.run(_add_jira(one))
    now = datetime.now(UTC)
    bodies = [updated(Issue(n, f"Event {n} of the bench"), now) for n in range(BODIES)]
    load = Wrk(one.folder, one.port, f"/v1/hooks/{integration_id}", bodies)
    baseline: Callable[[], float] = (
        SqliteCommits(one.folder, seconds=seconds)
        if database == "sqlite"
        else PostgresCommits(one.database_url, one.folder, seconds=seconds)
    )
    loads: list[Load] = []
    api = one.start(
        "api", "--processes", str(processes), CALLOUT_WEBHOOK_BACKLOG="0", CALLOUT_WEBHOOK_BACKLOG_ALL="0"
    )
    try:
        one.wait_ready(api)
        loads.append(load(WARM_UP_SECONDS, connections=WARM_UP_CONNECTIONS))
        say(f"{what}, {database}:")

        def subject() -> tuple[Load, float]:
            loads.append(load(seconds))
            return loads[-1], loads[-1].per_second

        measured = interleave(baseline, subject, wanted=rounds, say=say)
    finally:
        stop(api)
    return _row(what, database, measured, asyncio.run(_check(one, integration_id, loads)))


def _row(what: str, database: str, measured: Rounds[Load], problems: list[str]) -> Row:
    accepted = measured.accepted
    unit, goal = UNITS[database], GOALS[database]
    if measured.failed:
        problems = [
            *problems,
            f"{len(measured.rejected)} rounds rejected, {len(accepted)} accepted: a restless machine",
        ]
    if not accepted:
        return Row(what, database, goal=f">= {goal:.2f} {unit}", met=False, note="; ".join(problems))
    base = middle([(one.before + one.after) / 2 for one in accepted])
    return Row(
        what,
        database,
        rate=middle([one.rate for one in accepted]),
        ratio=measured.ratio,
        unit=unit,
        goal=f">= {goal:.2f} {unit}",
        met=measured.ratio >= goal and not problems,
        detail={
            unit: round(base),
            "p50_ms": round(middle([one.subject.p50 for one in accepted]), 1),
            "p99_ms": round(middle([one.subject.p99 for one in accepted]), 1),
            "accepted_rounds": len(accepted),
            "rejected_rounds": len(measured.rejected),
        },
        note="; ".join(problems),
    )


async def _add_jira(one: Installation) -> str:
    from callout.bootstrap.core import open_core

    async with open_core(one.settings()) as core:
        return await add_integration(
            core, JIRA, name="jira", webhook_config={"provider_key": KEY, "items": []}
        )


async def _check(one: Installation, integration_id: str, loads: list[Load]) -> list[str]:
    """Count: every 202 must be in the inbox, once, and in the payload of a job that will work on it."""
    from callout.bootstrap.core import open_core

    async def count(tx: Tx) -> tuple[int, int, list[Any]]:
        events = "SELECT count(*), count(DISTINCT dedupe) FROM inbound_event WHERE integration_id = {0}"
        jobs = "SELECT payload FROM job WHERE kind = 'sync.inbound'"
        [(stored, distinct)] = await tx.driver_all(events.format("?"), events.format("$1"), (integration_id,))
        return stored, distinct, [row[0] for row in await tx.driver_all(jobs, jobs)]

    async with open_core(one.settings()) as core:
        stored, distinct, payloads = await core.database.read(count)
    promised = {event_id for payload in payloads for event_id in json.loads(payload)["event_ids"]}
    answered = sum(load.answered - load.refused for load in loads)
    in_flight = CONNECTIONS * len(loads)  # stored, but wrk ended before it had read the answer
    problems = []
    if not answered <= stored <= answered + in_flight:
        problems.append(f"{answered} answered with 2xx, {stored} stored")
    if distinct != stored or len(promised) != stored:
        problems.append(f"{stored} stored, {distinct} of them distinct, {len(promised)} with a job")
    refused, errors = sum(load.refused for load in loads), sum(load.errors for load in loads)
    if refused or errors:
        problems.append(f"{refused} requests refused, {errors} socket errors")
    return problems

"""Checks of what goes on inside: stored secrets, the worker, the audit record, pauses and integrations."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from callout.bootstrap.doctor_model import Finding, Findings, Verdict
from callout.bootstrap.registry import MANIFESTS
from callout.bootstrap.sealed import try_all
from callout.integrations import EVERYWHERE, HealthState
from callout.integrations.tables import integrations
from callout.kit.secrets import SealError
from callout.ports.errors import CalloutError, UnavailableError
from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from callout.bootstrap.connections import Connections
    from callout.bootstrap.core import Core
    from callout.ports.provider import ConnectionReport
    from callout.storage import Tx

SILENT: Final = timedelta(seconds=15)
"""Every second a worker moves a schedule on; after so long without that nobody works."""
LATE: Final = timedelta(minutes=1)
VERY_LATE: Final = timedelta(minutes=10)
ASK_SECONDS: Final = 10.0
"""How long each vendor is waited for; all are asked side by side."""
ASKED_TOGETHER: Final = 16
SHOWN: Final = 5
BY_ANOTHER_DOOR: Final = frozenset({"chat", "notifications"})
"""Categories whose platforms send no webhooks to the intake: what people do there comes in by the doors of chat, if at all."""
_TICK: Final = "SELECT next_at FROM job_schedule WHERE name = 'audit.seal'"
_SEQUENCED: Final = "SELECT min(created_at) FROM event WHERE feed_seq IS NULL"
_OLDEST: Final = (
    "SELECT min(j.run_at) FROM job j JOIN job_partition p ON p.id = j.partition_id WHERE j.state = 'waiting'"
    " AND j.run_at <= {0} AND p.blocked_until <= {0} AND p.waiting_budget IS NULL"
)
_DEAD: Final = "SELECT state, count(*) FROM job WHERE state <> 'waiting' GROUP BY state"


async def check_secrets(core: Core) -> list[Finding]:
    """Return whether the keys at hand open every stored secret."""
    found = Findings("keys")
    tried = await core.database.read(lambda tx: try_all(tx, core.keys))
    for one in tried.unreadable[:SHOWN]:
        found.wrong(
            f"{one.whose} cannot be read: {one.why}",
            "Put the key that sealed it back into CALLOUT_KEYS or the key file, or enter the secret anew.",
        )
    if len(tried.unreadable) > SHOWN:
        found.wrong(f"{len(tried.unreadable) - SHOWN} more secrets cannot be read", "As above.")
    if not tried.unreadable:
        found.ok(f"all {tried.opened} stored secrets can be read")
    if set(tried.versions) - {core.keys.primary}:
        found.warn(
            f"some secrets are sealed with an older key ({', '.join(tried.versions)})",
            "Run `callout keys rotate`, which seals everything anew with a new key.",
        )
    return found.all


async def check_work(core: Core) -> list[Finding]:
    """Return whether a worker is alive, how far it is behind, and what it gave up."""
    found = Findings("work")
    now = core.clock.now()

    async def look(tx: Tx) -> tuple[Sequence[Any], Any, Any, dict[str, int]]:
        stamp = micros(now)
        tick = await tx.driver_all(_TICK, _TICK)
        [(behind,)] = await tx.driver_all(_SEQUENCED, _SEQUENCED)
        [(oldest,)] = await tx.driver_all(_OLDEST.format("?1"), _OLDEST.format("$1"), (stamp,))
        dead = {state: int(count) for state, count in await tx.driver_all(_DEAD, _DEAD)}
        return tick, behind, oldest, dead

    tick, behind, oldest, dead = await core.database.read(look)
    start = "Start `callout serve` (or `--role worker`), and look into its log."
    if not tick:
        found.wrong("no worker has ever run here", start)
    elif now - from_micros(tick[0][0]) > SILENT:
        found.wrong(
            f"no worker is running: the last sign of one is {_ago(from_micros(tick[0][0]), now)}", start
        )
    else:
        found.ok("a worker is running")
    _judge_age(found, "the oldest change that the feed of events does not have yet is from", behind, now)
    _judge_age(found, "the oldest job that could run has waited since", oldest, now)
    if not (behind or oldest):
        found.ok("nothing waits that could be done")
    look_at = "Look at `callout jobs list`; then `callout jobs replay` or `discard`."
    if dead.get("blocked"):
        found.wrong(f"{dead['blocked']} failed jobs hold up what comes after them", look_at)
    if dead.get("dead"):
        found.warn(f"{dead['dead']} jobs were given up", look_at)
    if not dead:
        found.ok("no dead letters")
    return found.all


def _judge_age(found: Findings, words: str, stamp: int | None, now: datetime) -> None:
    if stamp is None:
        return
    moment = from_micros(stamp)
    if now - moment > VERY_LATE:
        found.wrong(f"{words} {_ago(moment, now)}", "See that a worker runs, and what its log says.")
    elif now - moment > LATE:
        found.warn(f"{words} {_ago(moment, now)}", "More work comes than is done: see docs/operations.md.")


async def check_audit(core: Core) -> list[Finding]:
    """Return whether the signed head of the audit record is ours."""
    found = Findings("audit")
    head = await core.database.read(core.sealer.head)
    if head is None:
        found.unknown("nothing has been sealed yet", "A worker seals every second.")
    elif not head.is_genuine(core.keys):
        found.wrong(
            "the head of the audit record was not signed with the keys at hand",
            "Run `callout audit verify`, with a head exported earlier, and compare with a backup.",
        )
    else:
        found.ok(
            f"{head.count} rows sealed, the head is signed with our keys (`callout audit verify` walks the chain)"
        )
    return found.all


async def check_pauses(core: Core) -> list[Finding]:
    """Return the pauses that hold: nothing goes out while they do."""
    found = Findings("pauses")
    for one in await core.database.read(core.pauses.list):
        wide = one.account_id == EVERYWHERE
        what = "everything" if one.scope == "everything" else f"{one.scope} {one.scope_id}"
        until = f" until {one.until:%Y-%m-%d %H:%M} UTC" if one.until else ""
        todo = "`callout resume`" if wide else "`callout integration resume`"
        found.warn(f"writes to {what} are paused{until}: {one.reason} ({one.by})", f"{todo} ends it.")
    if not found.all:
        found.ok("no writes are paused")
    return found.all


async def check_integrations(core: Core, connections: Connections | None, *, ask: bool) -> list[Finding]:
    """Return how each integration fares; with `ask` their vendors are asked, side by side."""

    async def look(tx: Tx) -> tuple[Sequence[Any], dict[str, Any]]:
        columns = (integrations.c.id, integrations.c.account_id, integrations.c.name)
        rows = await tx.all(
            select(*columns, integrations.c.enabled, integrations.c.provider_type).order_by(
                integrations.c.name
            )
        )
        health = {}
        for account in sorted({row["account_id"] for row in rows}):
            for record in await core.health.list(tx.account(account)):
                health[record.integration_id] = record
        return rows, health

    rows, health = await core.database.read(look)
    findings: list[Finding] = []
    for row in rows:
        findings += _of_one(row, health.get(row["id"]), core.clock.now())
    if not rows:
        findings.append(Finding("integrations", Verdict.OK, "none yet"))
    if ask and connections is not None:
        gate = asyncio.Semaphore(ASKED_TOGETHER)
        usable = [row for row in rows if row["enabled"] and row["provider_type"] in MANIFESTS]
        for answers in await asyncio.gather(*(_ask(connections, row, gate) for row in usable)):
            findings += answers
    return findings


def _of_one(row: Any, health: Any, now: datetime) -> list[Finding]:  # noqa: ANN401  # rows
    found = Findings(f"integration {row['name']}")
    if row["provider_type"] not in MANIFESTS:
        found.wrong(
            f"this program has no connector {row['provider_type']}",
            "It was made by another version: run that one.",
        )
        return found.all
    if not row["enabled"]:
        found.ok("switched off")
        return found.all
    if health is None:
        found.unknown("nothing has happened yet", f"`callout integration test {row['name']}` tries it.")
        return found.all
    if health.state is HealthState.FAILED:
        found.wrong(f"failed: {health.last_error}", health.next_step or "See the integration's page.")
    elif health.state is HealthState.DEGRADED and not health.problems:
        found.warn(f"some calls fail: {health.last_error}", health.next_step or "See the integration's page.")
    elif not health.problems:
        said = [
            "no call yet" if health.last_success is None else f"last call {_ago(health.last_success, now)}"
        ]
        if health.last_webhook is not None:
            said.append(f"last webhook {_ago(health.last_webhook, now)}")
        elif MANIFESTS[row["provider_type"]].category not in BY_ANOTHER_DOOR:
            said.append("no webhook yet")
        found.ok(f"works: {', '.join(said)}")
    for problem in health.problems:
        found.warn(f"{problem.message} (since {_ago(problem.since, now)})", problem.remediation)
    return found.all


async def _ask(connections: Connections, row: Any, gate: asyncio.Semaphore) -> list[Finding]:  # noqa: ANN401  # a row
    found = Findings(f"integration {row['name']}")
    try:
        async with gate, asyncio.timeout(ASK_SECONDS):
            provider = await connections.provider(row["account_id"], row["id"])
            report: ConnectionReport = await provider.check_connection()
    except TimeoutError:
        found.wrong(
            f"its vendor did not answer within {ASK_SECONDS:g} s", "See whether its address is reachable."
        )
    except UnavailableError as error:
        found.wrong(f"asked: {error.message}", "See whether its address can be reached from this machine.")
    except CalloutError as error:
        found.wrong(f"asked: {error.message}", error.remediation)
    except SealError as error:
        found.wrong(f"asked: {error}", "Put the missing key back, or enter the secret anew.")
    else:
        _judge_report(found, report, row["name"])
    return found.all


def _judge_report(found: Findings, report: ConnectionReport, name: str) -> None:
    again = f"Then `callout integration test {name}`."
    for words in report.blocking:
        found.wrong(words, again)
    for words in report.warnings:
        if words not in report.blocking:
            found.warn(words, again)
    if not report.ok and not report.blocking:
        found.wrong("its vendor lets us in, but not enough is allowed there", "See the warnings.")
    if report.ok and not report.warnings:
        apart = abs(report.clock_skew.total_seconds())
        found.ok(f"asked: its vendor answers, clocks {apart:.0f} s apart")


def _ago(moment: datetime, now: datetime) -> str:
    seconds = max(0, round((now - moment).total_seconds()))
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name} ago"
    return f"{seconds} s ago"


__all__ = [
    "check_audit",
    "check_integrations",
    "check_pauses",
    "check_secrets",
    "check_work",
]

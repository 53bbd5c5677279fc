"""The first sync: everything that a vendor holds read, stored and linked, beside the vendor's usual client that only reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.installation import Installation, installation, stop
from callout.cli.bench.rounds import Rounds, interleave, middle
from callout.cli.bench.syncing import peer, place
from callout.cli.bench.table import Row

if TYPE_CHECKING:
    from callout.storage import Tx

GOAL: Final = 1.5
LATENCY_SECONDS: Final = 0.04


@dataclass(frozen=True, slots=True)
class FirstSync:
    """One run: seconds from the command to the last ticket stored, the calls that it took, and what was wrong."""

    seconds: float
    calls: int
    allowed: float
    problems: tuple[str, ...]


def run(
    vendor: str,
    database: str,
    postgres_url: str | None,
    *,
    tickets: int,
    workers: int,
    rounds: int,
    say: Callable[[str], None],
) -> Row:
    """Measure one vendor on one database."""
    what = f"first sync of {tickets:,} tickets, {vendor}, {LATENCY_SECONDS * 1000:g} ms, {workers} worker{'s' if workers > 1 else ''}"
    try:
        with installation("sqlite", None) as home, place.twins(home, vendor) as twins:
            twin = twins[vendor]
            place.seed(twin, tickets)
            twin.latency(LATENCY_SECONDS)

            def reads() -> float:
                return peer.read_rate(vendor, twin.url, tickets=tickets, login=place.LOGIN[vendor])

            def ours() -> tuple[FirstSync, float]:
                with installation(database, postgres_url) as one:
                    done = _first_sync(one, twin, tickets, workers=workers)
                return done, tickets / done.seconds

            say(f"{what}, {database}, beside `{peer.MODULE[vendor]}`:")
            row = _row(what, database, vendor, interleave(reads, ours, wanted=rounds, say=say))
            if vendor == "servicenow" and row.rate:
                # A page of everything is what this vendor's client can be told to ask for; this is what it asks for by itself.
                login = place.LOGIN[vendor]
                own = peer.read_rate(vendor, twin.url, tickets=tickets, login=login, page=peer.OWN_BATCH)
                detail = {
                    "peer_at_its_own_page": peer.OWN_BATCH,
                    "per_s": round(own),
                    "ratio": row.rate / own,
                }
                row = replace(row, detail={**(row.detail or {}), **detail})
            return row
    except NotMeasuredError as error:
        return Row(what, database, note=f"not measured: {error}")


def _first_sync(one: Installation, twin: place.Twin, tickets: int, *, workers: int) -> FirstSync:
    place.connect(one, twin, hooks=False)
    one.environment["CALLOUT_POLL_SECONDS"] = "3600"
    processes = [one.start("all"), *(one.start("worker") for _ in range(workers - 1))]
    try:
        one.wait_ready(processes[0])
        before, _ = twin.ledger()
        done = place.backfill(one, twin.name)
        _, entries = twin.ledger(before, "http")
    finally:
        for process in processes:
            stop(process)
    problems = [] if done["state"] == "done" else [f"it ended as {done['state']}: {done['problem']}"]
    if done["made"] != tickets:
        problems.append(f"{done['made']} of {tickets} tickets became incidents")
    stored = asyncio.run(_stored(one))
    if stored != (tickets, tickets, 0):
        problems.append(f"incidents, links and tickets linked twice: {stored}")
    refused = sum(entry["status"] == 429 for entry in entries)  # noqa: PLR2004
    if refused:
        problems.append(f"{refused} calls were refused as too many")
    seconds = (
        datetime.fromisoformat(done["ended_at"]) - datetime.fromisoformat(done["begun_at"])
    ).total_seconds()
    rate, burst, _ = _budget(twin.name)
    allowed = burst + rate * seconds
    if len(entries) > allowed:
        problems.append(f"{len(entries)} calls, where the budget allows {allowed:.0f}")
    return FirstSync(seconds, len(entries), allowed, tuple(problems))


def _budget(vendor: str) -> tuple[float, int, int]:
    from callout.bootstrap.registry import MANIFESTS

    return MANIFESTS[f"ticketing_{vendor}"].default_budget


async def _stored(one: Installation) -> tuple[int, int, int]:
    from callout.bootstrap.core import open_core

    questions = (
        "SELECT count(*) FROM incident",
        "SELECT count(*) FROM sync_link WHERE state = 'active'",
        "SELECT count(*) FROM (SELECT ticket_id FROM sync_link GROUP BY ticket_id HAVING count(*) > 1) AS t",
    )

    async def look(tx: Tx) -> tuple[int, int, int]:
        found = [(await tx.driver_all(question, question))[0][0] for question in questions]
        return found[0], found[1], found[2]

    async with open_core(one.settings()) as core:
        return await core.database.read(look)


def _row(what: str, database: str, vendor: str, measured: Rounds[FirstSync]) -> Row:
    accepted = measured.accepted
    problems = [problem for one in measured.rounds for problem in one.subject.problems]
    if measured.failed:
        problems.append(
            f"{len(measured.rejected)} rounds rejected, {len(accepted)} accepted: a restless machine"
        )
    unit = f"x `{peer.MODULE[vendor]}`"
    if not accepted:
        return Row(what, database, goal=f">= {GOAL:.2f} {unit}", met=False, note="; ".join(problems))
    return Row(
        what,
        database,
        rate=middle([one.rate for one in accepted]),
        ratio=measured.ratio,
        unit=unit,
        goal=f">= {GOAL:.2f} {unit}",
        met=measured.ratio >= GOAL and not problems,
        detail={
            "seconds": round(middle([one.subject.seconds for one in accepted]), 1),
            "peer_per_s": round(middle([(one.before + one.after) / 2 for one in accepted])),
            "vendor_calls": round(middle([float(one.subject.calls) for one in accepted])),
            "budget_allows": round(middle([one.subject.allowed for one in accepted])),
            "accepted_rounds": len(accepted),
            "rejected_rounds": len(measured.rejected),
        },
        note="; ".join(problems),
    )

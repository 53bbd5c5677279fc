"""Real workers are killed while they deliver: every delivery arrives, and what arrives twice has the same `webhook-id`."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest

from callout.access import DEFAULT_ACCOUNT
from callout.bootstrap.core import open_core, prepare_database
from callout.bootstrap.wiring import wire
from callout.cli.bench.installation import at_home, stop
from callout.incidents import DeclareIncident
from callout.ports.values import Actor, Channel, Origin, Severity
from callout.storage import Tx
from tests.stories.people import eventually
from tests.webhooks.sink import sink_running

OPERATOR = Origin(Channel.CLI, Actor.system("tests"))
EVENTS = 6
"""Of each incident: so that some wait behind others."""
KILLS = (
    "webhooks.routed",
    "webhooks.attempt_begun",
    "webhooks.answered",
    "webhooks.attempt_stored",
    "webhooks.answered:2",
)


@pytest.mark.timeout(180)
async def test_killed_while_delivering(database_url: str, tmp_path: Path) -> None:
    one = at_home(tmp_path, database_url)
    hurry = {"CALLOUT_TAKEOVER_SECONDS": "1"}
    await prepare_database(one.settings(), migrate=True)
    async with sink_running() as sink, open_core(one.settings()) as core:
        wired = wire(core)
        account = (await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))).id

        async def declared(title: str) -> None:
            async def unit(tx: Tx) -> None:
                draft = DeclareIncident(title, severity=Severity(3))
                incident = await core.incidents.declare(tx.account(account), draft, OPERATOR)
                for number in range(1, EVENTS):
                    await core.incidents.patch(
                        tx.account(account), incident.key, {"title": title + "!" * number}, OPERATOR
                    )

            await core.database.transaction(unit)

        async def endpoint(tx: Tx) -> None:
            for path in ("a", "b"):
                await core.outbound.endpoints.create(
                    tx.account(account),
                    url=f"{sink.url}/{path}",
                    filters=["incident.*"],
                    actor=OPERATOR.actor,
                )

        await core.database.transaction(endpoint)
        for number, point in enumerate(KILLS):
            await declared(f"outage {number}")
            process = one.start("worker", **hurry, CALLOUT_CRASH_AT=point)
            try:
                code = await asyncio.wait_for(asyncio.to_thread(process.wait), 40)
            finally:
                stop(process)
            assert code == -signal.SIGKILL, point
        worker = one.start("worker", **hurry)
        try:

            async def all_there() -> bool:
                text = "SELECT state, count(*) FROM webhook_delivery GROUP BY state"
                rows = await core.database.read(lambda tx: tx.driver_all(text, text))
                assert [tuple(row) for row in rows] == [("delivered", 2 * EVENTS * len(KILLS))]
                return True

            await eventually(all_there, within=60, what="every delivery")
        finally:
            stop(worker)
        await wired.connections.close()

        for path in ("/a", "/b"):
            got = sink.at(path)
            by_id = Counter(got_one.id for got_one in got)
            assert len(by_id) == EVENTS * len(KILLS)
            said = {got_one.id: got_one.body for got_one in got}
            assert all(said[got_one.id] == got_one.body for got_one in got)
            # What was sent and not yet stored comes again, once for each kill at that place: a round is 32 at most here.
            assert sum(by_id.values()) - len(by_id) <= 32 * sum("answered" in point for point in KILLS)
            first_of = {
                got_one.json["data"]["incident"]["title"]: number
                for number, got_one in reversed(list(enumerate(got)))
            }
            for number in range(len(KILLS)):
                order = [first_of[f"outage {number}" + "!" * turn] for turn in range(EVENTS)]
                assert order == sorted(order)

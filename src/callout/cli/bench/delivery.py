"""`callout bench delivery`: signed deliveries, every attempt stored, beside bare aiohttp that posts such bodies to the same sink."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.installation import Installation, installation
from callout.cli.bench.rounds import interleave
from callout.cli.bench.table import Row
from callout.cli.run import fast_loop

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.storage import AccountTx, Tx

GOAL: Final = 0.25
SIDE_BY_SIDE: Final = 32
"""Requests at a time, ours to one endpoint and the baseline's in all."""
SUBJECTS: Final = 200
FEWEST_EACH: Final = 20
DEAD_SHARE: Final = 0.05
DEAD_PATH: Final = "/dead"
GIVE_UP_SECONDS: Final = 120.0
BODY: Final = b'{"issue": {"key": "TST-1", "fields": {"summary": "' + b"x" * 900 + b'"}}}'
_SINK: Final = """
import asyncio, sys
class Sink(asyncio.Protocol):
    def connection_made(self, transport):
        self.out, self.rest = transport, b""
    def data_received(self, data):
        rest = self.rest + data
        while True:
            end = rest.find(b"\\r\\n\\r\\n")
            if end < 0: break
            head = rest[:end].lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15:].split(b"\\r\\n", 1)[0]) if at >= 0 else 0
            if len(rest) < end + 4 + size: break
            if not head.startswith(b"post /dead"):
                self.out.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok")
            rest = rest[end + 4 + size:]
        self.rest = rest
async def main():
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
try:
    import uvloop
    uvloop.run(main())
except ImportError:
    asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One run: deliveries to living endpoints per second, and what was not as it must be."""

    rate: float
    problems: tuple[str, ...]


@contextmanager
def sink() -> Iterator[str]:
    """A server in a process of its own that answers 200 at once, and under `/dead` never; yields its address."""
    command = [sys.executable, "-c", _SINK]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own words
    try:
        assert process.stdout is not None  # noqa: S101  # asked for above
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def run(
    database: str,
    postgres_url: str | None,
    *,
    endpoints: int,
    deliveries: int,
    rounds: int,
    say: Callable[[str], None],
) -> Row:
    """Measure on one database with that many endpoints; from ten on, 5 % of them are dead."""
    deliveries = max(deliveries, FEWEST_EACH * endpoints)
    dead = max(1, round(endpoints * DEAD_SHARE)) if endpoints >= 10 else 0  # noqa: PLR2004  # of less, 5 % are none
    what = f"deliveries to {endpoints:,} endpoint{'s' if endpoints > 1 else ''}" + (
        f", {dead} dead" if dead else ""
    )
    try:
        with sink() as url:
            seen: list[Delivered] = []

            def ours() -> tuple[Delivered, float]:
                with installation(database, postgres_url) as one:
                    done: Delivered = _on_fast_loop(
                        lambda: _deliver(one, url, endpoints=endpoints, dead=dead, deliveries=deliveries)
                    )
                seen.append(done)
                return done, done.rate

            found = interleave(
                lambda: _on_fast_loop(lambda: _bare(url, deliveries)), ours, wanted=rounds, say=say
            )
    except NotMeasuredError as error:
        return Row(what, database, note=f"not measured: {error}")
    accepted = [one.subject for one in found.accepted] or seen
    problems = [problem for one in accepted for problem in one.problems]
    rates = sorted(one.rate for one in accepted)
    return Row(
        what,
        database,
        rate=rates[len(rates) // 2],
        ratio=found.ratio,
        goal=f">= {GOAL} of bare aiohttp",
        met=found.ratio >= GOAL and not problems and not found.failed,
        detail={
            "bare_aiohttp": round(sum(one.before for one in found.rounds) / len(found.rounds)),
            "deliveries": deliveries,
        },
        note="; ".join(problems),
    )


def _on_fast_loop(work: Callable[[], Any]) -> Any:
    with asyncio.Runner(loop_factory=fast_loop()) as runner:
        return runner.run(work())


async def _bare(url: str, requests: int) -> float:
    """Return how many requests per second bare aiohttp makes, as many at a time as we do to one endpoint."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=SIDE_BY_SIDE)) as session:
        left = iter(range(requests))

        async def post() -> None:
            for _ in left:
                async with session.post(f"{url}/in", data=BODY) as response:
                    await response.read()

        began = time.perf_counter()
        await asyncio.gather(*(post() for _ in range(SIDE_BY_SIDE)))
        return requests / (time.perf_counter() - began)


async def _deliver(one: Installation, url: str, *, endpoints: int, dead: int, deliveries: int) -> Delivered:
    """Store deliveries for living and dead endpoints, then run one worker until the living have all of theirs."""
    from callout.bootstrap.core import open_core, prepare_database
    from callout.bootstrap.wiring import wire

    settings = one.settings()
    await prepare_database(settings, migrate=True)
    async with open_core(settings) as core:
        wired = wire(core)
        try:
            alive = await _fill(core, url, endpoints=endpoints, dead=dead, deliveries=deliveries)
            gc.collect()
            stop = asyncio.Event()
            began = time.perf_counter()
            worker = asyncio.create_task(wired.worker().run(stop))
            try:
                took = await _until_delivered(core, alive, began)
            finally:
                stop.set()
                await worker
            return await _judge(core, alive, took)
        finally:
            await wired.connections.close()


async def _fill(core: Core, url: str, *, endpoints: int, dead: int, deliveries: int) -> int:
    """Make endpoints and their deliveries; return how many go to the living."""
    from callout.access import DEFAULT_ACCOUNT
    from callout.kit.ids import new_id
    from callout.ports.values import Actor
    from callout.webhooks.outbound import Happening

    account = (await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))).id

    async def add(tx: AccountTx) -> None:
        for number in range(endpoints):
            path = f"{DEAD_PATH}/{number}" if number < dead else f"/in/{number}"
            await core.outbound.endpoints.create(
                tx, url=url + path, filters=["TicketUpdated"], actor=Actor.system("bench")
            )

    await core.database.transaction(lambda tx: add(tx.account(account)))
    events = max(1, deliveries // endpoints)
    at_once = max(1, 2_000 // endpoints)
    for first in range(0, events, at_once):
        told = [
            Happening(
                id=f"msg_{new_id()}",
                event_type="TicketUpdated",
                subject=f"ticket {number % SUBJECTS}",
                occurred_at=core.clock.now(),
                body={"ticket_id": f"TST-{number}", "event_type": "TicketUpdated"},
                raw=BODY,
            )
            for number in range(first, min(first + at_once, events))
        ]

        async def tell(tx: Tx, told: list[Happening] = told) -> None:
            await core.outbound.router.tell(tx.account(account), told)

        await core.database.transaction(tell)
    return events * (endpoints - dead)


async def _until_delivered(core: Core, wanted: int, began: float) -> float:
    text = "SELECT count(*) FROM webhook_delivery WHERE state = 'delivered'"
    while True:
        await asyncio.sleep(0.05)
        done = (await core.database.read(lambda tx: tx.driver_all(text, text)))[0][0]
        passed = time.perf_counter() - began
        if done >= wanted:
            return passed
        if passed > GIVE_UP_SECONDS:
            raise NotMeasuredError(f"{done} of {wanted} deliveries were made in {passed:.0f} s")


async def _judge(core: Core, wanted: int, took: float) -> Delivered:
    """Compare what was stored with what must be: one attempt for each delivery that was made."""
    counted = (
        "SELECT (SELECT count(*) FROM webhook_delivery WHERE state = 'delivered'),"
        " (SELECT count(*) FROM webhook_attempt WHERE status = 200)"
    )

    async def look(tx: Tx) -> tuple[int, int]:
        found = (await tx.driver_all(counted, counted))[0]
        return found[0], found[1]

    delivered, attempts = await core.database.read(look)
    problems = (
        ()
        if delivered == attempts == wanted
        else (f"{delivered} delivered, {attempts} attempts, {wanted} wanted",)
    )
    return Delivered(wanted / took, problems)

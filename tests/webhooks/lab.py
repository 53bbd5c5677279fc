"""A laboratory for deliveries: the real services, courier and jobs over a real database, and a clock that can be moved."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from callout.bootstrap.core import Core, open_core
from callout.bootstrap.settings import Settings
from callout.jobs import Consumers, Worker, WorkerSettings
from callout.kit.ids import new_id
from callout.kit.net import AddressGuard
from callout.ports.values import Actor
from callout.storage.schema import micros
from callout.webhooks.outbound import Courier, DeliveryFilter, Happening, Sender, Stopping, courier
from tests.stories.installation import SteppedClock
from tests.stories.people import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp.abc import AbstractResolver

    from callout.storage import AccountTx, Tx
    from callout.webhooks.outbound import Delivery, Detail, Endpoint
    from tests.webhooks.sink import Sink

T = TypeVar("T")
OPERATOR = Actor.system("tests")
LOCAL = AddressGuard.parse("127.0.0.1", require_https=False)


class Lab:
    """One installation without server and twins."""

    def __init__(self, core: Core, clock: SteppedClock, sink: Sink, account: str) -> None:
        self.core = core
        self.clock = clock
        self.sink = sink
        self.account = account

    async def within(self, work: Callable[[AccountTx], Awaitable[T]]) -> T:
        """Run a unit of work in the account."""
        return await self.core.database.transaction(lambda tx: work(tx.account(self.account)))

    async def rows(self, text: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return [tuple(row) for row in await self.core.database.read(lambda tx: tx.driver_all(text, text))]

    async def add(self, path: str, *filters: str, **options: Any) -> Endpoint:
        """Add an endpoint at a path of the sink."""
        url = path if "://" in path else f"{self.sink.url}{path}"
        options.setdefault("name", path.strip("/") if "://" not in path else None)
        return await self.within(
            lambda tx: self.core.outbound.endpoints.create(
                tx, url=url, filters=filters, actor=OPERATOR, **options
            )
        )

    async def endpoint(self, name: str) -> Endpoint:
        """Return an endpoint as it stands."""
        return await self.within(lambda tx: self.core.outbound.endpoints.get(tx, name))

    async def tell(
        self,
        ticket: str,
        *numbers: int,
        raw: bytes | None = None,
        event: str = "TicketUpdated",
        integration_id: str = "",
    ) -> None:
        """Tell endpoints that something happened to a ticket, once for each number, in one transaction."""
        happenings = [
            Happening(
                id=f"msg_{new_id()}",
                event_type=event,
                subject=ticket,
                occurred_at=self.clock.now(),
                body={"ticket_id": ticket, "number": number},
                raw=raw,
                integration_id=integration_id,
            )
            for number in numbers
        ]
        await self.within(lambda tx: self.core.outbound.router.tell(tx, happenings))

    async def deliveries(self, **wanted: Any) -> Sequence[Delivery]:
        """Return deliveries, oldest first."""
        found = await self.within(
            lambda tx: self.core.outbound.deliveries.search(tx, DeliveryFilter(**wanted), limit=1000)
        )
        return list(reversed(found))

    async def detail(self, delivery_id: str) -> Detail:
        """Return one delivery with its attempts."""
        return await self.within(lambda tx: self.core.outbound.deliveries.get(tx, delivery_id))

    async def all_are(self, *states: str) -> None:
        """Wait until every delivery is in one of `states`."""

        async def so() -> bool:
            assert {one.state.value for one in await self.deliveries()} <= set(states)
            return True

        await eventually(so, what=f"deliveries that are {' or '.join(states)}")

    async def came(self, path: str, count: int) -> None:
        """Wait until so many requests came to a path."""

        async def so() -> bool:
            assert len(self.sink.at(path)) >= count
            return True

        await eventually(so, what=f"{count} requests at {path}")

    async def idle(self) -> None:
        """Wait until no job is due or running."""

        async def so() -> bool:
            now = micros(self.clock.now())
            text = (
                f"SELECT (SELECT count(*) FROM job_partition WHERE latch = 1 OR due_at <= {now})"  # noqa: S608  # a number
                " + (SELECT count(*) FROM job_lease)"
            )
            assert await self.rows(text) == [(0,)]
            return True

        await eventually(so, what="idleness")

    async def skip(self, **step: float) -> None:
        """Let time pass, once everything that is under way is done."""
        await self.idle()
        self.clock.advance(timedelta(**step))

    @contextlib.asynccontextmanager
    async def working(
        self,
        *,
        timeout: float = 5.0,
        concurrency: int = 4,
        guard: AddressGuard = LOCAL,
        resolver: AbstractResolver | None = None,
        disable_after: timedelta = timedelta(hours=48),
    ) -> AsyncIterator[Sender]:
        """Run a worker that delivers."""
        core = self.core
        sender = Sender(guard, timeout=timeout, resolver=resolver)
        one = Courier(
            core.database,
            core.outbound.endpoints,
            sender,
            core.queue,
            core.clock,
            stopping=Stopping(core.audit, core.outbox, after=disable_after),
        )
        worker = Worker(
            core.database,
            core.engine,
            Consumers([courier.consumer(one, timeout=timedelta(seconds=timeout))]),
            core.budgets,
            settings=WorkerSettings(
                concurrency=concurrency, takeover=timedelta(seconds=3600), grace=timedelta(seconds=1)
            ),
            clock=core.clock,
        )
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        try:
            yield sender
        finally:
            stop.set()
            await running
            await sender.close()


@contextlib.asynccontextmanager
async def opened(url: str, data_dir: Path, sink: Sink) -> AsyncIterator[Lab]:
    """Open an installation on a database that has its schema."""
    settings = Settings(
        data_dir=data_dir,
        database_url=url,
        public_url="http://callout.test",
        allow_networks=("127.0.0.1/32",),
        require_https=False,
        pool_size=6,
    )
    clock = SteppedClock()
    async with open_core(settings, clock=clock) as core:

        async def account(tx: Tx) -> str:
            return (await core.accounts.get(tx, "default")).id

        yield Lab(core, clock, sink, await core.database.read(account))

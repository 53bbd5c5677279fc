"""Connections that we open to chat platforms, so that they can send to us: kept open, renewed, and opened again when they are lost.

Each process that answers chat holds one for each integration that wants it; a platform sends each thing to one of them. What was not
acknowledged before a connection went is sent again through the next, and acts once, since every invocation is claimed by its id.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Counter, Gauge

from callout.kit.retry import Backoff
from callout.ports.errors import AuthFailedError, CalloutError, ConnectorError, UnavailableError
from callout.storage import StorageUnavailableError

if TYPE_CHECKING:
    from callout.bootstrap.chat_doors import ChatDoors
    from callout.bootstrap.connections import Connections
    from callout.bootstrap.core import Core
    from callout.chatops.context import Workspace
    from callout.integrations import Integration
    from callout.ports.chat import Answer, ChatInput
    from callout.ports.listening import ChatConnection, ChatListener
    from callout.storage import Tx

AGAIN: Final = Backoff(first=timedelta(seconds=1), cap=timedelta(seconds=30))
REFUSED_SECONDS: Final = 60.0
"""How long to stay away from a platform that does not accept our token: a person has to change something first."""
LASTED_SECONDS: Final = 10.0
"""A connection that lasted so long was a good one."""
PROBLEM: Final = "connection"
"""The kind of the integration's problem that we are not let in."""
LINKS: Final = 2
"""Connections of one process to one app: while one is opened again, people are heard through the other."""
_log = structlog.get_logger(__name__)
open_connections = Gauge(
    "callout_chat_connections",
    "Connections that we hold open to chat platforms",
    ["provider"],
    multiprocess_mode="livesum",
)
lost_connections = Counter(
    "callout_chat_connections_ended_total", "Such connections that ended", ["provider"]
)


@dataclass(slots=True)
class _Kept:
    """What is kept open: as of which change of the integration, and by which tasks."""

    stamp: object
    tasks: list[asyncio.Task[None]]

    def is_done(self) -> bool:
        """Whether nothing of it is kept any more."""
        return all(task.done() for task in self.tasks)

    async def end(self) -> None:
        """Close it."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Listening:
    """Keeps the connections of all integrations that want one. Run :meth:`refresh` at start and after each change of settings."""

    def __init__(self, core: Core, connections: Connections, doors: ChatDoors) -> None:
        self._core = core
        self._connections = connections
        self._doors = doors
        self._kept: dict[str, _Kept] = {}
        self._changing = asyncio.Lock()

    async def refresh(self) -> None:
        """Open what is new, close what is gone, renew what has changed. Raises StorageUnavailableError."""
        async with self._changing:
            wanted = {one.id: one for one in await self._core.database.read(self._wanting)}
            for integration_id, kept in list(self._kept.items()):
                one = wanted.get(integration_id)
                if one is None or kept.stamp != one.updated_at or kept.is_done():
                    await self._kept.pop(integration_id).end()
            for one in wanted.values():
                if one.id not in self._kept:
                    name = f"chat connection of {one.name}"
                    tasks = [asyncio.create_task(self._keep(one), name=name) for _ in range(LINKS)]
                    self._kept[one.id] = _Kept(one.updated_at, tasks)

    async def close(self) -> None:
        """Close them all; what is being carried out is finished first."""
        async with self._changing:
            ending = [self._kept.popitem()[1].end() for _ in list(self._kept)]
            await asyncio.gather(*ending)

    async def failed(self) -> None:
        """Return never; raise the defect that ended the keeping of a connection."""
        while True:
            await asyncio.sleep(1)
            for task in [task for kept in self._kept.values() for task in kept.tasks]:
                if task.done() and not task.cancelled():
                    task.result()

    async def _wanting(self, tx: Tx) -> list[Integration]:
        return [
            one
            for one in await self._core.integrations.enabled_of(tx, "chat")
            if self._connections.listens(one)
        ]

    async def _keep(self, one: Integration) -> None:
        leaving: set[asyncio.Task[str]] = set()
        failures = 0
        log = _log.bind(integration=one.name, provider=one.provider_type)
        try:
            while True:
                began = self._core.clock.monotonic()
                try:
                    workspace = await self._doors.workspace(one.account_id, one.id)
                    listener = await self._connections.listener(one.account_id, one.id)
                    if workspace is None or listener is None:
                        return
                    await self._hold(one, listener, workspace, leaving)
                except AuthFailedError as error:
                    log.error(  # noqa: TRY400  # the operator needs the words, not the trace
                        "chat_connection_refused", error=error.message, remediation=error.remediation
                    )
                    await self._tell(one, error)
                    await asyncio.sleep(REFUSED_SECONDS)
                    continue
                except (CalloutError, StorageUnavailableError) as error:
                    log.warning("chat_connection_not_opened", error=str(error))
                if self._core.clock.monotonic() - began >= LASTED_SECONDS:
                    failures = 0  # the first attempt after a good connection is made at once
                else:
                    failures += 1
                    wait = AGAIN.delay(failures, random.Random())  # noqa: S311  # jitter
                    await asyncio.sleep(wait.total_seconds())
        finally:
            for task in leaving:
                task.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)

    async def _hold(
        self, one: Integration, listener: ChatListener, workspace: Workspace, leaving: set[asyncio.Task[str]]
    ) -> None:
        """Open a connection and hold it until it ends, or until the platform asks for another while it goes on."""
        connection = await listener.connect()
        log = _log.bind(integration=one.name, provider=one.provider_type)
        log.info("chat_connected")
        await self._tell(one, None)
        serving = asyncio.create_task(self._serve(connection, workspace), name="chat connection")
        asked = asyncio.create_task(connection.leaving.wait())
        try:
            await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            raise
        finally:
            asked.cancel()
        if serving.done():
            log.info("chat_connection_ended", reason=serving.result())
            return
        log.info("chat_connection_renewed")
        leaving.add(serving)
        serving.add_done_callback(partial(_left, leaving))

    async def _tell(self, one: Integration, error: AuthFailedError | None) -> None:
        """Tell with the integration that its platform does not let us in, or that this is over."""
        problems = self._core.problems

        async def unit(tx: Tx) -> None:
            mine = tx.account(one.account_id)
            if error is None:
                await problems.over(mine, one.id, PROBLEM)
                return
            words = {"message": error.message, "remediation": error.remediation or ""}
            await problems.tell(mine, one.id, PROBLEM, code=error.code, **words)

        with contextlib.suppress(StorageUnavailableError):  # the log has it
            await self._core.database.transaction(unit)

    async def _serve(self, connection: ChatConnection, workspace: Workspace) -> str:
        async def receive(given: ChatInput) -> Answer:
            try:
                return await self._doors.carry_out(workspace, given)
            except ConnectorError:
                raise
            except (StorageUnavailableError, CalloutError) as error:
                raise UnavailableError(f"it was not carried out: {error}") from error

        open_connections.labels(workspace.provider).inc()
        try:
            return await connection.serve(receive)
        finally:
            open_connections.labels(workspace.provider).dec()
            lost_connections.labels(workspace.provider).inc()


def _left(leaving: set[asyncio.Task[str]], serving: asyncio.Task[str]) -> None:
    """Forget a connection that was on its way out; what it ended with must not pass in silence."""
    leaving.discard(serving)
    if not serving.cancelled() and (error := serving.exception()) is not None:
        _log.error("chat_connection_failed", exc_info=error)

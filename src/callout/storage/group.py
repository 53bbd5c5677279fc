"""Group commit: many small writes that arrive together share one transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Generic, TypeVar

from callout.kit.priority import has_time, work_that

if TYPE_CHECKING:
    from callout.storage.database import Database
    from callout.storage.tx import Tx

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Line(Generic[Item, Result]):
    """Items that wait, and how many more groups of them may be under way."""

    __slots__ = ("free", "waiting")

    def __init__(self, free: int) -> None:
        self.free = free
        self.waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()


class GroupCommit(Generic[Item, Result]):
    """Collects items while a commit is under way and writes them with the next one.

    `write` gets an open transaction and the items, and returns one result per item in order. A caller of :meth:`add` gets its
    result only after the commit; when the commit fails, every caller of that group gets the error. At most `flushers` groups
    are under way at a time, at most `largest` items make one. With `read_only` it is reading that is shared. Items that have
    time (`kit.priority`) make groups of their own, since nothing else may wait behind those.
    """

    def __init__(
        self,
        database: Database,
        write: Callable[[Tx, Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        largest: int = 256,
        flushers: int | None = None,
        read_only: bool = False,
    ) -> None:
        self._transaction = database.read if read_only else database.transaction
        self._write = write
        self._largest = largest
        free = flushers if flushers is not None else (1 if database.dialect == "sqlite" else 2)
        self._lines: dict[bool, _Line[Item, Result]] = {time: _Line(free) for time in (False, True)}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many items have not reached a commit yet: the measure for back-pressure."""
        return sum(len(line.waiting) for line in self._lines.values())

    async def add(self, item: Item, *, within: float | None = None) -> Result:
        """Store `item` with the next group; return its result once that is on disk.

        Raises what storage raises, and TimeoutError after `within` seconds: an item that no group has taken by then is dropped,
        of one that was taken nobody knows whether it was stored.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        time = has_time()
        line = self._lines[time]
        line.waiting.append((item, future))
        if line.free > 0:
            line.free -= 1
            # In no one's context: what a group stores belongs to many callers, not to the one that happened to begin it.
            task = asyncio.create_task(self._flush(line, has_time=time), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if within is None:
            return await future
        # A bare timer: asyncio.timeout costs each of ten thousand requests a second several times as much.
        timer = loop.call_later(within, _expire, future)
        try:
            return await future
        finally:
            timer.cancel()

    async def _flush(self, line: _Line[Item, Result], *, has_time: bool) -> None:
        # One turn of the loop lets requests that were read from their sockets together join this group.
        await asyncio.sleep(0)
        try:
            with work_that(has_time=has_time):
                while line.waiting:
                    size = min(self._largest, len(line.waiting))
                    taken = [line.waiting.popleft() for _ in range(size)]
                    group = [pair for pair in taken if not pair[1].done()]
                    if group:
                        await self._commit(group)
        finally:
            line.free += 1

    async def _commit(self, group: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        items = [item for item, _ in group]

        async def unit(tx: Tx) -> Sequence[Result]:
            return await self._write(tx, items)

        try:
            results = await self._transaction(unit)
        except BaseException as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in zip(group, results, strict=True):
            if not future.done():
                future.set_result(result)


def _expire(future: asyncio.Future[Result]) -> None:
    if not future.done():
        future.set_exception(TimeoutError("the database did not answer in time"))

"""Twins in this process, in the loop of the people who act in them: an act of theirs costs no request.

Who makes the load shares the processors with what is measured, as people of a chat platform do not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.syncing import place
from callout.cli.run import fast_loop

if TYPE_CHECKING:
    from callout.sandbox.core.serve import SandboxServer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TwinsHere(place.Twins):
    """Twins in a thread of this process; they answer at their address, too."""

    server: SandboxServer
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out `work` where the twins are; return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def act(self, name: str, action: str, body: dict[str, Any]) -> Any:  # as JSON
        """Let a user of the twin `name` do something, in the loop of the twins. Raises NotMeasuredError."""
        from callout.sandbox.core.ledger import Call, current_call
        from callout.sandbox.core.twin import ActError

        token = current_call.set(Call("ACT", action))
        try:
            return await self.server.twin(name).act(action, body)
        except ActError as error:
            raise NotMeasuredError(f"{action}: {error}") from error
        finally:
            current_call.reset(token)


@contextmanager
def twins_here(*names: str) -> Iterator[TwinsHere]:
    """Run the named twins in a thread. Raises NotMeasuredError."""
    from callout.sandbox.core.serve import SandboxServer

    started: Future[TwinsHere] = Future()
    ended = asyncio.Event()

    async def serve() -> None:
        async with SandboxServer(only=names) as server:
            started.set_result(TwinsHere(server.base_url, server, asyncio.get_running_loop()))
            await ended.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=fast_loop()) as runner:
            try:
                runner.run(serve())
            except (OSError, RuntimeError) as error:
                if started.done():
                    raise
                started.set_exception(NotMeasuredError(f"the twins did not start: {error}"))

    thread = threading.Thread(target=run, name="twins", daemon=True)
    thread.start()
    twins = started.result(place.START_SECONDS)
    try:
        yield twins
    finally:
        twins.loop.call_soon_threadsafe(ended.set)
        thread.join(place.START_SECONDS)

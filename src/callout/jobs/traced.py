"""The span of a batch of jobs: below what asked for the first of them, linked to what asked for the others."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from types import coroutine
from typing import TYPE_CHECKING, Any, Final

from callout.kit import tracing

if TYPE_CHECKING:
    from callout.jobs.partition import Held
    from callout.jobs.steps import Batch, Outcome

_TICK: Final = "schedule:"
"""What comes every second all by itself is no story; what it finds to do begins one."""


def spanning(batch: Batch, held: Held) -> AbstractContextManager[tracing.Span]:
    """Return the span that a batch is handled and settled in; that of nobody while traces are off."""
    if not tracing.is_on():
        return tracing.NOTHING
    causes = tracing.split([taken.job.trace for taken in batch.taken])
    if not causes and held.key is not None and held.key.startswith(_TICK):
        return tracing.NOTHING
    first = batch.taken[0].job
    attributes: dict[str, tracing.Value] = {
        "callout.job.kind": first.kind,
        "callout.job.id": first.id,
        "callout.job.count": len(batch.taken),
        "callout.job.attempt": first.attempt,
        "callout.job.lane": batch.lane.name.lower(),
    }
    if first.account_id is not None:
        attributes["callout.account_id"] = first.account_id
    return tracing.within(f"job {first.kind}", kind="consumer", attributes=attributes, causes=causes)


def told(span: tracing.Span, outcome: Outcome) -> None:
    """Note in the span what became of the batch."""
    if not tracing.is_on():
        return
    span.note(
        {
            "callout.job.failed": len(outcome.failed),
            "callout.job.put_off": len(outcome.postponed),
        }
    )
    if outcome.failed:
        span.failed(type(next(iter(outcome.failed.values()))).__name__)


def here() -> Context | None:
    """Return what :func:`inside` needs to go on in the current span elsewhere; None while traces are off."""
    return copy_context() if tracing.is_on() else None


async def inside(place: Context | None, work: Awaitable[object]) -> None:
    """Do `work` in the span that was current at that place: what is stored together has its causes each by itself."""
    if place is None:
        await work
    else:
        await _driven(place, work.__await__())


@coroutine
def _driven(place: Context, work: Generator[Any, Any, object]) -> Generator[Any, Any, None]:
    step, given = work.send, None
    while True:
        try:
            asked = place.run(step, given)
        except StopIteration:
            return
        try:
            step, given = work.send, (yield asked)
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:  # noqa: BLE001  # it is for the work to hear
            step, given = work.throw, error


__all__ = ["here", "inside", "spanning", "told"]

"""Jobs go on in the trace of what asked for them: in their row, through any process, folded or not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, StatusCode

from callout.jobs import Consumer, NewJob, Retry, Work, transactional
from callout.kit import tracing
from tests.jobs.support import Lab
from tests.recorded import above, linked, own, recording, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callout.jobs import Job
    from callout.storage import Tx

FIRST = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SECOND = "00-5bf92f3577b34da6a3ce929d0e0e4736-10f067aa0ba902b7-01"


async def nothing(_tx: Tx, _jobs: Sequence[Job]) -> None:
    """Do nothing."""


async def test_while_traces_are_off_rows_hold_none_and_old_ones_are_done_all_the_same(lab: Lab) -> None:
    await lab.enqueue("x")
    await lab.enqueue_many([NewJob("x", trace=FIRST)])  # of a process in which they are on
    assert await lab.rows("SELECT trace FROM job ORDER BY id") == [(None,), (FIRST,)]
    async with lab.worker(Consumer("x", transactional(nothing))):
        await lab.idle()
    assert await lab.rows("SELECT count(*) FROM job") == [(0,)]


async def test_what_a_job_asks_for_is_below_it_in_whichever_transaction(lab: Lab) -> None:
    async def handle(work: Work) -> object:
        await work.transaction(lambda tx: lab.queue.enqueue(tx, "within", {}))

        async def settle(tx: Tx) -> None:
            await lab.queue.enqueue(tx, "with it", {})

        return settle

    consumers = [
        Consumer("first", handle),  # type: ignore[arg-type]  # its settle is one
        *(Consumer(kind, transactional(nothing)) for kind in ("within", "with it")),
    ]
    with recording() as recorded:
        with tracing.within("request"):
            await lab.enqueue("first")
        async with lab.worker(*consumers):
            await lab.idle()
    [request], [first] = recorded.named("request"), recorded.named("job first")
    assert above(first) == own(request)
    assert first.parent is not None
    assert first.parent.is_remote
    assert first.kind is SpanKind.CONSUMER
    for name in ("job within", "job with it"):
        [one] = recorded.named(name)
        assert above(one) == own(first)
        assert own(one)[:35] == own(request)[:35], "of one trace"


async def test_a_batch_is_linked_to_all_that_asked_for_it(lab: Lab) -> None:
    jobs = [NewJob("x", {}, key="k", trace=trace) for trace in (FIRST, f"{SECOND} {FIRST}", None)]
    await lab.enqueue_many(jobs)
    with recording() as recorded:
        async with lab.worker(Consumer("x", transactional(nothing), batch=8)):
            await lab.idle()
    [one] = recorded.spans
    assert above(one) == FIRST
    assert linked(one) == [SECOND]
    assert said(one, "callout.job.count") == 3


async def test_each_attempt_is_a_span_and_a_failed_one_says_the_kind_of_error(lab: Lab) -> None:
    async def handle(work: Work) -> None:
        if work.job.attempt == 1:
            raise ValueError("Canary3 words of a customer")

    retry = Retry(first=timedelta(milliseconds=1), max_attempts=3)
    await lab.enqueue_many([NewJob("x", trace=FIRST)])
    with recording() as recorded:
        async with lab.worker(Consumer("x", handle, retry=retry)):
            await lab.idle()
    failed, done = recorded.spans
    assert [above(failed), above(done)] == [FIRST, FIRST]
    assert failed.status.status_code is StatusCode.ERROR
    assert said(failed, "error.type") == "ValueError"
    assert done.status.status_code is StatusCode.UNSET
    assert said(done, "callout.job.attempt") == 2
    assert "Canary3" not in failed.to_json()


async def test_what_comes_by_itself_is_no_story_and_what_it_finds_begins_one(lab: Lab) -> None:
    async def tick(tx: Tx, _jobs: Sequence[Job]) -> None:
        await lab.queue.enqueue(tx, "found", {})

    await lab.enqueue("tick", key="schedule:tick")
    with recording() as recorded:
        async with lab.worker(
            Consumer("tick", transactional(tick)), Consumer("found", transactional(nothing))
        ):
            await lab.idle()
    [found] = recorded.spans
    assert (found.name, found.parent) == ("job found", None)

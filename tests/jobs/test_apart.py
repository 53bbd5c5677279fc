"""Work apart: handlers that wait for somebody else for long hold no place among a worker's partitions."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from callout.jobs import Consumer, Settle, Work, WorkerSettings
from callout.storage import Tx
from tests.jobs.support import Lab, eventually, note_effect


async def test_work_apart_holds_no_place_and_is_waited_for_at_the_stop(lab: Lab) -> None:
    release, begun = asyncio.Event(), [0]
    seen: list[int] = []

    async def see(work: Work) -> None:
        seen.extend(job.payload["n"] for job in work.jobs)

    async def wait_for_long(work: Work) -> Settle:
        begun[0] += 1
        await release.wait()

        async def settle(tx: Tx) -> None:
            await note_effect(tx, work.job.payload["n"], None)

        return settle

    one_place = WorkerSettings(
        concurrency=1, takeover=timedelta(seconds=1), sweep_seconds=0.2, grace=timedelta(seconds=5)
    )
    consumers = (Consumer("long", wait_for_long, apart=True), Consumer("short", see))
    async with lab.worker(*consumers, settings=one_place):
        for number in range(5):
            await lab.enqueue("long", {"n": number}, key=f"long {number}")
        await eventually(lambda: begun[0] == 5, 10, "work apart was kept waiting for a place")
        await lab.enqueue("short", {"n": 1})
        await eventually(lambda: seen == [1], 10, "work apart holds places")
        await asyncio.sleep(1.5)  # longer than the takeover: whoever works apart keeps its lease
        assert begun[0] == 5
        asyncio.get_running_loop().call_later(0.3, release.set)
    assert sorted(row[0] for row in await lab.rows("SELECT n FROM effect")) == list(range(5))
    assert await lab.rows("SELECT count(*) FROM job_lease") == [(0,)]

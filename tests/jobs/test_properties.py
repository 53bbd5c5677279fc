"""Whatever is enqueued in whatever groups, with whatever failures: first of equal names wins, and each key keeps its order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from callout.jobs import Consumer, NewJob, Retry, Settle, Work
from callout.storage import Tx
from tests.jobs.support import note_effect, open_lab


@dataclass(frozen=True)
class Planned:
    key: str
    kind: str
    dedupe: str | None
    failures: int  # attempts that fail before one succeeds; 3 and more: never


plans = st.builds(
    Planned,
    key=st.sampled_from("abc"),
    kind=st.sampled_from(["one", "many"]),
    dedupe=st.none() | st.sampled_from("xyz"),
    failures=st.sampled_from([0, 0, 0, 0, 1, 2, 3]),
)


async def run(groups: Sequence[Sequence[Planned]]) -> None:  # noqa: C901  # plan, act and judge side by side
    with tempfile.TemporaryDirectory() as folder:
        lab = await open_lab(f"sqlite:///{folder}/p.db")
        tries: dict[int, int] = {}

        async def handle(work: Work) -> Settle:
            done = []
            for job in work.jobs:
                n = job.payload["n"]
                tries[n] = tries.get(n, 0) + 1
                if tries[n] <= job.payload["failures"]:
                    work.fail(job, ConnectionError("planned"))
                else:
                    done.append(job)

            async def settle(tx: Tx) -> None:
                for job in done:
                    await note_effect(tx, job.payload["n"], job.key)

            return settle

        retry = Retry(first=timedelta(milliseconds=1), cap=timedelta(milliseconds=1), max_attempts=3)
        expected: dict[str, list[int]] = {}
        batched: set[int] = set()
        names: set[tuple[str, str]] = set()
        n = 0
        async with lab.worker(
            Consumer("one", handle, retry=retry), Consumer("many", handle, batch=4, retry=retry)
        ):
            for group in groups:
                jobs = []
                stored = []
                for plan in group:
                    new = plan.dedupe is None or (plan.kind, plan.dedupe) not in names
                    if plan.dedupe is not None:
                        names.add((plan.kind, plan.dedupe))
                    payload = {"n": n, "failures": plan.failures}
                    jobs.append(NewJob(plan.kind, payload, key=plan.key, dedupe=plan.dedupe))
                    stored.append(new)
                    if new and plan.failures < 3:
                        expected.setdefault(plan.key, []).append(n)
                        if plan.kind == "many":
                            batched.add(n)
                    n += 1
                numbers = await lab.enqueue_many(jobs)
                assert [number is not None for number in numbers] == stored
            await lab.idle()
        effects = await lab.effects()
        await lab.database.close()
    for key in "abc":
        numbers_done = [number for number, part in effects if part == key]
        assert sorted(numbers_done) == expected.get(key, [])
        # Within a batch a handler may let later jobs succeed while an earlier one fails; one by one the order is strict.
        singles = [number for number in numbers_done if number not in batched]
        assert singles == sorted(singles)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.lists(plans, min_size=1, max_size=8), min_size=1, max_size=4))
def test_order_and_names_hold_whatever_fails(groups: list[list[Planned]]) -> None:
    asyncio.run(run(groups))

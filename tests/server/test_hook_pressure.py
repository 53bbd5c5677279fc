"""Webhooks whose senders are asked to come again later: the answer says when, and nothing is stored that was not answered 2xx."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, NamedTuple

from callout.webhooks.pressure import Pressure, PressureLimits
from tests.server.desk import JIRA, problem_of
from tests.server.test_hooks import KEY, send, signed

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    import pytest

    from callout.integrations import Integration
    from tests.server.desk import Desk


class Disk(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


class Watch:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def press(
    desk: Desk, limits: PressureLimits, *, folder: Path | None = None, looked_at: bool = False
) -> Watch:
    """Put the desk's way in under limits, by a clock that the test moves.

    Args:
        looked_at: the figures are fresh already, and nothing waits. The first webhook has them asked for otherwise, and may then be
            counted twice: as stored by then, and as under way.
    """
    watch = Watch()
    core = desk.core
    pressure = Pressure(core.database, core.queue, "sync.inbound", limits, folder=folder, monotonic=watch)
    if looked_at:
        pressure._refresh_at = watch.now + 1
    desk.wired.intake._pressure = pressure
    return watch


async def refreshed(desk: Desk) -> None:
    """Wait until the figures of the way in are fresh."""
    pressure = desk.wired.intake._pressure
    assert pressure is not None
    for _ in range(6_000):
        if pressure._refreshing is None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the figures were not refreshed")


async def stored(desk: Desk) -> int:
    return int((await desk.written())["inbound_event"])


async def number(desk: Desk, one: Integration, n: int) -> httpx.Response:
    return await send(desk, one, b'{"n": %d}' % n)


async def test_an_account_beyond_its_rate_is_asked_to_wait_and_another_is_not(desk: Desk) -> None:
    one = await desk.add(JIRA, key=KEY)
    watch = press(desk, PressureLimits(per_second=0.4))
    assert [(await number(desk, one, n)).status_code for n in range(3)] == [202, 202, 429]
    refused = await number(desk, one, 4)
    problem_of(refused, 429, "rate-limited")
    assert refused.headers["retry-after"] == "3"
    wrong = await desk.http.post(f"/v1/hooks/{one.id}", content=b"{}", headers=signed(b"{}", "another key"))
    assert wrong.status_code == 401, "who cannot sign learns nothing of rates, and uses nobody's up"
    pressure = desk.wired.intake._pressure
    assert pressure is not None
    pressure.admit("another account")
    watch.now += 2.5
    assert (await number(desk, one, 5)).status_code == 202
    assert (await number(desk, one, 6)).status_code == 429
    assert await stored(desk) == 3


async def test_an_account_whose_webhooks_wait_for_their_work_is_asked_to_wait(desk_on_both: Desk) -> None:
    desk = desk_on_both
    one = await desk.add(JIRA, key=KEY)
    watch = press(desk, PressureLimits(backlog=5), looked_at=True)
    answers = await asyncio.gather(*(number(desk, one, n) for n in range(9)))
    assert sorted(answer.status_code for answer in answers) == [202] * 5 + [429] * 4
    refused = next(answer for answer in answers if answer.status_code == 429)
    problem_of(refused, 429, "rate-limited")
    assert int(refused.headers["retry-after"]) > 1
    assert await stored(desk) == 5, "what was not answered 2xx is not there, and what was is"
    # By what the database says, too, and not only by what this process let in.
    await refreshed(desk)
    watch.now += 2
    await number(desk, one, 20)
    await refreshed(desk)
    assert (await number(desk, one, 21)).status_code == 429
    await desk.core.database.transaction(lambda tx: tx.driver_all("DELETE FROM job", "DELETE FROM job"))
    watch.now += 2
    await number(desk, one, 22)
    await refreshed(desk)
    assert (await number(desk, one, 23)).status_code == 202, "the work was done"


async def test_too_much_waiting_in_all_is_nobodys_fault(desk: Desk) -> None:
    one, other = await desk.add(JIRA, key=KEY), await desk.add(JIRA, name="other", key=KEY)
    press(desk, PressureLimits(backlog_of_all=2), looked_at=True)
    assert [(await number(desk, one, n)).status_code for n in range(2)] == [202, 202]
    refused = await number(desk, other, 3)
    problem_of(refused, 503, "intake-busy")
    assert int(refused.headers["retry-after"]) > 1
    assert await stored(desk) == 2


async def test_a_disk_that_is_nearly_full_takes_nothing_in(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await desk.add(JIRA, key=KEY)
    free = 10 * 1024 * 1024
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Disk(free * 10, free * 9, free))
    watch = press(desk, PressureLimits(free_mib=20), folder=tmp_path)
    await number(desk, one, 1)  # it is the first that has the figures asked for
    await refreshed(desk)
    before = await stored(desk)
    refused = await number(desk, one, 2)
    problem_of(refused, 503, "intake-busy")
    assert refused.headers["retry-after"] == "60"
    assert await stored(desk) == before
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Disk(free * 10, 0, free * 10))
    watch.now += 2
    await number(desk, one, 3)
    await refreshed(desk)
    assert (await number(desk, one, 4)).status_code == 202


async def test_a_database_that_does_not_answer_keeps_the_last_figures(desk: Desk) -> None:
    one = await desk.add(JIRA, key=KEY)
    watch = press(desk, PressureLimits(backlog=2), looked_at=True)
    assert [(await number(desk, one, n)).status_code for n in range(3)] == [202, 202, 429]
    watch.now += 2
    await number(desk, one, 4)
    await refreshed(desk)
    pressure = desk.wired.intake._pressure
    assert pressure is not None
    pressure._database = Deaf()  # type: ignore[assignment]
    watch.now += 2
    await number(desk, one, 5)
    await refreshed(desk)
    assert (await number(desk, one, 6)).status_code == 429


class Deaf:
    """A database that does not answer."""

    async def read(self, _work: object) -> object:
        raise OSError("nobody is there")

"""Insights, against what one counts by hand, on both databases; and their export."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import mean, median
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from callout.incidents.insights import Scope, report, week_of
from callout.ports.errors import InvalidRequestError
from callout.storage import Tx
from tests.server.by_forms import Visitor

if TYPE_CHECKING:
    from callout.incidents.insights import Report
    from tests.server.desk import Desk

# Severity, minutes until it was acknowledged, minutes until it was resolved (0: not yet), days until the next one.
STORY = (
    (1, 2, 30, 9),
    (2, 4, 60, 0),
    (2, 12, 0, 3),
    (3, 0, 0, 5),
    (3, 50, 500, 0),
)


async def live_through(desk: Desk) -> list[str]:
    keys = []
    for severity, acknowledged, resolved, rest in STORY:
        key = await desk.api.declare(
            f"=SUM({severity})", severity=f"SEV-{severity}", service="web" if severity < 3 else ""
        )
        if acknowledged:
            desk.clock.advance(timedelta(minutes=acknowledged))
            await desk.api.act(key, "acknowledge")
        if resolved:
            desk.clock.advance(timedelta(minutes=resolved - acknowledged))
            await desk.api.act(key, "resolve")
        desk.clock.advance(timedelta(days=rest))
        keys.append(key)
    return keys


async def figures(desk: Desk, **more: str) -> Report:
    now = desk.clock.now()
    scope = Scope(now - timedelta(days=60), now + timedelta(days=1), **more)

    async def unit(tx: Tx) -> Report:
        return await report(tx.account(desk.account), scope, now=now)

    return await desk.core.database.read(unit)


async def test_the_figures_are_those_one_counts_by_hand(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await live_through(desk)
    found = await figures(desk)
    assert (found.total, found.under_way) == (5, 2)
    assert dict(found.by_severity) == {"SEV-1": 1, "SEV-2": 2, "SEV-3": 2}
    assert dict(found.by_service) == {"web": 3, "": 2}
    assert dict(found.by_status) == {"open": 1, "acknowledged": 1, "mitigated": 0, "resolved": 3, "closed": 0}
    for took, minutes in ((found.acknowledged, (2, 4, 12, 50)), (found.resolved, (30, 60, 500))):
        assert took.count == len(minutes)
        assert took.mean == pytest.approx(mean(minutes) * 60, abs=10)
        assert took.median == pytest.approx(median(minutes) * 60, abs=10)
    times = {severity: (first, last) for severity, first, last in found.by_severity_times}
    assert times["SEV-2"][0].mean == pytest.approx(8 * 60, abs=10)
    assert times["SEV-2"][1].count == 1
    weeks = dict(found.weeks)
    assert sum(sum(dict(counts).values()) for counts in weeks.values()) == 5
    mondays = list(weeks)
    assert all(late - early == timedelta(days=7) for early, late in pairwise(mondays))
    assert all(week_of(one) == one and one.weekday() == 0 for one in mondays)
    levels = {one.clock: one for one in found.levels}
    assert levels["acknowledge"].met + levels["acknowledge"].breached + levels["acknowledge"].running == 5
    only = await figures(desk, service="web")
    assert (only.total, dict(only.by_severity)) == (3, {"SEV-1": 1, "SEV-2": 2})


async def test_every_figure_leads_to_its_incidents(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await live_through(desk)
    me = await Visitor.of(desk)
    page = await me.see("/insights")
    behind = [link for link in page.links if link.startswith("/incidents/list?")]
    assert len(behind) > 12
    found = await figures(desk)
    expected = {
        "severity": dict(found.by_severity),
        "service": dict(found.by_service),
        "status": dict(found.by_status),
    }
    expected["clock"] = {
        f"{one.clock}-{state}": getattr(one, state)
        for one in found.levels
        for state in ("met", "breached", "running")
    }
    for link in behind:
        rows = (await me.see(link)).text.count('scope="row"')
        asked = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
        for name, numbers in expected.items():
            # A week's figure has days of its own and is smaller.
            if name in asked and asked["since"] == parse_qs(urlsplit(behind[0]).query)["since"][0]:
                assert rows == numbers[asked[name]], link


async def test_what_is_exported(desk: Desk) -> None:
    await live_through(desk)
    me = await Visitor.of(desk)
    answer = await me.answer("/insights.csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 5
    assert {row["title"][0] for row in rows} == {"'"}, "a sheet takes no title for a formula"
    assert {row["severity"]: row["seconds_to_resolve"] for row in rows}["SEV-1"].startswith("180")
    told = (await me.answer("/insights.json")).json()
    assert (told["total"], told["by_severity"]["SEV-2"]) == (5, 2)
    assert (await (await Visitor.of(desk, "connect-ui")).answer("/insights")).status_code == 403


async def test_an_account_sees_its_own_figures(desk: Desk) -> None:
    await live_through(desk)
    other = await desk.add_account("other")
    now = desk.clock.now()

    async def unit(tx: Tx) -> Report:
        return await report(tx.account(other), Scope(now - timedelta(days=60), now), now=now)

    found = await desk.core.database.read(unit)
    assert (found.total, found.levels, found.acknowledged.mean) == (0, (), None)


def test_a_time_that_ends_before_it_begins() -> None:
    now = week_of(datetime(2026, 3, 4, tzinfo=UTC))
    for since, until in ((now, now), (now, now - timedelta(days=1)), (now - timedelta(days=1000), now)):
        with pytest.raises(InvalidRequestError):
            Scope(since, until)

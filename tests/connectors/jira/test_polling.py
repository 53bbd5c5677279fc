"""Polling where the vendor's page token is a plain offset, which nobody promised it is not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.ticketing import JiraTicketing
from callout.kit.clock import SystemClock
from callout.kit.http import VendorHttp
from callout.ports.provider import PollPosition

START = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
PAGE = 3


class OffsetJira:
    """The few endpoints that polling asks, over issues that change between two pages."""

    def __init__(self, updated: list[datetime], between_pages: Callable[[OffsetJira], None]) -> None:
        self.updated = {str(10_000 + number): moment for number, moment in enumerate(updated)}
        self.searches: list[dict[str, Any]] = []
        self._between_pages = between_pages

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/myself"):
            return httpx.Response(200, json={"accountId": "me", "timeZone": "UTC"})
        assert request.url.path.endswith("/search/jql"), request.url
        asked = json.loads(request.content)
        if self.searches:
            self._between_pages(self)
        self.searches.append(asked)
        bound = re.search(r'updated >= "([^"]+)"', asked["jql"])
        low = (
            datetime.strptime(bound[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
            if bound
            else datetime.min.replace(tzinfo=UTC)
        )
        found = sorted((moment, issue) for issue, moment in self.updated.items() if moment >= low)
        offset = int(asked.get("nextPageToken") or 0)
        page = found[offset : offset + PAGE]
        answer: dict[str, Any] = {"issues": [self._issue(issue, moment) for moment, issue in page]}
        if offset + PAGE < len(found):
            answer["nextPageToken"] = str(offset + PAGE)
        return httpx.Response(200, json=answer)

    def _issue(self, issue: str, moment: datetime) -> dict[str, Any]:
        created = (START - timedelta(days=1)).isoformat()
        return {
            "id": issue,
            "key": f"OPS-{issue}",
            "fields": {"updated": moment.isoformat(), "created": created},
        }


def provider(jira: OffsetJira) -> JiraTicketing:
    http = VendorHttp("https://example.atlassian.net", transport=httpx.MockTransport(jira))
    return JiraTicketing(JiraConfig(url="https://example.atlassian.net"), http, http, SystemClock())


async def polled(jira: OffsetJira) -> list[str]:
    return [
        change.ticket_id
        async for change in provider(jira).changes_since(PollPosition(START), overlap=timedelta(minutes=5))
    ]


@pytest.mark.parametrize("step", [timedelta(minutes=1), timedelta(seconds=40)])
async def test_an_issue_that_changes_while_we_read_hides_no_other(step: timedelta) -> None:
    """It moves to the end of the order, and the next offset would jump over whoever took its place."""

    def edit_one_already_read(jira: OffsetJira) -> None:
        first = str(10_000 + len(jira.searches) - 1)
        jira.updated[first] = max(jira.updated.values()) + timedelta(seconds=1)

    jira = OffsetJira([START + number * step for number in range(9)], edit_one_already_read)
    assert set(await polled(jira)) == set(jira.updated)


async def test_many_changes_within_one_minute_are_all_told_once() -> None:
    jira = OffsetJira([START + timedelta(seconds=number) for number in range(20)], lambda _: None)
    found = await polled(jira)
    assert sorted(found) == sorted(jira.updated)


async def test_a_second_look_at_the_same_minute_repeats_nothing() -> None:
    jira = OffsetJira([START + timedelta(seconds=25 * number) for number in range(20)], lambda _: None)
    found = await polled(jira)
    assert len(found) == len(set(found)) == 20

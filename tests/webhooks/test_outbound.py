"""Deliveries over the wire, on both databases: the whole product with a real sink for an endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callout.ports.values import Actor
from tests.stories.installation import Installation, running
from tests.stories.people import eventually
from tests.webhooks.sink import Sink, sink_running

OPERATOR = Actor.system("tests")


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with sink_running() as found:
        yield found


async def add(installation: Installation, url: str, *filters: str, **options: object) -> str:
    made = await installation.in_account(
        lambda tx: installation.core.outbound.endpoints.create(
            tx,
            url=url,
            filters=filters,
            actor=OPERATOR,
            **options,  # type: ignore[arg-type]
        )
    )
    return made.id


async def test_an_incidents_events_reach_an_endpoint_in_their_order(
    database_url: str, tmp_path: Path, sink: Sink
) -> None:
    async with running(database_url, tmp_path / "data", vendors=()) as installation:
        await add(installation, f"{sink.url}/in", "incident.*")
        key = await installation.api.declare("search is slow")
        for number in range(5):
            await installation.api.patch(key, title=f"search is slow {number}")

        async def all_there() -> bool:
            return len(sink.at("/in")) == 6

        await eventually(all_there, what="the deliveries")
        got = sink.at("/in")
        assert [one.json["event_type"] for one in got] == ["incident.declared"] + ["incident.changed"] * 5
        titles = [one.json["data"]["incident"]["title"] for one in got]
        assert titles == ["search is slow", *(f"search is slow {number}" for number in range(5))]

"""Spans of requests, and webhooks that share a commit."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from callout.kit import tracing
from tests.recorded import above, own, recording, said
from tests.server.desk import JIRA
from tests.server.test_hooks import KEY, send

if TYPE_CHECKING:
    import pytest

    from callout.storage import Tx
    from tests.server.desk import Desk

PROGRAM = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADER = {"traceparent": f"00-{PROGRAM}-00f067aa0ba902b7-01"}


async def traces(desk: Desk) -> list[str | None]:
    async def unit(tx: Tx) -> list[str | None]:
        text = "SELECT trace FROM job WHERE kind = 'sync.inbound' ORDER BY id"
        return [row[0] for row in await tx.driver_all(text, text)]

    return await desk.core.database.read(unit)


async def test_webhooks_of_one_commit_are_one_job_that_names_them_all(desk_on_both: Desk) -> None:
    desk = desk_on_both
    one = await desk.add(JIRA, key=KEY)
    with recording() as recorded:
        await asyncio.gather(*(send(desk, one, b'{"n": %d}' % number) for number in range(9)))
        again = await send(desk, one, b'{"n": 3}', traceparent=HEADER["traceparent"])
        refused = await send(desk, one, key="wrong", traceparent=HEADER["traceparent"])
    assert again.json()["result"]["duplicate"]
    assert refused.status_code == 401
    named = [cause for row in await traces(desk) for cause in (row or "").split()]
    intakes = {
        own(span): str(said(span, "callout.webhook.outcome")) for span in recorded.named("webhook intake")
    }
    assert sorted(intakes.values()) == ["duplicate", "refused", *["stored"] * 9]
    assert set(named) == {one for one, outcome in intakes.items() if outcome == "stored"}
    assert len(named) == 9
    assert len(await traces(desk)) < 9, "none shared a commit"
    # A vendor does not say in whose trace its webhooks are.
    assert not any(PROGRAM in own(span) for span in recorded.spans)
    assert {above(span) for span in recorded.named("POST /v1/hooks/{integration}")} == {None}


async def test_off_no_webhook_makes_a_span(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await desk.add(JIRA, key=KEY)
    made: list[object] = []
    within = tracing.within

    def watched(*args: Any, **more: Any) -> Any:
        made.append(within(*args, **more))
        return made[-1]

    monkeypatch.setattr(tracing, "within", watched)
    for number in range(20):
        assert (await send(desk, one, b'{"n": %d}' % number)).status_code == 202
    # The middleware asks nobody, the door gets the one that is everybody's.
    assert made == [tracing.NOTHING] * 20
    assert set(await traces(desk)) == {None}


async def test_programs_may_carry_on_their_trace_and_routes_are_named_by_their_templates(desk: Desk) -> None:
    with recording() as recorded:
        made = await desk.api.request("POST", "/v1/incidents", json={"title": "Canary4"}, headers=HEADER)
        assert made.status_code == 201
        for path in ("/v1/incidents/INC-1?x=Canary4", "/incidents/INC-1", "/Canary4", "/metrics", "/healthz"):
            await desk.http.get(path, headers={**HEADER, "cookie": await desk.cookie(desk.api.token)})
        await desk.http.request("CANARY4", "/v1/incidents")
    names = [span.name for span in recorded.spans if not span.name.startswith("/")]
    assert names == [
        "POST /v1/incidents",
        "GET /v1/incidents/{incident}",
        "GET /incidents/{incident}",
        "GET",
        "_OTHER /v1/incidents",
    ]
    of_the_program = [span.name for span in recorded.spans if PROGRAM in own(span)]
    assert of_the_program == names[:2], "pages begin their own"
    assert "canary4" not in "".join(span.to_json() for span in recorded.spans).lower()

    async def stored(tx: Tx) -> str:
        text = "SELECT envelope FROM event WHERE kind = 'incident.declared'"
        return str((await tx.driver_all(text, text))[0][0])

    envelope = await desk.core.database.read(stored)
    assert re.search(f'"trace":"00-{PROGRAM}-[0-9a-f]{{16}}-01"', envelope)
    # The feed of the account does not tell it.
    assert PROGRAM not in (await desk.api.request("GET", "/v1/incidents/INC-1/timeline")).text

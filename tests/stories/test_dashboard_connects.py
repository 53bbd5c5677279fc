"""Connecting a ticketing system by the pages alone, against its twin: tried out, watched in shadow mode, mapped, let go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from tests.server.by_forms import Page, Visitor
from tests.signed_in import cookie_of
from tests.stories.installation import Installation, running
from tests.stories.people import JIRA_USER, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.desk import Desk

NEW = "/integrations/new"


@dataclass
class Front:
    """What a visitor needs: something that answers."""

    http: httpx.AsyncClient


@pytest.fixture
async def unconnected(database_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product beside Jira, not connected yet."""
    async with running(database_url, tmp_path / "data", vendors=()) as found:
        yield found


async def test_a_system_is_connected_by_the_pages_alone(unconnected: Installation) -> None:
    installation = unconnected
    cookie = await cookie_of(installation.core, await installation.token())
    async with httpx.AsyncClient(base_url=installation.url, timeout=60) as http:
        me = Visitor(cast("Desk", Front(http)), cookie)
        typed = {
            "called": "tickets",
            "url": installation.jira.url,
            "default_project": "TST",
            "default_issue_type": "Incident",
            "credential.kind": "basic",
            "credential.basic.username": JIRA_USER[0],
        }
        path = f"{NEW}?provider=ticketing_jira"
        secret = {"credential.basic.secret": "canary-wrong-secret"}
        refused = await me.fill(path, NEW, go="test", **typed, **secret)
        assert (refused.status_code, 'role="alert"' in refused.text) == (422, True)
        assert "credential" in Page(refused.text).text
        assert "canary-wrong-secret" not in refused.text
        secret = {"credential.basic.secret": JIRA_USER[1]}
        tried = await me.fill(path, NEW, go="test", **typed, **secret)
        assert (tried.status_code, "lets us in" in tried.text) == (200, True), tried.text
        home = await me.do(path, NEW, go="save", **typed, **secret)

        async def well() -> bool:
            return "<b>ok</b>" in (await me.see(home)).text

        await eventually(well, what="the page to tell that the other side answers")

        hooks = f"{home}/webhooks"
        form = (await me.see(hooks)).form(f"{hooks}/key")
        made = await me.send(f"{hooks}/key", {**form, "make": "1"})
        [key] = re.findall(r"<dd><code>([^<]+)</code></dd>", made.text)
        [address] = re.findall(r"<code>([^<]+/v1/hooks/[^<]+)</code>", (await me.see(hooks)).text)
        await installation.jira.register_webhook(address, secret=key)

        incident = await installation.api.declare("Checkout is down", severity="SEV-1")

        async def held_back() -> bool:
            found = await installation.api("GET", "/v1/integrations/tickets/shadow")
            return bool(found["counts"]["create"]["waiting"])

        await eventually(held_back, what="shadow mode to hold the ticket back")
        assert "On: nothing is written there" in (await me.see(home)).text

        mapping = f"{home}/mapping"
        choices = await me.see(mapping)
        assert "TST / Incident" in choices.text
        assert ">In Progress (active)" in choices.text
        changes: dict[str, Any] = {"statuses.acknowledged": "In Progress", "resolution.title": "local"}
        assert await me.do(mapping, mapping, **changes) == f"{home}/plan"
        plan = await me.see(f"{home}/plan")
        assert "tickets are made in TST / Incident" in plan.text

        await me.do(home, f"{home}/shadow")
        ticket = await installation.ticket_of(incident, "tickets")
        await installation.jira.transition(ticket, "In Progress")
        await installation.incident_when(incident, status="acknowledged")

        async def heard() -> bool:
            return "none yet" not in (await me.see(hooks)).text.partition("Last received")[2][:60]

        await eventually(heard, what="the page to tell of the webhook")

        async def in_step() -> bool:
            return "1 of 1 in step" in (await me.see("/integrations")).text

        await eventually(in_step, what="the page to count the ticket as in step")

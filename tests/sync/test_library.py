"""The library's face: the examples of its page run, and what the page says of errors, lag and turns holds."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callout.bootstrap.registry import MANIFESTS
from callout.connectors.mock_ticketing.config import MockTicketingConfig
from callout.connectors.mock_ticketing.store import Store
from callout.connectors.mock_ticketing.ticketing import MockTicketing
from callout.kit.clock import ManualClock, SystemClock
from callout.kit.secrets import Secret
from callout.kit.signing import hmac_sha256_hex
from callout.ports.errors import (
    AuthFailedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    OperationNotSupportedError,
    OutcomeUnknownError,
    UnavailableError,
)
from callout.ports.inbound import InboundRequest, WebhookSecrets
from callout.ports.manifest import Credential, Tools
from callout.ports.ticketing import Ticket, TicketDraft
from callout.sync import (
    Connector,
    ConnectorState,
    ConnectorStatus,
    IncidentUpdate,
    Manager,
    Registry,
)
from callout.sync.merge import LinkState

PAGE = Path(__file__).parents[2] / "docs/library.md"
INCIDENT: dict[str, Any] = {
    "title": "Checkout is down",
    "description": "",
    "severity": "SEV-1",
    "status": "open",
    "assignee": None,
}


def no_http(*_arguments: object, **_options: object) -> Any:  # it stands for an HttpFactory
    raise AssertionError("the test provider calls nobody")


def tools() -> Tools:
    return Tools(http=no_http, clock=SystemClock(), credential=Credential("none"))


async def test_the_examples_of_the_page_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) >= 6
    names: dict[str, Any] = {"no_http": no_http}
    for block in blocks:
        code = compile(block, str(PAGE), "exec", flags=0x2000)  # top-level await, as in `python -m asyncio`
        made = eval(code, names)  # noqa: S307  # our own page
        if inspect.isawaitable(made):
            await made


class Flaky(MockTicketing):
    """Loses answers, or is away, when told to."""

    lose = away = 0
    gate: asyncio.Event | None = None

    async def create_ticket(self, draft: TicketDraft) -> Ticket:
        made = await super().create_ticket(draft)
        if self.lose:
            self.lose -= 1
            raise OutcomeUnknownError("the answer was lost")
        return made

    async def get_ticket(self, ticket_id: str) -> Ticket:
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise UnavailableError("away")
        return await super().get_ticket(ticket_id)


def flaky(**settings: object) -> tuple[Flaky, ManualClock, Store]:
    clock, store = ManualClock(datetime(2026, 4, 1, tzinfo=UTC)), Store()
    config = MockTicketingConfig.model_validate({"default_project": "TST", **settings})
    return Flaky(config, clock, store), clock, store


async def test_a_lost_answer_makes_no_second_record_though_the_search_lags() -> None:
    provider, clock, store = flaky(index_lag_seconds=60)
    desk = Connector("desk", provider, clock=clock)
    provider.lose = 1
    with pytest.raises(OutcomeUnknownError):
        await desk.create(INCIDENT, key="one")
    begun = clock.now()
    with pytest.raises(OutcomeUnknownError, match="does not show it yet"):
        await desk.create(INCIDENT, key="one")
    elsewhere = Connector("desk", provider, clock=clock)  # another process, told when it was begun
    with pytest.raises(OutcomeUnknownError):
        await elsewhere.create(INCIDENT, key="one", begun_at=begun)
    clock.advance(timedelta(seconds=93))
    made = await desk.create(INCIDENT, key="one")
    assert (await desk.create(INCIDENT, key="one")).external.id == made.external.id
    assert len(store.records) == 1


async def test_what_the_vendor_makes_of_a_creation_is_no_edit() -> None:
    provider, clock, _ = flaky(normalise_text=True, three_statuses=True)
    desk = Connector("desk", provider, clock=clock)
    made = await desk.create({**INCIDENT, "status": "acknowledged"}, key="one")
    again = await desk.sync(made.values, made.external.id, made.state)
    assert not again.changed
    assert again.values["status"] == "acknowledged"


async def test_update_refuses_what_is_not_synced() -> None:
    with pytest.raises(ValueError, match="not synced: colour"):
        IncidentUpdate({"colour": "red"})


async def test_the_registry_says_what_is_wrong() -> None:
    registry = Registry(MANIFESTS.values())
    assert "ticketing_servicenow" in registry.providers
    assert "chat_slack" not in registry.providers
    with pytest.raises(NotFoundError, match="no provider 'ticketing_none'"):
        registry.connector("x", "ticketing_none", {}, tools())
    with pytest.raises(InvalidRequestError) as raised:
        registry.connector("x", "ticketing_mock_ticketing", {"index_lag_seconds": -1}, tools())
    assert "/index_lag_seconds" in raised.value.fields
    with pytest.raises(ConflictError):
        registry.register(MANIFESTS["ticketing_jira"])


async def test_states_are_told_in_order_and_an_error_ends_with_the_next_success() -> None:
    told: list[ConnectorState] = []
    provider, clock, _ = flaky()
    manager = Manager(on_state=lambda status: told.append(status.state), clock=clock)
    desk = Connector("desk", provider, clock=clock)
    await manager.add(desk)
    with pytest.raises(ConflictError):
        await manager.add(desk)
    made = await desk.create(INCIDENT, key="one")
    provider.away = True
    with pytest.raises(UnavailableError):
        await manager.sync("desk", made.values, made.external.id, made.state)
    status: ConnectorStatus = manager.status("desk")
    assert isinstance(status.error, UnavailableError)
    provider.away = False
    await manager.sync("desk", made.values, made.external.id, made.state)
    manager.remove("desk")
    with pytest.raises(NotFoundError):
        manager.status("desk")
    assert [str(state) for state in told] == [
        "connecting",
        "connected",
        "syncing",
        "error",
        "syncing",
        "connected",
        "disconnected",
    ]


async def test_syncs_of_one_record_wait_for_each_other_and_a_removed_connector_lets_them_end() -> None:
    provider, clock, _ = flaky()
    manager = Manager(clock=clock)
    desk = Connector("desk", provider, clock=clock)
    await manager.add(desk)
    made = await desk.create(INCIDENT, key="one")
    provider.gate = asyncio.Event()
    mine = {**made.values, "title": "Renamed"}
    both = [asyncio.create_task(manager.sync("desk", mine, made.external.id, made.state)) for _ in range(2)]
    await asyncio.sleep(0)
    manager.remove("desk")
    provider.gate.set()
    first, second = await asyncio.gather(*both)
    assert first.pushed == {"title": "Renamed"}
    assert not second.changed
    assert manager.names == ()


def test_webhooks_are_verified_before_they_are_read() -> None:
    registry = Registry(MANIFESTS.values())
    config = {"url": "https://example.atlassian.net", "default_project": "TST", "default_issue_type": "Task"}
    build: Callable[..., Connector] = registry.connector
    jira = tools_with(build, config, WebhookSecrets(keys=(Secret("hook-key"),)))
    body = b'{"webhookEvent":"jira:issue_deleted","timestamp":%d,"issue":{"id":"1","key":"TST-1"}}' % (
        datetime.now(UTC).timestamp() * 1000
    )
    signature = "sha256=" + hmac_sha256_hex(b"hook-key", body)
    request = InboundRequest("POST", "/", {"x-hub-signature": signature}, body, datetime.now(UTC))
    (event,) = jira.receive(request)
    assert event.ticket_id == "1"
    assert event.signed
    with pytest.raises(AuthFailedError):
        jira.receive(
            InboundRequest("POST", "/", {"x-hub-signature": signature}, body + b" ", datetime.now(UTC))
        )
    with pytest.raises(OperationNotSupportedError):
        Connector("plain", jira.provider).receive(request)


def tools_with(build: Callable[..., Connector], config: dict[str, Any], secrets: WebhookSecrets) -> Connector:
    credential = Credential("basic", {"username": "ann@example.com"}, {"secret": Secret("token")})
    made = Tools(http=lambda *_a, **_o: object(), clock=SystemClock(), credential=credential)  # type: ignore[arg-type]
    config = {**config, "credential": {"type": "basic", "username": "ann@example.com", "secret": "token"}}
    return build("jira", "ticketing_jira", config, made, webhook_secrets=secrets)


async def test_the_first_sync_of_two_records_that_existed_before_shows_what_differs() -> None:
    provider, clock, _ = flaky()
    desk = Connector("desk", provider, clock=clock)
    made = await desk.create(INCIDENT, key="one")
    result = await desk.sync({**INCIDENT, "title": "Another title"}, made.external.id, LinkState())
    assert [conflict.field for conflict in result.conflicts] == ["title"]

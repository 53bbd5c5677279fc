"""The PagerDuty twin on its real port, a REST client for it, and the vendor's own library signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pagerduty import EventsApiV2Client, RestApiV2Client

from callout.sandbox.pagerduty.seed import API_KEY, CHECKOUT, CHECKOUT_ROUTING_KEY
from tests.sandbox.conftest import TwinControl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callout.sandbox.core.serve import SandboxServer

ADMIN_MAIL = "admin@example.com"


class Rest:
    """Requests to the API with one credential and one `From`."""

    def __init__(self, control: TwinControl) -> None:
        self.control = control
        self.headers = {
            "Authorization": f"Token token={API_KEY}",
            "Accept": "application/vnd.pagerduty+json;version=2",
            "From": ADMIN_MAIL,
        }

    def ask(self, method: str, path: str, status: int | None = None, **options: Any) -> Any:
        """Send a request; with `status` insist on it and return the JSON, without return the response."""
        headers = {**self.headers, **options.pop("headers", {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        response = self.control.http.request(method, self.control.url + path, headers=headers, **options)
        if status is None:
            return response
        assert response.status_code == status, f"{response.status_code}: {response.text}"
        return response.json() if response.content else None

    def create(self, title: str = "Checkout is slow", service: str = CHECKOUT, **more: Any) -> dict[str, Any]:
        """Open an incident."""
        body = {
            "type": "incident",
            "title": title,
            "service": {"id": service, "type": "service_reference"},
            **more,
        }
        created: dict[str, Any] = self.ask("POST", "/incidents", 201, json={"incident": body})["incident"]
        return created

    def change(self, ident: str, status: int = 200, **fields: Any) -> Any:
        """Change an incident; the answer's incident, or its error when `status` is no success."""
        body = {"incident": {"type": "incident", **fields}}
        answer = self.ask("PUT", f"/incidents/{ident}", status, json=body)
        return answer.get("incident") or answer["error"]

    def event(self, action: str, key: str | None = None, status: int = 202, **more: Any) -> Any:
        """Send an event of the checkout service."""
        payload = {"summary": "Disk full", "source": "db1", "severity": "critical"}
        body = {
            "routing_key": CHECKOUT_ROUTING_KEY,
            "event_action": action,
            "dedup_key": key,
            "payload": payload,
        }
        answer = self.control.http.post(f"{self.control.url}/v2/enqueue", json={**body, **more})
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def twin(sandbox_server: SandboxServer, plain_http: Any) -> Iterator[TwinControl]:
    control = TwinControl(sandbox_server.base_url, "pagerduty", plain_http)
    control.reset()
    yield control
    assert control.get("state")["internal_errors"] == []


@pytest.fixture
def rest(twin: TwinControl) -> Rest:
    return Rest(twin)


@pytest.fixture
def library(twin: TwinControl) -> Iterator[RestApiV2Client]:
    client = RestApiV2Client(API_KEY, default_from=ADMIN_MAIL)
    # The setter insists on https; the twin speaks http on the loopback.
    client._url = twin.url
    yield client
    client.close()


@pytest.fixture
def events(twin: TwinControl) -> Iterator[EventsApiV2Client]:
    client = EventsApiV2Client(CHECKOUT_ROUTING_KEY)
    client._url = twin.url
    client.sleep_timer = 0.01
    yield client
    client.close()

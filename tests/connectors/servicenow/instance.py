"""A ServiceNow twin on a real port, steered by its control path, and the connector against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from callout.connectors.servicenow.config import SecurityIncidentConfig, ServiceNowConfig
from callout.connectors.servicenow.ticketing import ServiceNowTicketing, build
from callout.kit.clock import Clock, SystemClock
from callout.kit.http import Timeouts, VendorHttp
from callout.kit.secrets import Secret
from callout.kit.transport import GuardedTransport
from callout.ports.manifest import Credential, TokenStore, Tools
from callout.ports.provider import PollPosition
from callout.ports.ticketing import Change, Ticket, TicketDraft

REFERENCE = {"name": "reference", "project_id": "*", "provider_field_path": "u_external_reference"}


OVERLAP = timedelta(minutes=5)


async def make(provider: ServiceNowTicketing, title: str = "DB is down", **fields: Any) -> Ticket:
    """Create a ticket."""
    return await provider.create_ticket(TicketDraft(title, **fields))


async def polled(provider: ServiceNowTicketing, since: datetime | None) -> list[Change]:
    """Poll once."""
    return [change async for change in provider.changes_since(PollPosition(since), overlap=OVERLAP)]


async def no_wait(seconds: float) -> None:
    """Sleep between short retries, without sleeping."""


@dataclass
class TwinFaults:
    """The twin's fault plan, over its control path."""

    control: httpx.Client
    rules: list[dict[str, Any]] = field(default_factory=list)

    def add(self, effect: Mapping[str, Any], **match: object) -> None:
        """Add one rule."""
        self.rules.append({"match": match, "effect": dict(effect)})
        self.control.put("faults", json={"rules": self.rules}).raise_for_status()

    def clear(self) -> None:
        """Behave again."""
        self.rules.clear()
        self.control.delete("faults").raise_for_status()


@dataclass
class Instance:
    """The twin and how to reach it.

    Args:
        url: of the instance.
        control: the twin's control path.
        transport: what the connector's requests go through.
    """

    url: str
    control: httpx.Client
    transport: GuardedTransport
    clock: Clock = field(default_factory=SystemClock)
    offset: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.faults = TwinFaults(self.control)

    def reset(self) -> None:
        """Seed everything again."""
        self.control.post("reset").raise_for_status()

    def troubles(self) -> list[str]:
        """Return the twin's own errors, which no test may cause."""
        found: list[str] = self.control.get("state").json()["internal_errors"]
        return found

    def tools(self, credential: Credential, *, tokens: TokenStore | None = None) -> Tools:
        """Return what bootstrap would give to the connector."""

        def http(base_url: str, *, headers: Mapping[str, Any] | None = None, **options: Any) -> VendorHttp:
            options = {"timeouts": Timeouts(total=10.0), **options}
            return VendorHttp(base_url, transport=self.transport, headers=headers, sleep=no_wait, **options)

        return Tools(http=http, clock=self, credential=credential, tokens=tokens, integration_id="int-1")

    def provider(
        self,
        *,
        username: str = "admin",
        secret: str = "admin",
        url: str = "",
        sir: bool = False,
        **settings: object,
    ) -> ServiceNowTicketing:
        """Build the provider as bootstrap would."""
        kind = SecurityIncidentConfig if sir else ServiceNowConfig
        config = kind.model_validate(
            {"url": url or self.url, "custom_field_mappings": [REFERENCE], "tags_field": "u_tags", **settings}
        )
        credential = Credential("basic", {"username": username}, {"secret": Secret(secret)})
        return build(config, self.tools(credential))

    def act(self, action: str, **body: object) -> dict[str, Any]:
        """Do what a person does in ServiceNow."""
        answer = self.control.post(f"act/{action}", json=body)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def set(self, **settings: object) -> None:
        """Change the twin's settings."""
        answer = self.control.put("config", json=settings)
        assert answer.status_code == 200, answer.text

    def ledger(self, kind: str = "") -> list[dict[str, Any]]:
        """Return what was done to the twin."""
        query = {"kind": kind} if kind else {}
        entries: list[dict[str, Any]] = self.control.get("ledger", params=query).json()["entries"]
        return entries

    def task(self, number: str) -> dict[str, Any]:
        """Return a record as the instance keeps it, with its journal."""
        found: dict[str, Any] = self.control.get("state").json()["tasks"][number]
        return found

    def journal(self, ticket: Ticket) -> list[tuple[str, str]]:
        """Return the journal of a ticket as (column, text)."""
        return [(entry["element"], entry["value"]) for entry in self.task(ticket.key)["journal"]]

    def pass_time(self, span: timedelta) -> None:
        """Move the twin's clock."""
        self.offset += span
        self.set(clock_offset=self.offset.total_seconds())

    def now(self) -> datetime:
        """Return the twin's time."""
        return datetime.now(UTC) + self.offset

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return self.clock.monotonic()

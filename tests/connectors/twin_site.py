"""A twin on a real port, steered by its control path: what the tests of every connector do with theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx

from callout.kit.clock import Clock, SystemClock
from callout.kit.http import Timeouts, VendorHttp
from callout.kit.net import AddressGuard
from callout.kit.transport import GuardedTransport
from callout.ports.manifest import Credential, TokenStore, Tools


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
class TwinSite:
    """The twin and how to reach it.

    Args:
        url: of its API.
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

    def http(self, base_url: str, *, headers: Mapping[str, Any] | None = None, **options: Any) -> VendorHttp:
        """Return a client as bootstrap's factory would."""
        options = {"timeouts": Timeouts(total=10.0), **options}
        return VendorHttp(base_url, transport=self.transport, headers=headers, sleep=no_wait, **options)

    def tools(self, credential: Credential, *, tokens: TokenStore | None = None) -> Tools:
        """Return what bootstrap would give to the connector."""
        return Tools(
            http=self.http, clock=self.clock, credential=credential, tokens=tokens, integration_id="int-1"
        )

    def act(self, action: str, **body: object) -> dict[str, Any]:
        """Do what a person does on the vendor's own pages."""
        answer = self.control.post(f"act/{action}", json=body)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def set(self, **settings: object) -> None:
        """Change the twin's settings."""
        answer = self.control.put("config", json=settings)
        assert answer.status_code == 200, answer.text

    def ledger(self, kind: str = "", *, effect: bool | None = None) -> list[dict[str, Any]]:
        """Return what was done to the twin."""
        query = {"kind": kind} if kind else {}
        if effect is not None:
            query["effect"] = "true" if effect else "false"
        entries: list[dict[str, Any]] = self.control.get("ledger", params=query).json()["entries"]
        return entries

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


Site = TypeVar("Site", bound=TwinSite)


@asynccontextmanager
async def fresh(kind: type[Site], url: str) -> AsyncIterator[Site]:
    """Seed the twin at `url` again, and see to it that no error of its own was caused."""
    transport = GuardedTransport(AddressGuard.parse("127.0.0.0/8", require_https=False))
    with httpx.Client(base_url=f"{url}/_twin/", verify=False) as control:  # noqa: S501  # plain http to loopback
        running = kind(url, control, transport)
        running.reset()
        yield running
        troubles = running.troubles()
    await transport.aclose()
    assert not troubles, troubles[-1]

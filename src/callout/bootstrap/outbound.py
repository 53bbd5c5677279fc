"""Webhooks out, put together: the services that every process has, and the jobs of those that work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from callout.kit.net import AddressGuard
from callout.webhooks.outbound import (
    Courier,
    Deliveries,
    Endpoints,
    Interest,
    Polled,
    Router,
    Sender,
    SettingsEvents,
    Stopping,
    Tickets,
    Told,
    courier,
    polled,
    tickets,
)

if TYPE_CHECKING:
    from callout.audit import Audit
    from callout.bootstrap.connections import Connections
    from callout.bootstrap.core import Core
    from callout.bootstrap.settings import Settings
    from callout.integrations import Integrations
    from callout.jobs import Consumer, Queue
    from callout.kit.clock import Clock
    from callout.kit.secrets import KeyRing


@dataclass(frozen=True, slots=True)
class Outbound:
    """The services of webhooks out."""

    endpoints: Endpoints
    deliveries: Deliveries
    router: Router
    settings_events: SettingsEvents
    interest: Interest
    told: Told
    polled: Polled
    guard: AddressGuard


def build_outbound(
    settings: Settings,
    clock: Clock,
    *,
    audit: Audit,
    keys: KeyRing,
    queue: Queue,
    integrations: Integrations,
) -> Outbound:
    """Build the services; from now on changes of accounts and integrations are followed."""
    guard = AddressGuard.parse(settings.allow_networks, require_https=settings.require_https)
    endpoints = Endpoints(clock, audit, keys, queue, guard=guard)
    router = Router(queue, clock)
    settings_events = SettingsEvents(endpoints, integrations, router, clock)
    audit.listen(settings_events.recorded)
    interest, told = Interest(endpoints), Told(clock)
    return Outbound(
        endpoints,
        Deliveries(queue, clock, audit),
        router,
        settings_events,
        interest,
        told,
        Polled(router, told, interest, queue, clock),
        guard,
    )


def outbound_consumers(core: Core, connections: Connections) -> tuple[Consumer, ...]:
    """Return the consumers of deliveries; the connections to endpoints are closed with the others."""
    settings, outbound = core.settings, core.outbound
    sender = Sender(outbound.guard, timeout=settings.webhook_timeout_seconds)
    connections.close_also(sender.close)
    stopping = Stopping(core.audit, core.outbox, after=timedelta(hours=settings.webhook_disable_hours))
    one = Courier(core.database, outbound.endpoints, sender, core.queue, core.clock, stopping=stopping)
    return (
        courier.consumer(one, timeout=timedelta(seconds=settings.webhook_timeout_seconds)),
        tickets.consumer(Tickets(outbound.router, outbound.told, connections.inbound)),
        polled.consumer(outbound.polled),
    )

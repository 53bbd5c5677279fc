"""Webhooks out: endpoints, what they are told, deliveries with every attempt.

What happened (an incident's event, a provider's webhook, a change of an account or integration) becomes one message and a delivery
for each endpoint that wants it, in the transaction of its cause; a job per endpoint sends them.
"""

from __future__ import annotations

from callout.webhooks.outbound.courier import Courier
from callout.webhooks.outbound.deliveries import Deliveries, DeliveryFilter, Detail, Redelivered
from callout.webhooks.outbound.endpoints import Endpoints
from callout.webhooks.outbound.interest import Interest
from callout.webhooks.outbound.model import (
    FILTERS,
    ORGANIZATION,
    Attempt,
    Delivery,
    DeliveryState,
    Endpoint,
    Happening,
)
from callout.webhooks.outbound.polled import Polled
from callout.webhooks.outbound.reactions import ANY_ENDPOINT, HANDLERS, OutboundContext
from callout.webhooks.outbound.routing import Router
from callout.webhooks.outbound.sending import Sender
from callout.webhooks.outbound.settings_events import SettingsEvents
from callout.webhooks.outbound.signing import standard_secret
from callout.webhooks.outbound.stopping import Stopping
from callout.webhooks.outbound.tickets import TICKETS, Tickets
from callout.webhooks.outbound.told import Told

__all__ = [
    "ANY_ENDPOINT",
    "FILTERS",
    "HANDLERS",
    "ORGANIZATION",
    "TICKETS",
    "Attempt",
    "Courier",
    "Deliveries",
    "Delivery",
    "DeliveryFilter",
    "DeliveryState",
    "Detail",
    "Endpoint",
    "Endpoints",
    "Happening",
    "Interest",
    "OutboundContext",
    "Polled",
    "Redelivered",
    "Router",
    "Sender",
    "SettingsEvents",
    "Stopping",
    "Tickets",
    "Told",
    "standard_secret",
]

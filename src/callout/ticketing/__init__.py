"""The unified API's services: one ticketing API over every provider, and what stands beside it.

An integration's token opens its integration; the service checks what the provider can do, reads filters, patches and cursors, and
calls the connector. Nothing here touches incidents, and no transaction is open while a provider is called.
"""

from __future__ import annotations

from callout.ticketing.capabilities import Capabilities
from callout.ticketing.directory import Directory
from callout.ticketing.engine import READ, WRITE, Engine, EngineContext, Opened
from callout.ticketing.incident_response import IncidentResponse
from callout.ticketing.notifications import Notifications
from callout.ticketing.once import Made
from callout.ticketing.parts import UPLOAD_LIMIT, Parts
from callout.ticketing.pass_through import PassThrough
from callout.ticketing.provider_webhooks import ProviderWebhooks
from callout.ticketing.tickets import Tickets

__all__ = [
    "READ",
    "UPLOAD_LIMIT",
    "WRITE",
    "Capabilities",
    "Directory",
    "Engine",
    "EngineContext",
    "IncidentResponse",
    "Made",
    "Notifications",
    "Opened",
    "Parts",
    "PassThrough",
    "ProviderWebhooks",
    "Tickets",
]

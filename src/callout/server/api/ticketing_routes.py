"""All routers of the engine API, and what stands beside it."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from callout.server.api import (
    incident_response,
    notifications,
    ticketing,
    ticketing_capabilities,
    ticketing_extras,
    ticketing_later,
    ticketing_parts,
    ticketing_webhooks,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    ticketing.router,
    ticketing_parts.router,
    ticketing_extras.router,
    ticketing_capabilities.router,
    ticketing_webhooks.router,
    incident_response.router,
    notifications.router,
    ticketing_later.router,
)

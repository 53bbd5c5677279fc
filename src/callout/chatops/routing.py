"""Which channel hears of an incident, and what an incident's own channel is called. Pure."""

from __future__ import annotations

from typing import Final

from callout.incidents import Incident
from callout.kit.ids import slug
from callout.ports.chat_settings import DEFAULT_ROUTE, ChatSettings

NAME_LIMIT: Final = 80


def route(settings: ChatSettings, incident: Incident) -> str:
    """Return the channel (name or id) for an incident of this severity; empty when none is to hear of it."""
    return settings.channels.get(str(incident.severity)) or settings.channels.get(DEFAULT_ROUTE, "")


def is_private(settings: ChatSettings, incident: Incident) -> bool:
    """Whether the incident's own channel is for invited people only."""
    return (
        str(incident.severity) in settings.private_severities or incident.service in settings.private_services
    )


def channel_name(settings: ChatSettings, incident: Incident) -> str:
    """Return the name of the incident's own channel, such as `inc-7-checkout-is-down`."""
    name = settings.channel_name.format(
        number=incident.number,
        title=slug(incident.title),
        severity=slug(str(incident.severity)),
        service=slug(incident.service),
    )
    return slug(name)[:NAME_LIMIT].strip("-_") or f"inc-{incident.number}"

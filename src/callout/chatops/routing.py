"""Who hears of which news, and what an incident's own channel is called. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from callout.chatops.redacting import Redactor
from callout.incidents import Incident
from callout.kit.ids import slug
from callout.ports.chat_rules import NotificationType, Route
from callout.ports.chat_settings import DEFAULT_ROUTE, ChatSettings

NAME_LIMIT: Final = 80
ROUTE_PREFIX: Final = "route:"
"""What the place of a channel begins with, as rows of messages name it."""
DIRECT_PREFIX: Final = "direct:"
"""The same of a person."""


def route(settings: ChatSettings, incident: Incident) -> str:
    """Return the channel (name or id) for an incident of this severity; empty when none is to hear of it."""
    return settings.channels.get(str(incident.severity)) or settings.channels.get(DEFAULT_ROUTE, "")


def targets(
    settings: ChatSettings, incident: Incident, news: NotificationType, at: datetime
) -> tuple[str, ...]:
    """Return whom the rules name for this news, as they name them; where no rule holds, the channel of its severity."""
    holding = [one for one in settings.routes if one.takes(news) and _holds(one, incident, at)]
    if settings.routing == "first":
        holding = holding[:1]
    if not holding:
        simple = route(settings, incident)
        return (simple,) if simple else ()
    return tuple(dict.fromkeys(place for one in holding for place in one.to))


def tells(
    settings: ChatSettings,
    incident: Incident,
    news: NotificationType,
    at: datetime,
    *,
    is_place: Callable[[str], bool],
) -> bool:
    """Return whether this news is told in the thread of a place that has a card already.

    It is, unless all rules that name the place are for other kinds of news. `is_place` says whether a rule's word means it.
    """
    naming = [one for one in settings.routes if any(is_place(word) for word in one.to)]
    if not naming or any(one.takes(news) for one in naming):
        return True
    return any(is_place(word) for word in targets(settings, incident, news, at))


def _holds(rule: Route, incident: Incident, at: datetime) -> bool:
    return rule.when.holds(
        severity=str(incident.severity), service=incident.service, team=incident.team, at=at
    )


def is_private(settings: ChatSettings, incident: Incident) -> bool:
    """Whether the incident's own channel is for invited people only."""
    return (
        str(incident.severity) in settings.private_severities or incident.service in settings.private_services
    )


def channel_name(settings: ChatSettings, incident: Incident) -> str:
    """Return the name of the incident's own channel, such as `inc-7-checkout-is-down`."""
    hidden = Redactor(settings)
    name = settings.channel_name.format(
        number=incident.number,
        title=slug(hidden.text(incident.title)),
        severity=slug(str(incident.severity)),
        service=slug(hidden.text(incident.service)),
    )
    return slug(name)[:NAME_LIMIT].strip("-_") or f"inc-{incident.number}"

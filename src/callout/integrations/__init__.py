"""Integrations: configured instances of providers, with their credentials, OAuth tokens, health and write
pauses.

Services take the transaction of one account and never commit; only :class:`OAuthTokens` runs short
transactions of its own, because it must not hold one while it asks the vendor. Which providers there are is
given at construction.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from callout.access.version import SettingsVersion, Watcher
from callout.integrations.credential_kinds import KINDS, CredentialReference
from callout.integrations.credentials import CredentialRecord, Credentials
from callout.integrations.health import Fared, Health, HealthRecord, HealthState
from callout.integrations.history import KEPT, History, StatusEvent, Usage
from callout.integrations.holders import Holders
from callout.integrations.model import Integration, Placed, Saved
from callout.integrations.oauth import OAuthTokens
from callout.integrations.pauses import EVERYWHERE, Pause, Pauses, PauseScope
from callout.integrations.problems import OVERSIZED, IntegrationProblem, Problems
from callout.integrations.service import Integrations
from callout.integrations.subscriptions import Subscribed, Subscriber
from callout.integrations.webhook_config import EVENTS

RETENTION: Final[dict[str, timedelta]] = {
    "pauses": timedelta(0),
    "integration_event": KEPT,
    "integration_usage": KEPT,
}
"""By table: how long after its end a row may be purged. All others live and go with their integration or
account.
"""

__all__ = [
    "EVENTS",
    "EVERYWHERE",
    "KINDS",
    "OVERSIZED",
    "RETENTION",
    "CredentialRecord",
    "CredentialReference",
    "Credentials",
    "Fared",
    "Health",
    "HealthRecord",
    "HealthState",
    "History",
    "Holders",
    "Integration",
    "IntegrationProblem",
    "Integrations",
    "OAuthTokens",
    "Pause",
    "PauseScope",
    "Pauses",
    "Placed",
    "Problems",
    "Saved",
    "SettingsVersion",
    "StatusEvent",
    "Subscribed",
    "Subscriber",
    "Usage",
    "Watcher",
]

"""Webhooks in: verified over the raw bytes, deduplicated and on disk before the sender hears 2xx."""

from __future__ import annotations

from callout.webhooks.events import InboundEvent, load_events, mark_events, purge_events
from callout.webhooks.inbound import Accepted, Hook, HookBinding, Intake, IntakeBusyError

__all__ = [
    "Accepted",
    "Hook",
    "HookBinding",
    "InboundEvent",
    "Intake",
    "IntakeBusyError",
    "load_events",
    "mark_events",
    "purge_events",
]

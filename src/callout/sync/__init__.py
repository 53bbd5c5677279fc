"""Two-way sync of incidents and tickets: the pure merge, the links, and the jobs that carry it out."""

from __future__ import annotations

from callout.sync.connector import Connector, ExternalIncident, IncidentUpdate, SyncResult, WebhookEvent
from callout.sync.context import PauseState, SyncContext, Target
from callout.sync.links import Link, LinkStatus, SyncProblem, of_incident
from callout.sync.manager import ConnectorState, ConnectorStatus, Manager, Registry
from callout.sync.mapping import FieldMappings
from callout.sync.merge import (
    Base,
    Choice,
    FieldConflict,
    FieldRule,
    LinkState,
    MergeResult,
    Resolution,
    SyncDirection,
    fold,
    merge,
    resolve,
)

__all__ = [
    "Base",
    "Choice",
    "Connector",
    "ConnectorState",
    "ConnectorStatus",
    "ExternalIncident",
    "FieldConflict",
    "FieldMappings",
    "FieldRule",
    "IncidentUpdate",
    "Link",
    "LinkState",
    "LinkStatus",
    "Manager",
    "MergeResult",
    "PauseState",
    "Registry",
    "Resolution",
    "SyncContext",
    "SyncDirection",
    "SyncProblem",
    "SyncResult",
    "Target",
    "WebhookEvent",
    "fold",
    "merge",
    "of_incident",
    "resolve",
]

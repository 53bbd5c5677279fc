"""Two-way sync of incidents and tickets: the pure merge, the links, and the jobs that carry it out."""

from __future__ import annotations

from callout.sync.context import PauseState, SyncContext, Target
from callout.sync.links import Link, LinkStatus, SyncProblem, of_incident
from callout.sync.mapping import FieldMappings
from callout.sync.merge import (
    Base,
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
    "FieldConflict",
    "FieldMappings",
    "FieldRule",
    "Link",
    "LinkState",
    "LinkStatus",
    "MergeResult",
    "PauseState",
    "Resolution",
    "SyncContext",
    "SyncDirection",
    "SyncProblem",
    "Target",
    "fold",
    "merge",
    "of_incident",
    "resolve",
]

"""Incidents: declare, change, note, attach, and the timeline that writes itself.

Everything here runs inside the caller's transaction: state, timeline, audit row and event are one commit.
"""

from __future__ import annotations

from callout.incidents.attachments import Attachment, AttachmentState, NewFile
from callout.incidents.lifecycle import ACTIONS, path, perform
from callout.incidents.model import (
    DeclareIncident,
    Incident,
    IncidentFilter,
    Note,
    TimelineEntry,
)
from callout.incidents.service import IncidentEdit, Incidents

__all__ = [
    "ACTIONS",
    "Attachment",
    "AttachmentState",
    "DeclareIncident",
    "Incident",
    "IncidentEdit",
    "IncidentFilter",
    "Incidents",
    "NewFile",
    "Note",
    "TimelineEntry",
    "path",
    "perform",
]

"""Incidents: declare, change, note, attach, who does what, and the timeline that writes itself.

Everything here runs inside the caller's transaction: state, timeline, audit row and event are one commit.
"""

from __future__ import annotations

from callout.incidents.attachments import Attachment, AttachmentState, NewFile
from callout.incidents.edit import IncidentEdit
from callout.incidents.lifecycle import ACTIONS, path, perform
from callout.incidents.messages import SaidInChat
from callout.incidents.model import (
    DeclareIncident,
    Incident,
    IncidentFilter,
    Note,
    TimelineEntry,
)
from callout.incidents.participants import Participant
from callout.incidents.roles import FURTHER_ROLES, OWN_ROLES, RoleHolder
from callout.incidents.service import Incidents
from callout.incidents.tasks import Task

__all__ = [
    "ACTIONS",
    "FURTHER_ROLES",
    "OWN_ROLES",
    "Attachment",
    "AttachmentState",
    "DeclareIncident",
    "Incident",
    "IncidentEdit",
    "IncidentFilter",
    "Incidents",
    "NewFile",
    "Note",
    "Participant",
    "RoleHolder",
    "SaidInChat",
    "Task",
    "TimelineEntry",
    "path",
    "perform",
]

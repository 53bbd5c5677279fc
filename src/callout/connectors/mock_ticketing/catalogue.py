"""What the test provider offers to mappings and forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from callout.connectors.mock_ticketing.config import ANY_PROJECT, MockTicketingConfig
from callout.connectors.mock_ticketing.store import USUAL
from callout.ports.ticketing import FieldCatalogue, FieldOption, RemoteField
from callout.ports.values import Priority

OWN_FIELDS: Final[Mapping[str, str]] = {
    "title": "string",
    "description": "string",
    "status": "string",
    "priority": "enum",
    "issue_type": "string",
    "project": "string",
    "creator": "user",
    "assignee": "user",
    "contact": "user",
    "parent": "string",
    "tags": "array",
    "due_date": "datetime",
    "completion_date": "datetime",
}


def remote_fields(config: MockTicketingConfig) -> tuple[RemoteField, ...]:
    """Return the ticket's own fields and the mapped ones."""
    mapped = {mapping.provider_field_path: mapping for mapping in config.custom_field_mappings}
    return (
        *(
            RemoteField(name, name.replace("_", " ").capitalize(), name, kind, carries=name)
            for name, kind in OWN_FIELDS.items()
        ),
        *(
            RemoteField(
                path,
                mapping.name,
                path,
                scope="integration_custom" if mapping.project_id == ANY_PROJECT else "project_custom",
                project_id="" if mapping.project_id == ANY_PROJECT else mapping.project_id,
            )
            for path, mapping in mapped.items()
        ),
    )


def of(project: str, issue_type: str) -> FieldCatalogue:
    """Return what one project needs and offers."""
    return FieldCatalogue(
        project=project,
        issue_type=issue_type,
        fields=(
            RemoteField("title", "Title", "title", required=True),
            RemoteField("status", "Status", "status"),
        ),
        statuses=tuple((name, category) for category, name in USUAL.items()),
        priorities=tuple(FieldOption(priority, priority) for priority in Priority),
        issue_types=(FieldOption(issue_type, issue_type),),
    )

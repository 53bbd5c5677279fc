"""What one Jira Service Management integration is set up with."""

from __future__ import annotations

from typing import Any, Final

from pydantic import field_validator

from callout.connectors.jira.config import JiraConfig

CLOCKS: Final = "sla"
REQUEST_TYPE: Final = "request_type"
TOLD_BY_REQUEST: Final = frozenset({CLOCKS, REQUEST_TYPE})
"""Roots of custom field paths that the service desk's API tells, not the issue."""


class ServiceManagementConfig(JiraConfig):
    """Settings of a Jira Service Management integration: those of Jira, and what customers ask for.

    `default_request_type` (name or id) makes new tickets requests of that type; without it they are issues of the
    project, without a form. A custom field may be mapped to `sla.Time to resolution.due_at` and the like (read only).
    """

    default_request_type: str = ""
    """The request type of new tickets, by name or id. Without it they are issues that no customer sees in the portal."""

    @field_validator("default_request_type", mode="before")
    @classmethod
    def _request_type(cls, value: Any) -> Any:  # noqa: ANN401  # whatever the settings file holds
        return "" if value is None else str(value).strip()

    def field_roots(self) -> frozenset[str]:
        """Return the issue fields that the mapped custom fields are read from."""
        return super().field_roots() - TOLD_BY_REQUEST

    def reads_requests(self) -> bool:
        """Return whether a mapped custom field is one that only the service desk's API tells."""
        return bool(super().field_roots() & TOLD_BY_REQUEST)

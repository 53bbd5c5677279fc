"""Jira Service Management, described once."""

from __future__ import annotations

from dataclasses import replace

from callout.connectors.jira.manifest import MANIFEST as JIRA
from callout.connectors.jira.service_management.config import ServiceManagementConfig
from callout.connectors.jira.service_management.ticketing import ServiceManagementTicketing, build
from callout.connectors.jira.service_management.webhook import ServiceManagementWebhook

MANIFEST = replace(
    JIRA,
    provider="ticketing_jira_service_management",
    title="Jira Service Management",
    config=ServiceManagementConfig,
    build=build,
    inbound=ServiceManagementWebhook,
    provider_class=ServiceManagementTicketing,
    docs="connectors/jira_service_management.md",
    from_memory=(
        *JIRA.from_memory,
        "an issue of a service project made without a request type may be no request for the service desk's API",
    ),
)

"""The connector against the service projects of a Jira twin."""

from __future__ import annotations

from callout.connectors.jira.service_management.config import ServiceManagementConfig
from callout.connectors.jira.service_management.ticketing import ServiceManagementTicketing, build
from callout.kit.secrets import Secret
from callout.ports.manifest import Credential
from tests.connectors.jira.site import EXTERNAL_REFERENCE, JiraSite

DUE = {"name": "due", "project_id": "*", "provider_field_path": "sla.Time to resolution.due_at"}
KIND = {"name": "asked for", "project_id": "*", "provider_field_path": "request_type.name"}


def provider_of(
    site: JiraSite,
    *,
    username: str = "admin@example.com",
    secret: str = "token",
    url: str = "",
    **settings: object,
) -> ServiceManagementTicketing:
    """Build the provider as bootstrap would."""
    config = ServiceManagementConfig.model_validate(
        {
            "url": url or site.url,
            "custom_field_mappings": [EXTERNAL_REFERENCE],
            "default_project": "HELP",
            **settings,
        }
    )
    credential = Credential("basic", {"username": username}, {"secret": Secret(secret)})
    return build(config, site.tools(credential))

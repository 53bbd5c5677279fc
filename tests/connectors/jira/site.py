"""A Jira twin on a real port, steered by its control path, and the connector against it."""

from __future__ import annotations

from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.ticketing import JiraTicketing, build
from callout.kit.secrets import Secret
from callout.ports.manifest import Credential
from tests.connectors.twin_site import TwinSite

EXTERNAL_REFERENCE = {"name": "reference", "project_id": "*", "provider_field_path": "customfield_10040"}


class JiraSite(TwinSite):
    """The twin and how to reach it."""

    def provider(
        self,
        *,
        username: str = "admin@example.com",
        secret: str = "token",
        url: str = "",
        **settings: object,
    ) -> JiraTicketing:
        """Build the provider as bootstrap would."""
        config = JiraConfig.model_validate(
            {"url": url or self.url, "custom_field_mappings": [EXTERNAL_REFERENCE], **settings}
        )
        credential = Credential("basic", {"username": username}, {"secret": Secret(secret)})
        return build(config, self.tools(credential))

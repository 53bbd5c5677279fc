"""The connectors: an explicit list. A new vendor is one folder and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from callout.connectors.jira.manifest import MANIFEST as JIRA
from callout.connectors.jira.service_management.manifest import MANIFEST as JIRA_SERVICE_MANAGEMENT
from callout.connectors.mock_ticketing.manifest import MANIFEST as MOCK_TICKETING
from callout.connectors.pagerduty.manifest import INCIDENT_RESPONSE as PAGERDUTY_INCIDENT_RESPONSE
from callout.connectors.pagerduty.manifest import MANIFEST as PAGERDUTY
from callout.connectors.servicenow.manifest import MANIFEST as SERVICENOW
from callout.connectors.servicenow.manifest import SECURITY_INCIDENT_RESPONSE
from callout.connectors.slack.manifest import MANIFEST as SLACK
from callout.connectors.slack.manifest import NOTIFICATIONS as SLACK_NOTIFICATIONS
from callout.ports.manifest import Manifest

MANIFESTS: Mapping[str, Manifest] = {
    manifest.provider: manifest
    for manifest in (
        JIRA,
        JIRA_SERVICE_MANAGEMENT,
        MOCK_TICKETING,
        PAGERDUTY,
        PAGERDUTY_INCIDENT_RESPONSE,
        SECURITY_INCIDENT_RESPONSE,
        SERVICENOW,
        SLACK,
        SLACK_NOTIFICATIONS,
    )
}

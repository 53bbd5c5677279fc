"""ServiceNow as a ticketing provider: IT service management and Security Incident Response over one client.

For programs of one's own there is :class:`ServiceNowClient` (docs/connectors/servicenow-client.md).
"""

from callout.connectors.servicenow.library import ServiceNowClient, label

__all__ = ["ServiceNowClient", "label"]

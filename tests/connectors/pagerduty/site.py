"""A PagerDuty twin on a real port, steered by its control path, and the connector against it."""

from __future__ import annotations

from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.ticketing import PagerDutyTicketing, build
from callout.kit.secrets import Secret
from callout.ports.manifest import Credential
from callout.ports.values import Person
from tests.connectors.twin_site import TwinSite

CHECKOUT, BATCH = "PSVC001", "PSVC002"
ADMIN = Person("PUSRADM", "Alex Admin", "admin@example.com")
ANN = Person("PUSRANN", "Ann Onduty", "ann@example.com")
CAROL = Person("PUSRCAR", "Carol Quiet", "carol@example.com")
POLICY = "PEP0001"
ROUTING_KEY = "c4ec0000000000000000000000000001"
KEY = "pd-key-0000000000000"
TICKET_URL = {"name": "reference", "project_id": "*", "provider_field_path": "custom_fields.ticket_url"}


class PagerDutySite(TwinSite):
    """The twin and how to reach it."""

    def provider(self, *, secret: str = KEY, url: str = "", **settings: object) -> PagerDutyTicketing:
        """Build the provider as bootstrap would."""
        config = PagerDutyConfig.model_validate(
            {
                "url": url or self.url,
                "default_creator": ADMIN.email,
                "custom_field_mappings": [TICKET_URL],
                **settings,
            }
        )
        return build(config, self.tools(Credential("token", {}, {"secret": Secret(secret)})))

"""PagerDuty, described once."""

from __future__ import annotations

from dataclasses import replace

from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.incident_response import PagerDutyIncidentResponse
from callout.connectors.pagerduty.incident_response import build as build_incident_response
from callout.connectors.pagerduty.limits import PagerDutyLimits
from callout.connectors.pagerduty.mapping import MAPPING_DEFAULTS
from callout.connectors.pagerduty.ticketing import PagerDutyTicketing, build
from callout.connectors.pagerduty.webhook import PagerDutyWebhook
from callout.ports.inbound import HookGuide, HookSetup
from callout.ports.manifest import Manifest


def hook_guide(_config: PagerDutyConfig, setup: HookSetup) -> HookGuide:
    """Return how somebody makes the subscription by hand who does not leave it to the API."""
    return HookGuide(
        steps=(
            (
                "With an account key, or an OAuth app with webhook_subscriptions.write, Callout does all of it by itself:"
                " callout integration subscribe. Else, by hand:"
            ),
            (
                f"Integrations → Generic Webhooks (v3) → New Webhook. URL: {setup.url}. Scope: the account, or the services that are"
                " to be followed. Events: all that begin with incident."
            ),
            (
                "PagerDuty makes the signing key itself and shows it once. Store it here:"
                """ callout integration set NAME --webhook '{"provider_key": "…"}'"""
            ),
        ),
        own_key=False,
    )


MANIFEST = Manifest(
    provider="ticketing_pagerduty",
    title="PagerDuty",
    category="ticketing",
    config=PagerDutyConfig,
    build=build,
    inbound=PagerDutyWebhook,
    hook_guide=hook_guide,
    provider_class=PagerDutyTicketing,
    mapping_defaults=MAPPING_DEFAULTS,
    credential_kinds=("token", "o_auth_client"),
    # 960 requests a minute per key; the vendor advises to send them one after the other.
    default_budget=(12.0, 60, 3),
    limits=PagerDutyLimits(),
    docs="connectors/pagerduty.md",
    from_memory=(
        "reads with include[]=body tell the description of an incident",
        "incident titles hold 1024 characters, incident_key 255",
        "the list of incidents shows a new one within 10 seconds",
        "OAuth access tokens begin with pdus+ or pdeu+",
        "the European Events API answers at events.eu.pagerduty.com",
    ),
)

INCIDENT_RESPONSE = replace(
    MANIFEST,
    provider="incidentresponse_pagerduty",
    title="PagerDuty Incident Response",
    category="incidentresponse",
    build=build_incident_response,
    inbound=None,
    hook_guide=None,
    provider_class=PagerDutyIncidentResponse,
    mapping_defaults={},
)
"""The same account through the same API: who is called, without tickets."""

"""ServiceNow, described once; and Security Incident Response over the same client."""

from __future__ import annotations

from dataclasses import replace

from callout.connectors.servicenow.config import SecurityIncidentConfig, ServiceNowConfig
from callout.connectors.servicenow.limits import ServiceNowLimits
from callout.connectors.servicenow.mapping import MAPPING_DEFAULTS
from callout.connectors.servicenow.script import hook_guide
from callout.connectors.servicenow.ticketing import ServiceNowTicketing, build
from callout.connectors.servicenow.webhook import ServiceNowWebhook
from callout.ports.manifest import Manifest

MANIFEST = Manifest(
    provider="ticketing_servicenow",
    title="ServiceNow",
    category="ticketing",
    config=ServiceNowConfig,
    build=build,
    inbound=ServiceNowWebhook,
    hook_guide=hook_guide,
    provider_class=ServiceNowTicketing,
    mapping_defaults=MAPPING_DEFAULTS,
    credential_kinds=("basic", "o_auth_client", "token"),
    # The vendor limits by rules that a customer defines, per hour, which `limits` learns. From memory: beside them a user's calls share
    # four places on a node, and up to fifty wait in line: so four at once. The rate only keeps a fault of ours from becoming a flood.
    default_budget=(30.0, 60, 4),
    limits=ServiceNowLimits(),
    docs="connectors/servicenow.md",
    from_memory=(
        "four calls of integrations run at once on a node, by default; others wait in line",
        "texts of refusals: data policy, business rule, invalid table",
        "sysparm_fields takes dot-walks such as assigned_to.name",
        "javascript:gs.getUserID() may be asked for in a query",
        "a list may be answered by a read replica that is up to 5 seconds behind",
        "entries of the journal can be read in an after rule of the write that made them",
        "columns of sys_audit: raw values, and the record's sys_mod_count as record_checkpoint",
        "columns of sys_audit_delete, and how a record shows its journal in one text",
        "a priority of a security incident or a change can be written; that of an incident or a problem is computed",
    ),
)

SECURITY_INCIDENT_RESPONSE = replace(
    MANIFEST,
    provider="ticketing_servicenow_sir",
    title="ServiceNow Security Incident Response",
    config=SecurityIncidentConfig,
)
"""The same instance through the same API; its table is sn_si_incident."""

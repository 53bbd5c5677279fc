"""What a service project needs besides what Jira needs: a desk, an agent's licence, the request type of the settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.mapping import SERVICE_DESK
from callout.connectors.jira.metadata import SiteMetadata
from callout.connectors.jira.service_management.config import ServiceManagementConfig
from callout.connectors.jira.service_management.desks import Desks, no_service_project
from callout.ports.errors import PermissionDeniedError, RecordNotFoundError, RejectedError
from callout.ports.provider import ConnectionReport

AGENT: Final = "SERVICEDESK_AGENT"


async def check_desk(
    report: ConnectionReport,
    config: ServiceManagementConfig,
    client: JiraClient,
    metadata: SiteMetadata,
    desks: Desks,
) -> ConnectionReport:
    """Return `report` with what is wrong with the service desk; not `ok` when nothing of Service Management can work."""
    try:
        found = await desks.all()
    except (PermissionDeniedError, RecordNotFoundError) as error:
        problem = (
            f"the site answers no service desk calls ({error.message}): it has no Jira Service Management, or the"
            " account has no access to it; give the account product access, or use a Jira integration (ticketing_jira)"
        )
        return replace(report, ok=False, warnings=(*report.warnings, problem))
    if not config.default_project:
        if found:
            return report
        problem = "the account sees no service project: add it to one as an agent (role Service Desk Team)"
        return replace(report, ok=False, warnings=(*report.warnings, problem))
    try:
        project = await metadata.project(config.default_project)
    except RejectedError:
        return replace(report, ok=False)  # the report says already that it is not visible
    if project.get("projectTypeKey") != SERVICE_DESK or not any(
        str(desk.get("projectId")) == project["id"] for desk in found
    ):
        problem = f"{no_service_project(project, found)}; set default_project to one of them"
        return replace(report, ok=False, warnings=(*report.warnings, problem))
    warnings = [*report.warnings]
    answer = await client.get_my_permissions([AGENT], project_key=project["key"])
    if not answer["permissions"].get(AGENT, {}).get("havePermission"):
        warnings.append(
            f"the account is no agent of {project['key']}: give it a Jira Service Management agent licence and the role"
            " Service Desk Team; without them it reads no SLAs, writes no internal comments and asks for nobody else"
        )
    if config.default_request_type:
        try:
            await desks.required_type(await desks.of(project), config.default_request_type)
        except RejectedError as error:
            warnings.append(f"{error.message}: {error.remediation}")
    return replace(report, warnings=tuple(warnings))

"""What a service project offers to mappings: request types with their forms, and the clocks of its requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from callout.connectors.jira import jql
from callout.connectors.jira.catalogue import Catalogue
from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.mapping import SERVICE_DESK
from callout.connectors.jira.metadata import SiteMetadata
from callout.connectors.jira.service_management import clocks
from callout.connectors.jira.service_management.client import ServiceDeskClient
from callout.connectors.jira.service_management.config import REQUEST_TYPE, ServiceManagementConfig
from callout.connectors.jira.service_management.desks import TYPE_PREFIX, Desks
from callout.ports.errors import PermissionDeniedError, RecordNotFoundError
from callout.ports.ticketing import FieldCatalogue, FieldOption, RemoteField


class DeskCatalogue(Catalogue):
    """Describes one site's service projects."""

    project_type = SERVICE_DESK

    def __init__(
        self,
        config: ServiceManagementConfig,
        client: JiraClient,
        metadata: SiteMetadata,
        *,
        desk: ServiceDeskClient,
        desks: Desks,
    ) -> None:
        super().__init__(config, client, metadata)
        self._default_type = config.default_request_type
        self._desk = desk
        self._desks = desks

    async def remote_fields(self) -> Sequence[RemoteField]:
        """Return every field by name, and the members of each clock that the project's newest request has."""
        return [*await super().remote_fields(), *await self._told_by_requests(self._config)]

    async def _told_by_requests(self, config: JiraConfig) -> list[RemoteField]:
        name = f"{REQUEST_TYPE}.name"
        found = [RemoteField(name, "Request type", name, kind="enum")]
        project = config.default_project
        if not project:
            return found
        page = await self._client.search_jql(
            f"project = {jql.quoted(project)} ORDER BY created DESC", fields=["id"], max_results=1
        )
        for issue in page.get("issues", []):
            try:
                beans = await self._desk.get_sla_information(str(issue["id"]))
            except (PermissionDeniedError, RecordNotFoundError):
                continue  # no request, or no agent's licence: the connection check says so
            found += clocks.fields(clocks.clocks(beans), project=project)
        return found

    async def of(self, project: str, issue_type: str) -> FieldCatalogue:
        """Return what a request type (or, where an issue type is named, an issue of it) needs and offers. Raises RejectedError."""
        bean = await self._metadata.project(project or self._config.default_project)
        desk = await self._desks.of(bean)
        kind = await self._desks.request_type(desk, issue_type) if issue_type else None
        if not issue_type and self._default_type:
            kind = await self._desks.required_type(desk, self._default_type)
        base = await super().of(bean["key"], issue_type if kind is None else str(kind.get("issueTypeId", "")))
        types = [
            FieldOption(f"{TYPE_PREFIX}{entry['id']}", entry.get("name", ""))
            for entry in await self._desks.request_types(desk)
        ]
        base = replace(base, issue_types=(*types, *base.issue_types))
        if kind is None:
            return base
        required = (await self._desks.form(kind)).required
        fields = tuple(replace(field, required=field.id in required) for field in base.fields)
        return replace(base, issue_type=kind.get("name", ""), fields=fields)

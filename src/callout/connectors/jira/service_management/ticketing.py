"""Jira Service Management as a ticketing provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from callout.connectors.jira import jql, mapping
from callout.connectors.jira.oauth import auth_for
from callout.connectors.jira.service_management import clocks, marks
from callout.connectors.jira.service_management.catalogue import DeskCatalogue
from callout.connectors.jira.service_management.client import ServiceDeskClient
from callout.connectors.jira.service_management.clocks import SlaClock
from callout.connectors.jira.service_management.comments import RequestComments
from callout.connectors.jira.service_management.config import CLOCKS, REQUEST_TYPE, ServiceManagementConfig
from callout.connectors.jira.service_management.connection import check_desk
from callout.connectors.jira.service_management.desks import Desks
from callout.connectors.jira.service_management.requests import RequestWriter
from callout.connectors.jira.service_management.wire import RequestTypeBean, ServiceDeskBean
from callout.connectors.jira.ticketing import JiraTicketing
from callout.connectors.jira.wire import IssueBean
from callout.kit.clock import Clock
from callout.kit.http import VendorHttp
from callout.ports.errors import PermissionDeniedError, RecordNotFoundError
from callout.ports.manifest import Tools
from callout.ports.provider import ConnectionReport, PollPosition
from callout.ports.ticketing import Change, Ticket

RECENT_DAYS = 30
"""How far back a request is searched for by its description; a lost answer is looked for within minutes."""


class ServiceManagementTicketing(JiraTicketing):
    """The service projects of one Jira site, through one account that is an agent there."""

    def __init__(
        self, config: ServiceManagementConfig, http: VendorHttp, media: VendorHttp, clock: Clock
    ) -> None:
        super().__init__(config, http, media, clock)
        self._settings = config
        self._desk = ServiceDeskClient(http, clock)
        self._desks = Desks(self._desk, self._metadata)
        self._writer = RequestWriter(
            config,
            self._client,
            self._metadata,
            self._people,
            self._workflow,
            desk=self._desk,
            desks=self._desks,
        )
        self._comments = RequestComments(self._client, self._desk, self._metadata)
        self._catalogue = DeskCatalogue(
            config, self._client, self._metadata, desk=self._desk, desks=self._desks
        )

    def _to_ticket(self, issue: IssueBean) -> Ticket:
        ticket = super()._to_ticket(issue)
        description, key = marks.description_read(ticket.description)
        if not key or ticket.unmapped.get("created_by") != self._metadata.account_id:
            return ticket
        # Made by a form of ours whose answer was lost before the label was set.
        found = (*ticket.marks, *mapping.marks_of([mapping.mark_label(key)]))
        return replace(ticket, description=description, marks=found)

    async def check_connection(self) -> ConnectionReport:
        """Ask Jira who we are, and whether the project is a service project that we are an agent of. Raises AuthFailedError."""
        report = await super().check_connection()
        return await check_desk(report, self._settings, self._client, self._metadata, self._desks)

    async def _read(self, ticket_id: str, *, expand: str = "") -> tuple[IssueBean, Ticket]:
        """Read a request by id or key, with its type and clocks in `unmapped` and where custom fields are mapped to them."""
        await self._metadata.myself()  # by whom a mark in the text counts
        issue = await self._client.get_issue(ticket_id, fields=self._fields, expand=expand)
        told = await self._told(issue)
        ticket = self._to_ticket({**issue, "fields": {**issue["fields"], **told}})
        shown = {name: value for name, value in told.items() if value}
        return issue, replace(ticket, unmapped={**ticket.unmapped, **shown})

    async def _told(self, issue: IssueBean) -> dict[str, Any]:
        """Return what only the service desk's API tells of an issue; nothing when it is no request."""
        if not mapping.is_service_desk(issue["fields"]):
            return {}
        try:
            bean = await self._desk.get_customer_request(str(issue["id"]), expand=("requestType", "sla"))
        except (RecordNotFoundError, PermissionDeniedError):
            return {}  # made without a request type, or the account is no agent: the issue itself was read
        kind = bean.get("requestType") or {}
        found = clocks.clocks((bean.get("sla") or {}).get("values") or [])
        return {
            CLOCKS: clocks.as_values(found),
            REQUEST_TYPE: {"id": str(bean.get("requestTypeId", "")), "name": kind.get("name", "")},
        }

    async def list_clocks(self, ticket_id: str) -> Sequence[SlaClock]:
        """Return the service level agreements of a request as they stand now. Raises PermissionDeniedError for who is no agent."""
        return clocks.clocks(await self._desk.get_sla_information(ticket_id))

    async def list_service_desks(self) -> Sequence[ServiceDeskBean]:
        """Return the service desks that the account sees."""
        return await self._desks.all()

    async def list_request_types(self, project: str) -> Sequence[RequestTypeBean]:
        """Return what customers can ask for in a project. Raises RejectedError when it is no service project."""
        return await self._desks.request_types(await self._desks.of(await self._metadata.project(project)))

    async def find_by_key(self, key: str) -> Sequence[Ticket]:
        """Return the requests with our mark: a label or, where the answer to a form was lost, a word in the description."""
        found = await super().find_by_key(key)
        if found:
            return found
        await self._metadata.myself()
        page = await self._client.search_jql(
            f"description ~ {jql.quoted(marks.token(key))} AND created >= -{RECENT_DAYS}d ORDER BY created ASC, key ASC",
            fields=self._fields,
            max_results=50,
            reconcile_issues=self._writer.recent.ids(),
        )
        label = mapping.mark_label(key)
        return [
            ticket for issue in page.get("issues", []) if label in (ticket := self._to_ticket(issue)).marks
        ]

    async def changes_since(self, position: PollPosition, *, overlap: timedelta) -> AsyncIterator[Change]:
        """Yield requests and comments changed since `position` minus `overlap`, oldest first."""
        async for change in super().changes_since(position, overlap=overlap):
            if self._settings.reads_requests():
                # A search does not tell clocks and request types: what is mapped to them is not known from it.
                yield replace(change, partial=True, known=change.known - {"custom_fields", "unmapped"})
            else:
                yield change


def build(config: ServiceManagementConfig, tools: Tools) -> ServiceManagementTicketing:
    """Return the provider of one integration. Raises AuthFailedError for a credential that Jira cannot use."""
    base_url = config.base_url(tools.credential.kind)
    http = tools.http(base_url, auth=auth_for(config, tools))
    return ServiceManagementTicketing(config, http, tools.http(base_url), tools.clock)

"""PagerDuty as a ticketing provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.account import Account
from callout.connectors.pagerduty.actions import Actions
from callout.connectors.pagerduty.auth import auth_for
from callout.connectors.pagerduty.catalogue import Catalogue
from callout.connectors.pagerduty.changes import Changes
from callout.connectors.pagerduty.client import IncidentsClient
from callout.connectors.pagerduty.comments import Comments
from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.connection import check_connection
from callout.connectors.pagerduty.directory_client import DirectoryClient
from callout.connectors.pagerduty.incidents import IncidentWriter, lost_after_create
from callout.connectors.pagerduty.lookup import LastAssigned, by_key
from callout.connectors.pagerduty.oncall import Directory
from callout.connectors.pagerduty.rest import Rest
from callout.connectors.pagerduty.search import Search
from callout.connectors.pagerduty.subscription import Subscriptions
from callout.connectors.pagerduty.walk import Walker
from callout.connectors.pagerduty.wire import IncidentBean
from callout.kit.clock import Clock
from callout.kit.http import VendorHttp
from callout.kit.secrets import Secret
from callout.ports.errors import ConnectorError
from callout.ports.manifest import Tools
from callout.ports.oncall import EscalationActor, EscalationPolicy, OnCall, WebhookSubscription
from callout.ports.pass_through import VendorAnswer, VendorCall, pass_through
from callout.ports.provider import ConnectionReport, Effect, Findable, Idempotent, PollPosition
from callout.ports.ticketing import (
    Change,
    Comment,
    CommentDraft,
    FieldCatalogue,
    Page,
    Project,
    RemoteField,
    Ticket,
    TicketDraft,
    TicketPatch,
    TicketQuery,
    Transition,
)
from callout.ports.values import Person

LIST_LAG: Final = timedelta(seconds=10)
"""from memory: the list shows a new incident at once; this long is waited before concluding that there is none."""
MOVES: Final[Mapping[str, tuple[tuple[str, str, str], ...]]] = {
    "triggered": (("acknowledge", "Acknowledge", "acknowledged"), ("resolve", "Resolve", "resolved")),
    "acknowledged": (("unacknowledge", "Unacknowledge", "triggered"), ("resolve", "Resolve", "resolved")),
    "resolved": (
        ("reopen", "Reopen", "triggered"),
        ("reopen_acknowledged", "Reopen and acknowledge", "acknowledged"),
    ),
}
"""The moves of every incident: id, name, status."""


class PagerDutyTicketing:
    """One PagerDuty account, through one credential."""

    effects: Mapping[str, Effect] = {
        "create_ticket": Findable(LIST_LAG),
        "patch_ticket": Idempotent(),
        # Notes are read from the incident itself: no lag.
        "create_comment": Findable(),
        "delete_comment": Idempotent(),
    }
    required_fields: Mapping[str, tuple[str, ...]] = {
        "create_ticket": ("project", "creator"),
        "create_comment": ("creator",),
    }
    """What a request has to name unless the integration has a default for it."""

    def __init__(self, config: PagerDutyConfig, http: VendorHttp, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._http = http
        self._rest = Rest(http, clock)
        self._client = IncidentsClient(self._rest)
        self._directory_client = DirectoryClient(self._rest)
        self._account = Account(self._directory_client, clock)
        self._writer = IncidentWriter(config, self._client, self._account)
        self._comments = Comments(config, self._client, self._account)
        self._walker = Walker(self._client, clock)
        self._search = Search(
            self._client, self._account, self._walker, default_project=config.default_project
        )
        self._directory = Directory(self._directory_client)
        self._catalogue = Catalogue(config, self._directory_client, self._account)
        self._subscriptions = Subscriptions(config, self._directory_client)
        self._actions = Actions(config, self._client, self._directory_client, self._account)
        self._last_assigned = LastAssigned(self._client)

    async def _ticket(self, incident: IncidentBean) -> Ticket:
        project = (incident.get("service") or {}).get("id", "")
        ticket = mapping.ticket(
            incident,
            scheme=await self._account.priorities(),
            custom=self._config.mappings_for(project),
        )
        if ticket.status == mapping.RESOLVED and ticket.assignee is None:
            ticket = replace(ticket, assignee=await self._last_assigned.of(incident))
        return ticket

    # Tickets

    async def check_connection(self) -> ConnectionReport:
        """Ask PagerDuty who we are and look at what we need. Raises AuthFailedError."""
        return await check_connection(
            self._config, self._directory_client, self._rest, self._account, self._clock
        )

    async def get_ticket(self, ticket_id: str) -> Ticket:
        """Read an incident by id or number. A resolved one keeps whom it was assigned to last, which its log tells."""
        return await self._ticket(await self._client.get_incident(ticket_id))

    async def create_ticket(self, draft: TicketDraft) -> Ticket:
        """Create an incident with our key, or adopt the open one that has it. `unmapped` tells what could not be set."""
        incident_id, problems = await self._writer.create(draft)
        try:
            ticket = await self.get_ticket(incident_id)
        except ConnectorError as error:
            raise lost_after_create(incident_id, error) from error
        return replace(ticket, unmapped={**ticket.unmapped, **problems}) if problems else ticket

    async def patch_ticket(self, ticket_id: str, patch: TicketPatch) -> Ticket:
        """Change the named fields, then read back."""
        incident = await self._client.get_incident(ticket_id)
        await self._writer.patch(incident, patch)
        return await self.get_ticket(incident["id"])

    async def query_tickets(self, query: TicketQuery) -> Page[Ticket]:
        """Return one page; without a project filter, of the default service where there is one."""
        page = await self._search.query(query)
        scheme = await self._account.priorities()
        tickets: list[Ticket] = []
        for incident in page.items:
            custom = self._config.mappings_for((incident.get("service") or {}).get("id", ""))
            if any(mapping.custom_name(path) for path in custom.values()):
                # Lists do not tell custom fields; each is read when one of them is mapped.
                values = await self._client.get_custom_field_values(incident["id"])
                incident = {**incident, "custom_fields": values}  # noqa: PLW2901
            tickets.append(mapping.ticket(incident, scheme=scheme, custom=custom))
        return Page(tickets, page.cursor)

    async def find_by_key(self, key: str) -> Sequence[Ticket]:
        """Return the incidents with our key, resolved ones too."""
        return [await self._ticket(one) for one in await by_key(self._client, key)]

    async def changes_since(self, position: PollPosition, *, overlap: timedelta) -> AsyncIterator[Change]:
        """Yield incidents and notes changed since `position` minus `overlap`, oldest first."""
        changes = Changes(self._client, self._account, self._walker, self._comments)
        start = position.high_water
        found = changes.everything() if start is None else changes.since(start - overlap)
        async for change in found:
            yield change

    async def list_transitions(self, ticket_id: str) -> Sequence[Transition]:
        """Return the moves that the incident can make now; none needs a field (`resolution` may be given)."""
        incident = await self._client.get_incident(ticket_id)
        return _moves(incident.get("status", ""))

    async def list_moves(
        self, project: str, issue_type: str, status: str
    ) -> Sequence[Transition]:  # alike everywhere
        """Return the moves from `status`: the same for every incident."""
        return _moves(status)

    # Notes

    async def list_comments(self, ticket_id: str) -> Sequence[Comment]:
        """Return all notes, oldest first."""
        return await self._comments.read_all(ticket_id)

    async def create_comment(self, ticket_id: str, draft: CommentDraft) -> Comment:
        """Add a note; its last line carries our key."""
        return await self._comments.create(ticket_id, draft)

    async def find_comment(self, ticket_id: str, key: str) -> Comment | None:
        """Return the note that carries `key`, or None."""
        return await self._comments.find(ticket_id, key)

    async def delete_comment(self, ticket_id: str, comment_id: str) -> None:
        """Delete a note."""
        await self._comments.delete(ticket_id, comment_id)

    # The account

    async def list_projects(self, *, limit: int, cursor: str) -> Page[Project]:
        """Return one page of services."""
        page = await self._directory.services(limit=limit, cursor=cursor)
        return Page([mapping.project(bean) for bean in page.items], page.cursor)

    async def list_remote_fields(self) -> Sequence[RemoteField]:
        """Return the fields of an incident and the custom fields of the base type and the default type."""
        return await self._catalogue.remote_fields()

    async def field_catalogue(self, project: str, issue_type: str) -> FieldCatalogue:
        """Return what an incident of one service and type needs and offers."""
        return await self._catalogue.of(project, issue_type)

    async def find_person(self, *, email: str = "", name: str = "") -> Person | None:
        """Return the one user of that e-mail or exact name."""
        return await self._account.find_person(email=email, name=name)

    async def search_people(self, query: str, *, limit: int, cursor: str) -> Page[Person]:
        """Return one page of users."""
        return await self._directory.people(query, limit=limit, cursor=cursor)

    async def list_teams(self, *, limit: int, cursor: str) -> Page[EscalationActor]:
        """Return one page of teams."""
        return await self._directory.teams(limit=limit, cursor=cursor)

    async def query_escalation_policies(
        self, *, limit: int, cursor: str, name: str = ""
    ) -> Page[EscalationPolicy]:
        """Return one page of escalation policies."""
        return await self._directory.policies(limit=limit, cursor=cursor, name=name)

    async def list_on_call(self, policy_id: str) -> Sequence[OnCall]:
        """Return who is on call now for a policy, by level."""
        return await self._directory.on_call(policy_id)

    # Paging

    async def escalate(self, ticket_id: str, *, level: int = 0, policy_id: str = "") -> Ticket:
        """Call the next or the named level of the incident's policy, or hand it to another policy."""
        incident = await self._client.get_incident(ticket_id)
        await self._actions.escalate(incident, level=level, policy_id=policy_id)
        return await self.get_ticket(incident["id"])

    async def snooze(self, ticket_id: str, duration: timedelta) -> Ticket:
        """Keep an incident acknowledged for 1 second to 7 days; then it calls again."""
        await self._actions.snooze(ticket_id, duration)
        return await self.get_ticket(ticket_id)

    async def request_responders(
        self, ticket_id: str, *, people: Sequence[Person] = (), policies: Sequence[str] = (), message: str
    ) -> None:
        """Ask people, or whoever is on call for policies, to join."""
        await self._actions.request_responders(ticket_id, people=people, policies=policies, message=message)

    async def publish_status(self, ticket_id: str, message: str) -> None:
        """Tell the stakeholders who follow the incident."""
        await self._actions.publish_status(ticket_id, message)

    async def merge_tickets(self, ticket_id: str, sources: Sequence[str]) -> Ticket:
        """Make `sources` part of the incident; they are resolved."""
        await self._actions.merge(ticket_id, sources)
        return await self.get_ticket(ticket_id)

    # The webhook subscription

    async def ensure_webhook(self, url: str, *, recreate: bool = False) -> WebhookSubscription:
        """Return the subscription that sends to `url`, made or set going again where needed."""
        return await self._subscriptions.ensure(url, recreate=recreate)

    async def ping_webhook(self, subscription_id: str) -> None:
        """Have PagerDuty send `pagey.ping`."""
        await self._subscriptions.ping(subscription_id)

    async def remove_webhook(self, subscription_id: str) -> None:
        """End a subscription."""
        await self._subscriptions.remove(subscription_id)

    async def create_project_webhook(
        self,
        project: str,
        url: str,
        *,
        secret: Secret,
    ) -> WebhookSubscription:
        """Return a new subscription of the whole account, since incidents move between services; PagerDuty makes the secret."""
        _ = secret
        await self._account.service(project)
        return await self._subscriptions.ensure(url, recreate=True)

    async def list_project_webhooks(self, url: str) -> Sequence[WebhookSubscription]:
        """Return the subscriptions that send to `url`."""
        return await self._subscriptions.sending_to(url)

    async def remove_project_webhook(self, webhook_id: str) -> None:
        """End a subscription."""
        await self._subscriptions.remove(webhook_id)

    async def pass_through(self, call: VendorCall) -> VendorAnswer:
        """Make a call of the caller's own."""
        return await pass_through(self._http, call)


_RESOLUTION: Final = (RemoteField("resolution", "Resolution note", "resolution", usual=True),)
"""What the move to resolved takes along."""


def _moves(status: str) -> list[Transition]:
    return [
        Transition(move, name, target, mapping.STATUSES[target], _RESOLUTION if move == "resolve" else ())
        for move, name, target in MOVES.get(status, ())
    ]


def build(config: PagerDutyConfig, tools: Tools) -> PagerDutyTicketing:
    """Return the provider of one integration. Raises AuthFailedError for a credential that PagerDuty cannot use."""
    return PagerDutyTicketing(config, tools.http(config.rest_url, auth=auth_for(config, tools)), tools.clock)

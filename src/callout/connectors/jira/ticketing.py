"""Jira as a ticketing provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from callout.connectors.jira import changelog, jql, mapping
from callout.connectors.jira.catalogue import Catalogue
from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.comments import Comments
from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.connection import check_connection
from callout.connectors.jira.history import Past
from callout.connectors.jira.issues import IssueWriter, lost_after_create
from callout.connectors.jira.metadata import SiteMetadata
from callout.connectors.jira.oauth import auth_for
from callout.connectors.jira.people import People
from callout.connectors.jira.project_webhooks import ProjectWebhooks
from callout.connectors.jira.search import Changes, Search, start_of
from callout.connectors.jira.text import markdown_from_adf
from callout.connectors.jira.transitions import Workflow, described
from callout.connectors.jira.values import read_custom
from callout.connectors.jira.wire import IssueBean, StatusBean
from callout.kit.clock import Clock
from callout.kit.http import FilePart, VendorHttp
from callout.kit.secrets import Secret
from callout.ports.errors import ConnectorError, InvalidRequestError, RecordNotFoundError, RejectedError
from callout.ports.files import find_file
from callout.ports.history import PastPage, PastPlan, PastScope
from callout.ports.manifest import Tools
from callout.ports.oncall import WebhookSubscription
from callout.ports.pass_through import VendorAnswer, VendorCall, pass_through
from callout.ports.provider import ConnectionReport, Effect, Findable, Idempotent, PollPosition
from callout.ports.ticketing import (
    AttachmentInfo,
    Change,
    Comment,
    CommentDraft,
    FieldCatalogue,
    FileIdentity,
    Page,
    Project,
    RemoteField,
    Ticket,
    TicketDraft,
    TicketPatch,
    TicketQuery,
    Transition,
)
from callout.ports.values import Audience, Person

SEARCH_LAG: Final = timedelta(seconds=30)
"""from memory: search shows a new issue within seconds; this long is waited before concluding that there is none."""
MAX_UPLOAD_BYTES: Final = 25 * 1024 * 1024


class JiraTicketing:
    """One Jira site, through one account."""

    effects: Mapping[str, Effect] = {
        "create_ticket": Findable(SEARCH_LAG),
        "patch_ticket": Idempotent(),
        # Comments are read from the issue itself, not from the search index: no lag.
        "create_comment": Findable(),
        "delete_comment": Idempotent(),
        # Files are listed by the issue itself, too.
        "create_attachment": Findable(),
        "delete_attachment": Idempotent(),
    }
    order_fields = jql.order_fields()
    required_fields: Mapping[str, tuple[str, ...]] = {"create_ticket": ("project",)}

    def __init__(self, config: JiraConfig, http: VendorHttp, media: VendorHttp, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._http = http
        self._client = JiraClient(http, media, clock)
        self._metadata = SiteMetadata(self._client, clock)
        self._people = People(self._client, clock)
        self._workflow = Workflow(self._client, self._metadata)
        self._writer = IssueWriter(config, self._client, self._metadata, self._people, self._workflow)
        self._comments = Comments(self._client)
        self._catalogue = Catalogue(config, self._client, self._metadata)
        self._webhooks = ProjectWebhooks(http, clock)
        roots = config.field_roots()
        self._fields = [*mapping.TICKET_FIELDS, *sorted(roots - set(mapping.TICKET_FIELDS))]
        self._search = Search(
            config, self._client, self._metadata, self._people, to_ticket=self._to_ticket, fields=self._fields
        )

    def _to_ticket(self, issue: IssueBean) -> Ticket:
        project = (issue.get("fields") or {}).get("project") or {}
        return mapping.ticket(
            issue,
            site=self._config.url,
            custom=self._config.mappings_for(str(project.get("key", "")), str(project.get("id", ""))),
            text=markdown_from_adf,
            read_custom=read_custom,
        )

    async def check_connection(self) -> ConnectionReport:
        """Ask Jira who we are; never `serverInfo`, which answers anybody. Raises AuthFailedError."""
        self._metadata.forget()
        return await check_connection(self._config, self._client, self._clock)

    async def get_ticket(self, ticket_id: str) -> Ticket:
        """Read an issue by id or key, also by a key that it had before a move."""
        return (await self._read(ticket_id))[1]

    async def _read(self, ticket_id: str, *, expand: str = "") -> tuple[IssueBean, Ticket]:
        """Return an issue as it came, and as a ticket."""
        issue = await self._client.get_issue(ticket_id, fields=self._fields, expand=expand)
        return issue, self._to_ticket(issue)

    async def create_ticket(self, draft: TicketDraft) -> Ticket:
        """Create an issue with our mark as a label. `unmapped` tells what could not be set on the way."""
        issue_id, problems = await self._writer.create(draft)
        try:
            ticket = await self.get_ticket(issue_id)
        except ConnectorError as error:
            raise lost_after_create(issue_id, error) from error
        return replace(ticket, unmapped={**ticket.unmapped, **problems}) if problems else ticket

    async def patch_ticket(self, ticket_id: str, patch: TicketPatch) -> Ticket:
        """Change the named fields, then read back, with the history of these fields."""
        await self._metadata.myself()
        return await self._with_edits(await self._writer.patch(ticket_id, patch), set(patch.values))

    async def get_ticket_with_edits(self, ticket_id: str) -> Ticket:
        """Read an issue with its newest history."""
        await self._metadata.myself()
        return await self._with_edits(ticket_id, set(changelog.FIELD_OF.values()))

    async def _with_edits(self, ticket_id: str, wanted: set[str]) -> Ticket:
        wanted &= set(changelog.FIELD_OF.values())
        if not wanted:
            return await self.get_ticket(ticket_id)
        issue, ticket = await self._read(ticket_id, expand=changelog.EXPAND)
        statuses: Sequence[StatusBean] = ()
        if "status" in wanted and changelog.has_moves(issue):
            statuses = await self._metadata.statuses(ticket.project, "")
        edits = changelog.edits_of(
            issue, wanted=wanted, account_id=self._metadata.account_id, statuses=statuses
        )
        return replace(ticket, edits=edits)

    async def query_tickets(self, query: TicketQuery) -> Page[Ticket]:
        """Return one page; without a project filter, of the default project where there is one."""
        return await self._search.query(query)

    async def find_by_key(self, key: str) -> Sequence[Ticket]:
        """Return the issues with our mark, those just created by us even before the index shows them."""
        recent = self._writer.recent
        return await self._search.by_key(key, known_id=recent.get(key), recent=recent.ids())

    async def changes_since(self, position: PollPosition, *, overlap: timedelta) -> AsyncIterator[Change]:
        """Yield issues and comments changed since `position` minus `overlap`, oldest first."""
        changes = Changes(self._search, self._client, self._metadata, self._comments)
        async for change in changes.since(start_of(position.high_water, overlap)):
            yield change

    async def plan_past(self, scope: PastScope, *, parts: int) -> PastPlan:
        """Return the parts in which everything there is can be read."""
        return await self._past().plan(scope, parts=parts)

    async def read_past(self, cursor: str, *, comments: bool) -> PastPage:
        """Return a page of issues of the past, with all their comments."""
        return await self._past().page(cursor, comments=comments)

    def _past(self) -> Past:
        return Past(self._search, self._client, self._metadata, self._comments)

    async def list_transitions(self, ticket_id: str) -> Sequence[Transition]:
        """Return the moves that the issue can make now, with the fields they need."""
        answer = await self._client.get_transitions(ticket_id)
        return [described(bean) for bean in answer.get("transitions", [])]

    async def list_comments(self, ticket_id: str) -> Sequence[Comment]:
        """Return all comments, oldest first."""
        return await self._comments.read_all(ticket_id)

    async def create_comment(self, ticket_id: str, draft: CommentDraft) -> Comment:
        """Add a comment, internal on a service desk unless it is meant for the customer."""
        return await self._comments.create(ticket_id, draft)

    async def find_comment(self, ticket_id: str, key: str) -> Comment | None:
        """Return the comment that carries `key`, or None."""
        return await self._comments.find(ticket_id, key)

    async def delete_comment(self, ticket_id: str, comment_id: str) -> None:
        """Delete a comment."""
        await self._comments.delete(ticket_id, comment_id)

    async def list_attachments(self, ticket_id: str) -> Sequence[AttachmentInfo]:
        """Return the facts of all attachments."""
        issue = await self._client.get_issue(ticket_id, fields=["attachment"])
        beans = issue["fields"].get("attachment") or []
        return [mapping.attachment(bean, str(issue["id"])) for bean in beans]

    async def create_attachment(
        self, ticket_id: str, *, file_name: str, content: AsyncIterator[bytes], media_type: str
    ) -> AttachmentInfo:
        """Upload one file of at most 25 MiB. Raises RejectedError for a larger one."""
        data = bytearray()
        async for chunk in content:
            data += chunk
            if len(data) > MAX_UPLOAD_BYTES:
                raise RejectedError("the file is larger than 25 MiB", fields={"content": "at most 25 MiB"})
        issue = await self._client.get_issue(ticket_id, fields=["id"])
        part = FilePart("file", file_name, bytes(data), media_type)
        beans = await self._client.add_attachment(str(issue["id"]), part)
        return mapping.attachment(beans[0], str(issue["id"]))

    async def download_attachment(self, ticket_id: str, attachment_id: str) -> AsyncIterator[bytes]:
        """Yield the file's bytes. Raises RecordNotFoundError when it is not this ticket's."""
        await self._own_attachment(ticket_id, attachment_id)
        async for chunk in self._client.get_attachment_content(attachment_id):
            yield chunk

    async def find_attachment(
        self, ticket_id: str, identity: FileIdentity, *, known: Collection[str]
    ) -> AttachmentInfo | None:
        """Return the file of that name, size and content whose id is not among `known`, or None."""
        return await find_file(self, ticket_id, identity, known=known)

    async def attachment_readers(self, ticket_id: str) -> Audience:
        """Return who reads a file on an issue: who works in the project; on a service desk possibly the customer.

        from memory: the portal shows a customer only the files of public comments and of the request's form, and not what was put
        on the issue through the platform's API. No document says so, and what a customer has read cannot be taken back.
        """
        _, service_desk = await self._comments.place(ticket_id)
        return Audience.CUSTOMER if service_desk else Audience.RESPONDERS

    async def delete_attachment(self, ticket_id: str, attachment_id: str) -> None:
        """Delete one file. Raises RecordNotFoundError when it is not this ticket's."""
        await self._own_attachment(ticket_id, attachment_id)
        await self._client.remove_attachment(attachment_id)

    async def _own_attachment(self, ticket_id: str, attachment_id: str) -> None:
        if attachment_id not in {info.id for info in await self.list_attachments(ticket_id)}:
            raise RecordNotFoundError(f"{ticket_id} has no attachment {attachment_id}")

    async def list_projects(self, *, limit: int, cursor: str) -> Page[Project]:
        """Return one page of the projects that the account sees."""
        return await self._catalogue.projects(limit=limit, cursor=cursor)

    async def list_remote_fields(self) -> Sequence[RemoteField]:
        """Return every field of the site; with choices where the default project tells them."""
        return await self._catalogue.remote_fields()

    async def field_catalogue(self, project: str, issue_type: str) -> FieldCatalogue:
        """Return what one project and type needs and offers."""
        return await self._catalogue.of(project, issue_type)

    async def search_people(self, query: str, *, limit: int, cursor: str) -> Page[Person]:
        """Return the first active people whose name or e-mail holds `query`: Jira's search tells no more than it wants to."""
        if cursor:
            raise InvalidRequestError("this list has one page", fields={"cursor": "not valid"})
        found = await self._client.find_users(query)
        people = [mapping.person(user) for user in found if user.get("active", True)]
        return Page([one for one in people if one is not None][:limit])

    async def find_person(self, *, email: str = "", name: str = "") -> Person | None:
        """Return the one active person of that e-mail (when visible) or exact name."""
        return await self._people.find(email=email, name=name)

    async def create_project_webhook(self, project: str, url: str, *, secret: Secret) -> WebhookSubscription:
        """Register a webhook for the issues of a project. Raises PermissionDeniedError without administration."""
        bean = await self._metadata.project(project)
        return await self._webhooks.create(bean["key"], url, secret=secret)

    async def list_project_webhooks(self, url: str) -> Sequence[WebhookSubscription]:
        """Return the webhooks that send to `url`."""
        return await self._webhooks.list(url)

    async def remove_project_webhook(self, webhook_id: str) -> None:
        """End a webhook."""
        await self._webhooks.remove(webhook_id)

    async def pass_through(self, call: VendorCall) -> VendorAnswer:
        """Make a call of the caller's own."""
        return await pass_through(self._http, call)


def build(config: JiraConfig, tools: Tools) -> JiraTicketing:
    """Return the provider of one integration. Raises AuthFailedError for a credential that Jira cannot use."""
    base_url = config.base_url(tools.credential.kind)
    return JiraTicketing(
        config, tools.http(base_url, auth=auth_for(config, tools)), tools.http(base_url), tools.clock
    )

"""Finding issues: unified queries with opaque cursors, our own marks, and what changed since the last look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from callout.connectors.jira import jql, mapping
from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.comments import PAGE as COMMENT_PAGE
from callout.connectors.jira.comments import Comments
from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.metadata import SiteMetadata, names_for
from callout.connectors.jira.people import People
from callout.connectors.jira.wire import CommentBean, IssueBean
from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import InvalidRequestError, RecordNotFoundError, RejectedError
from callout.ports.filtering import check_filters, matches
from callout.ports.ticketing import Change, ChangeKind, Page, Ticket, TicketFilter, TicketQuery
from callout.ports.values import Person

LARGEST_PAGE: Final = 1000
POLL_PAGE: Final = 100
SCAN_LIMIT: Final = 20_000
"""Issues read at most for one page of a query whose filters Jira cannot apply."""
ALL_FIELDS: Final = frozenset(Ticket.__dataclass_fields__) - {"id", "key", "url", "unmapped"}

_NEGATIVE = frozenset({"neq", "not in"})


class Search:
    """Queries over one site's issues."""

    def __init__(
        self,
        config: JiraConfig,
        client: JiraClient,
        metadata: SiteMetadata,
        people: People,
        *,
        to_ticket: Callable[[IssueBean], Ticket],
        fields: Sequence[str],
    ) -> None:
        self._config = config
        self._client = client
        self._metadata = metadata
        self._people = people
        self.to_ticket = to_ticket
        self.fields = fields

    async def query(self, query: TicketQuery) -> Page[Ticket]:
        """Return one page; never an empty one that is not the last. Raises InvalidRequestError."""
        check_filters(query.filters, query.order)
        if query.limit < 1:
            raise InvalidRequestError("limit must be at least 1", fields={"limit": "at least 1"})
        selection = await self._selection(query)
        if selection is None:
            return Page(())
        text, rest = selection
        token = self._token(query.cursor, scope=text)
        read = 0
        while True:
            page_size = min(query.limit, LARGEST_PAGE)
            try:
                page = await self._client.search_jql(
                    text, fields=self.fields, max_results=page_size, next_page_token=token
                )
            except RejectedError as error:
                raise _refused(error, cursor=bool(token)) from error
            issues = page.get("issues", [])
            read += len(issues)
            tickets = [self.to_ticket(issue) for issue in issues]
            found = [ticket for ticket in tickets if all(matches(ticket, condition) for condition in rest)]
            following = "" if page.get("isLast") else page.get("nextPageToken") or ""
            if found or not following:
                return Page(found, encode_cursor({"t": following}, scope=text) if following else "")
            if following == token or read >= SCAN_LIMIT:
                raise InvalidRequestError(
                    f"none of the first {read} issues matches, and Jira cannot apply these filters itself",
                    fields={"filter": "too wide"},
                    remediation="Add a filter on project, status or created_at.",
                )
            token = following

    def _token(self, cursor: str, *, scope: str) -> str:
        if not cursor:
            return ""
        try:
            token = decode_cursor(cursor, scope=scope).get("t")
        except ValueError as error:
            raise InvalidRequestError(str(error), fields={"cursor": "not valid for this query"}) from error
        if not isinstance(token, str) or not token:
            raise InvalidRequestError("this is not a cursor of ours", fields={"cursor": "not valid"})
        return token

    async def _selection(self, query: TicketQuery) -> tuple[str, list[TicketFilter]] | None:
        """Return the JQL and the filters left to us, or None when nothing can match."""
        filters = list(query.filters)
        if self._config.default_project and not any(f.field == "project" for f in filters):
            filters.append(TicketFilter("project", "eq", (self._config.default_project,)))
        zone = await self._metadata.zone()
        names = await self._metadata.priority_names() if any(f.field == "priority" for f in filters) else {}
        clauses: list[str] = []
        rest: list[TicketFilter] = []
        for original in filters:
            condition = await self._resolved(original)
            if not condition.values:
                if condition.operator not in _NEGATIVE:
                    return None
                continue
            clause = jql.clause_for(
                condition, zone=zone, priority_names=lambda wanted: names_for(names, wanted)
            )
            if clause is not None:
                clauses.append(clause.jql)
            if clause is None or not clause.exact:
                rest.append(original)
        return " AND ".join(clauses or [jql.EVERYTHING]) + " " + jql.order_by(query.order), rest

    async def _resolved(self, condition: TicketFilter) -> TicketFilter:
        """Return the filter with keys as issue ids and people as account ids; what nobody knows is left out."""
        if condition.operator not in {"eq", "neq", "in", "not in"}:
            return condition
        values: list[str] = []
        if condition.field in {"id", "key"}:
            for value in condition.values:
                try:
                    values.append(str((await self._client.get_issue(value, fields=["id"]))["id"]))
                except RecordNotFoundError:
                    continue
        elif condition.field in jql.PEOPLE:
            for value in condition.values:
                try:
                    values.append(await self._people.account_id(Person(id=value), field=condition.field))
                except RejectedError:
                    continue
        else:
            return condition
        return replace(condition, values=tuple(values))

    async def by_key(self, key: str, *, known_id: str, recent: Sequence[int]) -> list[Ticket]:
        """Return the issues that carry our mark; `recent` are ids that search must not miss."""
        label = mapping.mark_label(key)
        found: dict[str, Ticket] = {}
        if known_id:
            try:
                issue = await self._client.get_issue(known_id, fields=self.fields)
                found[str(issue["id"])] = self.to_ticket(issue)
            except RecordNotFoundError:
                pass  # deleted meanwhile: then it is not there, and search decides
        token = ""
        while True:
            page = await self._client.search_jql(
                f"labels = {jql.quoted(label)} ORDER BY created ASC, key ASC",
                fields=self.fields,
                max_results=50,
                next_page_token=token,
                reconcile_issues=recent,
            )
            for issue in page.get("issues", []):
                # JQL compares labels without regard to case; two keys may differ in nothing else.
                if label in (issue.get("fields") or {}).get("labels", []):
                    found.setdefault(str(issue["id"]), self.to_ticket(issue))
            token = "" if page.get("isLast") else page.get("nextPageToken") or ""
            if not token:
                return list(found.values())


class Changes:
    """Incremental polling of one site."""

    def __init__(
        self, search: Search, client: JiraClient, metadata: SiteMetadata, comments: Comments
    ) -> None:
        self._search = search
        self._client = client
        self._metadata = metadata
        self._comments = comments

    async def since(self, start: datetime | None) -> AsyncIterator[Change]:
        """Yield the issues and comments that changed at or after `start`, oldest first.

        Each page starts anew at the last minute seen instead of following the vendor's page token as far as possible: an issue
        that changes while we read moves to the end of the order, and would push others over a page border unseen.
        """
        zone = await self._metadata.zone()
        low, token = start, ""
        seen: set[tuple[str, str]] = set()
        while True:
            bound = jql.EVERYTHING if low is None else f"updated >= {jql.at_least(low, zone)}"
            page = await self._client.search_jql(
                f"{bound} ORDER BY updated ASC, key ASC",
                fields=[*self._search.fields, "comment"],
                max_results=POLL_PAGE,
                next_page_token=token,
            )
            newest = low
            for issue in page.get("issues", []):
                ticket = self._search.to_ticket(issue)
                newest = max(filter(None, (newest, ticket.updated_at)), default=None)
                if (ticket.id, ticket.version) in seen or _before(ticket.updated_at, start):
                    continue
                seen.add((ticket.id, ticket.version))
                async for change in self._of_issue(issue, ticket, start):
                    yield change
            following = "" if page.get("isLast") else page.get("nextPageToken") or ""
            if not following:
                return
            if newest is not None and (low is None or _minute(newest) > _minute(low)):
                low, token = newest, ""
            else:
                token = following

    async def _of_issue(
        self, issue: IssueBean, ticket: Ticket, start: datetime | None
    ) -> AsyncIterator[Change]:
        created = not _before(ticket.created_at, start)
        yield Change(
            kind=ChangeKind.CREATED if created else ChangeKind.UPDATED,
            ticket_id=ticket.id,
            ticket_key=ticket.key,
            occurred_at=ticket.updated_at,
            ticket=ticket,
            partial=False,
            known=ALL_FIELDS,
            vendor_event="poll",
        )
        fields = issue.get("fields") or {}
        fresh = [
            bean
            for bean in await all_comments(self._client, ticket.id, fields.get("comment") or {})
            if not _before(mapping.moment(bean.get("updated")), start)
        ]
        desk = mapping.is_service_desk(fields)
        for bean in await self._comments.with_properties(fresh):
            comment = self._comments.comment(bean, ticket.id, service_desk=desk)
            edited = _before(comment.created_at, start)
            yield Change(
                kind=ChangeKind.COMMENT_UPDATED if edited else ChangeKind.COMMENTED,
                ticket_id=ticket.id,
                ticket_key=ticket.key,
                occurred_at=comment.updated_at,
                actor=mapping.person(bean.get("updateAuthor")) or comment.author,
                ticket=ticket,
                partial=False,
                known=ALL_FIELDS,
                comment=comment,
                vendor_event="poll",
            )


async def all_comments(client: JiraClient, issue_id: str, embedded: dict[str, Any]) -> list[CommentBean]:
    """Return all comments of an issue of a search; those that its answer did not hold are read."""
    beans: list[CommentBean] = list(embedded.get("comments", []))
    if len(beans) >= embedded.get("total", 0):
        return beans
    beans = []
    while True:
        page = await client.get_comments(issue_id, start_at=len(beans), max_results=COMMENT_PAGE)
        batch = page.get("comments", [])
        beans += batch
        if not batch or len(beans) >= page.get("total", 0):
            return beans


def start_of(high_water: datetime | None, overlap: timedelta) -> datetime | None:
    """Return where polling looks from; None for everything."""
    return None if high_water is None else high_water.astimezone(UTC) - overlap


def _before(moment: datetime | None, start: datetime | None) -> bool:
    return start is not None and moment is not None and moment < start


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _refused(error: RejectedError, *, cursor: bool) -> InvalidRequestError:
    """A query that Jira refuses names something it does not know: the caller's filter, or a page that is gone."""
    if cursor and "token" in error.message.lower():
        return InvalidRequestError(
            "this cursor is no longer valid: start again with the first page",
            fields={"cursor": "refused by Jira"},
            detail=error.message,
        )
    return InvalidRequestError(error.message, fields={"filter": error.message}, detail=error.detail)

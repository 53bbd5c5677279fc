"""What a site holds from before: windows of creation time, each read to its end in large pages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from callout.connectors.jira import jql, mapping
from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.comments import Comments
from callout.connectors.jira.metadata import SiteMetadata
from callout.connectors.jira.search import Search, all_comments
from callout.connectors.jira.wire import IssueBean
from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import InvalidRequestError, RejectedError
from callout.ports.history import PastPage, PastPlan, PastScope, PastTicket, windows
from callout.ports.ticketing import Comment, Ticket

PAGE: Final = 100
"""More than this a page does not hold once more than ids are asked for."""
READ_AT_ONCE: Final = 20
"""So many are made into tickets before the event loop may do something else."""
_SCOPE: Final = "jira-past"


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a part's next page begins: at `low`, or behind the vendor's `token`, which is good for the same text only."""

    rest: str
    low: datetime | None
    high: datetime | None
    token: str = ""
    at: datetime | None = None
    """The newest creation that was read: where to begin again when the token is refused."""


class Past:
    """Reads one site's issues from the beginning."""

    def __init__(
        self, search: Search, client: JiraClient, metadata: SiteMetadata, comments: Comments
    ) -> None:
        self._search = search
        self._client = client
        self._metadata = metadata
        self._comments = comments

    async def plan(self, scope: PastScope, *, parts: int) -> PastPlan:
        """Return windows of equal length between the oldest and the newest issue."""
        zone = await self._metadata.zone()
        said = [
            f"project in ({', '.join(jql.quoted(p) for p in scope.projects)})" if scope.projects else "",
            f"updated >= {jql.at_least(scope.since, zone)}" if scope.since else "",
            "statusCategory != Done" if scope.open_only else "",
        ]
        rest = " AND ".join(part for part in said if part) or jql.EVERYTHING
        try:
            oldest, newest, total = await asyncio.gather(
                self._end(rest, "ASC"), self._end(rest, "DESC"), self._client.count_jql(rest)
            )
        except RejectedError as error:
            raise InvalidRequestError(
                f"Jira cannot find these tickets: {error.message}",
                fields={"accept": error.message},
                remediation="Look at the projects that the accept rules name.",
            ) from error
        if oldest is None or newest is None:
            return PastPlan((), 0)
        cut = windows(oldest, newest, parts)
        return PastPlan([_cursor(_Position(rest, low, high)) for low, high in cut], total)

    async def _end(self, rest: str, direction: str) -> datetime | None:
        page = await self._client.search_jql(
            f"{rest} ORDER BY created {direction}", fields=["created"], max_results=1
        )
        issues = page.get("issues", [])
        return mapping.moment((issues[0].get("fields") or {}).get("created")) if issues else None

    async def page(self, cursor: str, *, comments: bool) -> PastPage:
        """Return a page. Raises InvalidRequestError."""
        position = _position(cursor)
        zone = await self._metadata.zone()
        bounds = [
            position.rest,
            f"created >= {jql.at_least(position.low, zone)}" if position.low else "",
            f"created < {jql.at_least(position.high, zone)}" if position.high else "",
        ]
        try:
            page = await self._client.search_jql(
                " AND ".join(part for part in bounds if part) + " ORDER BY created ASC, key ASC",
                fields=[*self._search.fields, *(["comment"] if comments else [])],
                max_results=PAGE,
                next_page_token=position.token,
            )
        except RejectedError:
            if not position.token:
                raise
            # Tokens do not live for ever. What is read a second time is known by then.
            return await self.page(
                _cursor(replace(position, low=position.at or position.low, token="")), comments=comments
            )
        issues = page.get("issues", [])
        tickets: list[Ticket] = []
        for issue in issues:
            tickets.append(self._search.to_ticket(issue))
            if len(tickets) % READ_AT_ONCE == 0:
                await asyncio.sleep(0)
        said = await self._said(issues, tickets) if comments else {}
        found = [PastTicket(one, said.get(one.id, ()) if comments else None) for one in tickets]
        following = "" if page.get("isLast") else page.get("nextPageToken") or ""
        if not following:
            return PastPage(found)
        newest = max((one.created_at for one in tickets if one.created_at), default=position.at)
        return PastPage(found, _cursor(replace(position, token=following, at=newest)))

    async def _said(self, issues: list[IssueBean], tickets: list[Ticket]) -> Mapping[str, list[Comment]]:
        """Return the comments by issue. Their properties are asked for where they say who may read, for all of them at once."""
        found = {}
        for issue, ticket in zip(issues, tickets, strict=True):
            fields = issue.get("fields") or {}
            beans = await all_comments(self._client, ticket.id, fields.get("comment") or {})
            found[ticket.id] = (beans, mapping.is_service_desk(fields))
        on_desks = [bean for beans, desk in found.values() if desk for bean in beans]
        told = {str(bean["id"]): bean for bean in await self._comments.with_properties(on_desks)}
        return {
            ticket_id: [
                self._comments.comment(told.get(str(bean["id"]), bean), ticket_id, service_desk=desk)
                for bean in beans
            ]
            for ticket_id, (beans, desk) in found.items()
        }


def _cursor(position: _Position) -> str:
    return encode_cursor(
        {
            "r": position.rest,
            "l": position.low and position.low.isoformat(),
            "h": position.high and position.high.isoformat(),
            "t": position.token,
            "a": position.at and position.at.isoformat(),
        },
        scope=_SCOPE,
    )


def _position(cursor: str) -> _Position:
    try:
        found = decode_cursor(cursor, scope=_SCOPE)
        return _Position(
            str(found["r"]), _moment(found["l"]), _moment(found["h"]), str(found["t"]), _moment(found["a"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequestError(str(error), fields={"cursor": "not valid"}) from error


def _moment(text: Any) -> datetime | None:  # noqa: ANN401  # of a cursor
    return None if text is None else datetime.fromisoformat(text)

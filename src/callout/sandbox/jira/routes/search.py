"""Search: the enhanced `/search/jql`, the removed `/search`, the approximate count."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from callout.sandbox.jira.call import Call, Cursor, answer
from callout.sandbox.jira.errors import InvalidInputError
from callout.sandbox.jira.issue_view import ENVELOPE, chosen_fields, issue_bean, schema_of
from callout.sandbox.jira.jql import UNBOUNDED, Query, compile_query
from callout.sandbox.jira.routing import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from callout.sandbox.jira.model import Issue, Json, JsonObject

ID_PAGE_LIMIT = 5000
RECONCILE_LIMIT = 50
LEGACY_PAGE_LIMIT = 100
KEPT_CURSORS = 256
REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration guideline "
    "is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)


def _asked(call: Call) -> JsonObject:
    """The search parameters of either method, in the shapes of the POST body."""
    if call.request.method == "POST":
        body = call.body()
        expand = body.get("expand") or ""
        # The old search takes a list here, the enhanced one a comma-separated string.
        body["expand"] = expand if isinstance(expand, list) else [part.strip() for part in expand.split(",")]
        return body
    asked: JsonObject = {
        "jql": call.query("jql"),
        "fields": call.queries("fields"),
        "expand": call.queries("expand"),
        "reconcileIssues": [int(ident) for ident in call.queries("reconcileIssues") if ident.isdecimal()],
        "nextPageToken": call.query("nextPageToken") or None,
    }
    for name in ("maxResults", "startAt"):
        if name in call.request.query_params:
            asked[name] = call.number(name, 0)
    return asked


def _visible(call: Call, reconcile: list[int]) -> Iterator[Issue]:
    """What the search may find: the index as far as it has come, fresh copies of the reconciled issues."""
    fresh = {str(ident) for ident in reconcile}
    for issue in call.site.index.entries(as_of=call.desk.as_of(call.request)):
        if issue.id not in fresh and call.site.may_browse(call.user, issue.project_id):
            yield issue
    for ident in fresh:
        found = call.site.issues.get(ident)
        if found is not None and call.site.may_browse(call.user, found.project_id):
            yield found


def _query(call: Call, jql: Json, *, bounded: bool) -> Query:
    if jql is not None and not isinstance(jql, str):
        raise InvalidInputError("The JQL query must be a string.")
    query = compile_query(jql or "", site=call.site, user=call.user)
    if bounded and not query.bounded:
        raise InvalidInputError(UNBOUNDED)
    return query


def enhanced(call: Call) -> Response:
    """`GET|POST /search/jql`: pages by an opaque token, no total."""
    asked = _asked(call)
    reconcile = asked.get("reconcileIssues") or []
    if not isinstance(reconcile, list) or len(reconcile) > RECONCILE_LIMIT:
        raise InvalidInputError(f"At most {RECONCILE_LIMIT} issues can be reconciled.")
    jql, fields = asked.get("jql"), asked.get("fields") or ["id"]
    query = _query(call, jql, bounded=True)
    only_ids = not set(fields) - ENVELOPE
    ceiling = ID_PAGE_LIMIT if only_ids else call.site.settings.page_limit
    wanted = asked.get("maxResults", 50)
    if not isinstance(wanted, int) or wanted < 0:
        raise InvalidInputError("maxResults must be a number of 0 or more.")
    found = _remaining(call, query, asked, reconcile)
    page, rest = found[: min(wanted, ceiling)], found[min(wanted, ceiling) :]
    result: JsonObject = {"issues": [_bean(issue, call, fields, asked["expand"]) for issue in page]}
    last = not rest or not page
    if not last:
        result["nextPageToken"] = _remember(call, Cursor(str(jql), page[-1], rest, call.site.index.version))
    result["isLast"] = last
    for name in ("names", "schema"):
        if name in asked["expand"]:
            result[name] = _explain(name, call, fields)
    return answer(result)


def _remember(call: Call, cursor: Cursor) -> str:
    token = secrets.token_urlsafe(24)
    cursors = call.desk.cursors
    cursors[token] = cursor
    if len(cursors) > KEPT_CURSORS:
        del cursors[next(iter(cursors))]
    return token


def _remaining(call: Call, query: Query, asked: JsonObject, reconcile: list[int]) -> list[Issue]:
    """The result, or what of it lies behind the issue on which the last page ended (even if that is gone by now)."""
    token = asked.get("nextPageToken")
    if token is None:
        return query.run(_visible(call, reconcile))
    cursor = call.desk.cursors.get(str(token))
    if cursor is None or cursor.jql != asked.get("jql"):
        raise InvalidInputError("The provided nextPageToken is invalid or does not belong to this query.")
    if cursor.version == call.site.index.version and call.desk.as_of(call.request) is None:
        return cursor.rest
    found = query.run(_visible(call, reconcile))
    return [issue for issue in found if query.compare(cursor.last, issue) < 0]


def _bean(issue: Issue, call: Call, fields: list[str], expand: list[str]) -> JsonObject:
    if fields == ["id"]:
        return {"id": issue.id}
    return issue_bean(issue, call.view, fields=fields, expand=set(expand) - {"names", "schema"})


def _explain(name: str, call: Call, fields: list[str]) -> JsonObject:
    definitions = [call.site.fields[ident] for ident in sorted(chosen_fields(fields, call.view))]
    if name == "names":
        return {definition.id: definition.name for definition in definitions}
    return {definition.id: schema_of(definition) for definition in definitions}


def legacy(call: Call) -> Response:
    """`GET|POST /search`: gone on live sites; by configuration it still pages with startAt and total."""
    if call.site.settings.legacy_search == "removed":
        # from memory: live sites answer 410 with these words.
        return answer({"errorMessages": [REMOVED], "errors": {}}, 410)
    asked = _asked(call)
    query = _query(call, asked.get("jql"), bounded=False)
    found = query.run(_visible(call, []))
    start, wanted = int(asked.get("startAt", 0)), int(asked.get("maxResults", 50))
    limit = min(wanted, LEGACY_PAGE_LIMIT)
    fields = asked.get("fields") or ["*navigable"]
    result: JsonObject = {
        "expand": "names,schema",
        "startAt": start,
        "maxResults": limit,
        "total": len(found),
        "issues": [_bean(issue, call, fields, asked["expand"]) for issue in found[start : start + limit]],
    }
    for name in ("names", "schema"):
        if name in asked["expand"]:
            result[name] = _explain(name, call, fields)
    return answer(result)


def count(call: Call) -> Response:
    """`POST /search/approximate-count`."""
    query = _query(call, call.body().get("jql"), bounded=True)
    return answer({"count": len(query.run(_visible(call, [])))})


def match(call: Call) -> Response:
    """`POST /jql/match`: which of these issues belong to which of these queries."""
    body = call.body()
    wanted = {str(ident) for ident in body.get("issueIds") or []}
    matches: list[JsonObject] = []
    for jql in body.get("jqls") or []:
        try:
            query = _query(call, jql, bounded=False)
            found = [
                int(issue.id) for issue in _visible(call, []) if issue.id in wanted and query.test(issue)
            ]
            matches.append({"matchedIssues": found, "errors": []})
        except InvalidInputError as error:
            matches.append({"matchedIssues": [], "errors": list(error.messages)})
    return answer({"matches": matches})


ENDPOINTS = (
    Endpoint("GET", "/search/jql", enhanced),
    Endpoint("POST", "/search/jql", enhanced),
    Endpoint("POST", "/search/approximate-count", count),
    Endpoint("GET", "/search", legacy),
    Endpoint("POST", "/search", legacy),
    Endpoint("POST", "/jql/match", match),
)

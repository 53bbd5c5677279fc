"""Comments, watchers, properties and remote links of an issue."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from callout.sandbox.jira import comments
from callout.sandbox.jira.call import Call, answer, nothing
from callout.sandbox.jira.edits import read_comment
from callout.sandbox.jira.errors import InvalidInputError, NotVisibleError, ValueRefusedError
from callout.sandbox.jira.events import SiteEvent
from callout.sandbox.jira.issue_view import render_html
from callout.sandbox.jira.model import RemoteLink
from callout.sandbox.jira.routes.issues import issue_of
from callout.sandbox.jira.routing import WRITE, Endpoint

if TYPE_CHECKING:
    from starlette.responses import Response

    from callout.sandbox.jira.model import Comment, Issue, JsonObject

PROPERTY_KEY_LIMIT = 255


def _bean(call: Call, comment: Comment, issue: Issue) -> JsonObject:
    expand = call.queries("expand")
    bean = call.view.comment(comment, issue)
    if "renderedBody" in expand:
        bean["renderedBody"] = render_html(comment.body)
    if "properties" in expand:
        bean["properties"] = [{"key": key, "value": value} for key, value in comment.properties]
    return bean


def _draft(call: Call) -> JsonObject:
    try:
        return read_comment(call.body(), call.view)
    except ValueRefusedError as error:
        raise InvalidInputError(fields={"comment": str(error)}) from None


def list_comments(call: Call) -> Response:
    """`GET /issue/{issue}/comment`."""
    issue = issue_of(call)
    order = call.query("orderBy", "created")
    if order.lstrip("+- ") != "created":
        raise InvalidInputError("Field names in orderBy can only be 'created'.")
    found = sorted(issue.comments, key=lambda comment: int(comment.id), reverse=order.startswith("-"))
    start, limit = call.number("startAt", 0), min(call.number("maxResults", 100), 100)
    chosen = [_bean(call, comment, issue) for comment in found[start : start + limit]]
    return answer({"startAt": start, "maxResults": limit, "total": len(found), "comments": chosen})


def add(call: Call) -> Response:
    """`POST /issue/{issue}/comment`."""
    issue, draft = issue_of(call), _draft(call)
    if not call.site.settings.internal_by_property:
        draft["properties"].pop("sd.public.comment", None)
    return answer(_bean(call, comments.add_comment(issue, draft, call.view, call.actor), issue), 201)


def get(call: Call) -> Response:
    """`GET /issue/{issue}/comment/{id}`."""
    issue = issue_of(call)
    return answer(_bean(call, comments.find_comment(issue, call.path("id")), issue))


def edit(call: Call) -> Response:
    """`PUT /issue/{issue}/comment/{id}`."""
    issue = issue_of(call)
    comment = comments.find_comment(issue, call.path("id"))
    return answer(
        _bean(call, comments.edit_comment(issue, comment, _draft(call), call.view, call.actor), issue)
    )


def delete(call: Call) -> Response:
    """`DELETE /issue/{issue}/comment/{id}`."""
    issue = issue_of(call)
    comments.delete_comment(issue, comments.find_comment(issue, call.path("id")), call.view, call.actor)
    return nothing()


def by_ids(call: Call) -> Response:
    """`POST /comment/list`."""
    asked = {str(ident) for ident in call.body().get("ids") or []}
    found = [
        _bean(call, comment, issue)
        for issue in call.site.issues.values()
        if call.site.may_browse(call.user, issue.project_id)
        for comment in issue.comments
        if comment.id in asked
    ]
    return answer(call.page(found, start=0, limit=1000))


def _comment_by_id(call: Call) -> tuple[Issue, Comment]:
    for issue in call.site.issues.values():
        if call.site.may_browse(call.user, issue.project_id):
            for comment in issue.comments:
                if comment.id == call.path("id"):
                    return issue, comment
    raise NotVisibleError(f"Can not find a comment for the id: {call.path('id')}.")


def comment_property(call: Call) -> Response:
    """`GET /comment/{id}/properties/{key}`."""
    _, comment = _comment_by_id(call)
    properties = dict(comment.properties)
    if call.path("key") not in properties:
        raise NotVisibleError(f"The property with key {call.path('key')} does not exist.")
    return answer({"key": call.path("key"), "value": properties[call.path("key")]})


def watchers(call: Call) -> Response:
    """`GET /issue/{issue}/watchers`."""
    issue = issue_of(call)
    return answer(
        {
            "self": f"{call.view.rest}/issue/{issue.key}/watchers",
            "isWatching": call.actor.account_id in issue.watchers,
            "watchCount": len(issue.watchers),
            "watchers": [call.view.user(account_id) for account_id in issue.watchers],
        }
    )


def watch(call: Call) -> Response:
    """`POST /issue/{issue}/watchers`: the body is a bare JSON string, or empty for oneself."""
    issue = issue_of(call)
    account_id = call.json() or call.actor.account_id
    if not isinstance(account_id, str) or account_id not in call.site.users:
        raise InvalidInputError("The user specified does not exist.")
    if account_id not in issue.watchers:
        issue.watchers = (*issue.watchers, account_id)
        call.site.record("issue.watch", call.actor, issue, {"watcher": account_id})
    return nothing()


def unwatch(call: Call) -> Response:
    """`DELETE /issue/{issue}/watchers?accountId=`."""
    issue = issue_of(call)
    account_id = call.query("accountId")
    if account_id not in call.site.users:
        raise InvalidInputError("The user specified does not exist.")
    issue.watchers = tuple(other for other in issue.watchers if other != account_id)
    return nothing()


def property_keys(call: Call) -> Response:
    """`GET /issue/{issue}/properties`."""
    issue = issue_of(call)
    base = f"{call.view.rest}/issue/{issue.id}/properties"
    return answer({"keys": [{"self": f"{base}/{key}", "key": key} for key in sorted(issue.properties)]})


def get_property(call: Call) -> Response:
    """`GET /issue/{issue}/properties/{key}`."""
    issue, key = issue_of(call), call.path("key")
    if key not in issue.properties:
        raise NotVisibleError(f"The property {key} does not exist.")
    return answer({"key": key, "value": issue.properties[key]})


def set_property(call: Call) -> Response:
    """`PUT /issue/{issue}/properties/{key}`: 201 when new, 200 when replaced."""
    issue, key = issue_of(call), call.path("key")
    if len(key) > PROPERTY_KEY_LIMIT or not call.raw:
        raise InvalidInputError("The property key or value is not valid.")
    new = key not in issue.properties
    issue.properties[key] = call.json()
    call.site.record("issue.property", call.actor, issue, {"key": key})
    value = issue.properties[key]
    call.site.publish(
        SiteEvent("issue_property_set", call.actor, issue, property_key=key, property_value=value)
    )
    return nothing(201 if new else 200)


def delete_property(call: Call) -> Response:
    """`DELETE /issue/{issue}/properties/{key}`."""
    issue, key = issue_of(call), call.path("key")
    if issue.properties.pop(key, None) is None:
        raise NotVisibleError(f"The property {key} does not exist.")
    call.site.publish(SiteEvent("issue_property_deleted", call.actor, issue, property_key=key))
    return nothing()


def _link_bean(call: Call, issue: Issue, link: RemoteLink) -> JsonObject:
    bean: JsonObject = {"id": link.id, "self": f"{call.view.rest}/issue/{issue.key}/remotelink/{link.id}"}
    return {**bean, **({"globalId": link.global_id} if link.global_id else {}), **link.body}


def remote_links(call: Call) -> Response:
    """`GET /issue/{issue}/remotelink`: all, or the one with `globalId`."""
    issue, wanted = issue_of(call), call.query("globalId")
    found = [link for link in issue.remote_links if not wanted or link.global_id == wanted]
    if wanted and not found:
        raise NotVisibleError(f"Remote issue link with globalId '{wanted}' does not exist.")
    beans = [_link_bean(call, issue, link) for link in found]
    return answer(beans[0] if wanted else beans)


def get_remote_link(call: Call) -> Response:
    """`GET /issue/{issue}/remotelink/{id}`."""
    issue = issue_of(call)
    return answer(_link_bean(call, issue, _find_link(issue, call.path("id"))))


def _find_link(issue: Issue, ident: str) -> RemoteLink:
    for link in issue.remote_links:
        if str(link.id) == ident:
            return link
    raise NotVisibleError(f"Remote issue link with id '{ident}' does not exist.")


def _link_body(call: Call) -> tuple[str | None, JsonObject]:
    body = call.body()
    target = body.get("object")
    if not isinstance(target, dict) or not target.get("title"):
        raise InvalidInputError(fields={"title": "'title' is required."})
    if not urlsplit(str(target.get("url", ""))).scheme:
        raise InvalidInputError(fields={"url": "'url' is required and must be a valid URL."})
    # Fields left out become null: an upsert replaces the whole link.
    known: JsonObject = {key: body[key] for key in ("application", "relationship") if key in body}
    return body.get("globalId"), {**known, "object": target}


def upsert_remote_link(call: Call) -> Response:
    """`POST /issue/{issue}/remotelink`: the same `globalId` replaces (200), a new one adds (201)."""
    issue = issue_of(call)
    global_id, body = _link_body(call)
    same = next((link for link in issue.remote_links if global_id and link.global_id == global_id), None)
    if same is not None:
        link = RemoteLink(same.id, global_id, body)
        issue.remote_links = tuple(link if other is same else other for other in issue.remote_links)
        call.site.record("remotelink.edit", call.actor, issue, {"global_id": global_id})
    else:
        link = RemoteLink(int(call.site.next_id()), global_id, body)
        issue.remote_links = (*issue.remote_links, link)
        call.site.record("remotelink.create", call.actor, issue, {"global_id": global_id})
    bean = {"id": link.id, "self": f"{call.view.rest}/issue/{issue.key}/remotelink/{link.id}"}
    return answer(bean, 201 if same is None else 200)


def replace_remote_link(call: Call) -> Response:
    """`PUT /issue/{issue}/remotelink/{id}`."""
    issue = issue_of(call)
    old = _find_link(issue, call.path("id"))
    global_id, body = _link_body(call)
    link = RemoteLink(old.id, global_id, body)
    issue.remote_links = tuple(link if other is old else other for other in issue.remote_links)
    call.site.record("remotelink.edit", call.actor, issue, {"global_id": global_id})
    return nothing()


def delete_remote_link(call: Call) -> Response:
    """`DELETE /issue/{issue}/remotelink` by `globalId`, or by id."""
    issue = issue_of(call)
    wanted = call.request.path_params.get("id")
    if wanted is None:
        gone = [link for link in issue.remote_links if link.global_id == call.query("globalId")]
        if not gone:
            raise NotVisibleError("Remote issue link does not exist.")
    else:
        gone = [_find_link(issue, str(wanted))]
    issue.remote_links = tuple(link for link in issue.remote_links if link not in gone)
    return nothing()


ENDPOINTS = (
    Endpoint("GET", "/issue/{issue}/comment", list_comments),
    Endpoint("POST", "/issue/{issue}/comment", add, WRITE),
    Endpoint("GET", "/issue/{issue}/comment/{id}", get),
    Endpoint("PUT", "/issue/{issue}/comment/{id}", edit, WRITE),
    Endpoint("DELETE", "/issue/{issue}/comment/{id}", delete, WRITE),
    Endpoint("POST", "/comment/list", by_ids),
    Endpoint("GET", "/comment/{id}/properties/{key}", comment_property),
    Endpoint("GET", "/issue/{issue}/watchers", watchers),
    Endpoint("POST", "/issue/{issue}/watchers", watch, WRITE),
    Endpoint("DELETE", "/issue/{issue}/watchers", unwatch, WRITE),
    Endpoint("GET", "/issue/{issue}/properties", property_keys),
    Endpoint("GET", "/issue/{issue}/properties/{key}", get_property),
    Endpoint("PUT", "/issue/{issue}/properties/{key}", set_property, WRITE),
    Endpoint("DELETE", "/issue/{issue}/properties/{key}", delete_property, WRITE),
    Endpoint("GET", "/issue/{issue}/remotelink", remote_links),
    Endpoint("POST", "/issue/{issue}/remotelink", upsert_remote_link, WRITE),
    Endpoint("DELETE", "/issue/{issue}/remotelink", delete_remote_link, WRITE),
    Endpoint("GET", "/issue/{issue}/remotelink/{id}", get_remote_link),
    Endpoint("PUT", "/issue/{issue}/remotelink/{id}", replace_remote_link, WRITE),
    Endpoint("DELETE", "/issue/{issue}/remotelink/{id}", delete_remote_link, WRITE),
)

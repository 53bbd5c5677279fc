"""Registering webhooks: the administrator's resource, and the one for OAuth apps."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from callout.sandbox.jira.call import Call, answer, nothing
from callout.sandbox.jira.errors import InvalidInputError, NotVisibleError, SiteError
from callout.sandbox.jira.hooks import ADMIN_EVENTS, DYNAMIC_EVENTS, DYNAMIC_LIFE, AdminHook, DynamicHook
from callout.sandbox.jira.jql import compile_query
from callout.sandbox.jira.jql_syntax import Clause, Joined, Node, parse
from callout.sandbox.jira.routing import HOOK, Endpoint

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response

    from callout.sandbox.jira.model import Json, JsonObject

SECTION = "issue-related-events-section"
DYNAMIC_LIMIT = 5  # from memory: registrations per app and user on a site
DYNAMIC_FIELDS = frozenset({"issuekey", "key", "project", "issuetype", "status", "assignee", "reporter"})
DYNAMIC_OPERATORS = frozenset({"=", "!=", "in", "not in"})


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _require_admin(call: Call) -> None:
    if not call.actor.site_admin or call.grant is not None:
        raise SiteError(403, ("You do not have permission to manage webhooks.",))


def _admin_bean(call: Call, hook: AdminHook) -> JsonObject:
    """The registration; the secret is never shown again."""
    return {
        "name": hook.name,
        "description": hook.description,
        "url": hook.url,
        "events": list(hook.events),
        "filters": {SECTION: hook.jql},
        "excludeBody": hook.exclude_body,
        "enabled": hook.enabled,
        "isSigned": bool(hook.secret),
        "self": f"{call.view.base}/rest/webhooks/1.0/webhook/{hook.id}",
        "lastUpdated": hook.updated_ms,
        "lastUpdatedUser": hook.owner.account_id,
        "lastUpdatedDisplayName": hook.owner.display_name,
    }


def _apply(call: Call, hook: AdminHook, body: JsonObject) -> None:
    url, events = body.get("url", hook.url), body.get("events", list(hook.events))
    if not body.get("name", hook.name):
        raise InvalidInputError("The webhook name is required.")
    if urlsplit(str(url)).scheme not in {"http", "https"}:
        raise InvalidInputError("The webhook URL is not valid.")
    if not isinstance(events, list) or not set(events) <= ADMIN_EVENTS:
        raise InvalidInputError(f"Unknown events: {sorted(set(events or ()) - ADMIN_EVENTS)}")
    filters = body.get("filters") or {}
    jql = filters.get(SECTION, hook.jql)
    if jql:
        compile_query(jql, site=call.site, user=call.actor)
    hook.name, hook.url, hook.events, hook.jql = body.get("name", hook.name), str(url), tuple(events), jql
    hook.description = body.get("description", hook.description)
    hook.exclude_body = body.get("excludeBody", hook.exclude_body) is True
    hook.enabled = body.get("enabled", hook.enabled) is True
    hook.secret = body.get("secret", hook.secret) or ""
    hook.updated_ms = _milliseconds(call.site.moment())


def create_admin(call: Call) -> Response:
    """`POST /rest/webhooks/1.0/webhook`."""
    _require_admin(call)
    hooks = call.desk.hooks
    hook = AdminHook(0, "", "", (), "", "", call.actor)
    _apply(call, hook, call.body())
    hook.id = hooks.next_id()
    hooks.admin[hook.id] = hook
    return answer(_admin_bean(call, hook), 201)


def list_admin(call: Call) -> Response:
    """`GET /rest/webhooks/1.0/webhook`."""
    _require_admin(call)
    return answer([_admin_bean(call, hook) for hook in call.desk.hooks.admin.values()])


def _admin_hook(call: Call) -> AdminHook:
    _require_admin(call)
    ident = call.path("id")
    hook = call.desk.hooks.admin.get(int(ident)) if ident.isdecimal() else None
    if hook is None:
        raise NotVisibleError("The webhook does not exist.")
    return hook


def get_admin(call: Call) -> Response:
    """`GET /rest/webhooks/1.0/webhook/{id}`."""
    return answer(_admin_bean(call, _admin_hook(call)))


def edit_admin(call: Call) -> Response:
    """`PUT /rest/webhooks/1.0/webhook/{id}`."""
    hook = _admin_hook(call)
    _apply(call, hook, call.body())
    return answer(_admin_bean(call, hook))


def delete_admin(call: Call) -> Response:
    """`DELETE /rest/webhooks/1.0/webhook/{id}`."""
    del call.desk.hooks.admin[_admin_hook(call).id]
    return nothing()


def _app(call: Call) -> str:
    if call.grant is None:
        # from memory: the words.
        raise SiteError(403, ("Only Connect and OAuth 2.0 apps can use this operation.",))
    return call.grant.client_id


def register(call: Call) -> Response:
    """`POST /webhook`: 200 even when single registrations fail."""
    client_id, body = _app(call), call.body()
    url, asked = body.get("url"), body.get("webhooks")
    if (
        not isinstance(url, str)
        or urlsplit(url).scheme not in {"http", "https"}
        or not isinstance(asked, list)
    ):
        raise InvalidInputError("A valid 'url' and a list of 'webhooks' are required.")
    return answer({"webhookRegistrationResult": [_register(call, client_id, url, item) for item in asked]})


def _register(call: Call, client_id: str, url: str, item: Json) -> JsonObject:
    hooks = call.desk.hooks
    errors = _dynamic_errors(call, item)
    mine = [h for h in hooks.dynamic.values() if h.client_id == client_id and h.owner is call.actor]
    if len(mine) >= DYNAMIC_LIMIT:
        errors.append("You have reached the maximum number of webhooks for this app and user.")
    if errors:
        return {"errors": errors}
    hook = DynamicHook(
        id=hooks.next_id(),
        client_id=client_id,
        url=url,
        events=tuple(item["events"]),
        jql=item["jqlFilter"],
        owner=call.actor,
        expires=call.site.moment() + DYNAMIC_LIFE,
        field_ids=tuple(item.get("fieldIdsFilter") or ()),
        property_keys=tuple(item.get("issuePropertyKeysFilter") or ()),
    )
    hooks.dynamic[hook.id] = hook
    return {"createdWebhookId": hook.id}


def _dynamic_errors(call: Call, item: Json) -> list[str]:
    if not isinstance(item, dict) or not item.get("events") or "jqlFilter" not in item:
        return ["events and jqlFilter are required"]
    if unknown := sorted(set(item["events"]) - DYNAMIC_EVENTS):
        return [f"Unknown event: {name}" for name in unknown]
    try:
        parsed = parse(item["jqlFilter"])
        if parsed.where is not None:
            _refuse_clauses(parsed.where)
        compile_query(item["jqlFilter"], site=call.site, user=call.actor)
    except InvalidInputError as error:
        return list(error.messages)
    return []


def _refuse_clauses(node: Node) -> None:
    """Dynamic webhooks take a small part of JQL only."""
    match node:
        case Clause(field, operator):
            name = field.casefold()
            if name not in DYNAMIC_FIELDS and not name.startswith(("cf[", "issue.property[")):
                raise InvalidInputError(f"Clause {field} is unsupported")
            if operator not in DYNAMIC_OPERATORS:
                raise InvalidInputError(f"Operator {operator} is unsupported")
        case Joined(_, parts):
            for part in parts:
                _refuse_clauses(part)
        case _:
            raise InvalidInputError("NOT is unsupported")


def list_dynamic(call: Call) -> Response:
    """`GET /webhook`: those of the asking app."""
    client_id = _app(call)
    beans = [
        {
            "id": hook.id,
            "url": hook.url,
            "jqlFilter": hook.jql,
            "events": list(hook.events),
            "fieldIdsFilter": list(hook.field_ids),
            "issuePropertyKeysFilter": list(hook.property_keys),
            "expirationDate": _milliseconds(hook.expires),
        }
        for hook in call.desk.hooks.dynamic.values()
        if hook.client_id == client_id and hook.expires > call.site.now()
    ]
    return answer(call.page(beans, start=call.number("startAt", 0), limit=call.number("maxResults", 100)))


def _named(call: Call) -> list[DynamicHook]:
    client_id, wanted = _app(call), call.body().get("webhookIds")
    if not isinstance(wanted, list):
        raise InvalidInputError("webhookIds is required.")
    return [
        hook for hook in call.desk.hooks.dynamic.values() if hook.id in wanted and hook.client_id == client_id
    ]


def refresh(call: Call) -> Response:
    """`PUT /webhook/refresh`: thirty more days."""
    expires = call.site.moment() + DYNAMIC_LIFE
    for hook in _named(call):
        hook.expires = expires
    return answer({"expirationDate": _milliseconds(expires)})


def delete_dynamic(call: Call) -> Response:
    """`DELETE /webhook`: accepted, done at once."""
    for hook in _named(call):
        del call.desk.hooks.dynamic[hook.id]
    return nothing(202)


ADMIN_ENDPOINTS = (
    Endpoint("GET", "/webhook", list_admin, HOOK),
    Endpoint("POST", "/webhook", create_admin, HOOK),
    Endpoint("GET", "/webhook/{id}", get_admin, HOOK),
    Endpoint("PUT", "/webhook/{id}", edit_admin, HOOK),
    Endpoint("DELETE", "/webhook/{id}", delete_admin, HOOK),
)
ENDPOINTS = (
    Endpoint("GET", "/webhook", list_dynamic, HOOK),
    Endpoint("POST", "/webhook", register, HOOK),
    Endpoint("PUT", "/webhook/refresh", refresh, HOOK),
    Endpoint("DELETE", "/webhook", delete_dynamic, HOOK),
)

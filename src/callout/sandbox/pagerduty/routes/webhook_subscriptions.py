"""Webhook subscriptions: list, create, read, change, delete, enable, ping."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from callout.sandbox.pagerduty.call import Call, answer, nothing
from callout.sandbox.pagerduty.errors import InvalidInputError
from callout.sandbox.pagerduty.routing import Endpoint
from callout.sandbox.pagerduty.subscriptions import EVENTS, Subscription, new_secret

if TYPE_CHECKING:
    from starlette.responses import Response

    from callout.sandbox.pagerduty.model import Json, JsonObject

FILTERS = ("account_reference", "service_reference", "team_reference")
ACCEPTED = 202


def subscription_json(call: Call, subscription: Subscription, *, secret: bool = False) -> JsonObject:
    """A subscription; header values are hidden, and the secret too unless it was just made."""
    return {
        "id": subscription.id,
        "type": "webhook_subscription",
        "active": subscription.active,
        "description": subscription.description,
        "events": subscription.events,
        "filter": subscription.filter,
        "delivery_method": {
            "id": subscription.delivery_id,
            "type": "http_delivery_method",
            "url": subscription.url,
            "secret": subscription.secrets[0] if secret else None,
            "temporarily_disabled": call.desk.hooks.is_disabled(subscription),
            "custom_headers": [
                {"name": header["name"], "value": "<redacted>"} for header in subscription.custom_headers
            ],
        },
    }


def _find(call: Call) -> Subscription:
    return call.account.find(call.desk.hooks.subscriptions, call.path())


def _list(call: Call) -> Response:
    kind, ident = call.query("filter_type"), call.query("filter_id")
    found = [
        one
        for one in call.desk.hooks.subscriptions.values()
        if (not kind or one.filter["type"] == f"{kind}_reference")
        and (not ident or one.filter.get("id") == ident)
    ]
    return call.page("webhook_subscriptions", found, lambda one: subscription_json(call, one))


def _events(value: Json) -> list[str]:
    if not isinstance(value, list) or not value or not all(name in EVENTS for name in value):
        raise InvalidInputError("Events must be a list of known event types")  # from memory: the words
    return [str(name) for name in dict.fromkeys(value)]


def _filter(call: Call, value: Json) -> JsonObject:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in FILTERS:
        raise InvalidInputError("Filter type is invalid")  # from memory: the words
    if kind == "account_reference":
        return {"type": kind}
    known: dict[str, Json] = {
        **(call.account.services if kind == "service_reference" else call.account.teams)
    }
    if value.get("id") not in known:
        raise InvalidInputError("Filter id is invalid")  # from memory: the words
    return {"type": kind, "id": value["id"]}


def _custom_headers(value: Json) -> list[JsonObject]:
    headers = [{"name": str(one["name"]), "value": str(one["value"])} for one in value or []]
    if len({header["name"].lower() for header in headers}) != len(headers):
        raise InvalidInputError("Custom header names must be unique")  # from memory: the words
    return headers


def _create(call: Call) -> Response:
    body = call.body("webhook_subscription")
    method = body.get("delivery_method")
    if body.get("type") != "webhook_subscription" or not isinstance(method, dict):
        raise InvalidInputError("Type and delivery method are required")  # from memory: the words
    url = str(method.get("url", ""))
    if urlsplit(url).scheme not in {"http", "https"} or method.get("type") != "http_delivery_method":
        raise InvalidInputError("Delivery method url is invalid")  # from memory: the words
    subscription = Subscription(
        id=call.account.new_id(),
        url=url,
        events=_events(body.get("events")),
        filter=_filter(call, body.get("filter")),
        secrets=[new_secret()],
        delivery_id=call.account.new_id(),
        description=str(body.get("description") or ""),
        active=body.get("active") is not False,
        custom_headers=_custom_headers(method.get("custom_headers")),
    )
    call.desk.hooks.subscriptions[subscription.id] = subscription
    _record(call, "create", subscription)
    # from memory: 201 on the wire. The specification says 200, and callers have to take either.
    return answer({"webhook_subscription": subscription_json(call, subscription, secret=True)})


def _record(call: Call, action: str, subscription: Subscription) -> None:
    facts = {"url": subscription.url, "events": subscription.events, "filter": subscription.filter}
    call.account.record(f"subscription.{action}", call.caller.user, subscription.id, facts)


def _get(call: Call) -> Response:
    return answer({"webhook_subscription": subscription_json(call, _find(call))})


def _change(call: Call) -> Response:
    subscription, body = _find(call), call.body("webhook_subscription")
    method = body.get("delivery_method")
    if isinstance(method, dict) and method.get("url", subscription.url) != subscription.url:
        # from memory: that it is refused; the specification only says that it is not supported.
        raise InvalidInputError("Delivery method cannot be updated")
    if "events" in body:
        subscription.events = _events(body["events"])
    if "filter" in body:
        subscription.filter = _filter(call, body["filter"])
    if "active" in body:
        subscription.active = body["active"] is True
    subscription.description = str(body.get("description", subscription.description) or "")
    _record(call, "update", subscription)
    return answer({"webhook_subscription": subscription_json(call, subscription)})


def _delete(call: Call) -> Response:
    subscription = _find(call)
    del call.desk.hooks.subscriptions[subscription.id]
    _record(call, "delete", subscription)
    return nothing()


def _enable(call: Call) -> Response:
    subscription = _find(call)
    call.desk.hooks.enable(subscription)
    _record(call, "enable", subscription)
    return answer({"webhook_subscription": subscription_json(call, subscription)})


def _ping(call: Call) -> Response:
    subscription = _find(call)
    _record(call, "ping", subscription)
    call.desk.hooks.ping(subscription)
    return answer({}, ACCEPTED)


ENDPOINTS = (
    Endpoint("GET", "/webhook_subscriptions", _list, "webhook_subscriptions"),
    Endpoint("POST", "/webhook_subscriptions", _create, "webhook_subscriptions"),
    Endpoint("GET", "/webhook_subscriptions/{id}", _get, "webhook_subscriptions"),
    Endpoint("PUT", "/webhook_subscriptions/{id}", _change, "webhook_subscriptions"),
    Endpoint("DELETE", "/webhook_subscriptions/{id}", _delete, "webhook_subscriptions"),
    Endpoint("POST", "/webhook_subscriptions/{id}/enable", _enable, "webhook_subscriptions"),
    Endpoint("POST", "/webhook_subscriptions/{id}/ping", _ping, "webhook_subscriptions"),
)

"""Services and their integrations."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from callout.sandbox.pagerduty import reading
from callout.sandbox.pagerduty.call import Call, answer, nothing
from callout.sandbox.pagerduty.errors import InvalidInputError, NotFoundError
from callout.sandbox.pagerduty.model import Integration, PagerEvent, Service
from callout.sandbox.pagerduty.routes.directory import in_teams, named
from callout.sandbox.pagerduty.routing import Endpoint

if TYPE_CHECKING:
    from starlette.responses import Response

    from callout.sandbox.pagerduty.model import JsonObject

URGENCIES = ("high", "low", "severity_based")
STATUSES = ("active", "maintenance", "disabled")


def _list(call: Call) -> Response:
    found = [
        one
        for one in named(call, call.account.services.values(), lambda one: one.name)
        if in_teams(call, one)
    ]
    if call.query("name"):
        found = [one for one in found if one.name == call.query("name")]
    if call.query("sort_by").endswith(":desc"):
        found.reverse()
    return call.page("services", found, lambda one: call.view.service(one, call.include))


def _find(call: Call) -> Service:
    return call.account.find(call.account.services, call.path())


def _get(call: Call) -> Response:
    return answer({"service": call.view.service(_find(call), call.include)})


def _take(call: Call, service: Service, body: JsonObject) -> None:
    """Give a service what the body says."""
    if "name" in body:
        name = reading.text(body["name"], "Name")
        if any(one.name == name and one is not service for one in call.account.services.values()):
            raise InvalidInputError("Name has already been taken")  # from memory: the words
        service.name = name
    if "escalation_policy" in body:
        service.escalation_policy = reading.referred(
            call.account.policies, body["escalation_policy"], "Escalation policy"
        )
    if "status" in body:
        if body["status"] not in STATUSES:
            raise InvalidInputError("Status is not valid")  # from memory: the words
        service.status = body["status"]
    rule = body.get("incident_urgency_rule")
    if isinstance(rule, dict):
        if rule.get("urgency") not in URGENCIES:
            raise InvalidInputError("Incident urgency rule is not valid")  # from memory: the words
        service.urgency = rule["urgency"]
    service.description = str(body.get("description", service.description) or "")
    service.alert_creation = str(body.get("alert_creation", service.alert_creation))
    service.acknowledgement_timeout = body.get("acknowledgement_timeout", service.acknowledgement_timeout)
    service.auto_resolve_timeout = body.get("auto_resolve_timeout", service.auto_resolve_timeout)


def _done(call: Call, service: Service, action: str) -> None:
    call.audit(action, service)
    call.account.record(f"service.{action}", call.caller.user, service.id, {"name": service.name})
    call.account.publish(PagerEvent(f"service.{action}d", call.caller.user, service, "service"))


def _create(call: Call) -> Response:
    body = call.body("service")
    if body.get("type") != "service":
        raise InvalidInputError("Type must be service")  # from memory: the words
    policy = reading.referred(call.account.policies, body.get("escalation_policy"), "Escalation policy")
    service = Service(call.account.new_id(), "", policy, call.account.moment())
    _take(call, service, {**body, "name": body.get("name")})
    call.account.services[service.id] = service
    _done(call, service, "create")
    return answer({"service": call.view.service(service)}, 201)


def _change(call: Call) -> Response:
    service = _find(call)
    _take(call, service, call.body("service"))
    _done(call, service, "update")
    return answer({"service": call.view.service(service)})


def _delete(call: Call) -> Response:
    service = _find(call)
    # from memory: that a service with open incidents cannot be deleted, and the words.
    if call.account.open_incidents(service):
        raise InvalidInputError("Service has open incidents")
    del call.account.services[service.id]
    _done(call, service, "delete")
    return nothing()


def _add_integration(call: Call) -> Response:
    service, body = _find(call), call.body("integration")
    name = reading.text(body.get("name") or "Events API v2", "Name")
    made = Integration(call.account.new_id(), name, service, secrets.token_hex(16), call.account.moment())
    service.integrations.append(made)
    call.account.record("integration.create", call.caller.user, made.id, {"service": service.id})
    return answer({"integration": call.view.whole(made)}, 201)


def _integration(call: Call) -> Response:
    for integration in _find(call).integrations:
        if integration.id == call.path("integration_id"):
            return answer({"integration": call.view.whole(integration)})
    raise NotFoundError


ENDPOINTS = (
    Endpoint("GET", "/services", _list, "services"),
    Endpoint("POST", "/services", _create, "services"),
    Endpoint("GET", "/services/{id}", _get, "services"),
    Endpoint("PUT", "/services/{id}", _change, "services"),
    Endpoint("DELETE", "/services/{id}", _delete, "services"),
    Endpoint("POST", "/services/{id}/integrations", _add_integration, "services"),
    Endpoint("GET", "/services/{id}/integrations/{integration_id}", _integration, "services"),
)

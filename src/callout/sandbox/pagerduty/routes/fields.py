"""Types of incidents, custom fields and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.pagerduty import parts
from callout.sandbox.pagerduty.call import Call, answer
from callout.sandbox.pagerduty.errors import InvalidInputError, NotFoundError
from callout.sandbox.pagerduty.incident_view import custom_field_json, field_values, incident_type_json
from callout.sandbox.pagerduty.routing import Endpoint
from callout.sandbox.pagerduty.seed import BORN

if TYPE_CHECKING:
    from starlette.responses import Response

    from callout.sandbox.pagerduty.model import IncidentType, Json


def _field_values(call: Call) -> Response:
    return answer({"custom_fields": field_values(call.account.incident(call.path()), call.view)})


def _set_field_values(call: Call) -> Response:
    incident = call.account.incident(call.path())
    given = call.json().get("custom_fields")
    if not isinstance(given, list):
        raise InvalidInputError("Custom fields must be a list")  # from memory: the words
    values: dict[str, Json] = {}
    for item in given:
        if not isinstance(item, dict):
            raise InvalidInputError("Custom field must be an object")  # from memory: the words
        wanted = {item.get("id"), item.get("name")}
        field = next(
            (one for one in call.account.custom_fields.values() if wanted & {one.id, one.name}), None
        )
        if field is None:
            raise InvalidInputError("Custom field not found")  # from memory: the words
        value = item.get("value")
        if field.options and value is not None and value not in field.options:
            raise InvalidInputError(
                f"{field.display_name} must be one of its options"
            )  # from memory: the words
        values[field.id] = value
    # from memory: that the service stands for whoever it was when no From header says it.
    parts.set_field_values(call.account, incident, call.agent_if_said or incident.service, values)
    # The specification says 201 for this PUT.
    return answer({"custom_fields": field_values(incident, call.view)}, 201)


def _type(call: Call) -> IncidentType:
    for kind in call.account.incident_types.values():
        if call.path() in {kind.id, kind.name}:
            return kind
    raise NotFoundError


def _made(call: Call) -> str:
    return call.view.stamp(BORN) or ""


def _types(call: Call) -> Response:
    kinds = call.account.incident_types.values()
    return answer({"incident_types": [incident_type_json(kind, _made(call)) for kind in kinds]})


def _one_type(call: Call) -> Response:
    return answer({"incident_type": incident_type_json(_type(call), _made(call))})


def _type_fields(call: Call) -> Response:
    kind, made = _type(call), _made(call)
    fields = call.account.custom_fields.values()
    return answer({"fields": [custom_field_json(one, kind, call.view, made, call.include) for one in fields]})


ENDPOINTS = (
    Endpoint("GET", "/incidents/types", _types, "incident_types"),
    Endpoint("GET", "/incidents/types/{id}", _one_type, "incident_types"),
    Endpoint("GET", "/incidents/types/{id}/custom_fields", _type_fields, "custom_fields"),
    Endpoint("GET", "/incidents/{id}/custom_fields/values", _field_values, "incidents"),
    Endpoint("PUT", "/incidents/{id}/custom_fields/values", _set_field_values, "incidents"),
)

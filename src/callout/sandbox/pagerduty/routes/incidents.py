"""Incidents: list, create, read, change one or many, merge, snooze."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from callout.sandbox.pagerduty import incidents, reading, states
from callout.sandbox.pagerduty.call import Call, answer
from callout.sandbox.pagerduty.errors import ArgumentsError, InvalidInputError, PagerDutyError, RefusedError
from callout.sandbox.pagerduty.incident_view import incident_json
from callout.sandbox.pagerduty.routing import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from callout.sandbox.pagerduty.model import Incident

MANY = 250
DEFAULT_RANGE, LONGEST_RANGE = timedelta(days=31), timedelta(days=184)
SORTABLE = frozenset({"incident_number", "created_at", "resolved_at", "urgency"})
MOST_SORTS = 2


def _list(call: Call) -> Response:
    fits = _filter(call)
    found = [incident for incident in _in_range(call) if fits(incident)]
    for name, descending in reversed(_sorts(call)):
        # Incidents without the value, such as those not resolved, come last either way.
        values = {one.id: _sort_value(one, name) for one in found}
        present = [(value, one) for one in found if (value := values[one.id]) is not None]
        absent = [one for one in found if values[one.id] is None]
        present.sort(key=lambda pair: pair[0], reverse=descending)
        found = [one for _, one in present] + absent
    return call.page("incidents", found, lambda one: incident_json(one, call.view, call.include))


def _in_range(call: Call) -> list[Incident]:
    found = list(call.account.incidents.values())
    as_of = call.desk.as_of(call.request)
    if as_of is not None:
        found = [one for one in found if one.created_at <= as_of]
    if call.query("date_range") == "all":
        return found
    since, until = call.since_until(default=DEFAULT_RANGE)
    if until - since > LONGEST_RANGE:
        raise PagerDutyError(400, 2005)
    return [one for one in found if since <= one.created_at < until]


def _filter(call: Call) -> Callable[[Incident], bool]:
    """The filters of the query, read once for however many incidents there are."""
    key = call.query("incident_key") if "incident_key" in call.request.query_params else None
    statuses, urgencies, services, users, teams = (
        frozenset(call.queries(name))
        for name in ("statuses", "urgencies", "service_ids", "user_ids", "team_ids")
    )

    def fits(incident: Incident) -> bool:
        return (
            # An empty key returns all open incidents.
            (key is None or (incident.open if not key else _has_key(incident, key)))
            and (not statuses or incident.status in statuses)
            and (not urgencies or incident.urgency in urgencies)
            and (not services or incident.service.id in services)
            and (not users or any(user.id in users for _, user in incident.assignments))
            and (not teams or any(team.id in teams for team in incident.teams))
        )

    return fits


def _has_key(incident: Incident, key: str) -> bool:
    return incident.key == key or any(alert.key == key for alert in incident.alerts)


def _sorts(call: Call) -> list[tuple[str, bool]]:
    # from memory: the order without sort_by.
    given = [part for value in call.queries("sort_by") for part in value.split(",") if part]
    sorts = []
    for part in given or ["incident_number"]:
        name, _, direction = part.partition(":")
        if name not in SORTABLE or direction not in {"", "asc", "desc"}:
            raise ArgumentsError(f"sort_by {part} is invalid")  # from memory: the words
        sorts.append((name, direction == "desc"))
    if len(sorts) > MOST_SORTS:
        raise ArgumentsError(f"sort_by takes at most {MOST_SORTS} fields")
    return sorts


def _sort_value(incident: Incident, name: str) -> int | float | None:
    if name == "incident_number":
        return incident.number
    if name == "urgency":
        return int(incident.urgency == "high")
    moment = incident.created_at if name == "created_at" else incident.resolved_at
    return moment.timestamp() if moment else None


def _create(call: Call) -> Response:
    agent = call.agent
    draft = reading.draft(call.account, call.body("incident"))
    # from memory: the channel of an incident made by REST.
    channel = {"type": "api", "summary": draft["title"], "details": draft.get("details")}
    incident = incidents.trigger(call.account, agent, draft, channel=channel)
    return answer({"incident": incident_json(incident, call.view)}, 201)


def _get(call: Call) -> Response:
    incident = call.account.incident(call.path())
    return answer({"incident": incident_json(incident, call.view, call.include)})


def _change(call: Call) -> Response:
    agent = call.agent
    incident = call.account.incident(call.path())
    incidents.change(call.account, incident, reading.change(call.account, call.body("incident")), agent)
    return answer({"incident": incident_json(incident, call.view)})


def _change_many(call: Call) -> Response:
    agent = call.agent
    given = call.json().get("incidents")
    if not isinstance(given, list) or not given:
        raise InvalidInputError("Incidents must be a list")  # from memory: the words
    if len(given) > MANY:
        raise PagerDutyError(413, 2002, f"At most {MANY} incidents may be updated at a time")
    work = [
        (call.account.incident(reading.identity(item, "Incident")), reading.change(call.account, item))
        for item in given
    ]
    # from memory: that one which cannot be changed keeps all from being changed.
    for incident, asked in work:
        incidents.check(call.account, incident, asked, agent)
    for incident, asked in work:
        incidents.change(call.account, incident, asked, agent)
    return call.page(
        "incidents", [incident for incident, _ in work], lambda one: incident_json(one, call.view)
    )


def _merge(call: Call) -> Response:
    agent = call.agent
    target = call.account.incident(call.path())
    given = call.json().get("source_incidents")
    if not isinstance(given, list) or not given:
        raise InvalidInputError("Source incidents must be a list")  # from memory: the words
    sources = [call.account.incident(reading.identity(item, "Incident")) for item in given]
    incidents.merge(call.account, target, list(dict.fromkeys(sources)), agent)
    return answer({"incident": incident_json(target, call.view)})


def _snooze(call: Call) -> Response:
    agent = call.agent
    incident = call.account.incident(call.path())
    seconds = call.json().get("duration")
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise RefusedError(1013)
    states.snooze(call.account, incident, seconds, agent)
    return answer({"incident": incident_json(incident, call.view)}, 201)


ENDPOINTS = (
    Endpoint("GET", "/incidents", _list, "incidents"),
    Endpoint("POST", "/incidents", _create, "incidents"),
    Endpoint("PUT", "/incidents", _change_many, "incidents"),
    Endpoint("GET", "/incidents/{id}", _get, "incidents"),
    Endpoint("PUT", "/incidents/{id}", _change, "incidents"),
    Endpoint("PUT", "/incidents/{id}/merge", _merge, "incidents"),
    Endpoint("POST", "/incidents/{id}/snooze", _snooze, "incidents"),
)

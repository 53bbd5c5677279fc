"""What hangs on incidents: notes, alerts, log entries, status updates, responders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.pagerduty import parts, reading, states
from callout.sandbox.pagerduty.call import Call, answer, nothing
from callout.sandbox.pagerduty.errors import InvalidInputError, NotFoundError, PagerDutyError
from callout.sandbox.pagerduty.incident_view import (
    alert_json,
    log_entry_json,
    note_json,
    responder_json,
)
from callout.sandbox.pagerduty.routing import Endpoint

if TYPE_CHECKING:
    from starlette.responses import Response

    from callout.sandbox.pagerduty.model import (
        Alert,
        EscalationPolicy,
        Incident,
        JsonObject,
        LogEntry,
        Note,
        User,
    )

MANY = 250


def _incident(call: Call) -> Incident:
    return call.account.incident(call.path())


def _notes(call: Call) -> Response:
    return answer({"notes": [note_json(note, call.view) for note in _incident(call).notes]})


def _add_note(call: Call) -> Response:
    agent = call.agent
    content = reading.text(call.body("note").get("content"), "Content")
    return answer(
        {"note": note_json(parts.add_note(call.account, _incident(call), agent, content), call.view)}
    )


def _note(call: Call, incident: Incident) -> Note:
    for note in incident.notes:
        if note.id == call.path("note_id"):
            return note
    raise NotFoundError


def _edit_note(call: Call) -> Response:
    agent, incident = call.agent, _incident(call)
    note = _note(call, incident)
    content = reading.text(call.body("note").get("content"), "Content")
    parts.edit_note(call.account, incident, note, agent, content)
    return answer({"note": note_json(note, call.view)})


def _delete_note(call: Call) -> Response:
    incident = _incident(call)
    parts.delete_note(call.account, incident, _note(call, incident), call.agent_if_said)
    return nothing()


def _status_update(call: Call) -> Response:
    agent, incident = call.agent, _incident(call)
    body = call.json()
    message = reading.text(body.get("message"), "Message")
    if ("subject" in body) != ("html_message" in body):
        raise InvalidInputError("Subject and html message go together")  # from memory: the words
    ident = parts.publish_status(call.account, incident, agent, message)
    shown: JsonObject = {
        "id": ident,
        "message": message,
        "sender": call.view.reference(agent),
        "created_at": call.view.stamp(call.account.moment()),
    }
    shown.update((key, body[key]) for key in ("subject", "html_message") if key in body)
    return answer({"status_update": shown})


def _responder_request(call: Call) -> Response:
    incident, body = _incident(call), call.json()
    given = body.get("responder_request_targets")
    if not isinstance(given, list) or not given:
        raise InvalidInputError("Responder request targets must be a list")  # from memory: the words
    requester = call.account.users.get(str(body.get("requester_id"))) or call.agent
    message = str(body.get("message", ""))
    targets = [_target(call, item) for item in given]
    groups = parts.request_responders(call.account, incident, requester, message, targets)
    shown = [
        {
            "responder_request_target": {
                "type": item["responder_request_target"]["type"],
                "id": target.id,
                "summary": target.name,
                "incidents_responders": [responder_json(one, incident, call.view) for one in group],
            }
        }
        for item, target, group in zip(given, targets, groups, strict=True)
    ]
    request = {
        "incident": call.view.reference(incident),
        "requester": call.view.reference(requester),
        "requested_at": call.view.stamp(call.account.moment()),
        "message": message,
        "responder_request_targets": shown,
    }
    return answer({"responder_request": request})


def _target(call: Call, item: object) -> User | EscalationPolicy:
    inner = item.get("responder_request_target") if isinstance(item, dict) else None
    kind = inner.get("type", "") if isinstance(inner, dict) else ""
    if kind.startswith("user"):
        return reading.referred(call.account.users, inner, "User")
    if kind.startswith("escalation_policy"):
        return reading.referred(call.account.policies, inner, "Escalation policy")
    raise InvalidInputError("Responder request target must be a user or an escalation policy")


def _log_of(call: Call, entries: list[LogEntry]) -> Response:
    since, until, as_of = call.time("since"), call.time("until"), call.desk.as_of(call.request)
    teams = set(call.queries("team_ids"))
    found = [
        entry
        for entry in reversed(entries)
        if (since is None or entry.created_at >= since)
        and (until is None or entry.created_at <= until)
        and (as_of is None or entry.created_at <= as_of)
        and (not call.flag("is_overview") or entry.overview)
        and (not teams or teams & {team.id for team in entry.incident.teams})
    ]
    return call.page("log_entries", found, lambda one: log_entry_json(one, call.view, call.include))


def _log(call: Call) -> Response:
    return _log_of(call, call.account.log)


def _incident_log(call: Call) -> Response:
    return _log_of(call, _incident(call).log)


def _log_entry(call: Call) -> Response:
    for entry in call.account.log:
        if entry.id == call.path():
            return answer({"log_entry": log_entry_json(entry, call.view, call.include)})
    raise NotFoundError


def _alerts(call: Call) -> Response:
    statuses = call.queries("statuses")
    found = [
        alert
        for alert in _incident(call).alerts
        if (not statuses or alert.status in statuses) and call.query("alert_key", alert.key) == alert.key
    ]
    return call.page("alerts", found, lambda one: alert_json(one, call.view, call.include))


def _find_alert(incident: Incident, ident: str) -> Alert:
    for alert in incident.alerts:
        if alert.id == ident:
            return alert
    raise NotFoundError


def _alert(call: Call) -> Response:
    return answer(
        {"alert": alert_json(_find_alert(_incident(call), call.path("alert_id")), call.view, call.include)}
    )


def _change_alert(call: Call, alert: Alert, asked: object, agent: User) -> None:
    if not isinstance(asked, dict):
        raise InvalidInputError("Alert must be an object")  # from memory: the words
    before = alert.incident
    if "incident" in asked:
        target = reading.referred(call.account.incidents, asked["incident"], "Incident")
        before.alerts.remove(alert)
        target.alerts.append(alert)
        alert.incident = target
    if asked.get("status") == "resolved":
        states.resolve_alert(call.account, alert)
    call.account.record(
        "alert.update", agent, alert.id, {"incident": alert.incident.id, "status": alert.status}
    )


def _change_one_alert(call: Call) -> Response:
    agent = call.agent
    alert = _find_alert(_incident(call), call.path("alert_id"))
    _change_alert(call, alert, call.body("alert"), agent)
    return answer({"alert": alert_json(alert, call.view)})


def _change_alerts(call: Call) -> Response:
    agent, incident = call.agent, _incident(call)
    given = call.json().get("alerts")
    if not isinstance(given, list):
        raise InvalidInputError("Alerts must be a list")  # from memory: the words
    if len(given) > MANY:
        raise PagerDutyError(413, 2002, f"At most {MANY} alerts may be updated at a time")
    alerts = [_find_alert(incident, reading.identity(item, "Alert")) for item in given]
    for alert, asked in zip(alerts, given, strict=True):
        _change_alert(call, alert, asked, agent)
    return call.page("alerts", alerts, lambda one: alert_json(one, call.view))


ENDPOINTS = (
    Endpoint("GET", "/incidents/{id}/notes", _notes, "incidents"),
    Endpoint("POST", "/incidents/{id}/notes", _add_note, "incidents"),
    Endpoint("PUT", "/incidents/{id}/notes/{note_id}", _edit_note, "incidents"),
    Endpoint("DELETE", "/incidents/{id}/notes/{note_id}", _delete_note, "incidents"),
    Endpoint("POST", "/incidents/{id}/status_updates", _status_update, "incidents"),
    Endpoint("POST", "/incidents/{id}/responder_requests", _responder_request, "incidents"),
    Endpoint("GET", "/incidents/{id}/log_entries", _incident_log, "incidents"),
    Endpoint("GET", "/incidents/{id}/alerts", _alerts, "incidents"),
    Endpoint("PUT", "/incidents/{id}/alerts", _change_alerts, "incidents"),
    Endpoint("GET", "/incidents/{id}/alerts/{alert_id}", _alert, "incidents"),
    Endpoint("PUT", "/incidents/{id}/alerts/{alert_id}", _change_one_alert, "incidents"),
    Endpoint("GET", "/log_entries", _log, "incidents"),
    Endpoint("GET", "/log_entries/{id}", _log_entry, "incidents"),
)

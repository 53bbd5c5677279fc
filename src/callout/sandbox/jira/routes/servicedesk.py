"""The service desk API: desks, request types, requests, their comments, transitions and clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from callout.sandbox.jira import comments, issues
from callout.sandbox.jira.adf import plain_text
from callout.sandbox.jira.call import Call, answer, nothing, unauthenticated
from callout.sandbox.jira.edits import cannot_set, empty
from callout.sandbox.jira.errors import InvalidInputError, NotVisibleError, SiteError
from callout.sandbox.jira.issue_view import create_fields, field_value, render_html
from callout.sandbox.jira.routing import DESK_READ, DESK_WRITE, Endpoint
from callout.sandbox.jira.seed import BUG, COMMON_SCREEN, INCIDENT, TASK
from callout.sandbox.jira.wiki import from_wiki, to_wiki
from callout.sandbox.jira.workflow import transitions_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from starlette.responses import Response

    from callout.sandbox.jira.model import Comment, Issue, Json, JsonObject, Project


@dataclass(frozen=True, slots=True)
class RequestType:
    """What a customer can ask for: its name, the issue type behind it, the fields of its form and those that must be filled."""

    name: str
    issue_type: str
    form: tuple[str, ...]
    required: frozenset[str] = frozenset({"summary"})


_CUSTOM = tuple(name for name in COMMON_SCREEN if name.startswith("customfield_"))
REQUEST_TYPES = {
    "10": RequestType("Report a system problem", INCIDENT, ("summary", "description", "priority", *_CUSTOM)),
    "11": RequestType("Ask a question", TASK, ("summary", "description", "labels")),
    "12": RequestType(
        "Report broken hardware",
        BUG,
        ("summary", "description", "customfield_10042"),
        frozenset({"summary", "customfield_10042"}),
    ),
}
GOAL = timedelta(hours=4)
_CATEGORIES = {"new": "NEW", "indeterminate": "INDETERMINATE", "done": "DONE"}
_UNAUTHORIZED = 401


def refuse(error: SiteError) -> Response:
    """A refusal in the service desk's own form."""
    if error.status == _UNAUTHORIZED:
        return unauthenticated()
    message = " ".join((*error.messages, *error.fields.values()))
    body = {"errorMessage": message, "i18nErrorMessage": {"i18nKey": "sd.error", "parameters": []}}
    return answer(body, error.status)


def _paged(call: Call, items: Sequence[Json]) -> Response:
    return answer(_page(call, items))


def _page(call: Call, items: Sequence[Json]) -> JsonObject:
    start, limit = call.number("start", 0), min(call.number("limit", 50), 100)
    chosen = list(items[start : start + limit])
    last = start + limit >= len(items)
    links: JsonObject = {"self": str(call.request.url), "base": call.view.base, "context": ""}
    if not last:
        links["next"] = str(call.request.url.include_query_params(start=start + limit, limit=limit))
    return {
        "size": len(chosen),
        "start": start,
        "limit": limit,
        "isLastPage": last,
        "_links": links,
        "values": chosen,
    }


def _date(call: Call, moment: datetime) -> JsonObject:
    local = moment.astimezone(call.site.zone(call.user))
    return {
        "iso8601": f"{local:%Y-%m-%dT%H:%M:%S%z}",
        "jira": call.view.moment(moment),
        "friendly": f"{local:%d/%b/%y %I:%M %p}",
        "epochMillis": int(moment.timestamp() * 1000),
    }


def _user(call: Call, account_id: str) -> JsonObject:
    bean = call.view.user(account_id) or {}
    wanted = ("accountId", "displayName", "active", "timeZone", "emailAddress")
    links = {"jiraRest": f"{call.view.base}/rest/api/2/user?accountId={account_id}"}
    return {**{key: bean[key] for key in wanted if key in bean}, "_links": links}


def _rest(call: Call) -> str:
    return f"{call.view.base}/rest/servicedeskapi"


def _desks(call: Call) -> list[Project]:
    return [p for p in call.site.visible_projects(call.user) if p.type == "service_desk"]


def _desk_bean(call: Call, project: Project) -> JsonObject:
    ident = _desk_id(project)
    return {
        "id": ident,
        "projectId": project.id,
        "projectName": project.name,
        "projectKey": project.key,
        "_links": {"self": f"{_rest(call)}/servicedesk/{ident}"},
    }


def _desk_id(project: Project) -> str:
    """Service desks are numbered by themselves; the first project is number 1 here."""
    return str(int(project.id) - 10001)


def _desk(call: Call, ident: str) -> Project:
    for project in _desks(call):
        if ident in {_desk_id(project), project.key, project.id}:
            return project
    raise NotVisibleError("The service desk you are trying to view does not exist.")


def desks(call: Call) -> Response:
    """`GET /servicedesk`."""
    return _paged(call, [_desk_bean(call, project) for project in _desks(call)])


def desk(call: Call) -> Response:
    """`GET /servicedesk/{desk}`."""
    return answer(_desk_bean(call, _desk(call, call.path("desk"))))


def _type_bean(call: Call, project: Project, ident: str) -> JsonObject:
    kind = REQUEST_TYPES[ident]
    desk_id = _desk_id(project)
    return {
        "id": ident,
        "name": kind.name,
        "description": "",
        "helpText": "",
        "issueTypeId": kind.issue_type,
        "serviceDeskId": desk_id,
        "groupIds": [],
        "_links": {"self": f"{_rest(call)}/servicedesk/{desk_id}/requesttype/{ident}"},
    }


def _require_type(ident: str) -> str:
    if ident not in REQUEST_TYPES:
        raise NotVisibleError("The request type you are trying to access does not exist.")
    return ident


def request_types(call: Call) -> Response:
    """`GET /servicedesk/{desk}/requesttype`."""
    project = _desk(call, call.path("desk"))
    return _paged(call, [_type_bean(call, project, ident) for ident in REQUEST_TYPES])


def request_type(call: Call) -> Response:
    """`GET /servicedesk/{desk}/requesttype/{type}`."""
    project = _desk(call, call.path("desk"))
    return answer(_type_bean(call, project, _require_type(call.path("type"))))


def request_type_fields(call: Call) -> Response:
    """`GET /servicedesk/{desk}/requesttype/{type}/field`."""
    project = _desk(call, call.path("desk"))
    kind = REQUEST_TYPES[_require_type(call.path("type"))]
    metas = create_fields(project, kind.issue_type, call.view)
    fields = [
        {
            "fieldId": name,
            "name": metas[name]["name"],
            "description": "",
            "required": name in kind.required,
            "defaultValues": [],
            "validValues": [
                {"value": choice["id"], "label": choice.get("name") or choice.get("value"), "children": []}
                for choice in metas[name].get("allowedValues", [])
            ],
            "jiraSchema": metas[name]["schema"],
            "visible": True,
        }
        for name in kind.form
    ]
    return answer(
        {"requestTypeFields": fields, "canRaiseOnBehalfOf": True, "canAddRequestParticipants": True}
    )


def _request(call: Call) -> Issue:
    issue = call.site.issue(call.path("request"), call.user)
    typed = issue.request_type is not None or call.site.settings.untyped_requests
    if call.site.project_of(issue).type != "service_desk" or not typed:
        raise NotVisibleError("The request you are trying to access does not exist.")
    return issue


def _require_agent(call: Call) -> None:
    if not call.actor.agent:
        # from memory: the words.
        raise SiteError(403, ("The currently logged in user does not have permission to work as an agent.",))


def _status_bean(call: Call, issue: Issue) -> JsonObject:
    status = call.site.status_of(issue)
    return {
        "status": status.name,
        "statusCategory": _CATEGORIES[status.category.key],
        "statusDate": _date(call, issue.values["statuscategorychangedate"]),
    }


def _expanded(call: Call, issue: Issue) -> JsonObject:
    """What `expand` adds; clocks are for agents alone."""
    project, asked = call.site.project_of(issue), set(call.queries("expand"))
    added: JsonObject = {}
    if "requestType" in asked:
        added["requestType"] = _type_bean(call, project, issue.request_type or "10")
    if "serviceDesk" in asked:
        added["serviceDesk"] = _desk_bean(call, project)
    if "sla" in asked and call.actor.agent:
        added["sla"] = _page(call, [_clock(call, issue)])
    return added


def _bean(call: Call, issue: Issue) -> JsonObject:
    project = call.site.project_of(issue)
    shown = ("summary", "description", "priority")
    return {
        **_expanded(call, issue),
        "_expands": ["participant", "status", "sla", "requestType", "serviceDesk", "comment", "action"],
        "issueId": issue.id,
        "issueKey": issue.key,
        "summary": issue.values["summary"],
        "requestTypeId": issue.request_type or "10",
        "serviceDeskId": _desk_id(project),
        "createdDate": _date(call, issue.created),
        "reporter": _user(call, issue.values["reporter"] or issue.creator),
        "requestFieldValues": [
            {
                "fieldId": name,
                "label": call.site.fields[name].name,
                "value": field_value(name, issue, call.view),
                **(
                    {"renderedValue": {"html": render_html(issue.values.get(name))}}
                    if name == shown[1]
                    else {}
                ),
            }
            for name in shown
        ],
        "currentStatus": _status_bean(call, issue),
        "_links": {
            "self": f"{_rest(call)}/request/{issue.id}",
            "jiraRest": f"{call.view.base}/rest/api/2/issue/{issue.id}",
            "web": f"{call.view.base}/servicedesk/customer/portal/{_desk_id(project)}/{issue.key}",
            "agent": f"{call.view.base}/browse/{issue.key}",
        },
    }


def create(call: Call) -> Response:
    """`POST /request`."""
    body = call.body()
    project = _desk(call, str(body.get("serviceDeskId", "")))
    ident = _require_type(str(body.get("requestTypeId", "")))
    values = body.get("requestFieldValues")
    if not isinstance(values, dict):
        raise InvalidInputError("requestFieldValues is required.")
    kind = REQUEST_TYPES[ident]
    refused = {name: cannot_set(name) for name in values if name not in kind.form}
    missing = {name: f"{name} is required." for name in kind.required if empty(values.get(name))}
    if refused or missing:
        raise InvalidInputError(fields={**refused, **missing})
    fields = {**values, "project": {"id": project.id}, "issuetype": {"id": kind.issue_type}}
    if body.get("raiseOnBehalfOf"):
        _require_agent(call)
        fields["reporter"] = {"accountId": body["raiseOnBehalfOf"]}
    if body.get("isAdfRequest") is True:
        # A service desk speaks wiki text; documents are taken on request only.
        fields["description"] = to_wiki(fields.get("description"))
    issue = issues.create_issue({"fields": fields}, call.view, call.actor)
    issue.request_type = ident
    return answer(_bean(call, issue), 201)


def get(call: Call) -> Response:
    """`GET /request/{request}`."""
    return answer(_bean(call, _request(call)))


def list_requests(call: Call) -> Response:
    """`GET /request`: newest first."""
    desks_seen = {project.id for project in _desks(call)}
    found = [issue for issue in call.site.issues.values() if issue.project_id in desks_seen]
    return _paged(call, [_bean(call, issue) for issue in reversed(found)])


def status_history(call: Call) -> Response:
    """`GET /request/{request}/status`: newest first."""
    issue = _request(call)
    changes = [
        {
            "status": item.to_text,
            "statusCategory": _CATEGORIES[call.site.statuses[item.to_id or ""].category.key],
            "statusDate": _date(call, history.created),
        }
        for history in issue.histories
        for item in history.items
        if item.field_id == "status"
    ]
    first = {"status": "To Do", "statusCategory": "NEW", "statusDate": _date(call, issue.created)}
    return _paged(call, [*reversed(changes), first])


def _comment_bean(call: Call, issue: Issue, comment: Comment) -> JsonObject:
    return {
        "_expands": ["attachment", "renderedBody"],
        "id": comment.id,
        "body": to_wiki(comment.body),
        "public": not comment.internal,
        "author": _user(call, comment.author),
        "created": _date(call, comment.created),
        "_links": {"self": f"{_rest(call)}/request/{issue.id}/comment/{comment.id}"},
    }


def list_comments(call: Call) -> Response:
    """`GET /request/{request}/comment`: by default both public and internal ones."""
    issue = _request(call)
    public, internal = call.flag("public", default=True), call.flag("internal", default=True)
    found = [c for c in issue.comments if (internal if c.internal else public)]
    return _paged(call, [_comment_bean(call, issue, comment) for comment in found])


def add_comment(call: Call) -> Response:
    """`POST /request/{request}/comment`."""
    issue, body = _request(call), call.body()
    text, public = body.get("body"), body.get("public")
    if not isinstance(public, bool):
        raise InvalidInputError("public is required.")
    if not public:
        _require_agent(call)
    document = from_wiki(text) if isinstance(text, str) else None
    if document is None or not plain_text(document):
        raise InvalidInputError("Comment body can not be empty!")
    draft = {"body": document, "properties": {"sd.public.comment": {"internal": not public}}}
    comment = comments.add_comment(issue, draft, call.view, call.actor)
    return answer(_comment_bean(call, issue, comment), 201)


def get_comment(call: Call) -> Response:
    """`GET /request/{request}/comment/{id}`."""
    issue = _request(call)
    return answer(_comment_bean(call, issue, comments.find_comment(issue, call.path("id"))))


def transitions(call: Call) -> Response:
    """`GET /request/{request}/transition`: the customer's transitions."""
    found = transitions_of(call.site, _request(call))
    return _paged(call, [{"id": transition.id, "name": transition.name} for transition in found])


def transition(call: Call) -> Response:
    """`POST /request/{request}/transition`."""
    issue, body = _request(call), call.body()
    comment = (body.get("additionalComment") or {}).get("body")
    update = {"comment": [{"add": {"body": comment}}]} if comment else {}
    asked = {"transition": {"id": str(body.get("id", ""))}, "update": update}
    issues.transition_issue(issue, asked, call.view, call.actor)
    return nothing()


def clocks(call: Call) -> Response:
    """`GET /request/{request}/sla`."""
    _require_agent(call)
    return _paged(call, [_clock(call, _request(call))])


def _clock(call: Call, issue: Issue) -> JsonObject:
    """The one clock: from creation to resolution."""
    stopped = issue.values["resolutiondate"]
    end, due = stopped or call.site.moment(), issue.created + GOAL
    cycle = {
        "startTime": _date(call, issue.created),
        "breachTime": _date(call, due),
        "breached": end > due,
        "goalDuration": _duration(GOAL),
        "elapsedTime": _duration(end - issue.created),
        "remainingTime": _duration(due - end),
    }
    clock: JsonObject = {
        "id": "1",
        "name": "Time to resolution",
        "_links": {"self": f"{_rest(call)}/request/{issue.id}/sla/1"},
        "completedCycles": [{**cycle, "stopTime": _date(call, stopped)}] if stopped else [],
    }
    if stopped is None:
        clock["ongoingCycle"] = {**cycle, "paused": False, "withinCalendarHours": True}
    return clock


def _duration(span: timedelta) -> JsonObject:
    minutes = int(span.total_seconds() // 60)
    return {"millis": int(span.total_seconds() * 1000), "friendly": f"{minutes // 60}h {minutes % 60}m"}


ENDPOINTS = (
    Endpoint("GET", "/servicedesk", desks, DESK_READ),
    Endpoint("GET", "/servicedesk/{desk}", desk, DESK_READ),
    Endpoint("GET", "/servicedesk/{desk}/requesttype", request_types, DESK_READ),
    Endpoint("GET", "/servicedesk/{desk}/requesttype/{type}", request_type, DESK_READ),
    Endpoint("GET", "/servicedesk/{desk}/requesttype/{type}/field", request_type_fields, DESK_READ),
    Endpoint("GET", "/request", list_requests, DESK_READ),
    Endpoint("POST", "/request", create, DESK_WRITE),
    Endpoint("GET", "/request/{request}", get, DESK_READ),
    Endpoint("GET", "/request/{request}/status", status_history, DESK_READ),
    Endpoint("GET", "/request/{request}/comment", list_comments, DESK_READ),
    Endpoint("POST", "/request/{request}/comment", add_comment, DESK_WRITE),
    Endpoint("GET", "/request/{request}/comment/{id}", get_comment, DESK_READ),
    Endpoint("GET", "/request/{request}/transition", transitions, DESK_READ),
    Endpoint("POST", "/request/{request}/transition", transition, DESK_WRITE),
    Endpoint("GET", "/request/{request}/sla", clocks, DESK_READ),
)

"""`/issue`: create, read, edit, delete, bulk, transitions, changelog, metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.jira import issues
from callout.sandbox.jira.call import Call, answer, nothing
from callout.sandbox.jira.errors import ISSUE_NOT_VISIBLE, InvalidInputError, SiteError
from callout.sandbox.jira.issue_view import create_fields, edit_fields, issue_bean, transition_bean
from callout.sandbox.jira.routing import WRITE, Endpoint
from callout.sandbox.jira.workflow import transitions_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from callout.sandbox.jira.model import Issue, JsonObject, Project

BULK_CREATE_LIMIT = 50
BULK_FETCH_LIMIT = 100
CREATE_META_LIMIT = 200


def issue_of(call: Call) -> Issue:
    """The issue named in the path."""
    return call.site.issue(call.path("issue"), call.user)


def _created(call: Call, issue: Issue) -> JsonObject:
    return {"id": issue.id, "key": issue.key, "self": f"{call.view.rest}/issue/{issue.id}"}


def create(call: Call) -> Response:
    """`POST /issue`."""
    return answer(_created(call, issues.create_issue(call.body(), call.view, call.actor)), 201)


def create_bulk(call: Call) -> Response:
    """`POST /issue/bulk`: up to 50, each on its own."""
    updates = call.body().get("issueUpdates")
    if not isinstance(updates, list) or not updates:
        raise InvalidInputError("No issue updates were provided.")
    if len(updates) > BULK_CREATE_LIMIT:
        raise InvalidInputError(f"The maximum number of issues that can be created is {BULK_CREATE_LIMIT}.")
    created, errors = list[object](), list[object]()
    for number, update in enumerate(updates):
        try:
            created.append(_created(call, issues.create_issue(update, call.view, call.actor)))
        except SiteError as error:
            collection = {"errorMessages": list(error.messages), "errors": error.fields}
            errors.append({"status": 400, "elementErrors": collection, "failedElementNumber": number})
    return answer({"issues": created, "errors": errors}, 201 if created else 400)


def get(call: Call) -> Response:
    """`GET /issue/{issue}`."""
    fields = call.queries("fields") or ["*all"]
    return answer(issue_bean(issue_of(call), call.view, fields=fields, expand=call.queries("expand")))


def edit(call: Call) -> Response:
    """`PUT /issue/{issue}`."""
    issue = issue_of(call)
    issues.edit_issue(issue, call.body(), call.view, call.actor)
    if call.flag("returnIssue"):
        return answer(issue_bean(issue, call.view, expand=call.queries("expand")))
    return nothing()


def delete(call: Call) -> Response:
    """`DELETE /issue/{issue}`."""
    issues.delete_issue(issue_of(call), call.view, call.actor, with_subtasks=call.flag("deleteSubtasks"))
    return nothing()


def bulk_fetch(call: Call) -> Response:
    """`POST /issue/bulkfetch`: up to 100, in the order asked; what cannot be seen is an error entry."""
    body = call.body()
    asked = body.get("issueIdsOrKeys")
    if not isinstance(asked, list) or not 0 < len(asked) <= BULK_FETCH_LIMIT:
        raise InvalidInputError(f"issueIdsOrKeys must hold between 1 and {BULK_FETCH_LIMIT} issues.")
    found: dict[str, Issue] = {}
    missing: list[str] = []
    for name in asked:
        try:
            issue = call.site.issue(str(name), call.user)
            found[issue.id] = issue
        except SiteError:
            missing.append(str(name))
    fields, expand = body.get("fields") or ["*navigable"], body.get("expand") or []
    beans = [issue_bean(issue, call.view, fields=fields, expand=expand) for issue in found.values()]
    errors = [{"id": name, "errorMessage": ISSUE_NOT_VISIBLE} for name in missing]
    return answer({"issues": beans, "issueErrors": errors})


def edit_meta(call: Call) -> Response:
    """`GET /issue/{issue}/editmeta`."""
    return answer({"fields": edit_fields(issue_of(call), call.view)})


def changelog(call: Call) -> Response:
    """`GET /issue/{issue}/changelog`: oldest first."""
    histories = [call.view.history(history) for history in issue_of(call).histories]
    limit = min(call.number("maxResults", 100), 100)
    return answer(call.page(histories, start=call.number("startAt", 0), limit=limit))


def transitions(call: Call) -> Response:
    """`GET /issue/{issue}/transitions`."""
    issue = issue_of(call)
    wanted, with_fields = call.query("transitionId"), "transitions.fields" in call.queries("expand")
    return answer(
        {
            "expand": "transitions",
            "transitions": [
                transition_bean(transition, issue, call.view, with_fields=with_fields)
                for transition in transitions_of(call.site, issue)
                if not wanted or transition.id == wanted
            ],
        }
    )


def transition(call: Call) -> Response:
    """`POST /issue/{issue}/transitions`."""
    issues.transition_issue(issue_of(call), call.body(), call.view, call.actor)
    return nothing()


def _meta_type(call: Call, project: Project, issue_type_id: str, *, with_fields: bool) -> JsonObject:
    bean: JsonObject = {
        **call.view.issue_type(call.site.issue_types[issue_type_id]),
        "expand": "fields",
    }
    if with_fields:
        bean["fields"] = create_fields(project, issue_type_id, call.view)
    return bean


def _short_project(call: Call, project: Project) -> JsonObject:
    bean = call.view.project(project)
    return {key: bean[key] for key in ("self", "id", "key", "name", "avatarUrls")}


def create_meta(call: Call) -> Response:
    """`GET /issue/createmeta`: the old form, everything at once."""
    keys, ids, types = call.queries("projectKeys"), call.queries("projectIds"), call.queries("issuetypeIds")
    names = call.queries("issuetypeNames")
    with_fields = "projects.issuetypes.fields" in call.query("expand")
    projects = [
        {
            "expand": "issuetypes",
            **_short_project(call, project),
            "issuetypes": [
                _meta_type(call, project, ident, with_fields=with_fields)
                for ident in project.issue_types
                if (not types or ident in types) and (not names or call.site.issue_types[ident].name in names)
            ],
        }
        for project in call.site.visible_projects(call.user)
        if (not keys and not ids) or project.key in keys or project.id in ids
    ]
    return answer({"expand": "projects", "projects": projects})


def create_meta_types(call: Call) -> Response:
    """`GET /issue/createmeta/{project}/issuetypes`."""
    project = call.site.project(call.path("project"), call.user)
    start, limit = call.number("startAt", 0), min(call.number("maxResults", 50), CREATE_META_LIMIT)
    types = [call.view.issue_type(call.site.issue_types[ident]) for ident in project.issue_types]
    chosen = types[start : start + limit]
    return answer({"startAt": start, "maxResults": limit, "total": len(types), "issueTypes": chosen})


def create_meta_fields(call: Call) -> Response:
    """`GET /issue/createmeta/{project}/issuetypes/{type}`."""
    project = call.site.project(call.path("project"), call.user)
    if call.path("type") not in project.issue_types:
        raise SiteError(404, ("Issue type was not found in the project.",))
    start, limit = call.number("startAt", 0), min(call.number("maxResults", 50), CREATE_META_LIMIT)
    fields = [
        {**meta, "fieldId": name}
        for name, meta in create_fields(project, call.path("type"), call.view).items()
    ]
    chosen = fields[start : start + limit]
    return answer({"startAt": start, "maxResults": limit, "total": len(fields), "fields": chosen})


ENDPOINTS = (
    Endpoint("POST", "/issue", create, WRITE),
    Endpoint("POST", "/issue/bulk", create_bulk, WRITE),
    Endpoint("POST", "/issue/bulkfetch", bulk_fetch),
    Endpoint("GET", "/issue/createmeta", create_meta),
    Endpoint("GET", "/issue/createmeta/{project}/issuetypes", create_meta_types),
    Endpoint("GET", "/issue/createmeta/{project}/issuetypes/{type}", create_meta_fields),
    Endpoint("GET", "/issue/{issue}", get),
    Endpoint("PUT", "/issue/{issue}", edit, WRITE),
    Endpoint("DELETE", "/issue/{issue}", delete, WRITE),
    Endpoint("GET", "/issue/{issue}/editmeta", edit_meta),
    Endpoint("GET", "/issue/{issue}/changelog", changelog),
    Endpoint("GET", "/issue/{issue}/transitions", transitions),
    Endpoint("POST", "/issue/{issue}/transitions", transition, WRITE),
)

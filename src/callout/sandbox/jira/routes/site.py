"""The site itself: server, accounts, permissions, projects, fields and the lists fields choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.jira.call import Call, answer
from callout.sandbox.jira.errors import InvalidInputError, NotVisibleError
from callout.sandbox.jira.issue_view import schema_of
from callout.sandbox.jira.routing import WHO, Endpoint

if TYPE_CHECKING:
    from starlette.responses import Response

    from callout.sandbox.jira.model import Field, JsonObject, Project, User

VERSION_NUMBERS = (1001, 0, 0)
PERMISSIONS = (
    ("10", "BROWSE_PROJECTS", "Browse Projects"),
    ("11", "CREATE_ISSUES", "Create Issues"),
    ("12", "EDIT_ISSUES", "Edit Issues"),
    ("15", "ADD_COMMENTS", "Add Comments"),
    ("46", "TRANSITION_ISSUES", "Transition Issues"),
    ("19", "CREATE_ATTACHMENTS", "Create Attachments"),
    ("13", "ASSIGN_ISSUES", "Assign Issues"),
    ("16", "DELETE_ISSUES", "Delete Issues"),
    ("0", "ADMINISTER", "Administer Jira"),
    ("-1", "SERVICEDESK_AGENT", "Service Project Agent"),
)
USER_SEARCH_REACH = 1000


def server_info(call: Call) -> Response:
    """`GET /serverInfo`: anybody may ask."""
    return answer(
        {
            "baseUrl": call.view.base,
            "version": "1001.0.0-SNAPSHOT",
            "versionNumbers": list(VERSION_NUMBERS),
            "deploymentType": "Cloud",
            "buildNumber": 100250,
            "buildDate": "2026-01-15T08:00:00.000+0000",
            "serverTime": call.view.moment(call.site.moment()),
            "scmInfo": "0000000000000000000000000000000000000000",
            "serverTitle": "Jira",
            "serverTimeZone": "Etc/UTC",
        }
    )


def myself(call: Call) -> Response:
    """`GET /myself`."""
    bean = call.view.user(call.actor.account_id) or {}
    return answer(
        {
            **bean,
            "locale": call.actor.locale,
            "groups": {"size": 1, "items": []},
            "applicationRoles": {"size": 1, "items": []},
            "expand": "groups,applicationRoles",
        }
    )


def my_permissions(call: Call) -> Response:
    """`GET /mypermissions`."""
    asked, known = call.queries("permissions"), {key for _, key, _ in PERMISSIONS}
    if unknown := sorted(set(asked) - known):
        raise InvalidInputError(f"Unrecognized permission(s): {', '.join(unknown)}")
    named = call.query("projectKey") or call.query("projectId")
    may = call.user is not None
    project = call.site.project(named, call.user) if named else None
    desk = project is None or project.type == "service_desk"

    def has(key: str) -> bool:
        if key == "ADMINISTER":
            return call.actor.site_admin
        return key != "SERVICEDESK_AGENT" or (desk and call.actor.agent)

    return answer(
        {
            "permissions": {
                key: {
                    "id": ident,
                    "key": key,
                    "name": name,
                    "type": "GLOBAL" if key == "ADMINISTER" else "PROJECT",
                    "description": name,
                    "havePermission": may and has(key),
                }
                for ident, key, name in PERMISSIONS
                if not asked or key in asked
            }
        }
    )


def projects(call: Call) -> Response:
    """`GET /project`: a bare array."""
    return answer([call.view.full_project(project) for project in call.site.visible_projects(call.user)])


def search_projects(call: Call) -> Response:
    """`GET /project/search`."""
    query, types = call.query("query").casefold(), call.queries("typeKey")
    keys, ids = call.queries("keys"), call.queries("id")
    found = [
        project
        for project in call.site.visible_projects(call.user)
        if (not query or query in project.key.casefold() or query in project.name.casefold())
        and (not types or project.type in types)
        and (not keys or project.key in keys)
        and (not ids or project.id in ids)
    ]
    if call.query("orderBy") in {"-key", "-name"}:
        found.reverse()
    beans = [_search_bean(call, project) for project in found]
    limit = min(call.number("maxResults", 50), 100)
    return answer(call.page(beans, start=call.number("startAt", 0), limit=limit))


def _search_bean(call: Call, project: Project) -> JsonObject:
    return {
        **call.view.project(project),
        "expand": "description,lead,issueTypes,url,projectKeys,permissions,insight",
        "style": "classic",
        "isPrivate": False,
        "properties": {},
    }


def project(call: Call) -> Response:
    """`GET /project/{project}`."""
    return answer(call.view.full_project(call.site.project(call.path("project"), call.user)))


def project_statuses(call: Call) -> Response:
    """`GET /project/{project}/statuses`: grouped by issue type."""
    found = call.site.project(call.path("project"), call.user)
    used = dict.fromkeys(transition.to_status for transition in found.transitions)
    statuses = [call.view.status(call.site.statuses[ident]) for ident in used]
    return answer(
        [
            {
                "self": f"{call.view.rest}/issuetype/{ident}",
                "id": ident,
                "name": call.site.issue_types[ident].name,
                "subtask": call.site.issue_types[ident].subtask,
                "statuses": statuses,
            }
            for ident in found.issue_types
        ]
    )


def project_components(call: Call) -> Response:
    """`GET /project/{project}/components`."""
    return answer(call.view.full_project(call.site.project(call.path("project"), call.user))["components"])


def project_versions(call: Call) -> Response:
    """`GET /project/{project}/versions`: this site has no versions."""
    call.site.project(call.path("project"), call.user)
    return answer([])


def _field_bean(field: Field) -> JsonObject:
    return {
        "id": field.id,
        "key": field.id,
        "name": field.name,
        "custom": field.custom,
        "orderable": field.settable,
        "navigable": field.id != "comment",
        "searchable": True,
        "clauseNames": list(field.clauses),
        "schema": schema_of(field),
    }


def fields(call: Call) -> Response:
    """`GET /field`: a bare array."""
    return answer([_field_bean(field) for field in call.site.fields.values()])


def search_fields(call: Call) -> Response:
    """`GET /field/search`."""
    types, query, ids = call.queries("type"), call.query("query").casefold(), call.queries("id")
    found = [
        {"id": field.id, "key": field.id, "name": field.name, "schema": schema_of(field), "description": ""}
        for field in call.site.fields.values()
        if (not types or ("custom" if field.custom else "system") in types)
        and query in field.name.casefold()
        and (not ids or field.id in ids)
    ]
    return answer(call.page(found, start=call.number("startAt", 0), limit=call.number("maxResults", 50)))


def field_contexts(call: Call) -> Response:
    """`GET /field/{field}/context`: one global context for each custom field."""
    field = _custom_field(call)
    context = {
        "id": str(field.number + 100),
        "name": f"Default configuration for {field.name}",
        "description": "",
        "isGlobalContext": True,
        "isAnyIssueType": True,
    }
    return answer(call.page([context], start=call.number("startAt", 0), limit=call.number("maxResults", 50)))


def field_options(call: Call) -> Response:
    """`GET /field/{field}/context/{context}/option`."""
    options = [{"id": o.id, "value": o.value, "disabled": False} for o in _custom_field(call).options]
    return answer(call.page(options, start=call.number("startAt", 0), limit=call.number("maxResults", 100)))


def _custom_field(call: Call) -> Field:
    field = call.site.fields.get(call.path("field"))
    if field is None or not field.custom:
        raise NotVisibleError("The custom field was not found.")
    return field


def priorities(call: Call) -> Response:
    """`GET /priority`: a bare array."""
    return answer([_priority(call, ident) for ident in call.site.priorities])


def _priority(call: Call, ident: str) -> JsonObject:
    found = call.site.priorities.get(ident)
    if found is None:
        raise NotVisibleError(f"The priority with id '{ident}' does not exist")
    bean = call.view.priority(found)
    return {**bean, "description": found.description, "statusColor": found.color}


def priority(call: Call) -> Response:
    """`GET /priority/{id}`."""
    return answer(_priority(call, call.path("id")))


def search_priorities(call: Call) -> Response:
    """`GET /priority/search`."""
    wanted = call.queries("id")
    found = [
        {**_priority(call, ident), "isDefault": ident == "3"}
        for ident in call.site.priorities
        if not wanted or ident in wanted
    ]
    return answer(call.page(found, start=call.number("startAt", 0), limit=call.number("maxResults", 50)))


def statuses(call: Call) -> Response:
    """`GET /status`: a bare array."""
    return answer([call.view.status(status) for status in call.site.statuses.values()])


def status(call: Call) -> Response:
    """`GET /status/{id}`, by id or name."""
    wanted = call.path("id")
    for known in call.site.statuses.values():
        if wanted in {known.id, known.name}:
            return answer(call.view.status(known))
    raise NotVisibleError(f"The status with id '{wanted}' does not exist")


def search_statuses(call: Call) -> Response:
    """`GET /statuses/search`."""
    names = {"new": "TODO", "indeterminate": "IN_PROGRESS", "done": "DONE"}
    found = [
        {
            "id": item.id,
            "name": item.name,
            "description": "",
            "statusCategory": names[item.category.key],
            "scope": {"type": "GLOBAL"},
        }
        for item in call.site.statuses.values()
        if call.query("searchString").casefold() in item.name.casefold()
    ]
    return answer(call.page(found, start=call.number("startAt", 0), limit=call.number("maxResults", 200)))


def status_categories(call: Call) -> Response:
    """`GET /statuscategory`."""
    found = {status.category.id: status.category for status in call.site.statuses.values()}
    return answer([call.view.category(category) for category in found.values()])


def issue_types(call: Call) -> Response:
    """`GET /issuetype`: a bare array."""
    return answer([call.view.issue_type(issue_type) for issue_type in call.site.issue_types.values()])


def issue_type(call: Call) -> Response:
    """`GET /issuetype/{id}`."""
    found = call.site.issue_types.get(call.path("id"))
    if found is None:
        raise NotVisibleError(f"The issue type with id '{call.path('id')}' does not exist")
    return answer(call.view.issue_type(found))


def resolutions(call: Call) -> Response:
    """`GET /resolution`: a bare array."""
    return answer([call.view.resolution(resolution) for resolution in call.site.resolutions.values()])


def resolution(call: Call) -> Response:
    """`GET /resolution/{id}`."""
    found = call.site.resolutions.get(call.path("id"))
    if found is None:
        raise NotVisibleError(f"The resolution with id '{call.path('id')}' does not exist")
    return answer(call.view.resolution(found))


def search_resolutions(call: Call) -> Response:
    """`GET /resolution/search`."""
    found = [call.view.resolution(item) for item in call.site.resolutions.values()]
    return answer(call.page(found, start=call.number("startAt", 0), limit=call.number("maxResults", 50)))


def user(call: Call) -> Response:
    """`GET /user?accountId=`."""
    wanted = call.query("accountId")
    if not wanted:
        raise InvalidInputError("The query parameter 'accountId' is required.")
    bean = call.view.user(wanted)
    if bean is None:
        raise NotVisibleError("Specified user does not exist or you do not have required permissions")
    return answer(bean)


def _matches(found: User, query: str, call: Call) -> bool:
    """Prefix of any word of the name, or of a visible mail address."""
    query = query.casefold()
    words = [found.display_name.casefold(), *found.display_name.casefold().split()]
    if found.email_visible or found is call.user:
        words.append(found.email.casefold())
    return any(word.startswith(query) for word in words)


def _slice(call: Call, found: list[User]) -> Response:
    start, limit = call.number("startAt", 0), min(call.number("maxResults", 50), 1000)
    end = min(start + limit, USER_SEARCH_REACH)
    return answer([call.view.user(item.account_id) for item in found[start:end]])


def search_users(call: Call) -> Response:
    """`GET /user/search`: a bare array of active accounts."""
    if not {"query", "accountId", "property"} & set(call.request.query_params):
        raise InvalidInputError("Either query, accountId or property must be specified.")
    wanted = call.query("accountId")
    return _slice(
        call,
        [
            item
            for item in call.site.users.values()
            if item.active
            and (item.account_id == wanted if wanted else _matches(item, call.query("query"), call))
        ],
    )


def assignable_users(call: Call) -> Response:
    """`GET /user/assignable/search`: by `project` or `issueKey`."""
    if named := call.query("issueKey") or call.query("issueId"):
        found = call.site.project_of(call.site.issue(named, call.user))
    elif named := call.query("project"):
        found = call.site.project(named, call.user)
    else:
        raise InvalidInputError("Either 'project' or 'issueKey' must be specified.")
    query, wanted = call.query("query"), call.query("accountId")
    return _slice(
        call,
        [
            item
            for item in call.site.users.values()
            if call.site.assignable(item, found)
            and (not wanted or item.account_id == wanted)
            and _matches(item, query, call)
        ],
    )


def bulk_users(call: Call) -> Response:
    """`GET /user/bulk?accountId=&accountId=`."""
    wanted = call.request.query_params.getlist("accountId")
    if not wanted:
        raise InvalidInputError("At least one accountId must be specified.")
    found = [call.view.user(ident) for ident in wanted if ident in call.site.users]
    return answer(call.page(found, start=call.number("startAt", 0), limit=call.number("maxResults", 10)))


def labels(call: Call) -> Response:
    """`GET /label`: every label in use."""
    used = sorted({label for issue in call.site.issues.values() for label in issue.values["labels"]})
    return answer(call.page(used, start=call.number("startAt", 0), limit=call.number("maxResults", 1000)))


def application_links(_: Call) -> Response:
    """`GET /listApplicationlinks`, outside the platform API: this site is linked to no other product."""
    return answer({"list": []})


APPLICATION_LINKS = (Endpoint("GET", "/listApplicationlinks", application_links),)
ENDPOINTS = (
    Endpoint("GET", "/serverInfo", server_info, anonymous=True),
    Endpoint("GET", "/myself", myself, WHO),
    Endpoint("GET", "/mypermissions", my_permissions, anonymous=True),
    Endpoint("GET", "/project", projects, anonymous=True),
    Endpoint("GET", "/project/search", search_projects, anonymous=True),
    Endpoint("GET", "/project/{project}", project),
    Endpoint("GET", "/project/{project}/statuses", project_statuses),
    Endpoint("GET", "/project/{project}/components", project_components),
    Endpoint("GET", "/project/{project}/versions", project_versions),
    Endpoint("GET", "/field", fields, anonymous=True),
    Endpoint("GET", "/field/search", search_fields),
    Endpoint("GET", "/field/{field}/context", field_contexts),
    Endpoint("GET", "/field/{field}/context/{context}/option", field_options),
    Endpoint("GET", "/priority", priorities),
    Endpoint("GET", "/priority/search", search_priorities),
    Endpoint("GET", "/priority/{id}", priority),
    Endpoint("GET", "/status", statuses),
    Endpoint("GET", "/status/{id}", status),
    Endpoint("GET", "/statuses/search", search_statuses),
    Endpoint("GET", "/statuscategory", status_categories),
    Endpoint("GET", "/issuetype", issue_types),
    Endpoint("GET", "/issuetype/{id}", issue_type),
    Endpoint("GET", "/resolution", resolutions),
    Endpoint("GET", "/resolution/search", search_resolutions),
    Endpoint("GET", "/resolution/{id}", resolution),
    Endpoint("GET", "/user", user, WHO),
    Endpoint("GET", "/user/search", search_users, WHO),
    Endpoint("GET", "/user/assignable/search", assignable_users, WHO),
    Endpoint("GET", "/user/bulk", bulk_users, WHO),
    Endpoint("GET", "/label", labels),
)

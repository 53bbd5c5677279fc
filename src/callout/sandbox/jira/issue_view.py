"""An issue on the wire: which fields, and the expansions a caller may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.jira.adf import plain_text
from callout.sandbox.jira.beans import View, reduced_issue
from callout.sandbox.jira.kinds import kind_of
from callout.sandbox.jira.workflow import transitions_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from callout.sandbox.jira.model import Field, Issue, Json, JsonObject, Project, Transition

NOT_NAVIGABLE = frozenset({"comment"})
# Part of the envelope, not of `fields`.
ENVELOPE = frozenset({"id", "key", "issuekey"})
EXPANDABLE = "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations"


def chosen_fields(asked: Sequence[str], view: View) -> set[str]:
    """The field ids a `fields` parameter selects: names, `*all`, `*navigable`, and `-name` to leave out."""
    known = set(view.site.fields) - ENVELOPE
    chosen: set[str] = set()
    if not asked or all(name.startswith("-") for name in asked):
        chosen = set(known)
    for name in asked:
        if name == "*all":
            chosen |= known
        elif name == "*navigable":
            chosen |= known - NOT_NAVIGABLE
        elif name.startswith("-"):
            chosen.discard(name[1:])
        else:
            chosen |= {ident for ident in known if name in {ident, view.site.fields[ident].name}}
    return chosen


def issue_bean(
    issue: Issue, view: View, *, fields: Sequence[str] = ("*all",), expand: Collection[str] = ()
) -> JsonObject:
    """An issue as REST answers it."""
    bean: JsonObject = {
        "expand": EXPANDABLE,
        "id": issue.id,
        "self": f"{view.rest}/issue/{issue.id}",
        "key": issue.key,
    }
    chosen = chosen_fields(fields, view)
    if chosen:
        bean["fields"] = {field_id: field_value(field_id, issue, view) for field_id in sorted(chosen)}
    if "renderedFields" in expand:
        bean["renderedFields"] = _rendered(issue, view, chosen)
    if "names" in expand:
        bean["names"] = {field_id: view.site.fields[field_id].name for field_id in sorted(chosen)}
    if "schema" in expand:
        bean["schema"] = {field_id: schema_of(view.site.fields[field_id]) for field_id in sorted(chosen)}
    if "transitions" in expand:
        bean["transitions"] = [
            transition_bean(transition, issue, view, with_fields=False)
            for transition in transitions_of(view.site, issue)
        ]
    if "editmeta" in expand:
        bean["editmeta"] = {"fields": edit_fields(issue, view)}
    if "changelog" in expand:
        # Newest first here, while the changelog resource itself is oldest first.
        histories = [view.history(history) for history in reversed(issue.histories)]
        bean["changelog"] = {
            "startAt": 0,
            "maxResults": len(histories),
            "total": len(histories),
            "histories": histories,
        }
    return bean


def field_value(field_id: str, issue: Issue, view: View) -> Json:  # noqa: C901, PLR0911 - a table of fields
    """One field's value on the wire."""
    site = view.site
    match field_id:
        case "project":
            return view.project(site.project_of(issue))
        case "creator":
            return view.user(issue.creator)
        case "created":
            return view.moment(issue.created)
        case "updated":
            return view.moment(issue.updated)
        case "resolutiondate" | "statuscategorychangedate":
            moment = issue.values.get(field_id)
            return None if moment is None else view.moment(moment)
        case "statusCategory":
            return view.category(site.status_of(issue).category)
        case "comment":
            return _comments(issue, view)
        case "attachment":
            return [view.attachment(attachment) for attachment in issue.attachments]
        case "watches":
            return {
                "self": f"{view.rest}/issue/{issue.key}/watchers",
                "watchCount": len(issue.watchers),
                "isWatching": view.viewer is not None and view.viewer.account_id in issue.watchers,
            }
        case "subtasks":
            return [reduced_issue(subtask, view) for subtask in site.subtasks(issue)]
        case "issuelinks":
            return []
        case _:
            definition = site.fields[field_id]
            return kind_of(definition).show(issue.values.get(field_id), view, definition)


def _comments(issue: Issue, view: View) -> JsonObject:
    return {
        "comments": [view.comment(comment, issue) for comment in issue.comments],
        "self": f"{view.rest}/issue/{issue.id}/comment",
        "maxResults": len(issue.comments),
        "total": len(issue.comments),
        "startAt": 0,
    }


def _rendered(issue: Issue, view: View, chosen: Iterable[str]) -> JsonObject:
    rendered: JsonObject = dict.fromkeys(sorted(chosen))
    for field_id in rendered:
        if view.site.fields[field_id].kind == "story":
            rendered[field_id] = render_html(issue.values.get(field_id))
    return rendered


def render_html(document: JsonObject | None) -> str:
    """A document as simple HTML, one paragraph per line."""
    lines = plain_text(document).split("\n")
    escaped = (line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in lines if line)
    return "\n".join(f"<p>{line}</p>" for line in escaped)


def schema_of(field: Field) -> JsonObject:
    """The JSON type of a field."""
    schema = dict(kind_of(field).schema)
    if field.custom:
        return {**schema, "custom": field.custom_type, "customId": field.number}
    return {**schema, "system": field.id}


def field_meta(field: Field, project: Project, view: View, *, required: bool) -> JsonObject:
    """A field in create, edit and transition metadata."""
    kind = kind_of(field)
    meta: JsonObject = {
        "required": required,
        "schema": schema_of(field),
        "name": field.name,
        "key": field.id,
        "hasDefaultValue": False,
        "operations": list(kind.operations),
    }
    if field.id == "project":
        meta["allowedValues"] = [view.project(project)]
        meta["operations"] = ["set"]
    elif (choices := kind.choices(view, project, field)) is not None:
        meta["allowedValues"] = choices
    if field.id == "priority":
        meta["hasDefaultValue"] = True
        meta["defaultValue"] = view.priority(view.site.priorities["3"])
    if kind.schema["type"] == "user":
        meta["autoCompleteUrl"] = f"{view.rest}/user/assignable/search?project={project.key}&query="
    return meta


def create_fields(project: Project, issue_type_id: str, view: View) -> dict[str, JsonObject]:
    """The create screen of an issue type, by field id."""
    required = {"summary", "project", "issuetype", *project.required}
    if view.site.issue_types[issue_type_id].subtask:
        required.add("parent")
    return {
        name: field_meta(view.site.fields[name], project, view, required=name in required)
        for name in project.screen
    }


def edit_fields(issue: Issue, view: View) -> dict[str, JsonObject]:
    """The edit screen of an issue, by field id."""
    project = view.site.project_of(issue)
    names = [name for name in project.screen if name not in {"project", "attachment"}]
    required = {"summary", "issuetype", *project.required}
    metas = {
        name: field_meta(view.site.fields[name], project, view, required=name in required) for name in names
    }
    comment = {
        "required": False,
        "schema": {"type": "comments-page", "system": "comment"},
        "name": "Comment",
        "key": "comment",
        "operations": ["add", "edit", "remove"],
    }
    return {**metas, "comment": comment}


def transition_bean(transition: Transition, issue: Issue, view: View, *, with_fields: bool) -> JsonObject:
    """An available transition, with its screen when asked for."""
    site = view.site
    bean: JsonObject = {
        "id": transition.id,
        "name": transition.name,
        "to": view.status(site.statuses[transition.to_status]),
        "hasScreen": bool(transition.screen),
        "isGlobal": not transition.sources,
        "isInitial": False,
        "isAvailable": True,
        "isConditional": False,
        "isLooped": False,
    }
    if with_fields:
        project = site.project_of(issue)
        bean["fields"] = {
            name: field_meta(site.fields[name], project, view, required=name in transition.required)
            for name in transition.screen
        }
    return bean

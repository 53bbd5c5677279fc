"""Changing issues: create, edit, transition, delete, move. Each change is stored, recorded and announced once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.jira import comments
from callout.sandbox.jira.edits import Edit, cannot_set, read_edit, refuse_missing
from callout.sandbox.jira.errors import InvalidInputError, NotVisibleError, SiteError
from callout.sandbox.jira.events import SiteEvent
from callout.sandbox.jira.kinds import kind_of
from callout.sandbox.jira.model import ChangeItem, History, Issue, JsonObject, Project
from callout.sandbox.jira.seed import DONE
from callout.sandbox.jira.workflow import transition_by_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.sandbox.jira.beans import View
    from callout.sandbox.jira.model import Json, Transition, User

DEFAULT_PRIORITY = "3"
DEFAULT_RESOLUTION = "10000"
CREATE_ALWAYS = frozenset({"project", "issuetype"})


def create_issue(body: JsonObject, view: View, actor: User) -> Issue:
    """Create an issue from a REST body.

    Raises:
        InvalidInputError: naming every refused field.
    """
    site = view.site
    fields = body.get("fields")
    project = _project_for_create(fields if isinstance(fields, dict) else {}, view)
    rest = {key: value for key, value in (fields or {}).items() if key not in CREATE_ALWAYS}
    issue_type, type_refusal = _issue_type_for_create(fields or {}, view, project)
    try:
        edit = read_edit({**body, "fields": rest}, view, project, screen=project.screen)
        required = {"summary", *project.required}
        refuse_missing(edit.values, required, view)
    except InvalidInputError as error:
        raise InvalidInputError(*error.messages, fields={**error.fields, **type_refusal}) from None
    if type_refusal:
        raise InvalidInputError(fields=type_refusal)
    if site.issue_types[issue_type].subtask and not edit.values.get("parent"):
        raise InvalidInputError(
            fields={"parent": "Issue type is a sub-task but parent issue key or id not specified."}
        )
    now = site.moment()
    project.last_number += 1
    values: JsonObject = {
        "priority": DEFAULT_PRIORITY,
        "reporter": actor.account_id,
        "labels": (),
        "components": (),
        "assignee": None,
        "resolution": None,
        "resolutiondate": None,
        "parent": None,
        "statuscategorychangedate": now,
        **edit.values,
        "issuetype": issue_type,
        "status": project.transitions[0].to_status,
    }
    values["priority"] = values["priority"] or DEFAULT_PRIORITY
    issue = Issue(
        id=site.next_id(),
        key=f"{project.key}-{project.last_number}",
        project_id=project.id,
        creator=actor.account_id,
        created=now,
        updated=now,
        values=values,
        watchers=(actor.account_id,),
        properties=edit.properties,
    )
    site.issues[issue.id] = issue
    site.keys[issue.key] = issue.id
    site.reindex(issue)
    site.record("issue.create", actor, issue, {"fields": sorted(edit.values)})
    site.publish(SiteEvent("jira:issue_created", actor, issue, "issue_created"))
    for draft in edit.comments:
        comments.add_comment(issue, draft, view, actor)
    return issue


def _project_for_create(fields: JsonObject, view: View) -> Project:
    raw = fields.get("project")
    if not isinstance(raw, dict) or not {"id", "key"} & set(raw):
        raise InvalidInputError(fields={"project": "Specify a valid project ID or key"})
    try:
        return view.site.project(str(raw.get("id") or raw.get("key")), view.viewer)
    except NotVisibleError:
        raise InvalidInputError(fields={"project": "Specify a valid project ID or key"}) from None


def _issue_type_for_create(fields: JsonObject, view: View, project: Project) -> tuple[str, dict[str, str]]:
    raw = fields.get("issuetype")
    if raw is None:
        return "", {"issuetype": "Specify an issue type"}
    for ident in project.issue_types:
        known = view.site.issue_types[ident]
        if isinstance(raw, dict) and (str(raw.get("id")) == ident or raw.get("name") == known.name):
            return ident, {}
    return "", {"issuetype": "Specify a valid issue type"}


def edit_issue(issue: Issue, body: JsonObject, view: View, actor: User, *, bulk: bool = False) -> None:
    """Apply a PUT body. A `transition` in it is ignored, as Jira ignores it.

    Raises:
        InvalidInputError: naming every refused field; then nothing was changed.
    """
    site, project = view.site, view.site.project_of(issue)
    screen = tuple(name for name in project.screen if name not in {"project", "attachment"})
    edit = read_edit(body, view, project, screen=screen, issue=issue)
    merged = {**issue.values, **edit.values}
    refuse_missing(merged, {"summary", *(project.required & edit.values.keys())}, view)
    if merged["priority"] is None:
        raise InvalidInputError(fields={"priority": "Priority is required."})
    if edit.values.get("parent") == issue.id:
        raise InvalidInputError(fields={"parent": "An issue cannot be its own parent."})
    issue.properties.update(edit.properties)
    history = apply_values(issue, edit.values, view, actor)
    if history is not None:
        site.reindex(issue)
        changed = [item.field_id for item in history.items]
        site.record("issue.edit", actor, issue, {"fields": changed, "changelog": history.id})
        type_name = "issue_assigned" if changed == ["assignee"] else "issue_updated"
        site.publish(SiteEvent("jira:issue_updated", actor, issue, type_name, history, bulk=bulk))
    for draft in edit.comments:
        comments.add_comment(issue, draft, view, actor)


def apply_values(issue: Issue, values: Mapping[str, Json], view: View, actor: User) -> History | None:
    """Store new values and write the changelog; None when nothing differs, and then `updated` stays."""
    items: list[ChangeItem] = []
    for field_id, new in values.items():
        old = issue.values.get(field_id)
        if old == new or (old in (None, ()) and new in (None, ())):
            continue
        if field_id not in {"resolutiondate", "statuscategorychangedate"}:
            items.append(_change(field_id, old, new, view))
        issue.values[field_id] = new
    if not items:
        return None
    issue.updated = view.site.moment()
    history = History(view.site.next_id(), actor.account_id, issue.updated, tuple(items))
    issue.histories = (*issue.histories, history)
    return history


def _change(field_id: str, old: Json, new: Json, view: View) -> ChangeItem:
    definition = view.site.fields[field_id]
    kind = kind_of(definition)
    return ChangeItem(
        field=definition.name if definition.custom else field_id,
        field_id=field_id,
        fieldtype="custom" if definition.custom else "jira",
        from_id=kind.ident(old),
        from_text=kind.text(old, view, definition),
        to_id=kind.ident(new),
        to_text=kind.text(new, view, definition),
    )


def transition_issue(issue: Issue, body: JsonObject, view: View, actor: User) -> None:
    """Carry out a POST to `transitions`.

    Raises:
        InvalidInputError: no such transition from here, a field that is not on its screen, a required one missing.
    """
    raw = body.get("transition")
    if not isinstance(raw, dict) or "id" not in raw:
        raise InvalidInputError("Missing 'transition' identifier")
    transition = transition_by_id(view.site, issue, str(raw["id"]))
    if transition is None:
        # from memory: the words.
        raise InvalidInputError(
            f"It seems that you have tried to perform a workflow operation ({raw['id']}) that is not valid for the "
            f"current state of this issue {issue.key}. The likely cause is that somebody has changed the issue "
            "recently, please look at the issue history for details."
        )
    _move_along(issue, transition, body, view, actor)


def _move_along(issue: Issue, transition: Transition, body: JsonObject, view: View, actor: User) -> None:
    site = view.site
    edit: Edit = read_edit(body, view, site.project_of(issue), screen=transition.screen, issue=issue)
    refuse_missing(edit.values, transition.required, view)
    values: JsonObject = {
        **edit.values,
        "status": transition.to_status,
        **_resolution(issue, transition, edit, view),
    }
    history = apply_values(issue, values, view, actor)
    if history is not None:
        site.reindex(issue)
        facts = {"transition": transition.id, "status": site.statuses[transition.to_status].name}
        site.record(
            "issue.transition", actor, issue, {**facts, "fields": [i.field_id for i in history.items]}
        )
        site.publish(SiteEvent("jira:issue_updated", actor, issue, "issue_generic", history))
    for draft in edit.comments:
        comments.add_comment(issue, draft, view, actor)


def _resolution(issue: Issue, transition: Transition, edit: Edit, view: View) -> JsonObject:
    """What the post functions do: set a resolution on the way in to Done, clear it on the way out."""
    now = view.site.moment()
    changed: JsonObject = {}
    if view.site.status_of(issue).category != view.site.statuses[transition.to_status].category:
        changed["statuscategorychangedate"] = now
    if transition.to_status == DONE:
        resolution = edit.values.get("resolution") or issue.values["resolution"] or DEFAULT_RESOLUTION
        return {**changed, "resolution": resolution, "resolutiondate": now}
    return {**changed, "resolution": None, "resolutiondate": None}


def delete_issue(issue: Issue, view: View, actor: User, *, with_subtasks: bool) -> None:
    """Delete an issue.

    Raises:
        InvalidInputError: it has sub-tasks and `with_subtasks` is False.
    """
    site = view.site
    subtasks = site.subtasks(issue)
    if subtasks and not with_subtasks:
        raise InvalidInputError(
            f"The issue '{issue.key}' has subtasks.  You must specify the 'deleteSubtasks' parameter to delete this "
            "issue and all its subtasks."
        )
    for gone in (*subtasks, issue):
        site.remove(gone)
        site.record("issue.delete", actor, gone, {})
        site.publish(SiteEvent("jira:issue_deleted", actor, gone, "issue_deleted"))


def move_issue(issue: Issue, project: Project, view: View, actor: User) -> None:
    """Move an issue to another project: same id, new key, still found under the old one.

    Raises:
        SiteError: it is in that project already.
    """
    if project.id == issue.project_id:
        raise SiteError(400, (cannot_set("project"),))
    site, old_project, old_key = view.site, view.site.project_of(issue), issue.key
    project.last_number += 1
    issue.old_keys = (*issue.old_keys, old_key)
    issue.key = f"{project.key}-{project.last_number}"
    issue.project_id = project.id
    issue.values["components"] = ()
    issue.updated = site.moment()
    site.keys[issue.key] = issue.id
    items = (
        ChangeItem("project", "project", "jira", old_project.id, old_project.name, project.id, project.name),
        ChangeItem("Key", "issuekey", "jira", None, old_key, None, issue.key),
    )
    history = History(site.next_id(), actor.account_id, issue.updated, items)
    issue.histories = (*issue.histories, history)
    site.reindex(issue)
    site.record("issue.move", actor, issue, {"from": old_key})
    site.publish(SiteEvent("jira:issue_updated", actor, issue, "issue_moved", history))

"""Reading an issue body (`fields`, `update`, `properties`) into values, with Jira's refusals per field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callout.sandbox.jira.errors import InvalidInputError, ValueRefusedError
from callout.sandbox.jira.kinds import kind_of
from callout.sandbox.jira.model import Json, JsonObject
from callout.sandbox.jira.plain_kinds import Reading, as_list, read_story

if TYPE_CHECKING:
    from collections.abc import Collection

    from callout.sandbox.jira.beans import View
    from callout.sandbox.jira.model import Issue, Project
    from callout.sandbox.jira.plain_kinds import Kind

VERBS = frozenset({"add", "set", "remove", "edit", "copy"})


@dataclass(slots=True)
class Edit:
    """What a body asks for: new values by field id, comments to add, properties to set."""

    values: JsonObject = field(default_factory=dict)
    comments: list[JsonObject] = field(default_factory=list)
    properties: JsonObject = field(default_factory=dict)


def cannot_set(field_id: str) -> str:
    """Jira's words for a field that is not on the screen, or no field at all."""
    return f"Field '{field_id}' cannot be set. It is not on the appropriate screen, or unknown."


def read_edit(
    body: JsonObject, view: View, project: Project, *, screen: Collection[str], issue: Issue | None = None
) -> Edit:
    """Read a create, edit or transition body.

    Args:
        screen: the fields that may be set here; anything else is refused.
        issue: the issue as it stands, to which `add` and `remove` apply; None for a new one.

    Raises:
        InvalidInputError: with one message per refused field.
    """
    fields, updates = _object(body, "fields"), _object(body, "update")
    edit, refused = Edit(), dict[str, str]()
    for field_id in fields.keys() & updates.keys():
        # from memory: the words.
        refused[field_id] = f"Field '{field_id}' cannot appear in both 'fields' and 'update'"
    for field_id, raw in fields.items():
        _take(edit, refused, view, project, screen, field_id, [{"set": raw}], issue)
    for field_id, operations in updates.items():
        if field_id == "comment":
            _take_comments(edit, refused, view, operations)
        else:
            _take(edit, refused, view, project, screen, field_id, operations, issue)
    edit.properties = _properties(body.get("properties"))
    if refused:
        raise InvalidInputError(fields=refused)
    return edit


def _object(body: JsonObject, name: str) -> JsonObject:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInputError(f"Can not deserialize value of '{name}'. It must be an object.")
    return value


def _take(  # noqa: PLR0917 - called from two places just above
    edit: Edit,
    refused: dict[str, str],
    view: View,
    project: Project,
    screen: Collection[str],
    field_id: str,
    operations: Json,
    issue: Issue | None,
) -> None:
    definition = view.site.fields.get(field_id)
    if definition is None or field_id not in screen or not kind_of(definition).operations:
        refused.setdefault(field_id, cannot_set(field_id))
        return
    kind, at = kind_of(definition), Reading(view, project, definition)
    current = edit.values.get(field_id, issue.values.get(field_id) if issue else None)
    try:
        for operation in as_list(operations, "data was not an array"):
            current = _applied(operation, current, kind, at)
    except ValueRefusedError as error:
        refused.setdefault(field_id, str(error))
        return
    edit.values[field_id] = current


def _applied(operation: Json, current: Json, kind: Kind, at: Reading) -> Json:
    """The value after one operation."""
    verb, raw = _operation(operation)
    if verb not in kind.operations:
        raise ValueRefusedError(
            f"Field with id '{at.field.id}' and type '{kind.type_name}' does not support operation '{verb}'"
        )
    if verb == "set":
        return kind.read(raw, at)
    named = kind.read([raw], at)
    kept = [item for item in current or () if item not in named]
    return tuple(sorted([*kept, *named])) if verb == "add" else tuple(kept)


def _operation(operation: Json) -> tuple[str, Json]:
    if not isinstance(operation, dict) or len(operation) != 1:
        raise ValueRefusedError("data was not an object")
    verb, raw = next(iter(operation.items()))
    if verb not in VERBS:
        raise ValueRefusedError(f"Unrecognised operation '{verb}'")
    return verb, raw


def _take_comments(edit: Edit, refused: dict[str, str], view: View, operations: Json) -> None:
    try:
        edit.comments += [
            _added_comment(operation, view) for operation in as_list(operations, "data was not an array")
        ]
    except ValueRefusedError as error:
        refused["comment"] = str(error)


def _added_comment(operation: Json, view: View) -> JsonObject:
    verb, raw = _operation(operation)
    if verb != "add" or not isinstance(raw, dict):
        raise ValueRefusedError("Comments can only be added here.")
    return read_comment(raw, view)


def read_comment(raw: JsonObject, view: View) -> JsonObject:
    """Read a comment body into `{"body": ADF, "visibility": .., "properties": ..}`.

    Raises:
        ValueRefusedError: empty, too long or not a document.
    """
    body = read_story(raw.get("body"), view.version)
    if body is None:
        raise ValueRefusedError("Comment body can not be empty!")
    visibility = raw.get("visibility")
    if visibility is not None and (
        not isinstance(visibility, dict) or visibility.get("type") not in {"role", "group"}
    ):
        raise ValueRefusedError("Specify a valid visibility type: 'role' or 'group'")
    return {"body": body, "visibility": visibility, "properties": _properties(raw.get("properties"))}


def _properties(raw: Json) -> JsonObject:
    if raw is None:
        return {}
    if not isinstance(raw, list) or not all(isinstance(item, dict) and "key" in item for item in raw):
        raise InvalidInputError("Each property needs a 'key' and a 'value'.")
    return {str(item["key"]): item.get("value") for item in raw}


def empty(value: Json) -> bool:
    """Whether a stored value means "nothing there"."""
    return value is None or value in ((), "")


def refuse_missing(values: JsonObject, required: Collection[str], view: View) -> None:
    """Refuse when a required field has no value.

    Raises:
        InvalidInputError: naming each missing field.
    """
    words = {"summary": "You must specify a summary of the issue."}
    missing = {
        field_id: words.get(field_id, f"{view.site.fields[field_id].name} is required.")
        for field_id in required
        if empty(values.get(field_id))
    }
    if missing:
        raise InvalidInputError(fields=missing)

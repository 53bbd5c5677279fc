"""Every kind of field the site has, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.jira import choice_kinds, plain_kinds

if TYPE_CHECKING:
    from callout.sandbox.jira.model import Field
    from callout.sandbox.jira.plain_kinds import Kind

KINDS: dict[str, Kind] = {
    "line": plain_kinds.Line(),
    "story": plain_kinds.Story(),
    "number": plain_kinds.Number(),
    "date": plain_kinds.Day(),
    "datetime": plain_kinds.Instant(),
    "labels": plain_kinds.Labels(),
    "user": plain_kinds.Account(),
    "priority": choice_kinds.Priority(),
    "resolution": choice_kinds.Resolution(),
    "issuetype": choice_kinds.Type(),
    "status": choice_kinds.State(),
    "select": choice_kinds.Select(),
    "multiselect": choice_kinds.ManyOf(choice_kinds.Select(), "option"),
    "components": choice_kinds.ManyOf(choice_kinds.ComponentChoice(), "component"),
    "parent": plain_kinds.Parent(),
    "project": plain_kinds.ReadOnly("project"),
    "instant": plain_kinds.ReadOnly("datetime"),
    "person": plain_kinds.ReadOnly("user"),
    "attachment": plain_kinds.ReadOnly("array", "attachment"),
    "comment": plain_kinds.ReadOnly("comments-page"),
    "links": plain_kinds.ReadOnly("array", "issuelinks"),
    "watches": plain_kinds.ReadOnly("watches"),
    "category": plain_kinds.ReadOnly("statusCategory"),
}


def kind_of(field: Field) -> Kind:
    """The kind that knows a field's values."""
    return KINDS[field.kind]

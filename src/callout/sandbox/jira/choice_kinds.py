"""Field kinds whose values are chosen from a list: priorities, resolutions, options, components and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.jira.errors import ValueRefusedError
from callout.sandbox.jira.plain_kinds import Kind, Reading, as_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callout.sandbox.jira.beans import View
    from callout.sandbox.jira.model import Field, Json, JsonObject, Project


class Choice(Kind):
    """One of a list of things with an id and a name. `what` is Jira's word for them in refusals."""

    what: str = "Option"
    name_key: str = "name"

    def candidates(self, view: View, project: Project, field: Field) -> Sequence[tuple[str, str]]:
        """The (id, name) pairs one may choose from."""
        raise NotImplementedError

    def bean(self, value: str, view: View, field: Field) -> JsonObject:
        """One chosen thing as REST answers it."""
        raise NotImplementedError

    def pick(self, raw: Json, at: Reading) -> str:
        """The id of the thing named by `{"id": ..}` or `{"name": ..}`."""
        if not isinstance(raw, dict) or not {"id", self.name_key} & set(raw):
            raise ValueRefusedError(f"Specify a valid 'id' or '{self.name_key}' for {at.field.name}")
        pairs = self.candidates(at.view, at.project, at.field)
        if "id" in raw:
            for ident, _ in pairs:
                if ident == str(raw["id"]):
                    return ident
            raise ValueRefusedError(f"{self.what} id '{raw['id']}' is not valid")
        for ident, name in pairs:
            if name.casefold() == str(raw[self.name_key]).casefold():
                return ident
        raise ValueRefusedError(f"{self.what} {self.name_key} '{raw[self.name_key]}' is not valid")

    def read(self, raw: Json, at: Reading) -> str | None:
        return None if raw is None else self.pick(raw, at)

    def show(self, value: Json, view: View, field: Field) -> Json:
        return None if value is None else self.bean(value, view, field)

    def ident(self, value: Json) -> str | None:
        return None if value is None else str(value)

    def text(self, value: Json, view: View, field: Field) -> str | None:
        return None if value is None else str(self.bean(value, view, field)[self.name_key])

    def choices(self, view: View, project: Project, field: Field) -> list[JsonObject] | None:
        return [self.bean(ident, view, field) for ident, _ in self.candidates(view, project, field)]


class Priority(Choice):
    """One of the site's priorities."""

    type_name = "priority"
    what = "Priority"

    def candidates(self, view: View, project: Project, field: Field) -> Sequence[tuple[str, str]]:
        return [(item.id, item.name) for item in view.site.priorities.values()]

    def bean(self, value: str, view: View, field: Field) -> JsonObject:
        return view.priority(view.site.priorities[value])


class Resolution(Choice):
    """One of the site's resolutions."""

    type_name = "resolution"
    what = "Resolution"

    def candidates(self, view: View, project: Project, field: Field) -> Sequence[tuple[str, str]]:
        return [(item.id, item.name) for item in view.site.resolutions.values()]

    def bean(self, value: str, view: View, field: Field) -> JsonObject:
        return view.resolution(view.site.resolutions[value])


class Type(Choice):
    """One of the project's issue types."""

    type_name = "issuetype"
    what = "Issue type"

    def candidates(self, view: View, project: Project, field: Field) -> Sequence[tuple[str, str]]:
        return [(ident, view.site.issue_types[ident].name) for ident in project.issue_types]

    def bean(self, value: str, view: View, field: Field) -> JsonObject:
        return view.issue_type(view.site.issue_types[value])

    def pick(self, raw: Json, at: Reading) -> str:
        try:
            return super().pick(raw, at)
        except ValueRefusedError:
            raise ValueRefusedError("Specify a valid issue type") from None


class State(Choice):
    """The workflow status. Never settable as a field."""

    type_name = "status"

    def candidates(self, view: View, project: Project, field: Field) -> Sequence[tuple[str, str]]:
        return [(item.id, item.name) for item in view.site.statuses.values()]

    def bean(self, value: str, view: View, field: Field) -> JsonObject:
        return view.status(view.site.statuses[value])


class Select(Choice):
    """One option of a custom field."""

    type_name = "option"
    name_key = "value"

    def candidates(self, view: View, project: Project, field: Field) -> Sequence[tuple[str, str]]:
        return [(option.id, option.value) for option in field.options]

    def bean(self, value: str, view: View, field: Field) -> JsonObject:
        option = next(option for option in field.options if option.id == value)
        return {"self": f"{view.rest}/customFieldOption/{option.id}", "value": option.value, "id": option.id}


class ManyOf(Kind):
    """Several things of a `Choice` kind."""

    type_name = "array"
    operations = ("add", "set", "remove")
    many = True

    def __init__(self, one: Choice, items: str) -> None:
        self.one = one
        self.items = items

    def read(self, raw: Json, at: Reading) -> tuple[str, ...]:
        chosen = [self.one.pick(item, at) for item in as_list(raw, "data was not an array")]
        return tuple(dict.fromkeys(chosen))

    def show(self, value: Json, view: View, field: Field) -> Json:
        if field.custom and not value:
            return None
        return [self.one.bean(item, view, field) for item in value or ()]

    def ident(self, value: Json) -> str | None:
        return ", ".join(value) if value else None

    def text(self, value: Json, view: View, field: Field) -> str | None:
        return ", ".join(str(self.one.bean(item, view, field)[self.one.name_key]) for item in value or ())

    def choices(self, view: View, project: Project, field: Field) -> list[JsonObject] | None:
        return self.one.choices(view, project, field)


class ComponentChoice(Choice):
    """One of the project's components."""

    what = "Component"

    def candidates(self, view: View, project: Project, field: Field) -> Sequence[tuple[str, str]]:
        return [(component.id, component.name) for component in project.components]

    def bean(self, value: str, view: View, field: Field) -> JsonObject:
        for project in view.site.projects.values():
            for component in project.components:
                if component.id == value:
                    return {"self": f"{view.rest}/component/{value}", "id": value, "name": component.name}
        raise LookupError(value)

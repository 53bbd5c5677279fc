"""Plain field kinds: how a value is read from a request, shown, and described in a changelog.

A stored value is None (or the empty tuple) when the field is empty. References are stored as ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from callout.sandbox.jira import beans
from callout.sandbox.jira.adf import is_document, plain_text
from callout.sandbox.jira.errors import ValueRefusedError
from callout.sandbox.jira.model import STORY_TEXT_LIMIT, SUMMARY_LIMIT, Field, Json, JsonObject, Project
from callout.sandbox.jira.wiki import from_wiki, to_wiki

if TYPE_CHECKING:
    from callout.sandbox.jira.beans import View

_PROJECT_DEFAULT = "-1"


@dataclass(frozen=True, slots=True)
class Reading:
    """The circumstances of reading a value: who asks, for which project, in which representation."""

    view: View
    project: Project
    field: Field


class Kind:
    """A field whose value is stored as it is sent. The base of all kinds."""

    type_name: str = "any"
    items: str | None = None
    operations: tuple[str, ...] = ("set",)
    many: bool = False

    @property
    def schema(self) -> JsonObject:
        """The JSON type, as field definitions show it."""
        return {"type": self.type_name, **({"items": self.items} if self.items else {})}

    def read(self, raw: Json, at: Reading) -> Json:
        """The value to store.

        Raises:
            ValueRefusedError: the value is not acceptable for this field.
        """
        return raw

    def show(self, value: Json, view: View, field: Field) -> Json:
        """The value as REST answers it."""
        return value

    def ident(self, value: Json) -> str | None:
        """The `from`/`to` of a changelog item; None for kinds without ids."""
        return None

    def text(self, value: Json, view: View, field: Field) -> str | None:
        """The `fromString`/`toString` of a changelog item, and the words a text search sees."""
        return None if value is None else str(value)

    def choices(self, view: View, project: Project, field: Field) -> list[JsonObject] | None:
        """`allowedValues` of the metadata, None when anything goes."""
        return None


class Line(Kind):
    """One line of plain text."""

    type_name = "string"

    def read(self, raw: Json, at: Reading) -> str | None:
        if raw is None or raw == "":
            return None
        if not isinstance(raw, str):
            raise ValueRefusedError("Operation value must be a string")
        if at.field.id == "summary":
            if "\n" in raw or "\r" in raw:
                raise ValueRefusedError("The summary is invalid because it contains newline characters.")
            if len(raw) > SUMMARY_LIMIT:
                raise ValueRefusedError("Summary can't exceed 255 characters.")
            return raw.strip() or None
        if len(raw) > SUMMARY_LIMIT:
            raise ValueRefusedError(
                "The entered text is too long. It exceeds the allowed limit of 255 characters."
            )
        return raw


def read_story(raw: Json, version: int) -> JsonObject | None:
    """Rich text from a request: a document in v3, wiki markup in v2.

    Raises:
        ValueRefusedError: wrong type, invalid document or too long.
    """
    if raw is None or raw == "":
        return None
    if version == 2:  # noqa: PLR2004 - the REST version
        if not isinstance(raw, str):
            raise ValueRefusedError("Operation value must be a string")
        _refuse_long(raw)
        return from_wiki(raw)
    if not isinstance(raw, dict) or raw.get("type") != "doc":
        raise ValueRefusedError(
            "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
        )
    if not is_document(raw):
        raise ValueRefusedError("INVALID_INPUT")
    _refuse_long(plain_text(raw))
    return raw if raw["content"] else None


def _refuse_long(text: str) -> None:
    if len(text) > STORY_TEXT_LIMIT:  # from memory: the limit and its words
        raise ValueRefusedError(
            "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
        )


class Story(Kind):
    """Rich text, kept as ADF."""

    type_name = "string"

    def read(self, raw: Json, at: Reading) -> JsonObject | None:
        return read_story(raw, at.view.version)

    def show(self, value: Json, view: View, field: Field) -> Json:
        return view.story(value)

    def text(self, value: Json, view: View, field: Field) -> str | None:
        return to_wiki(value)


class Number(Kind):
    """A number."""

    type_name = "number"

    def read(self, raw: Json, at: Reading) -> float | None:
        if raw is None:
            return None
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            raise ValueRefusedError("Operation value must be a number")
        return float(raw)

    def text(self, value: Json, view: View, field: Field) -> str | None:
        return None if value is None else f"{value:g}"


class Day(Kind):
    """A calendar date."""

    type_name = "date"

    def read(self, raw: Json, at: Reading) -> str | None:
        if raw is None or raw == "":
            return None
        try:
            return date.fromisoformat(raw).isoformat()
        except (TypeError, ValueError):
            raise ValueRefusedError(f"Error parsing date string: {raw}") from None

    def ident(self, value: Json) -> str | None:
        return None if value is None else str(value)


class Instant(Kind):
    """A date with a time, stored as aware UTC."""

    type_name = "datetime"

    def read(self, raw: Json, at: Reading) -> datetime | None:
        if raw is None or raw == "":
            return None
        try:
            moment = datetime.fromisoformat(raw)
        except (TypeError, ValueError):
            moment = None
        if moment is None or moment.tzinfo is None:
            raise ValueRefusedError(f"Error parsing time: {raw}")
        return moment.astimezone(UTC)

    def show(self, value: Json, view: View, field: Field) -> Json:
        return None if value is None else view.moment(value)

    def text(self, value: Json, view: View, field: Field) -> str | None:
        return None if value is None else view.moment(value)


class Labels(Kind):
    """A set of words without spaces."""

    type_name = "array"
    items = "string"
    operations = ("add", "set", "remove")
    many = True

    def read(self, raw: Json, at: Reading) -> tuple[str, ...]:
        for label in as_list(raw, "data was not an array"):
            if not isinstance(label, str):
                raise ValueRefusedError("string expected at index 0")
            if not label or any(mark.isspace() for mark in label):
                raise ValueRefusedError(f"The label '{label}' contains spaces which is invalid.")
            if len(label) > SUMMARY_LIMIT:
                raise ValueRefusedError(f"The label '{label}' exceeds the maximum length of 255 characters.")
        return tuple(sorted(dict.fromkeys(raw or ())))

    def show(self, value: Json, view: View, field: Field) -> Json:
        return list(value or ())

    def text(self, value: Json, view: View, field: Field) -> str | None:
        return " ".join(value or ())


class Account(Kind):
    """A user, by account id."""

    type_name = "user"

    def read(self, raw: Json, at: Reading) -> str | None:
        if raw is None:
            return None
        account_id = self._account_id(raw)
        if at.field.id == "assignee":
            if account_id is None:
                return None
            if account_id == _PROJECT_DEFAULT:
                return None
        user = at.view.site.users.get(account_id or "")
        if user is None:
            raise ValueRefusedError(f"User '{account_id}' does not exist.")
        if at.field.id == "assignee" and not at.view.site.assignable(user, at.project):
            raise ValueRefusedError(f"User '{account_id}' cannot be assigned issues.")
        return user.account_id

    @staticmethod
    def _account_id(raw: Json) -> str | None:
        if not isinstance(raw, dict):
            raise ValueRefusedError("expected Object containing an accountId property")
        if "accountId" in raw:
            account = raw["accountId"]
        elif "id" in raw:
            account = raw["id"]
        else:
            # Names are gone from Jira Cloud; only the account id identifies a person.
            raise ValueRefusedError(
                "'accountId' must be the only user identifying query parameter in GDPR strict mode."
            )
        return None if account is None else str(account)

    def show(self, value: Json, view: View, field: Field) -> Json:
        return view.user(value)

    def ident(self, value: Json) -> str | None:
        return None if value is None else str(value)

    def text(self, value: Json, view: View, field: Field) -> str | None:
        return view.site.users[value].display_name if value else None


class Parent(Kind):
    """The issue this one belongs under."""

    type_name = "issuelink"

    def read(self, raw: Json, at: Reading) -> str | None:
        if raw is None:
            return None
        if not isinstance(raw, dict) or not {"id", "key"} & set(raw):
            raise ValueRefusedError("data was not an object")
        parent = at.view.site.find_issue(str(raw.get("id") or raw["key"]))
        if parent is None or parent.project_id != at.project.id:
            raise ValueRefusedError("Could not find issue by id or key.")
        return parent.id

    def show(self, value: Json, view: View, field: Field) -> Json:
        parent = view.site.issues.get(value or "")
        return None if parent is None else beans.reduced_issue(parent, view)

    def ident(self, value: Json) -> str | None:
        return None if value is None else str(value)

    def text(self, value: Json, view: View, field: Field) -> str | None:
        parent = view.site.issues.get(value or "")
        return None if parent is None else parent.key


class ReadOnly(Kind):
    """A field Jira fills by itself."""

    operations = ()

    def __init__(self, type_name: str, items: str | None = None) -> None:
        self.type_name = type_name
        self.items = items


def as_list(raw: Json, refusal: str) -> list[Json]:
    """`raw` when it is a list, the empty list for None.

    Raises:
        ValueRefusedError: anything else, with `refusal` as its message.
    """
    if raw is None:
        return []
    if not isinstance(raw, list | tuple):
        raise ValueRefusedError(refusal)
    return list(raw)

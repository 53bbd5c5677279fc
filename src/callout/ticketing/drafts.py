"""Requests of the contract as drafts and patches of the port, each value checked before anybody is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from callout.ports.errors import InvalidRequestError
from callout.ports.ticketing import Ticket, TicketDraft, TicketPatch
from callout.ports.values import Person, Priority
from callout.ticketing import json_patch, shapes
from callout.ticketing.errors import InvalidPatchError

LONGEST_TEXT: Final = 200_000
DEEPEST: Final = 20
"""Levels of a custom field's value."""

WRITABLE: Final = frozenset(
    {
        "name",
        "summary",
        "description",
        "priority",
        "status",
        "assignee",
        "creator",
        "contact",
        "parent",
        "tags",
        "due_date",
        "completion_date",
        "issue_type",
        "project",
        "custom_fields",
        "transition_fields",
    }
)
READABLE: Final = frozenset(
    {
        "id",
        "key",
        "url",
        "version",
        "created_at",
        "updated_at",
        "unmapped",
        "attachments",
        "status_category",
        "priority_name",
        "people",
    }
)
NOTE_WRITABLE: Final = frozenset({"title", "content"})
NOTE_READABLE: Final = frozenset({"id", "ticket_id", "creator", "created_at", "updated_at"})
_PEOPLE: Final = frozenset({"creator", "assignee", "contact"})
_MOMENTS: Final = frozenset({"due_date", "completion_date"})
_TEXTS: Final = frozenset({"description", "status", "parent", "issue_type", "project"})


def draft(body: Mapping[str, Any], *, key: str = "") -> TicketDraft:
    """Return the ticket that a CreateTicket asks for; null stands for absent. Raises InvalidRequestError."""
    given = {name: value for name, value in body.items() if value is not None}
    title = given.get("summary") or given.get("name") or ""
    if not isinstance(title, str) or not title.strip():
        raise _bad("/name", "a ticket needs a name")
    values: dict[str, Any] = {}
    for name in (_TEXTS | _PEOPLE | _MOMENTS | {"priority", "tags", "custom_fields"}) & set(given):
        values[name] = value_of(name, given[name], f"/{name}")
    return TicketDraft(
        title=_text(title, "/name"),
        key=key,
        **{name: value for name, value in values.items() if value is not None},
    )


def patch(operations: Sequence[json_patch.Operation], before: Ticket | None) -> TicketPatch:
    """Return what the operations change.

    Args:
        operations: as read, in order.
        before: the ticket as it is, where an operation depends on it: the patch then holds for that state only.

    Raises InvalidPatchError, ConflictError.
    """
    document: dict[str, Any] = {} if before is None else shapes.ticket(before)
    touched = {one.root for one in operations if one.kind != "test"}
    touched |= {one.source[0] for one in operations if one.kind == "move"}
    after = json_patch.apply(operations, document)
    values: dict[str, Any] = {}
    for name in sorted(touched - {"transition_fields", "custom_fields"}):
        try:
            values[name] = value_of(name, after.get(name), f"/{name}")
        except InvalidRequestError as error:
            raise InvalidPatchError(
                error.message, fields=error.fields, remediation=error.remediation or None
            ) from error
    # One title there: what is given as summary is it, else the name.
    names = [values.pop(name) for name in ("name", "summary") if name in values]
    if names:
        values["title"] = names[-1]
    if "custom_fields" in touched:
        values["custom_fields"] = _changed(
            document.get("custom_fields") or {}, _object(after.get("custom_fields"), "/custom_fields")
        )
    moving = _object(after.get("transition_fields"), "/transition_fields")
    return TicketPatch(
        values, transition_fields=moving, expected_version="" if before is None else before.version
    )


def note_patch(
    operations: Sequence[json_patch.Operation], before: Mapping[str, Any]
) -> tuple[str | None, str | None]:
    """Return title and content that a note is to have, None for what stays. Raises InvalidPatchError, ConflictError."""
    after = json_patch.apply(operations, before)
    found: list[str | None] = []
    for name in ("title", "content"):
        value = after.get(name)
        if not isinstance(value, str) or not value.strip():
            raise InvalidPatchError(f"a note needs a {name}", fields={f"/{name}": "cannot be empty"})
        found.append(None if value == before.get(name) else _text(value, f"/{name}"))
    return found[0], found[1]


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    gone = dict.fromkeys(set(before) - set(after))
    return {
        **gone,
        **{name: value for name, value in after.items() if name not in before or before[name] != value},
    }


def value_of(name: str, value: Any, place: str) -> Any:  # noqa: ANN401  # by field
    """Return the port's value of one field; None empties it. Raises InvalidRequestError that names `place`."""
    if name in {"name", "summary"}:
        text = _text(value, place)
        if not text.strip():
            raise _bad(place, "a ticket needs a title")
        return text
    if name in _TEXTS:
        # A number configured as an id is an id all the same.
        return None if value is None else _text(str(value) if type(value) is int else value, place)
    if name in _PEOPLE:
        text = "" if value is None else _text(value, place).strip()
        return Person(text, email=text if "@" in text else "") if text else None
    read = moment if name in _MOMENTS else {"priority": _priority, "tags": _tags}.get(name, _object)
    return read(value, place)


def moment(value: Any, place: str) -> datetime | None:  # noqa: ANN401  # any JSON
    """Return a time; one without a zone is UTC. Raises InvalidRequestError."""
    if value is None or value == "":
        return None
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _bad(place, "that is not a time", "Write RFC 3339, such as 2026-01-31T12:00:00Z.") from None
    return found


def _priority(value: Any, place: str) -> Priority | None:  # noqa: ANN401  # any JSON
    if value is None or value == "":
        return None
    try:
        return Priority(str(value).upper())
    except ValueError:
        raise _bad(
            place, f"{str(value)[:40]!r} is not a priority", f"Use one of {', '.join(Priority)}."
        ) from None


def _tags(value: Any, place: str) -> tuple[str, ...]:  # noqa: ANN401  # any JSON
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise _bad(place, "tags are a list of texts")
    return tuple(dict.fromkeys(_text(one, f"{place}/{number}") for number, one in enumerate(value)))


def _object(value: Any, place: str) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _bad(place, "that is not an object of fields by name")
    for name, one in value.items():
        if _depth(one) > DEEPEST:
            raise _bad(
                f"{place}/{name}",
                f"the value is nested more than {DEEPEST} levels deep",
                "Send a flatter value, or a text that holds the JSON.",
            )
    return dict(value)


def _depth(value: Any) -> int:  # noqa: ANN401  # any JSON
    deepest, waiting = 0, [(value, 0)]
    while waiting:
        one, level = waiting.pop()
        deepest = max(deepest, level)
        if level > DEEPEST:
            break
        if isinstance(one, dict):
            waiting.extend((part, level + 1) for part in one.values())
        elif isinstance(one, list):
            waiting.extend((part, level + 1) for part in one)
    return deepest


def _text(value: Any, place: str) -> str:  # noqa: ANN401  # any JSON
    if not isinstance(value, str):
        raise _bad(place, "that is not a text")
    if len(value) > LONGEST_TEXT:
        raise _bad(place, f"longer than {LONGEST_TEXT} characters", "Attach long texts as a file.")
    if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise _bad(place, "the text holds characters that cannot be stored", "Send plain Unicode text.")
    return value


def _bad(place: str, why: str, remediation: str = "Correct the named field.") -> InvalidRequestError:
    return InvalidRequestError(why, fields={place: why}, remediation=remediation)

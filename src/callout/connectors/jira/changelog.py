"""An issue's changelog read as edits of fields: what a write of ours met there is found by it, since Jira refuses none.

There is no conditional write: `updated` is compared right before, and whoever edits within that call is found in the changelog that
comes with the read-back, as of the same moment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from callout.connectors.jira import mapping
from callout.connectors.jira.text import markdown_from_wiki
from callout.connectors.jira.wire import ChangelogItem, History, IssueBean, StatusBean
from callout.ports.ticketing import FieldEdit
from callout.ports.values import Person

EXPAND: Final = "changelog"
"""from memory: a read of one issue brings its newest 100 histories at most, the newest first."""
FIELD_OF: Final[Mapping[str, str]] = {
    "summary": "title",
    "description": "description",
    "priority": "priority",
    "status": "status",
    "assignee": "assignee",
}
"""Jira's field id → the ticket's."""


def edits_of(
    issue: IssueBean, *, wanted: Collection[str], account_id: str, statuses: Sequence[StatusBean]
) -> tuple[FieldEdit, ...] | None:
    """Return the edits of the `wanted` fields of a ticket, oldest first; None where the issue came without its changelog.

    `account_id` is who we are, `statuses` those that the issue can have.
    """
    log = issue.get("changelog")
    if log is None:
        return None
    histories = sorted(log.get("histories", []), key=_age)
    return tuple(
        edit
        for history in histories
        for item in history.get("items", [])
        for edit in _edits(item, history, wanted, account_id, statuses)
    )


def has_moves(issue: IssueBean) -> bool:
    """Return whether the changelog tells of a status, whose category it does not tell."""
    log = issue.get("changelog") or {}
    return any(
        _field_of(item) == "status" for one in log.get("histories", []) for item in one.get("items", [])
    )


def _age(history: History) -> tuple[datetime | None, int]:
    number = str(history.get("id", ""))
    return mapping.moment(history.get("created")), int(number) if number.isdecimal() else 0


def _field_of(item: ChangelogItem) -> str:
    # from memory: old entries have no fieldId; the names of these five are the same as their ids.
    return FIELD_OF.get(str(item.get("fieldId") or item.get("field") or ""), "")


def _edits(
    item: ChangelogItem,
    history: History,
    wanted: Collection[str],
    account_id: str,
    statuses: Sequence[StatusBean],
) -> Iterator[FieldEdit]:
    name = _field_of(item)
    if name not in wanted:
        return
    author = mapping.person(history.get("author"))
    before, after = (_value(name, item.get(i), item.get(s), statuses) for i, s in _ENDS)
    # Texts are told as wiki markup, reads tell documents: alike to people, not to a comparison.
    exact = name != "description" and _UNKNOWN not in {before.get("status"), after.get("status")}
    yield FieldEdit(
        field=name,
        before=before,
        after=after,
        at=mapping.moment(history.get("created")),
        author=author,
        own=author is not None and bool(account_id) and author.id == account_id,
        exact=exact,
    )


_ENDS: Final = (("from", "fromString"), ("to", "toString"))
_UNKNOWN: Final = ""
"""A status that the project has no more."""


def _value(name: str, its_id: Any, text: Any, statuses: Sequence[StatusBean]) -> dict[str, Any]:  # noqa: ANN401  # from the wire
    words = str(text or "")
    if name == "title":
        return {name: words}
    if name == "description":
        return {name: markdown_from_wiki(words)}
    if name == "priority":
        return {name: mapping.priority_of({"name": words}), "priority_name": words}
    if name == "assignee":
        return {name: Person(str(its_id), words) if its_id else None}
    status = next((one for one in statuses if one.get("id") == str(its_id)), None)
    if status is None:
        return {"status": _UNKNOWN}
    return {"status": status.get("name", words), "status_category": mapping.category(status)}


__all__ = ["EXPAND", "FIELD_OF", "edits_of", "has_moves"]

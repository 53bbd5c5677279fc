"""Everything about one incident that readers of an audience may see, as JSON or as Markdown to begin a post-mortem with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callout import sync
from callout.incidents import wording
from callout.incidents.model import person_json
from callout.ports.values import Audience

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.incidents.model import TimelineEntry
    from callout.storage import AccountTx

Document = dict[str, Any]
_UNTOLD: Document = {
    **dict.fromkeys(("commander", "assignee", "declared_by")),
    **{name: [] for name in ("people", "tasks", "tickets", "tags")},
}
"""What of an incident has no audience of its own, and is not for customers."""
_MOMENTS = ("acknowledged", "mitigated", "resolved", "closed")


async def document(core: Core, tx: AccountTx, id_or_key: str, readers: Audience) -> Document:
    """Return an incident with what was noted, done, attached and linked. Raises NotFoundError."""
    seen = tuple(one for one in Audience if one.may_reach(readers))
    incidents = core.incidents
    one = await incidents.get(tx, id_or_key)
    notes = await incidents.notes(tx, one.id, audiences=seen)
    found = {
        **one.to_json(),
        "audience": readers.value,
        "people": [each.to_json() for each in await incidents.participants.of(tx, one.id, gone=True)],
        "tasks": [each.to_json() for each in await incidents.tasks.of(tx, one.id)],
        "notes": [
            {
                "at": note.created_at.isoformat(),
                "author": person_json(note.author),
                "audience": note.audience.value,
                "text": note.text,
            }
            for note in notes
        ],
        "files": [
            {
                "name": each.name,
                "size": each.size,
                "audience": each.audience.value,
                "added_at": each.added_at.isoformat(),
            }
            for each in await incidents.attachments(tx, one.id, audiences=seen)
        ],
        "tickets": [
            {"key": link.ticket_key, "url": link.ticket_url, "state": link.status.value}
            for link in await sync.of_incident(tx, one.id)
        ],
        "timeline": [
            {
                "at": line.at.isoformat(),
                "by": line.origin.actor.name or "Callout",
                "by_way_of": line.origin.channel.value,
                "kind": line.kind,
                "audience": line.audience.value,
                "words": wording.said(line.kind, line.data),
                "data": dict(line.data),
            }
            for line in await _lines(core, tx, one.id, seen)
        ],
    }
    return found if readers is not Audience.CUSTOMER else found | _UNTOLD


async def _lines(
    core: Core, tx: AccountTx, incident_id: str, seen: Sequence[Audience]
) -> list[TimelineEntry]:
    found: list[TimelineEntry] = []
    while more := await core.incidents.timeline(
        tx, incident_id, audiences=seen, after=found[-1].id if found else ""
    ):
        found += more
    return found


def markdown(one: Mapping[str, Any]) -> str:
    """Return a document as Markdown."""
    return "\n".join(_written(one)) + "\n"


def _written(one: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {one['key']}: {_line(one['title'])}"
    yield ""
    yield f"For {one['audience']}. Times are UTC."
    yield ""
    yield "| | |"
    yield "| --- | --- |"
    for name, value in _facts(one):
        yield f"| {name} | {_cell(value)} |"
    if one["description"]:
        yield from ("", *_quoted(one["description"]))
    yield from ("", "## Timeline", "")
    for line in one["timeline"]:
        yield f"- {_time(line['at'])} **{_line(line['by'])}**: {_line(line['words'])}"
    if one["notes"]:
        yield from ("", "## Notes")
        for note in one["notes"]:
            who = (note["author"] or {}).get("name") or "Callout"
            yield from ("", f"{_time(note['at'])} **{_line(who)}** ({note['audience']}):", "")
            yield from _quoted(note["text"])
    if one["tasks"]:
        yield from ("", "## Tasks", "")
        for task in one["tasks"]:
            yield f"- [{'x' if task['done_at'] else ' '}] {_line(task['title'])}"
    yield from ("", "## What happened, why, and what is done about it", "", "…")


def _facts(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the table at the top says; what is empty is left out."""
    facts = [
        ("Severity", one["severity"]),
        ("Status", one["status"]),
        ("Service", one["service"]),
        ("Team", one["team"]),
        ("Commander", _name(one["commander"])),
        ("Assignee", _name(one["assignee"])),
        ("Declared by", _name(one["declared_by"])),
        ("Declared", _time(one["created_at"])),
        *((name.capitalize(), _after(one, f"{name}_at")) for name in _MOMENTS),
        ("People", ", ".join(each["person"]["name"] for each in one["people"])),
        ("Tags", ", ".join(one["tags"])),
        *(("Ticket", f"{each['key']} {each['url']}".strip() or "being made") for each in one["tickets"]),
        *(("File", each["name"]) for each in one["files"]),
    ]
    return ((name, value) for name, value in facts if value)


def _name(person: Mapping[str, str] | None) -> str:
    return "" if person is None else person["name"] or person["id"]


def _after(one: Mapping[str, Any], name: str) -> str:
    """Return when something was, and so many minutes after the declaration."""
    if one[name] is None:
        return ""
    passed = datetime.fromisoformat(one[name]) - datetime.fromisoformat(one["created_at"])
    return f"{_time(one[name])}, after {passed.total_seconds() / 60:,.0f} minutes"


def _time(iso: str) -> str:
    return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M:%S}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _quoted(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield f"> {line}".rstrip()


__all__ = ["document", "markdown"]

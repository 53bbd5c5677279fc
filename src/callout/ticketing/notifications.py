"""The contract's notifications: a message in one place, read again by its id, and cleared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.ports.errors import InvalidRequestError
from callout.ports.notification import Notice
from callout.ticketing import drafts, shapes
from callout.ticketing.engine import known_id
from callout.ticketing.once import Creation, Made, Once

if TYPE_CHECKING:
    from callout.ticketing.engine import Engine, Opened

CATEGORY: Final = "notifications"
_TEXTS: Final = ("project", "status", "description", "issue_type", "creator", "assignee", "contact")
Json = dict[str, Any]


class Notifications:
    """The three operations."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._once = Once(engine)

    async def create(self, opened: Opened, body: Mapping[str, Any], *, digest: str, key: str | None) -> Made:
        """Send a message, once per Idempotency-Key. Raises InvalidRequestError."""
        notice = _read(body)

        async def create(reference: str) -> Json:
            async with self._engine.calling(opened, writing=True) as provider:
                return _out(await provider.send_notice(notice, key=reference))

        async def find(reference: str) -> Json | None:
            async with self._engine.calling(opened) as provider:
                found = await provider.find_notice(reference)
                return None if found is None else _out(found)

        one = Creation("create_message", digest, key, create, find, "notification.created")
        return await self._once.make(opened, one)

    async def get(self, opened: Opened, notification: str) -> Json:
        """Read a message. Raises RecordNotFoundError."""
        async with self._engine.calling(opened) as provider:
            return _out(await provider.read_notice(known_id(notification, "notification")))

    async def clear(self, opened: Opened, notification: str) -> None:
        """Mark a message as over. Raises RecordNotFoundError."""
        async with self._engine.calling(opened, writing=True) as provider:
            await provider.clear_notice(known_id(notification, "notification"))
        await self._engine.written(opened, "notification.cleared", notification)


def _read(body: Mapping[str, Any]) -> Notice:
    summary = body.get("summary") or body.get("name")
    if not isinstance(summary, str) or not summary.strip():
        raise InvalidRequestError(
            "summary is missing", fields={"/summary": "required"}, remediation="Say what happened."
        )
    fields: Json = {}
    for name in _TEXTS:
        if body.get(name) is not None:
            fields[name] = drafts.value_of("description", body[name], f"/{name}")
    priority = drafts.value_of("priority", body.get("priority"), "/priority")
    if priority is not None:
        fields["priority"] = priority.value
    if body.get("tags"):
        fields["tags"] = list(drafts.value_of("tags", body["tags"], "/tags"))
    return Notice(str(drafts.value_of("summary", summary, "/summary")), fields)


def _out(one: Notice) -> Json:
    created = one.created_at or shapes.LONG_AGO
    return {
        "id": one.id,
        "name": one.summary,
        "summary": one.summary,
        "created_at": shapes.moment(created),
        "updated_at": shapes.moment(one.updated_at or created),
        "notification_status": "CLOSED" if one.closed else "OPEN",
        **shapes.told(one.fields),
    }

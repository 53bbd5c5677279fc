"""The notification port: a message to people in one place, which can be read again and cleared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from callout.ports.provider import ConnectionReport, Effect


@dataclass(frozen=True, slots=True)
class Notice:
    """A message: its summary, and what else was said with it (`description`, `priority`, `assignee` …), each a text or list of texts.

    `id` is the platform's own and safe in a path; it is empty before the message is sent.
    """

    summary: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    closed: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None


class NotificationProvider(Protocol):
    """Where messages go. All methods raise ConnectorError and its kinds."""

    effects: Mapping[str, Effect]

    async def check_connection(self) -> ConnectionReport:
        """Ask who we are and whether the place is there."""
        ...

    async def send_notice(self, notice: Notice, *, key: str) -> Notice:
        """Send a message that carries our key; one with a summary alone is posted as it is, without a layout."""
        ...

    async def find_notice(self, key: str) -> Notice | None:
        """Return the message that carries `key`, or None."""
        ...

    async def read_notice(self, notice_id: str) -> Notice:
        """Read a message. Raises RecordNotFoundError, also for one that is not ours."""
        ...

    async def clear_notice(self, notice_id: str) -> Notice:
        """Mark a message as over. Clearing it again changes nothing. Raises RecordNotFoundError."""
        ...

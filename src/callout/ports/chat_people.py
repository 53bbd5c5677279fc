"""People of a chat platform: what its own directory says of them. Optional: a platform has what it implements."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from callout.ports.values import Person


class Membership(StrEnum):
    """How somebody belongs to the workspace (team, tenant) in which they are seen."""

    MEMBER = "member"
    GUEST = "guest"
    """Invited into a part of it: a guest of Slack, Teams or Mattermost."""
    EXTERNAL = "external"
    """Of another organization, seen in a channel that is shared with it; or whom the directory does not list."""
    GONE = "gone"
    """Deactivated."""
    PROGRAM = "program"
    UNSURE = "unsure"
    """The platform was asked and did not tell."""


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """Somebody as the directory has them, active or not; `person.email` is empty where it is not to be believed."""

    person: Person
    membership: Membership = Membership.MEMBER


class SupportsDirectory(Protocol):
    """Tells guests and those who left from members. Where a platform cannot, everybody in a workspace is a member of it."""

    async def look_up(self, user_id: str) -> DirectoryEntry | None:
        """Return whoever has this id, None where the directory lists nobody of it. Raises ConnectorError and its kinds."""
        ...


__all__ = ["DirectoryEntry", "Membership", "SupportsDirectory"]

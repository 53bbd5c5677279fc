"""Chat platforms whose app is installed by a person's consent (OAuth), into as many workspaces as there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Installed:
    """What a consent gave: the workspace, and the credentials as they stand in an integration's settings, by field.

    `credentials` hold secrets as plain text: they go straight into the integration, which seals them.
    """

    team: str
    team_name: str
    credentials: Mapping[str, Mapping[str, str]] = field(repr=False)
    warnings: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """Return what the integration's settings get."""
        return {"team": self.team, **{name: dict(value) for name, value in self.credentials.items()}}


class Installer(Protocol):
    """The consent of one app."""

    def authorize_url(self, *, state: str, redirect: str) -> str:
        """Return where the person is sent, with a `state` that comes back."""
        ...

    async def exchange(self, code: str, *, redirect: str) -> Installed:
        """Exchange the code that a consent gave. Raises AuthFailedError for one that is not, or no longer, good."""
        ...

"""Slack twin (arriving)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from callout.sandbox.core.twin import Twin

if TYPE_CHECKING:
    from starlette.routing import BaseRoute


class SlackTwin(Twin):
    """Slack."""

    name: ClassVar[str] = "slack"

    def routes(self) -> list[BaseRoute]:
        """Return routes."""
        return []

    def reset(self) -> None:
        """Seed."""

    def credentials(self) -> dict[str, Any]:
        """Return the seeds."""
        return {"base_path": self.base_path}

"""The gate in front of a vendor account, as the HTTP client sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from callout.kit.lanes import Lane


class Gate(Protocol):
    """The budget of a vendor account, asked before each attempt (retries and redirects included)."""

    async def before(self, *, method: str, path: str, lane: Lane, part: str) -> None:
        """Let the attempt go, after waiting if need be, or raise to call it off."""
        ...

    async def after(
        self, *, status: int | None, headers: Mapping[str, str], method: str, path: str, part: str
    ) -> None:
        """Learn the outcome, exactly once for every `before` that let go; status None: no answer came."""
        ...

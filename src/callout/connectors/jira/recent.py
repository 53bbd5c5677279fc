"""What this process created lately: search does not show it at once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

REMEMBERED: Final = 50
"""As many issues as `reconcileIssues` takes."""


class Recent:
    """The newest issues that this process created, by our key: search does not show them at once."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, str] = OrderedDict()

    def add(self, key: str, issue_id: str) -> None:
        self._ids[key or f"#{issue_id}"] = issue_id
        while len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)

    def get(self, key: str) -> str:
        return self._ids.get(key, "")

    def ids(self) -> list[int]:
        return [int(issue_id) for issue_id in self._ids.values() if issue_id.isdecimal()]

"""The one exception of the Web API: `{"ok": false, "error": code, ...}` with HTTP 200."""

from __future__ import annotations

from typing import Any


class SlackError(Exception):
    """A refusal with Slack's own error code; `extra` is merged into the answer."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra

    def as_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {"ok": False, "error": self.code, **self.extra}


def invalid_arguments(*messages: str) -> SlackError:
    """Build `invalid_arguments`, with Slack's explanations in `response_metadata.messages`."""
    return SlackError(
        "invalid_arguments", response_metadata={"messages": [f"[ERROR] {message}" for message in messages]}
    )

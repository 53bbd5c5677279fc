"""How Slack limits its callers: each method by itself, and posting for each channel. Only a refusal tells, with `Retry-After`."""

from __future__ import annotations

from typing import Final

from callout.kit.allowance import Allowance, Answer

POST: Final = "chat.postMessage"


class SlackLimits:
    """Reads `Retry-After`; the path's last piece is the method, the call's part the channel."""

    def parts(self, *, method: str, path: str, part: str) -> tuple[str, ...]:
        """Return the method; for a post, the channel with it."""
        _ = method
        name = path.rstrip("/").rpartition("/")[2]
        return (f"{name} in {part}" if name == POST and part else name,)

    def read(self, answer: Answer) -> Allowance | None:
        """Return how long the method is closed to us."""
        if not answer.refused:
            return None
        [part] = self.parts(method=answer.method, path=answer.path, part=answer.part)
        return Allowance(f"Slack's limit for {part}", part=part, refused=True, wait=answer.retry_after())

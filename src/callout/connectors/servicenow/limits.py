"""How ServiceNow limits its callers: by rules of the customer's own, so many requests per user and hour. Most instances have none.

It tells the limit, the rule and when the hour ends, but not what remains: that is counted on our side. Its own counters are flushed
every 30 seconds, so a limit may bite late.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from callout.kit.allowance import Allowance, Answer, per

HOUR: Final = timedelta(hours=1)


class ServiceNowLimits:
    """Reads `X-RateLimit-Limit`, `X-RateLimit-Reset` (Unix seconds), `X-RateLimit-Rule` and `Retry-After`."""

    def parts(self, *, method: str, path: str, part: str) -> tuple[str, ...]:
        """Return none: a rule may name single resources, but an answer does not say which."""
        _ = (method, path, part)
        return ()

    def read(self, answer: Answer) -> Allowance | None:
        """Return the rule's limit, where there is one."""
        limit, rule = answer.count("x-ratelimit-limit"), answer.text("x-ratelimit-rule")[:40]
        if not limit and not answer.refused:
            return None
        name = f"ServiceNow's limit{f' of {per(limit, HOUR)}' if limit else ''}{f' (rule {rule})' if rule else ''}"
        return Allowance(
            name,
            refused=answer.refused,
            wait=answer.retry_after() if answer.refused else None,
            limit=limit,
            window=HOUR,
            ends_in=answer.epoch("x-ratelimit-reset"),
        )

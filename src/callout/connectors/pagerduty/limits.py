"""How PagerDuty limits its callers: so many requests a minute for each key, user or app; some operations more tightly.

Every counted answer tells limit, remaining and the seconds until the next minute; a refusal may come without any of them.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from callout.kit.allowance import Allowance, Answer, per

MINUTE: Final = timedelta(minutes=1)
_TIGHTER: Final = {
    ("GET", "oncalls"): "reading who is on call",
    ("POST", "incidents"): "creating incidents",
    ("PUT", "incidents"): "changing many incidents",
}
"""Operations with limits of their own, under the same header names: what they tell says nothing of the others."""
_LAST = re.compile(r"([a-z_]+)/?\Z")


class PagerDutyLimits:
    """Reads `ratelimit-limit`, `ratelimit-remaining`, `ratelimit-reset` (seconds from now) and `Retry-After`."""

    def parts(self, *, method: str, path: str, part: str) -> tuple[str, ...]:
        """Return the operation, where it has a limit of its own."""
        _ = part
        last = _LAST.search(path)
        words = _TIGHTER.get((method, last.group(1))) if last else None
        return () if words is None else (words,)

    def read(self, answer: Answer) -> Allowance | None:
        """Return what is left of the minute."""
        limit, left = answer.count("ratelimit-limit"), answer.count("ratelimit-remaining")
        reset = answer.seconds("ratelimit-reset")
        if (limit is None or reset is None) and not answer.refused:
            return None
        part = next(iter(self.parts(method=answer.method, path=answer.path, part=answer.part)), "")
        name = (
            f"PagerDuty's limit{f' of {per(limit, MINUTE)}' if limit else ''}{f' for {part}' if part else ''}"
        )
        return Allowance(
            name,
            part=part,
            refused=answer.refused,
            wait=answer.retry_after() if answer.refused else None,
            limit=limit,
            window=MINUTE,
            remaining=left,
            ends_in=reset,
        )

"""How Jira limits its callers, in three ways that do not know of each other: points per hour for the whole app (OAuth, not API tokens),
bursts per second and endpoint, and writes to one issue. `RateLimit-Reason` says which one it was.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from callout.kit.allowance import Allowance, Answer, per

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
PER_ISSUE: Final = "jira-per-issue-on-write"
QUOTA: Final = "jira-quota-"
REASONS: Final = {
    PER_ISSUE: "too many writes to this issue in a short time",
    "jira-burst-based": "too many calls of one kind per second",
    "jira-quota-global-based": "the hourly quota of the app is used up",
    "jira-quota-tenant-based": "the hourly quota of the site is used up",
}
"""`RateLimit-Reason` → words. # from memory: the two quota names."""
_QUOTA_NAMES: Final = {
    "jira-quota-global-based": " for this app",
    "jira-quota-tenant-based": " for this site",
}
_API = re.compile(r"/rest/\w+/(?:\d+/)?")
_ISSUE = re.compile(r"/issue/([A-Za-z][A-Za-z0-9_]*-\d+|\d+)(?=/|\Z)")
_NAMES_ONE = re.compile(r"/(?:[A-Z][A-Z0-9_]*-\d+|\d+|[A-Z][A-Z0-9_]+)(?=/|\Z)")


class JiraLimits:
    """Reads `X-RateLimit-Limit`, `-Remaining`, `-Reset` (a time, to the minute), `RateLimit-Reason` and `Retry-After`."""

    def parts(self, *, method: str, path: str, part: str) -> tuple[str, ...]:
        """Return the endpoint, and for a write the issue."""
        _ = part
        issue = _ISSUE.search(path)
        endpoint = _endpoint(method, path)
        return (endpoint,) if issue is None or method == "GET" else (endpoint, _writes(issue))

    def read(self, answer: Answer) -> Allowance | None:
        """Return what the answer says of the limit that it names; of the quota, when it names none."""
        reason = answer.text("ratelimit-reason")
        limit, left = answer.count("x-ratelimit-limit"), answer.count("x-ratelimit-remaining")
        ends_in = answer.moment("x-ratelimit-reset")
        wait = answer.retry_after() if answer.refused else None
        if reason.startswith(QUOTA) or (not reason and not answer.refused):
            # from memory: answers that are no refusal tell of the quota, and its headers count points, not calls.
            # A counter that ends within the minute is that of a burst: over before it can be used.
            if not answer.refused and (limit is None or ends_in is None or ends_in <= MINUTE):
                return None
            of = f" of {per(limit, HOUR, what='points')}" if limit else ""
            return Allowance(
                f"Jira's limit{of}{_QUOTA_NAMES.get(reason, '')}",
                refused=answer.refused,
                wait=wait,
                limit=limit,
                window=HOUR,
                remaining=left,
                ends_in=ends_in,
            )
        if not answer.refused:
            return None
        issue = _ISSUE.search(answer.path)
        if reason == PER_ISSUE and issue is not None:
            return Allowance(
                f"Jira's limit for {_writes(issue)}", part=_writes(issue), refused=True, wait=wait
            )
        # The reset of a burst is told to the minute, though it lasts a second: only Retry-After counts.
        part = _endpoint(answer.method, answer.path)
        until = ends_in if wait is None and not reason else None
        return Allowance(f"Jira's limit for {part}", part=part, refused=True, wait=wait, ends_in=until)


def _endpoint(method: str, path: str) -> str:
    """Return a call's endpoint: its path without the names of single things."""
    return f"{method} {_NAMES_ONE.sub('/…', '/' + _API.split(path)[-1])}"


def _writes(issue: re.Match[str]) -> str:
    return f"writes to {issue.group(1)}"

"""The vendors' usual Python clients reading everything: a process of its own, which prints how long that took.

python -m callout.cli.bench.syncing.peer jira|servicenow URL USER SECRET
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from typing import Any, Final

from callout.cli.bench.baseline import NotMeasuredError

FIELDS: Final = (
    "summary,description,status,priority,issuetype,project,assignee,reporter,creator,created,updated,labels,"
    "components,duedate,attachment,comment,resolution,resolutiondate"
)
LARGEST_BATCH: Final = 10_000
"""As many records as ServiceNow gives at once; `pysnc` itself asks for 100."""
MODULE: Final = {"jira": "jira", "servicenow": "pysnc"}


def read_all(vendor: str, url: str, user: str, secret: str) -> tuple[int, float]:
    """Have the vendor's client read every ticket in another process; returns how many, and the seconds. Raises NotMeasuredError."""
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", "callout.cli.bench.syncing.peer", vendor, url, user, secret],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == NOT_THERE:
        raise NotMeasuredError(f"`{MODULE[vendor]}` is not installed (pip install {MODULE[vendor]})")
    if done.returncode:
        raise NotMeasuredError(f"`{MODULE[vendor]}` failed: {done.stderr[-300:]}")
    found = json.loads(done.stdout)
    return found["tickets"], found["seconds"]


def read_rate(vendor: str, url: str, *, tickets: int, login: tuple[str, str]) -> float:
    """Return how many of the `tickets` the vendor's client reads per second. Raises NotMeasuredError when it misses some."""
    found, seconds = read_all(vendor, url, *login)
    if found != tickets:
        raise NotMeasuredError(f"`{MODULE[vendor]}` read {found} of {tickets} tickets")
    return found / seconds


NOT_THERE: Final = 3


def _jira(module: Any, url: str, user: str, secret: str) -> int:
    client = module.JIRA(url, basic_auth=(user, secret))
    # All pages, each as large as Jira makes it; the client's own way past 50 tickets.
    query = "project = TST ORDER BY created ASC"
    return len(client.enhanced_search_issues(query, maxResults=False, fields=FIELDS))


def _servicenow(module: Any, url: str, user: str, secret: str) -> int:
    # It refuses plain http; here that check is passed over, which spares it the TLS.
    importlib.import_module("pysnc.client").get_instance = str  # type: ignore[attr-defined]
    records = module.ServiceNowClient(url, (user, secret)).GlideRecord("incident", batch_size=LARGEST_BATCH)
    records.query()
    return sum(1 for _ in records)


def main() -> int:
    """Read everything; print the count and the seconds as JSON."""
    vendor, url, user, secret = sys.argv[1:]
    try:
        module = importlib.import_module(MODULE[vendor])
    except ImportError:
        return NOT_THERE
    started = time.perf_counter()
    tickets = {"jira": _jira, "servicenow": _servicenow}[vendor](module, url, user, secret)
    sys.stdout.write(json.dumps({"tickets": tickets, "seconds": time.perf_counter() - started}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The vendors' usual Python clients reading everything: a process of its own, which prints how long that took.

python -m callout.cli.bench.syncing.peer jira|servicenow URL USER SECRET PAGE
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
_PEOPLE: Final = ("opened_by", "assigned_to", "caller_id", "requested_by", "affected_user")
_PARENTS: Final = ("parent", "parent_incident", "parent_security_incident")
COLUMNS: Final = (
    *(
        "sys_id",
        "number",
        "sys_class_name",
        "short_description",
        "description",
        "state",
        "priority",
        "active",
    ),
    *(f"{name}{path}" for name in _PEOPLE for path in ("", ".name", ".email")),
    *(f"{name}{path}" for name in _PARENTS for path in ("", ".number")),
    *("assignment_group", "assignment_group.name", "close_code", "close_notes", "hold_reason", "due_date"),
    *("resolved_at", "closed_at", "correlation_id", "correlation_display"),
    *("sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count"),
)
"""What we read of a record."""
LARGEST_BATCH: Final = 10_000
"""As many records as ServiceNow gives at once; `pysnc` itself asks for 100."""
MODULE: Final = {"jira": "jira", "servicenow": "pysnc"}


OWN_BATCH: Final = 100
"""As many records as `pysnc` asks for at once where nobody tells it otherwise."""


def read_all(vendor: str, url: str, user: str, secret: str, page: int) -> tuple[int, float]:
    """Have the vendor's client read every ticket in another process; returns how many, and the seconds. Raises NotMeasuredError."""
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", "callout.cli.bench.syncing.peer", vendor, url, user, secret, str(page)],
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


def read_rate(
    vendor: str, url: str, *, tickets: int, login: tuple[str, str], page: int = LARGEST_BATCH
) -> float:
    """Return how many of the `tickets` the vendor's client reads per second, `page` at once where it lets one choose.

    Raises NotMeasuredError when it misses some.
    """
    found, seconds = read_all(vendor, url, *login, page)
    if found != tickets:
        raise NotMeasuredError(f"`{MODULE[vendor]}` read {found} of {tickets} tickets")
    return found / seconds


NOT_THERE: Final = 3


def _jira(module: Any, url: str, user: str, secret: str, _page: int) -> int:
    client = module.JIRA(url, basic_auth=(user, secret))
    # All pages, each as large as Jira makes it; the client's own way past 50 tickets.
    query = "project = TST ORDER BY created ASC"
    return len(client.enhanced_search_issues(query, maxResults=False, fields=FIELDS))


def _servicenow(module: Any, url: str, user: str, secret: str, page: int) -> int:
    # It refuses plain http; here that check is passed over, which spares it the TLS.
    importlib.import_module("pysnc.client").get_instance = str  # type: ignore[attr-defined]
    client = module.ServiceNowClient(url, (user, secret))
    records = client.GlideRecord("incident", batch_size=page)
    records.fields = list(COLUMNS)
    records.query()
    found = sum(1 for _ in records)
    # Comments and work notes are records of their own: all of them in one walk, laid beside their incidents.
    journal = client.GlideRecord("sys_journal_field", batch_size=page)
    journal.fields = ["element_id", "element", "value", "sys_created_on", "sys_created_by"]
    journal.add_query("name", "incident")
    journal.add_query("element", "IN", "comments,work_notes")
    journal.query()
    said: dict[str, list[str]] = {}
    for entry in journal:
        said.setdefault(str(entry.element_id), []).append(str(entry.value))
    return found


def main() -> int:
    """Read everything; print the count and the seconds as JSON."""
    vendor, url, user, secret, page = sys.argv[1:]
    try:
        module = importlib.import_module(MODULE[vendor])
    except ImportError:
        return NOT_THERE
    started = time.perf_counter()
    tickets = {"jira": _jira, "servicenow": _servicenow}[vendor](module, url, user, secret, int(page))
    sys.stdout.write(json.dumps({"tickets": tickets, "seconds": time.perf_counter() - started}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

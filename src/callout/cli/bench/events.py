"""Webhooks as Jira sends them: complete `jira:issue_updated` bodies of 4 kB, signed with the integration's key."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

KEY = "bench-webhook-key-0123456789abcdef"
SITE = "https://bench.atlassian.net"
BODY_BYTES = 4096
PRIORITIES = (("1", "Highest"), ("2", "High"), ("3", "Medium"), ("4", "Low"))
STATUSES = (
    ("10000", "To Do", 2, "new"),
    ("10001", "In Progress", 4, "indeterminate"),
    ("10002", "Done", 3, "done"),
)
JIRA = {
    "type": "ticketing_jira",
    "url": SITE,
    "default_project": "OPS",
    "default_issue_type": "Incident",
    "credential": {"type": "basic", "username": "bench@example.com", "secret": "token"},
}
"""The provider config of an integration that no vendor stands behind: these measures call none."""


@dataclass(frozen=True, slots=True)
class Issue:
    """What one event tells of its issue."""

    number: int
    summary: str
    priority: int = 1
    status: int = 0
    label: str = "callout-bench"


def sign(body: bytes) -> str:
    """Return the value of `X-Hub-Signature` for `body`."""
    return f"sha256={hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()}"


def updated(issue: Issue, at: datetime) -> bytes:
    """Return a body of exactly 4 kB that tells everything of `issue` at time `at`."""
    body = _body(issue, at)
    short = BODY_BYTES - len(orjson.dumps(body))
    # Real bodies are long because of what a site adds to its issues; so is this one.
    body["issue"]["fields"]["customfield_10999"] = "x" * (short - len(',"customfield_10999":""'))
    return orjson.dumps(body)


def _person(account: str, name: str) -> dict[str, Any]:
    return {
        "self": f"{SITE}/rest/api/2/user?accountId={account}",
        "accountId": account,
        "displayName": name,
        "active": True,
        "timeZone": "Etc/UTC",
        "accountType": "atlassian",
    }


def _body(issue: Issue, at: datetime) -> dict[str, Any]:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"
    status, priority = STATUSES[issue.status], PRIORITIES[issue.priority]
    ann = _person("5b10ac8d82e05b22cc7d4ef5", "Ann Agent")
    fields: dict[str, Any] = {
        "summary": issue.summary,
        "description": None,
        "status": {
            "self": f"{SITE}/rest/api/2/status/{status[0]}",
            "id": status[0],
            "name": status[1],
            "statusCategory": {"id": status[2], "key": status[3], "name": status[1]},
        },
        "priority": {
            "self": f"{SITE}/rest/api/2/priority/{priority[0]}",
            "id": priority[0],
            "name": priority[1],
        },
        "issuetype": {"id": "10102", "name": "Incident", "subtask": False},
        "project": {"id": "10001", "key": "OPS", "name": "Operations", "projectTypeKey": "software"},
        "assignee": None,
        "reporter": ann,
        "creator": ann,
        "created": "2026-01-05T12:00:00.000+0000",
        "updated": stamp,
        "resolution": None,
        "resolutiondate": None,
        "labels": [issue.label],
        "components": [],
        "duedate": None,
        "attachment": [],
    }
    return {
        "timestamp": int(at.timestamp() * 1000),
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": "issue_updated",
        "user": ann,
        "issue": {
            "id": str(10_000 + issue.number),
            "self": f"{SITE}/rest/api/2/issue/{10_000 + issue.number}",
            "key": f"OPS-{issue.number}",
            "fields": fields,
        },
        "changelog": {
            "id": "20001",
            "items": [
                {"field": "priority", "fieldtype": "jira", "fieldId": "priority", "toString": priority[1]},
                {"field": "status", "fieldtype": "jira", "fieldId": "status", "toString": status[1]},
                {"field": "summary", "fieldtype": "jira", "fieldId": "summary", "toString": issue.summary},
            ],
        },
    }

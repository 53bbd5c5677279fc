"""One fixture per event, named after it; `_about` in each says where it came from."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callout.connectors.jira.config import CustomFieldMapping, JiraConfig
from callout.connectors.jira.webhook import JiraWebhook
from callout.ports.inbound import Ignored, InboundRequest, WebhookSecrets
from callout.ports.ticketing import Change, ChangeKind, StatusCategory
from callout.ports.values import Audience, Person, Priority

FIXTURES = Path(__file__).parent / "fixtures"
CONFIG = JiraConfig(url="https://example.atlassian.net")
ANN = Person("5b10ac8d82e05b22cc7d4ef5", "Ann Agent", "")


def parse(body: bytes, config: JiraConfig = CONFIG) -> Sequence[Change] | Ignored:
    hook = JiraWebhook(config, WebhookSecrets())
    return hook.parse(InboundRequest("POST", "/", {}, body, datetime(2026, 5, 1, 10, 0, tzinfo=UTC)))


def changes(name: str, config: JiraConfig = CONFIG) -> Sequence[Change]:
    result = parse((FIXTURES / f"{name}.json").read_bytes(), config)
    assert not isinstance(result, Ignored), result
    return result


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def test_every_fixture_says_where_it_came_from_and_is_understood(path: Path) -> None:
    data = json.loads(path.read_text())
    assert data["_about"].startswith("written from documentation")
    result = parse(path.read_bytes())
    if isinstance(result, Ignored):
        assert result.event == data["webhookEvent"]
        assert result.reason
    else:
        assert all(change.vendor_event == data["webhookEvent"] for change in result)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("jira_issue_created", [ChangeKind.CREATED]),
        ("jira_issue_updated.status", [ChangeKind.UPDATED]),
        ("jira_issue_updated.resolved", [ChangeKind.UPDATED]),
        ("jira_issue_updated.priority", [ChangeKind.UPDATED]),
        ("jira_issue_updated.assigned", [ChangeKind.UPDATED]),
        ("jira_issue_updated.moved", [ChangeKind.MOVED]),
        ("jira_issue_updated.commented", [ChangeKind.UPDATED, ChangeKind.COMMENTED]),
        ("jira_issue_deleted", [ChangeKind.DELETED]),
        ("comment_created", [ChangeKind.COMMENTED]),
        ("comment_created.internal", [ChangeKind.COMMENTED]),
        ("comment_created.public", [ChangeKind.COMMENTED]),
        ("comment_created.no_issue", [ChangeKind.COMMENTED]),
        ("comment_updated", [ChangeKind.COMMENT_UPDATED]),
        ("comment_deleted", [ChangeKind.COMMENT_DELETED]),
        ("worklog_created", [ChangeKind.UPDATED]),
        ("worklog_updated", [ChangeKind.UPDATED]),
        ("worklog_deleted", [ChangeKind.UPDATED]),
    ],
)
def test_events_become_changes(name: str, kinds: list[ChangeKind]) -> None:
    found = changes(name)
    assert [change.kind for change in found] == kinds
    assert {change.ticket_id for change in found} == {"10042"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("attachment_created", "names no issue; polling will see the change"),
        ("attachment_deleted", "names no issue; polling will see the change"),
        ("issuelink_created", "says nothing about a ticket"),
        ("issue_property_set", "says nothing about a ticket"),
        ("project_created", "says nothing about a ticket"),
        ("jira_version_released", "says nothing about a ticket"),
        ("user_updated", "says nothing about a ticket"),
        ("sprint_started", "says nothing about a ticket"),
    ],
)
def test_other_events_are_ignored_with_a_reason(name: str, reason: str) -> None:
    result = parse((FIXTURES / f"{name}.json").read_bytes())
    assert isinstance(result, Ignored)
    assert result.reason == reason


def test_an_event_of_tomorrow_is_ignored() -> None:
    assert parse(b'{"webhookEvent":"jira:issue_teleported"}') == Ignored(
        "jira:issue_teleported", "unknown event"
    )


def test_an_issue_event_tells_the_whole_ticket() -> None:
    (change,) = changes("jira_issue_updated.resolved")
    assert change.actor == ANN
    assert change.occurred_at == datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
    assert not change.partial
    assert {"title", "description", "status", "priority", "assignee", "tags"} <= change.known
    ticket = change.ticket
    assert ticket is not None
    assert ticket.title == "Checkout latency above 2 s"
    assert ticket.description == "## Impact\n\nThe 95th percentile is **4.1 s**."
    assert (ticket.status, ticket.status_category) == ("Done", StatusCategory.DONE)
    assert ticket.priority is Priority.HIGH
    assert ticket.completion_date == datetime(2026, 5, 1, 10, 20, tzinfo=UTC)
    assert ticket.tags == ("checkout",)
    assert "inc-7-0123456789ab" in ticket.marks
    assert ticket.url == "https://example.atlassian.net/browse/OPS-31"
    assert ticket.version == "2026-05-01T10:20:00.000+00:00"


def test_a_comment_event_tells_a_reduced_ticket_and_says_so() -> None:
    (change,) = changes("comment_created")
    assert change.partial
    assert change.known == {
        "title",
        "issue_type",
        "project",
        "assignee",
        "priority",
        "priority_name",
        "status",
        "status_category",
    }
    assert change.comment is not None
    assert change.comment.content == "Restarted the **database**."
    assert change.comment.author == ANN
    assert change.actor == ANN
    assert change.comment.ticket_id == "10042"


@pytest.mark.parametrize(
    ("name", "audience"),
    [
        ("comment_created", Audience.RESPONDERS),
        ("comment_created.internal", Audience.RESPONDERS),
        ("comment_created.public", Audience.CUSTOMER),
        # Nobody told whether there are customers: taken for the narrower audience, which can do no harm.
        ("comment_created.no_issue", Audience.RESPONDERS),
    ],
)
def test_a_comment_keeps_its_audience(name: str, audience: Audience) -> None:
    (change,) = changes(name)
    assert change.comment is not None
    assert change.comment.audience is audience


def test_a_comment_without_an_issue_is_placed_by_its_link() -> None:
    (change,) = changes("comment_created.no_issue")
    assert (change.ticket_id, change.ticket_key, change.ticket) == ("10042", "", None)
    assert change.partial
    assert change.known == frozenset()


def test_mapped_custom_fields_make_every_event_partial() -> None:
    config = JiraConfig(
        url="https://example.atlassian.net",
        custom_field_mappings=(CustomFieldMapping(name="impact", provider_field_path="customfield_10041"),),
    )
    (change,) = changes("jira_issue_created", config)
    assert change.partial, "webhooks tell rich text and plain text alike as a string: read again to know"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"webhookEvent":7}',
        b'{"webhookEvent":"jira:issue_updated","issue":[]}',
        b'{"webhookEvent":"comment_created","comment":"x"}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_jira_webhook_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"webhookEvent":"jira:issue_updated","issue":{"id":5,"fields":{}}}',
        b'{"webhookEvent":"jira:issue_updated","issue":{"id":"5"},"timestamp":"soon"}',
        b'{"webhookEvent":"jira:issue_updated","issue":{"id":"5","fields":{"status":null,"labels":null,"project":null}}}',
    ],
)
def test_sparse_bodies_are_hints(body: bytes) -> None:
    result = parse(body)
    assert not isinstance(result, Ignored)
    assert [(change.ticket_id, change.partial) for change in result] == [("5", True)]


def paths(value: object, prefix: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of every value inside a JSON document."""
    yield prefix
    entries: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    for name, inner in entries:
        yield from paths(inner, (*prefix, name))


BODIES = [json.loads(path.read_text()) for path in sorted(FIXTURES.glob("*.json"))]
PLACES = [(body, path) for body in BODIES for path in paths(body) if path]
JUNK: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 7, -1.5, "x", "", [], {}, [None], {"id": {}}, [[1]], 10**400, "2026-13-45"]
)


@given(st.sampled_from(PLACES), JUNK)
@settings(max_examples=400)
def test_whatever_stands_in_a_place_the_body_is_read_or_refused(
    place: tuple[Any, tuple[str | int, ...]], junk: object
) -> None:
    body, path = place
    changed = copy.deepcopy(body)
    holder = changed
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = junk
    try:
        result = parse(json.dumps(changed).encode())
    except ValueError:
        return
    for change in () if isinstance(result, Ignored) else result:
        texts = [change.ticket_id, change.ticket_key]
        if change.ticket is not None:
            ticket = change.ticket
            texts += [ticket.title, ticket.description, ticket.status, ticket.project, ticket.issue_type]
            texts += [*ticket.tags, *ticket.marks]
        if change.comment is not None:
            texts += [change.comment.id, change.comment.content]
        assert all(isinstance(text, str) for text in texts)

"""Signatures and payloads. The first vector is the vendor's own: PagerDuty/go-pagerduty, webhookv3/webhookv3_test.go (Apache-2.0)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.webhook import HANDLED, IGNORED, PagerDutyWebhook
from callout.kit.secrets import Secret
from callout.kit.signing import hmac_sha256_hex
from callout.ports.inbound import Ignored, InboundRequest, Trust, WebhookSecrets
from callout.ports.ticketing import Change, ChangeKind, StatusCategory
from callout.ports.values import Audience, Person, Priority

NOW = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
SECRET = "the-new-secret"
OLD = "the-old-secret"
VENDOR_SECRET = "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK"
VENDOR_HEADER = "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd"
VENDOR_AT = datetime(2021, 4, 26, 17, 36, 27, 458000, tzinfo=UTC)
VENDOR_BODY = (
    b'{"event":{"id":"01BWDWL3NYY7LUFPZCC28QUCMK","event_type":"incident.priority_updated","resource_type":"incident",'
    b'"occurred_at":"2021-04-26T17:36:27.458Z","agent":{"html_url":"https://acme.pagerduty.com/users/PLH1HKV","id":"PLH1HKV",'
    b'"self":"https://api.pagerduty.com/users/PLH1HKV","summary":"Tenex Engineer","type":"user_reference"},"client":null,'
    b'"data":{"id":"PGR0VU2","type":"incident","self":"https://api.pagerduty.com/incidents/PGR0VU2",'
    b'"html_url":"https://acme.pagerduty.com/incidents/PGR0VU2","number":2,"status":"triggered","title":"A little bump in the road",'
    b'"service":{"html_url":"https://acme.pagerduty.com/services/PF9KMXH","id":"PF9KMXH",'
    b'"self":"https://api.pagerduty.com/services/PF9KMXH","summary":"API Service","type":"service_reference"},'
    b'"assignees":[{"html_url":"https://acme.pagerduty.com/users/PTUXL6G","id":"PTUXL6G",'
    b'"self":"https://api.pagerduty.com/users/PTUXL6G","summary":"User 123","type":"user_reference"}],'
    b'"escalation_policy":{"html_url":"https://acme.pagerduty.com/escalation_policies/PUS0KTE","id":"PUS0KTE",'
    b'"self":"https://api.pagerduty.com/escalation_policies/PUS0KTE","summary":"Default","type":"escalation_policy_reference"},'
    b'"teams":[{"html_url":"https://acme.pagerduty.com/teams/PFCVPS0","id":"PFCVPS0",'
    b'"self":"https://api.pagerduty.com/teams/PFCVPS0","summary":"Engineering","type":"team_reference"}],'
    b'"priority":{"html_url":"https://acme.pagerduty.com/account/incident_priorities","id":"PSO75BM",'
    b'"self":"https://api.pagerduty.com/priorities/PSO75BM","summary":"P1","type":"priority_reference"},'
    b'"urgency":"high","conference_bridge":{"conference_number":1000,"conference_url":"https://example.com"},"resolve_reason":null}}}'
)
SHARED = Path(__file__).resolve().parents[4] / "shared" / "specs" / "pagerduty" / "signature_vectors.json"


def dialect(*keys: str) -> PagerDutyWebhook:
    return PagerDutyWebhook(PagerDutyConfig(), WebhookSecrets(tuple(map(Secret, keys))))


def asked(body: bytes, signature: str | None = None, *, at: datetime = NOW, **headers: str) -> InboundRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if signature is not None:
        named["x-pagerduty-signature"] = signature
    return InboundRequest("POST", "/v1/hooks/x", named, body, at)


def signed(body: bytes, *secrets: str) -> str:
    return ",".join(f"v1={hmac_sha256_hex(secret.encode(), body)}" for secret in secrets)


def event(name: str, data: dict[str, Any] | None, *, at: datetime | None = NOW, **more: Any) -> bytes:
    told: dict[str, Any] = {
        "id": "01TEST",
        "event_type": name,
        "resource_type": "incident",
        "agent": {"id": "PUSR", "type": "user_reference", "summary": "Ann Onduty"},
        "client": None,
        "data": data,
        **more,
    }
    if at is not None:
        told["occurred_at"] = at.isoformat().replace("+00:00", "Z")
    return json.dumps({"event": told}, ensure_ascii=False).encode()


def incident(**more: Any) -> dict[str, Any]:
    return {
        "id": "PINC1",
        "type": "incident",
        "html_url": "https://acme.pagerduty.com/incidents/PINC1",
        "number": 7,
        "status": "acknowledged",
        "incident_key": "callout-inc-7",
        "created_at": "2026-05-01T09:00:00Z",
        "title": "Checkout ist kaputt 支払い",
        "service": {"id": "PSVC", "type": "service_reference", "summary": "Checkout"},
        "assignees": [{"id": "PUSR", "type": "user_reference", "summary": "Ann Onduty"}],
        "escalation_policy": {"id": "PEP", "type": "escalation_policy_reference", "summary": "Default"},
        "teams": [],
        "priority": {"id": "PP2", "type": "priority_reference", "summary": "P2"},
        "urgency": "high",
        "conference_bridge": None,
        "resolve_reason": None,
        **more,
    }


def vectors() -> Iterator[Any]:
    """The vendor's, and the others of the reference data where it is there."""
    yield {"secret": VENDOR_SECRET, "body": VENDOR_BODY.decode(), "header": VENDOR_HEADER, "valid": True}
    if SHARED.is_file():
        yield from json.loads(SHARED.read_text())["vectors"]


# Signatures


def test_the_vendors_own_vector_is_believed() -> None:
    request = asked(VENDOR_BODY, VENDOR_HEADER, at=VENDOR_AT + timedelta(seconds=3))
    assert dialect(VENDOR_SECRET).verify(request).trust is Trust.SIGNED
    later = asked(VENDOR_BODY, VENDOR_HEADER, at=VENDOR_AT + timedelta(days=3))
    assert dialect(VENDOR_SECRET).verify(later).trust is Trust.REFUSED


@pytest.mark.parametrize("vector", list(vectors()))
def test_every_published_vector(vector: dict[str, Any]) -> None:
    body = vector["body"].encode()
    at = datetime.fromisoformat(json.loads(body)["event"]["occurred_at"])
    trust = dialect(vector["secret"]).verify(asked(body, vector["header"], at=at)).trust
    assert trust is (Trust.SIGNED if vector["valid"] else Trust.REFUSED)


BODY = event("incident.acknowledged", incident())


@pytest.mark.parametrize(
    ("keys", "header", "trust"),
    [
        ([SECRET], signed(BODY, SECRET), Trust.SIGNED),
        ([SECRET], signed(BODY, OLD, SECRET), Trust.SIGNED),
        ([OLD], signed(BODY, SECRET, OLD), Trust.SIGNED),
        ([SECRET, OLD], signed(BODY, OLD), Trust.SIGNED),
        ([SECRET], signed(BODY, OLD, SECRET).replace(",", ", "), Trust.SIGNED),
        ([SECRET], "v2=00," + signed(BODY, SECRET), Trust.SIGNED),
        ([SECRET], signed(BODY, OLD), Trust.REFUSED),
        ([SECRET], signed(BODY, SECRET).replace("v1=", "v2="), Trust.REFUSED),
        ([SECRET], signed(BODY, SECRET).replace("v1=", ""), Trust.REFUSED),
        ([SECRET], signed(BODY, SECRET)[:-1], Trust.REFUSED),
        ([SECRET], signed(BODY + b" ", SECRET), Trust.REFUSED),
        ([SECRET], "v1=", Trust.REFUSED),
        ([SECRET], ",,,", Trust.REFUSED),
        ([SECRET], "v1=\udcff", Trust.REFUSED),
        ([SECRET], ",".join(["v1=00"] * 1000), Trust.REFUSED),
        ([SECRET], None, Trust.REFUSED),
        ([""], signed(BODY, SECRET), Trust.REFUSED),
        ([], signed(BODY, SECRET), Trust.HINT),
        ([], None, Trust.HINT),
    ],
)
def test_signatures(keys: list[str], header: str | None, trust: Trust) -> None:
    verdict = dialect(*keys).verify(asked(BODY, header))
    assert verdict.trust is trust
    assert verdict.reason or trust is Trust.SIGNED


@pytest.mark.parametrize(
    ("age", "trust"),
    [
        (timedelta(), Trust.SIGNED),
        (timedelta(hours=48), Trust.SIGNED),
        (timedelta(hours=50), Trust.REFUSED),
        (timedelta(minutes=-2), Trust.SIGNED),
        (timedelta(hours=-1), Trust.REFUSED),
    ],
)
def test_an_old_or_future_event_is_refused_although_signed(age: timedelta, trust: Trust) -> None:
    body = event("incident.resolved", incident(), at=NOW - age)
    assert dialect(SECRET).verify(asked(body, signed(body, SECRET))).trust is trust


def test_without_a_time_a_signed_event_is_a_hint_that_needs_no_token() -> None:
    body = event("incident.resolved", incident(), at=None)
    verdict = dialect(SECRET).verify(asked(body, signed(body, SECRET)))
    assert (verdict.trust, verdict.covered) == (Trust.HINT, True)


def test_the_delivery_id_is_the_vendors() -> None:
    assert dialect(SECRET).delivery_id(asked(BODY, x_webhook_id="d-1")) == "d-1"
    assert dialect(SECRET).delivery_id(asked(BODY)) == ""
    assert dialect(SECRET).reply(asked(BODY)) is None


# Payloads


def parsed(body: bytes) -> Change:
    result = dialect(SECRET).parse(asked(body))
    assert not isinstance(result, Ignored), result
    (change,) = result
    return change


@pytest.mark.parametrize("name", [name for name in HANDLED if name != "incident.annotated"])
def test_an_event_with_the_incident_tells_its_state(name: str) -> None:
    change = parsed(event(name, incident()))
    assert (change.kind, change.ticket_id, change.ticket_key) == (HANDLED[name], "PINC1", "7")
    assert (change.occurred_at, change.actor) == (NOW, Person("PUSR", "Ann Onduty"))
    assert change.vendor_event == name
    ticket = change.ticket
    assert ticket is not None
    assert (ticket.title, ticket.status, ticket.status_category) == (
        "Checkout ist kaputt 支払い",
        "acknowledged",
        StatusCategory.ACTIVE,
    )
    assert (ticket.priority, ticket.priority_name) == (Priority.HIGH, "P2")
    assert (ticket.project, ticket.marks) == ("PSVC", ("callout-inc-7",))
    assert ticket.assignee == Person("PUSR", "Ann Onduty")
    assert change.partial
    assert {"title", "status", "priority", "assignee", "project", "marks"} <= change.known
    assert not {"description", "updated_at", "version", "custom_fields"} & change.known


def test_nobody_on_a_resolved_incident_is_nobodys_decision() -> None:
    change = parsed(event("incident.resolved", incident(status="resolved", assignees=[])))
    assert change.ticket is not None
    assert change.ticket.assignee is None
    assert "assignee" not in change.known
    assert "assignee" in parsed(event("incident.reassigned", incident(assignees=[]))).known


@pytest.mark.parametrize("priority", [None, {"id": "PX", "type": "priority_reference", "summary": "Oh dear"}])
def test_a_priority_that_only_the_accounts_list_explains_is_not_told(priority: dict[str, str] | None) -> None:
    change = parsed(event("incident.priority_updated", incident(priority=priority)))
    assert "priority" not in change.known


def note(**more: Any) -> dict[str, Any]:
    return {
        "incident": {"id": "PINC1", "type": "incident_reference", "summary": "Checkout"},
        "id": "PNOTE1",
        "content": "café is back",
        "trimmed": False,
        "type": "incident_note",
        **more,
    }


def test_a_note_becomes_a_comment() -> None:
    change = parsed(event("incident.annotated", note()))
    assert (change.kind, change.ticket_id, change.ticket) == (ChangeKind.COMMENTED, "PINC1", None)
    comment = change.comment
    assert comment is not None
    assert (comment.id, comment.content, comment.audience) == ("PNOTE1", "café is back", Audience.RESPONDERS)
    assert (comment.author, comment.created_at) == (Person("PUSR", "Ann Onduty"), NOW)


def test_our_mark_is_taken_off_a_note() -> None:
    comment = parsed(
        event("incident.annotated", note(content="Ann: it is back\n\n(callout: note-17)"))
    ).comment
    assert comment is not None
    assert (comment.content, comment.mark) == ("Ann: it is back", "note-17")


def test_a_cut_note_is_only_a_hint() -> None:
    change = parsed(event("incident.annotated", note(trimmed=True)))
    assert (change.kind, change.comment) == (ChangeKind.COMMENTED, None)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("incident.responder.added", "incident_responder"),
        ("incident.responder.replied", "incident_responder"),
        ("incident.status_update_published", "incident_status_update"),
        ("incident.conference_bridge.updated", "incident_conference_bridge"),
        ("incident.custom_field_values.updated", "incident_field_values"),
        ("incident.role.assigned", "incident_role_assignment"),
    ],
)
def test_an_event_about_a_part_names_its_incident(name: str, kind: str) -> None:
    change = parsed(event(name, {"type": kind, "incident": {"id": "PINC1", "type": "incident_reference"}}))
    assert (change.kind, change.ticket_id, change.ticket, change.known) == (
        ChangeKind.UPDATED,
        "PINC1",
        None,
        frozenset(),
    )


def test_an_event_by_nobody_has_no_actor() -> None:
    assert parsed(event("incident.unacknowledged", incident(), agent=None)).actor is None


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_events_that_say_nothing_about_tickets_are_ignored(name: str) -> None:
    body = event(name, {"message": "Hello from your friend Pagey!", "type": "ping"}, agent=None)
    result = dialect(SECRET).parse(asked(body))
    assert isinstance(result, Ignored)
    assert (result.event, "unknown" in result.reason) == (name, False)


def test_an_event_of_tomorrow_is_ignored_and_counted() -> None:
    result = dialect(SECRET).parse(asked(event("incident.teleported", incident())))
    assert isinstance(result, Ignored)
    assert result.reason == "unknown event"


def test_an_event_that_names_no_incident_is_left_to_polling() -> None:
    assert isinstance(dialect(SECRET).parse(asked(event("incident.annotated", note(incident=None)))), Ignored)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"event":[]}',
        b'{"event":{"event_type":7}}',
        b'{"event":{"event_type":"incident.triggered","data":[]}}',
        b'{"event":{"event_type":"incident.triggered","data":null}}',
        b'{"event":{"event_type":"incident.triggered","agent":"x","data":{}}}',
        event("incident.triggered", incident(service="x")),
        event("incident.triggered", incident(assignees=["x"])),
        event("incident.annotated", {"incident": "PINC1"}),
        b"[" * 100_000,
    ],
)
def test_what_pagerduty_does_not_send_is_said(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever the words
        dialect(SECRET).parse(asked(body))

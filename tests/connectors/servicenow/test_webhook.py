"""What our business rule posts: signatures, ages, and what each payload becomes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.webhook import ServiceNowWebhook
from callout.kit.secrets import Secret
from callout.ports.inbound import Ignored, InboundRequest, Trust, WebhookSecrets
from callout.ports.ticketing import Change, ChangeKind, CommentDraft, TicketDraft, TicketPatch
from callout.ports.values import Audience
from tests.connectors.hook_inbox import Inbox
from tests.connectors.servicenow.instance import Instance

KEY = "a-long-webhook-secret"
FIXTURES = Path(__file__).parent / "fixtures"
SENT = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)


def dialect(*keys: str) -> ServiceNowWebhook:
    return ServiceNowWebhook(
        ServiceNowConfig(url="https://example.service-now.com"), WebhookSecrets(tuple(map(Secret, keys)))
    )


def mac(key: str, body: bytes) -> str:
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def request(
    body: bytes, headers: Mapping[str, str] | None = None, *, after: timedelta = timedelta(seconds=1)
) -> InboundRequest:
    names = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    return InboundRequest("POST", "/v1/hooks/x", names, body, SENT + after)


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


UPDATED = fixture("incident.updated.state")


# Signatures


def test_a_good_signature_is_believed() -> None:
    verdict = dialect(KEY).verify(request(UPDATED, {"x_sn_signature": mac(KEY, UPDATED)}))
    assert verdict.trust is Trust.SIGNED
    assert verdict.is_json


def test_the_published_sample_of_hmac_sha256() -> None:
    """RFC 4231, test case 2, as `generateMac` would give it: the digest in Base64."""
    body = b"what do ya want for nothing?"
    expected = base64.b64encode(
        bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    ).decode()
    assert dialect("Jefe").verify(request(body, {"x_sn_signature": expected})).trust is Trust.HINT


@pytest.mark.parametrize("place", range(0, len(UPDATED), 37))
def test_an_altered_body_is_refused(place: int) -> None:
    altered = UPDATED[:place] + bytes([UPDATED[place] ^ 1]) + UPDATED[place + 1 :]
    assert dialect(KEY).verify(request(altered, {"x_sn_signature": mac(KEY, UPDATED)})).trust is Trust.REFUSED


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_sn_signature": ""},
        {"x_sn_signature": mac("another", UPDATED)},
        {"x_sn_signature": mac(KEY, UPDATED)[:-2]},
        {"x_sn_signature": hmac.new(KEY.encode(), UPDATED, hashlib.sha256).hexdigest()},
        {"x_sn_signature": "ü"},
        {"x_hub_signature": "sha1=" + hmac.new(KEY.encode(), UPDATED, hashlib.sha1).hexdigest()},
        {"x_hub_signature": "sha256=00"},
    ],
)
def test_a_missing_or_wrong_signature_is_refused(headers: dict[str, str]) -> None:
    assert dialect(KEY).verify(request(UPDATED, headers)).trust is Trust.REFUSED


def test_a_hub_signature_counts_as_well() -> None:
    digest = hmac.new(KEY.encode(), UPDATED, hashlib.sha256).hexdigest()
    assert (
        dialect(KEY).verify(request(UPDATED, {"x_hub_signature": f"sha256={digest}"})).trust is Trust.SIGNED
    )


def test_while_a_key_is_rotated_both_count() -> None:
    both = dialect("new key", KEY)
    assert both.verify(request(UPDATED, {"x_sn_signature": mac(KEY, UPDATED)})).trust is Trust.SIGNED
    assert both.verify(request(UPDATED, {"x_sn_signature": mac("new key", UPDATED)})).trust is Trust.SIGNED


def test_an_empty_key_is_no_key() -> None:
    assert dialect("").verify(request(UPDATED, {"x_sn_signature": mac("", UPDATED)})).trust is Trust.REFUSED


def test_without_a_key_it_is_a_hint() -> None:
    assert dialect().verify(request(UPDATED)).trust is Trust.HINT


@pytest.mark.parametrize(
    ("after", "trust"),
    [
        (timedelta(minutes=59), Trust.SIGNED),
        (timedelta(minutes=61), Trust.REFUSED),
        (-timedelta(minutes=2), Trust.SIGNED),
        (-timedelta(minutes=6), Trust.REFUSED),
    ],
)
def test_a_signature_ages(after: timedelta, trust: Trust) -> None:
    assert (
        dialect(KEY).verify(request(UPDATED, {"x_sn_signature": mac(KEY, UPDATED)}, after=after)).trust
        is trust
    )


def test_what_is_signed_without_a_time_is_a_hint_that_needs_no_token() -> None:
    body = json.dumps({**json.loads(UPDATED), "sent_at": ""}).encode()
    verdict = dialect(KEY).verify(request(body, {"x_sn_signature": mac(KEY, body)}))
    assert (verdict.trust, verdict.covered) == (Trust.HINT, True)


# Deliveries


def test_the_delivery_is_known_by_the_event() -> None:
    assert dialect().delivery_id(request(UPDATED)).endswith(":7")
    assert dialect().delivery_id(request(fixture("incident.deleted"))).endswith(":8:delete")
    for body in (b"", b"[]", b"{}", b"nonsense", b'{"event_id": 7}'):
        assert dialect().delivery_id(request(body)) == ""


# What a payload becomes


def parsed(name: str) -> list[Change]:
    found = dialect(KEY).parse(request(fixture(name)))
    assert not isinstance(found, Ignored)
    return list(found)


def test_an_update_is_told_as_far_as_raw_values_tell() -> None:
    [change] = parsed("incident.updated.state")
    assert (change.kind, change.ticket_key, change.vendor_event) == (
        ChangeKind.UPDATED,
        "INC0010002",
        "incident.updated",
    )
    assert change.occurred_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert change.partial
    assert "status" not in change.known, "what its number means only the instance knows"
    assert change.ticket is not None
    assert change.ticket.marks == ("callout-inc-1-0123456789ab",)
    assert change.ticket.updated_at is None, "so that it is read again"
    assert change.ticket.title == "Zahlung kaputt ü"


def test_an_insert_is_a_new_ticket() -> None:
    [change] = parsed("incident.inserted")
    assert change.kind is ChangeKind.CREATED


def test_a_delete_tells_nothing_but_that() -> None:
    [change] = parsed("incident.deleted")
    assert (change.kind, change.ticket) == (ChangeKind.DELETED, None)
    assert change.occurred_at == SENT, "its own time and not that of the last update"


def test_comments_and_work_notes_keep_their_audience() -> None:
    _, public, internal = parsed("incident.updated.commented")
    assert public.comment is not None
    assert internal.comment is not None
    assert (public.comment.content, public.comment.audience) == ("We are on it", Audience.CUSTOMER)
    assert (internal.comment.content, internal.comment.audience) == ("node 3 is down", Audience.RESPONDERS)
    assert internal.comment.mark == "note-7"
    assert internal.comment.author is not None
    assert (internal.comment.author.id, internal.comment.author.name) == (
        "62826bf03710200044e0bfc8bcbe5df1",
        "Ann Lee",
    )


def test_an_entry_whose_author_is_a_mere_login_is_a_hint_to_read() -> None:
    body = json.loads(fixture("incident.updated.commented"))
    del body["actor"]
    found = dialect().parse(request(json.dumps(body).encode()))
    assert not isinstance(found, Ignored)
    assert [(change.kind, change.comment) for change in found][1:] == [(ChangeKind.COMMENTED, None)] * 2


def test_a_file_is_told_of_its_record() -> None:
    [change] = parsed("sys_attachment.inserted")
    assert (change.kind, change.ticket_id) == (ChangeKind.ATTACHED, "9d385017c611228701d22104cc95c371")


def test_an_unknown_operation_is_ignored() -> None:
    body = json.dumps({**json.loads(UPDATED), "operation": "query"}).encode()
    assert isinstance(dialect().parse(request(body)), Ignored)


@pytest.mark.parametrize(
    "change",
    [
        {"table": ""},
        {"sys_id": "7"},
        {"sys_id": "../../x"},
        {"sys_id": None},
        {"number": 7},
        {"record": []},
        {"record": {"state": 2}},
        {"journal": {}},
        {"journal": ["x"]},
        {"actor": "ann"},
    ],
)
def test_what_our_rule_does_not_post_is_unreadable(change: dict[str, Any]) -> None:
    body = json.dumps({**json.loads(UPDATED), **change}).encode()
    with pytest.raises(ValueError, match=r"\w"):
        dialect().parse(request(body))


NAMES = st.sampled_from(["table", "sys_id", "record", "journal", "operation", "actor", "x"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
)


@given(ANYTHING)
def test_any_json_is_read_or_refused_in_words(value: Any) -> None:
    with contextlib.suppress(ValueError):
        dialect().parse(request(json.dumps(value).encode()))


# The twin's own webhooks


async def test_what_the_instance_sends_is_signed_and_understood(instance: Instance, inbox: Inbox) -> None:
    instance.set(business_rules=[{"url": inbox.url, "secret": KEY, "table": "incident"}])
    provider = instance.provider()
    made = await provider.create_ticket(TicketDraft("Grüße 支払い 🔥", key="callout-inc-1"))
    await provider.patch_ticket(made.id, TicketPatch({"status": "category:active"}))
    await provider.create_comment(made.id, CommentDraft("näher dran", key="note-1"))
    instance.act("delete_record", record=made.key)
    requests = await inbox.wait(4)
    door = dialect(KEY)
    assert {door.verify(one).trust for one in requests} == {Trust.SIGNED}
    assert len({door.delivery_id(one) for one in requests}) == 4
    by_kind: dict[ChangeKind, Change] = {}
    for one in requests:
        found = door.parse(one)
        assert not isinstance(found, Ignored)
        by_kind.update({change.kind: change for change in found})
    assert {change.ticket_id for change in by_kind.values()} == {made.id}
    assert set(by_kind) == {ChangeKind.CREATED, ChangeKind.UPDATED, ChangeKind.COMMENTED, ChangeKind.DELETED}
    created = by_kind[ChangeKind.CREATED]
    assert created.ticket is not None
    assert (created.ticket.title, created.ticket.marks) == ("Grüße 支払い 🔥", ("callout-inc-1",))


async def test_a_webhook_that_was_tampered_with_is_refused(instance: Instance, inbox: Inbox) -> None:
    instance.set(business_rules=[{"url": inbox.url, "secret": KEY, "table": "incident"}])
    instance.faults.add({"kind": "webhook_tamper"})
    await instance.provider().create_ticket(TicketDraft("x"))
    [one] = await inbox.wait(1)
    assert dialect(KEY).verify(one).trust is Trust.REFUSED

"""Pure parts: the plan of attempts, circuits, signatures, filters, and how the provider's own body is carried."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st

from callout.kit.secrets import Secret
from callout.webhooks.outbound.model import wants
from callout.webhooks.outbound.plan import MOST_ATTEMPTS, OPEN_AFTER, circuit_wait, next_wait
from callout.webhooks.outbound.routing import body_of
from callout.webhooks.outbound.signing import (
    is_long_enough,
    new_secret,
    signed_headers,
    standard_secret,
    standard_signature,
)

seconds = st.floats(0, 86_400, allow_nan=False).map(lambda value: timedelta(seconds=value))


@given(st.integers(), st.lists(st.none() | seconds, min_size=MOST_ATTEMPTS, max_size=MOST_ATTEMPTS))
def test_attempts_reach_over_a_day_whatever_the_jitter_and_never_come_before_retry_after(
    seed: int, asked: list[timedelta | None]
) -> None:
    rng = random.Random(seed)  # noqa: S311  # jitter
    total = plain = timedelta(0)
    for attempt in range(1, MOST_ATTEMPTS):
        wait = next_wait(attempt, rng, retry_after=asked[attempt])
        own = next_wait(attempt, rng)
        assert wait is not None
        assert own is not None
        if (least := asked[attempt]) is not None:
            assert wait >= least
        total += wait
        plain += own
    assert next_wait(MOST_ATTEMPTS, rng) is None
    assert total >= timedelta(hours=24)
    assert timedelta(hours=24) <= plain <= timedelta(hours=34)


@given(st.integers(), st.integers(1, 10_000), st.none() | seconds)
def test_a_circuit_never_closes_an_endpoint_off_for_long_unless_it_asks(
    seed: int, failures: int, asked: timedelta | None
) -> None:
    rng = random.Random(seed)  # noqa: S311  # jitter
    wait = circuit_wait(failures, rng, retry_after=asked)
    if asked is not None:
        assert wait is not None
        assert wait >= asked
    elif failures < OPEN_AFTER:
        assert wait is None
    else:
        assert wait is not None
        assert timedelta(seconds=20) <= wait <= timedelta(minutes=15)


def test_attempts_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        next_wait(0, random.Random(1))  # noqa: S311  # jitter


# Published with the libraries of Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks, libraries/*/test).
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
STAMP = 1614265330
PAYLOAD = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_vector_of_standard_webhooks() -> None:
    headers = signed_headers([Secret(KEY)], message_id=MESSAGE, timestamp=STAMP, body=PAYLOAD)
    assert headers["webhook-signature"] == SIGNATURE
    assert headers["webhook-id"] == MESSAGE
    assert headers["webhook-timestamp"] == str(STAMP)


def test_the_contracts_signature_is_over_the_body_alone_under_both_names() -> None:
    headers = signed_headers([Secret("k" * 24)], message_id="m", timestamp=1, body=PAYLOAD)
    wanted = "sha256=" + hmac.new(b"k" * 24, PAYLOAD, hashlib.sha256).hexdigest()
    assert headers["Synqly-Signature"] == headers["X-Synqly-Signature"] == wanted


@pytest.mark.parametrize("peer", [standardwebhooks.Webhook, svix.webhooks.Webhook])
@pytest.mark.parametrize(
    "secret", [new_secret(), Secret("k" * 24), Secret("ü" * 20), Secret("whsec_not base64, long enough")]
)
def test_libraries_of_others_verify_us_with_either_secret_while_one_is_replaced(
    peer: type[standardwebhooks.Webhook], secret: Secret
) -> None:
    former, now = new_secret(), int(datetime.now(UTC).timestamp())
    body = '{"text": "ünïcode", "number": 1.0}'.encode()
    headers = signed_headers([secret, former], message_id="msg_1", timestamp=now, body=body)
    for one in (secret, former):
        # It raises where a signature does not fit; one of the two libraries also returns what it read.
        assert peer(standard_secret(one).reveal()).verify(body, headers) in (None, json.loads(body))
    stranger = peer(new_secret().reveal())
    with pytest.raises(Exception, match="signature"):
        stranger.verify(body, headers)
    with pytest.raises(Exception, match="signature"):
        peer(standard_secret(secret).reveal()).verify(body + b" ", headers)


def test_how_long_a_secret_is() -> None:
    assert is_long_enough(new_secret())
    assert is_long_enough(Secret("x" * 24))
    assert is_long_enough(Secret("x" * 64))
    assert not is_long_enough(Secret("x" * 23))
    assert not is_long_enough(Secret("x" * 65))
    assert not is_long_enough(Secret("whsec_" + base64.b64encode(b"x" * 20).decode()))


def test_an_empty_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="empty key"):
        standard_signature(b"", "m", 1, b"")


ODD = [
    b'{"a": 1.0, "a" : 2, "big":123456789012345678901234567890, "u":"\\u00fc \xc3\xbc"}',
    b"[1, 2 ,3]",
    b'  "text"  ',
    b"null",
]


@pytest.mark.parametrize("raw", ODD)
@pytest.mark.parametrize("head", ['{"ticket_id":"TST-1"}', "{}"])
def test_a_providers_body_is_carried_byte_for_byte(raw: bytes, head: str) -> None:
    assert body_of(head, raw, "object").endswith(b'"raw_payload":' + raw + b"}")
    assert json.loads(body_of(head, raw, "object"))["raw_payload"] == json.loads(raw)
    assert json.loads(body_of(head, raw, "string"))["raw_payload"].encode() == raw


@pytest.mark.parametrize(
    ("filters", "scope", "event", "told"),
    [
        ([], "integration", "TicketCreated", True),
        ([], "integration", "", True),
        ([], "integration", "incident.declared", False),
        ([], "account", "incident.declared", True),
        ([], "account", "account_create", False),
        (["TicketCreated"], "integration", "TicketCreated", True),
        (["TicketCreated"], "integration", "TicketUpdated", False),
        (["TicketCreated"], "integration", "", False),
        (["Ticket*"], "account", "TicketDeleted", True),
        (["Ticket*"], "account", "", False),
        (["Ticket*"], "account", "incident.changed", False),
        (["incident.*"], "organization", "incident.changed", True),
        (["incident.*"], "organization", "TicketCreated", False),
        (["all"], "organization", "account_create", True),
        (["all"], "organization", "TicketCreated", False),
        (["integration_delete"], "organization", "integration_delete", True),
        (["integration_delete"], "organization", "integration_create", False),
        ([], "organization", "TicketCreated", False),
    ],
)
def test_who_is_told_of_what(filters: list[str], scope: str, event: str, told: bool) -> None:
    assert wants(filters, scope, event) is told

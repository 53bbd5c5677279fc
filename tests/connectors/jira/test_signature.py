"""Vectors: the first of each kind is the vendor's (developer.atlassian.com, "Webhooks", secret and body as printed there)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.signature import bearer_token_problem, hub_signature_matches
from callout.connectors.jira.webhook import JiraWebhook
from callout.kit.secrets import Secret
from callout.kit.signing import hmac_sha256_hex
from callout.ports.inbound import InboundRequest, Trust, WebhookSecrets

NOW = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
STAMP = int(NOW.timestamp() * 1000)
BODY = (
    b'{"timestamp":1777629600000,"webhookEvent":"jira:issue_updated","issue_event_type_name":"issue_generic",'
    b'"issue":{"id":"10042","key":"OPS-31"}}'
)
VENDOR = b"It's a Secret to Everybody"
OWN = b"selfmade-jira-secret"
OWN_HEX = "b619e531389dcb3dab9db848204efc03d0418d78e5e9e7871a0cdf17d95860a2"
JWT = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJjbGllbnQtaWQtMSIsImlhdCI6MTc3NzYyOTYwMCwiZXhwIjo0MTAyNDQ0ODAwfQ."
    "dg4KFpUGw8yaxC8ih7hnXokDaiW-2i-GYuUcSWd53m8"
)
JWT_WITHOUT_ALGORITHM = "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.eyJpc3MiOiJjbGllbnQtaWQtMSIsImlhdCI6MTc3NzYyOTYwMCwiZXhwIjo0MTAyNDQ0ODAwfQ."
CLIENT_SECRET = b"client-secret-1"


@pytest.mark.parametrize(
    ("key", "body", "header", "valid"),
    [
        (
            VENDOR,
            b"Hello World!",
            "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
            True,
        ),
        (
            VENDOR,
            b"Hello World?",
            "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
            False,
        ),
        (OWN, BODY, f"sha256={OWN_HEX}", True),
        (OWN, BODY, f"SHA256={OWN_HEX.upper()}", True),
        (b"another", BODY, f"sha256={OWN_HEX}", False),
        (OWN, BODY + b"\n", f"sha256={OWN_HEX}", False),
        (OWN, BODY, "sha1=e1842ee9440f46102de3fc0076185424df548629", False),
        (OWN, BODY, OWN_HEX, False),
        (OWN, BODY, f"sha256={OWN_HEX[:-1]}", False),
        (OWN, BODY, "sha256=", False),
        (OWN, BODY, "", False),
        (OWN, BODY, "sha256=\udcff", False),
    ],
)
def test_hub_signatures(key: bytes, body: bytes, header: str, valid: bool) -> None:
    assert hub_signature_matches([key], body, header) is valid


def test_every_key_is_tried_while_keys_rotate() -> None:
    assert hub_signature_matches([b"new", OWN], BODY, f"sha256={OWN_HEX}")
    assert not hub_signature_matches([b"new", b"newer"], BODY, f"sha256={OWN_HEX}")


def test_an_empty_key_vouches_for_nothing() -> None:
    import hashlib  # noqa: PLC0415
    import hmac  # noqa: PLC0415

    forged = hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    assert not hub_signature_matches([b""], BODY, f"sha256={forged}")
    assert not hub_signature_matches([], BODY, f"sha256={forged}")


def token(claims: Mapping[str, object], *, secret: bytes = CLIENT_SECRET, alg: str = "HS256") -> str:
    parts = [json.dumps({"typ": "JWT", "alg": alg}).encode(), json.dumps(claims).encode()]
    head, body = (base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    mac = bytes.fromhex(hmac_sha256_hex(secret, f"{head}.{body}".encode()))
    return f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def claims(**changes: object) -> dict[str, object]:
    usual = {"iss": "client-id-1", "iat": NOW.timestamp(), "exp": NOW.timestamp() + 180}
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("jwt", "secret", "problem"),
    [
        (JWT, CLIENT_SECRET, ""),
        (JWT, b"client-secret-2", "wrong JWT signature"),
        (JWT, b"", "the client secret is empty"),
        (JWT_WITHOUT_ALGORITHM, CLIENT_SECRET, "the JWT is not signed with HS256"),
        (token(claims()), CLIENT_SECRET, ""),
        (token(claims(), alg="HS512"), CLIENT_SECRET, "the JWT is not signed with HS256"),
        (token(claims(exp=NOW.timestamp() - 61)), CLIENT_SECRET, "the JWT has expired"),
        (token(claims(exp=None)), CLIENT_SECRET, "the JWT never expires"),
        (token(claims(exp=True)), CLIENT_SECRET, "the JWT never expires"),
        (token(claims(nbf=NOW.timestamp() + 61)), CLIENT_SECRET, "the JWT is not valid yet"),
        (token(claims(iss=None)), CLIENT_SECRET, "the JWT names no issuer"),
        (token(claims(iss="somebody")), CLIENT_SECRET, "the JWT is of another issuer"),
        ("a.b", CLIENT_SECRET, "not a JWT"),
        ("a.b.c", CLIENT_SECRET, "not a JWT"),
        ("", CLIENT_SECRET, "not a JWT"),
        ("W10.W10.", CLIENT_SECRET, "not a JWT"),
    ],
)
def test_bearer_tokens(jwt: str, secret: bytes, problem: str) -> None:
    assert bearer_token_problem(jwt, secret=secret, issuer="client-id-1", now=NOW) == problem


def request(body: bytes = BODY, at: datetime = NOW, **headers: str) -> InboundRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return InboundRequest("POST", "/hooks/x", named, body, at)


def webhook(*keys: str, client_secret: str | None = None) -> JiraWebhook:
    secrets = WebhookSecrets(
        keys=tuple(Secret(key) for key in keys),
        client_secret=None if client_secret is None else Secret(client_secret),
        client_id="client-id-1",
    )
    return JiraWebhook(JiraConfig(url="https://example.atlassian.net"), secrets)


def signed(body: bytes, key: bytes = OWN) -> str:
    return f"sha256={hmac_sha256_hex(key, body)}"


def test_a_signed_fresh_request_is_believed() -> None:
    hook = webhook(OWN.decode())
    assert hook.verify(request(x_hub_signature=f"sha256={OWN_HEX}")).trust is Trust.SIGNED


def test_an_oauth_apps_request_is_believed_by_its_token() -> None:
    hook = webhook(client_secret="client-secret-1")
    assert hook.verify(request(authorization=f"Bearer {JWT}")).trust is Trust.SIGNED
    assert hook.verify(request(authorization=f"Basic {JWT}")).trust is Trust.REFUSED
    assert hook.verify(request(x_hub_signature=f"sha256={OWN_HEX}")).trust is Trust.REFUSED


@pytest.mark.parametrize(
    "headers",
    [{}, {"x_hub_signature": "sha256=00"}, {"x_hub_signature": ""}, {"authorization": f"Bearer {JWT}"}],
)
def test_a_configured_key_refuses_everything_unsigned(headers: dict[str, str]) -> None:
    sent = InboundRequest("POST", "/", {n.replace("_", "-"): v for n, v in headers.items()}, BODY, NOW)
    assert webhook(OWN.decode()).verify(sent).trust is Trust.REFUSED


def test_without_a_key_a_request_is_a_hint() -> None:
    assert webhook().verify(request()).trust is Trust.HINT
    assert webhook().verify(request(x_hub_signature="sha256=00")).trust is Trust.HINT


def test_an_empty_configured_key_refuses_everything() -> None:
    import hashlib  # noqa: PLC0415
    import hmac  # noqa: PLC0415

    forged = f"sha256={hmac.new(b'', BODY, hashlib.sha256).hexdigest()}"
    assert webhook("").verify(request(x_hub_signature=forged)).trust is Trust.REFUSED
    assert webhook(client_secret="").verify(request(authorization=f"Bearer {JWT}")).trust is Trust.REFUSED


@pytest.mark.parametrize(
    ("age", "trust"),
    [
        (timedelta(hours=24), Trust.SIGNED),
        (timedelta(hours=24, seconds=1), Trust.REFUSED),
        (timedelta(minutes=-1), Trust.SIGNED),
        (timedelta(minutes=-1, seconds=-1), Trust.REFUSED),
    ],
)
def test_what_is_signed_must_be_fresh(age: timedelta, trust: Trust) -> None:
    verdict = webhook(OWN.decode()).verify(request(at=NOW + age, x_hub_signature=f"sha256={OWN_HEX}"))
    assert verdict.trust is trust


@pytest.mark.parametrize(
    "body", [b'{"webhookEvent":"x"}', b'{"timestamp":true}', b"no json", b'{"timestamp":1e400}']
)
def test_signed_without_a_readable_time_is_only_a_hint(body: bytes) -> None:
    verdict = webhook(OWN.decode()).verify(request(body, x_hub_signature=signed(body)))
    assert verdict.trust is Trust.HINT


def test_the_delivery_id_is_jiras_own() -> None:
    assert webhook().delivery_id(request(x_atlassian_webhook_identifier="abc-1")) == "abc-1"
    assert webhook().delivery_id(request()) == ""
    assert webhook().reply(request()) is None

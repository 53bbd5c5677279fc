"""ID tokens: what is believed, and everything that is not."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from callout.access.oidc_errors import OidcError
from callout.access.oidc_settings import OidcSettings, role_mapping
from callout.access.oidc_token import KeySet, verified

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ISSUER = "https://id.example.com/realms/one"
CLAIMS = {
    "iss": ISSUER,
    "aud": "callout",
    "sub": "u-1",
    "nonce": "n-1",
    "iat": NOW.timestamp(),
    "exp": (NOW + timedelta(minutes=5)).timestamp(),
    "name": "Bo",
}
ALGORITHMS = ("RS256", "ES256", "HS256", "none")


@cache
def private(name: str) -> Any:
    if name.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(name: str) -> dict[str, Any]:
    maker: Any = ECAlgorithm if name.startswith("ec") else RSAAlgorithm
    return {**json.loads(maker.to_jwk(private(name).public_key())), "kid": name, "use": "sig"}


def pem(key: PrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def signed(key: str = "rsa", *, kid: str | None = "", algorithm: str = "", **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    head = {} if kid is None else {"kid": kid or key}
    algorithm = algorithm or ("ES256" if key.startswith("ec") else "RS256")
    return jwt.encode(claims, private(key), algorithm=algorithm, headers=head)


def raw(head: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(head).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


KEYS = KeySet.of(
    {"keys": [public("rsa"), public("ec"), {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"}, {"kty": "new"}, 7]}
)


def check(token: str, keys: KeySet = KEYS, now: datetime = NOW, **options: Any) -> Any:
    given = {"issuer": ISSUER, "audience": "callout", "nonce": "n-1", "algorithms": ALGORITHMS, **options}
    return verified(token, keys=keys, now=now, **given)


def why(token: str, **options: Any) -> str:
    with pytest.raises(OidcError) as caught:
        check(token, **options)
    assert token not in str(caught.value)
    return caught.value.why


@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_a_token_of_the_provider_is_believed(key: str) -> None:
    assert check(signed(key))["sub"] == "u-1"
    assert check(signed(key, kid=None))["sub"] == "u-1", "where no key is named, all of them are tried"
    assert check(signed(key, aud=["other", "callout"], azp="callout"))["name"] == "Bo"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://id.example.com"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": "other"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": ["other", "callout"]}, "audience"),
        ({"azp": "other"}, "audience"),
        ({"nonce": "n-2"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": ""}, "nonce"),
        ({"sub": None}, "subject"),
        ({"sub": ""}, "subject"),
        ({"sub": 7}, "subject"),
        ({"sub": "x" * 256}, "subject"),
        ({"exp": None}, "times"),
        ({"iat": None}, "times"),
        ({"exp": True}, "times"),
        ({"exp": (NOW - timedelta(seconds=60)).timestamp()}, "expired"),
        ({"iat": (NOW + timedelta(seconds=61)).timestamp()}, "early"),
        ({"nbf": (NOW + timedelta(seconds=61)).timestamp()}, "early"),
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(changes: dict[str, Any], reason: str) -> None:
    assert why(raw_signed(changes)) == reason


def raw_signed(changes: dict[str, Any]) -> str:
    """Return a token that the provider signed, whatever is in it: the library would not make some of them."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    body = json.dumps(claims).encode()
    return jwt.PyJWS().encode(body, private("rsa"), algorithm="RS256", headers={"kid": "rsa"})


def test_clocks_may_differ_by_a_minute() -> None:
    assert check(signed(), now=NOW + timedelta(minutes=5, seconds=59))
    assert check(signed(), now=NOW - timedelta(seconds=60))


def test_a_token_that_somebody_else_made_is_refused() -> None:
    assert why(signed("rsa-2")) == "signature"
    assert why(signed("rsa-2", kid="rsa")) == "signature"
    assert why(signed("rsa-2", kid=None)) == "signature"
    head, body, signature = signed().split(".")
    other = base64.urlsafe_b64encode(json.dumps({**CLAIMS, "sub": "admin"}).encode()).rstrip(b"=").decode()
    assert why(f"{head}.{other}.{signature}") == "signature"
    assert why(f"{head}.{body}.") == "signature"
    assert why(signed(), keys=KeySet.of({})) == "signature"


def test_a_token_that_anybody_could_have_signed_is_refused() -> None:
    assert why(raw({"alg": "none"}, CLAIMS)) == "algorithm"
    assert why(raw({"alg": "None", "kid": "rsa"}, CLAIMS)) == "algorithm"
    # With the published key as the secret of an HMAC.
    key = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    text = raw({"alg": "HS256", "kid": "rsa"}, CLAIMS).rpartition(".")[0]
    forged = base64.urlsafe_b64encode(key.sign(text.encode(), pem(private("rsa")))).rstrip(b"=").decode()
    assert why(f"{text}.{forged}") == "algorithm"
    assert why(raw({"alg": "HS256", "kid": "oct"}, CLAIMS, b"x")) == "algorithm"
    assert why(signed(), algorithms=("ES256",)) == "algorithm"
    # A key of one kind under a name of another.
    assert why(signed("ec", kid="rsa")) == "signature"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "....", "\ud800", raw({}, {}), raw({"alg": 7}, {})])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(OidcError):
        check(token)
    assert not KEYS.fitting({"kid": "unknown"})


def test_a_claim_set_that_is_no_object_is_refused() -> None:
    token = jwt.PyJWS().encode(b"[1]", private("rsa"), algorithm="RS256", headers={"kid": "rsa"})
    assert why(token) == "signature"


# ------------------------------------------------------------------------------------------- what groups mean


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["sre"]}, "responder"),
        ({"groups": ["sre", "admins", "x"]}, "admin"),
        ({"groups": "admins"}, "admin"),
        ({"groups": ["x"]}, "viewer"),
        ({"groups": {"sre": True}}, "viewer"),
        ({"groups": 7}, "viewer"),
        ({"groups": [7, None, ["admins"]]}, "viewer"),
        ({"groups": None}, "viewer"),
        ({}, "viewer"),
    ],
)
def test_the_widest_role_of_the_groups_counts(claims: dict[str, Any], role: str) -> None:
    settings = OidcSettings(
        "https://id.example.com",
        "callout",
        "https://callout.example.com/login/oidc/done",
        role_claim="groups",
        roles=role_mapping(["sre = responder", "admins=admin", "a=b=viewer"]),
        default_role="viewer",
    )
    assert settings.role_of(claims) == role
    assert settings.roles["a=b"] == "viewer"


@pytest.mark.parametrize("part", ["", "sre", "=admin", "sre=", "sre=king"])
def test_a_mapping_that_says_nothing_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="GROUP=ROLE"):
        role_mapping([part])


def test_domains_are_compared_whole() -> None:
    one = OidcSettings("https://i", "c", "https://r", email_domains=("example.com",))
    assert one.welcomes("a@EXAMPLE.com")
    for stranger in (
        "a@evil-example.com",
        "a@example.com.evil",
        "a@sub.example.com",
        "example.com",
        "a@x@example.com",
        "",
    ):
        assert not one.welcomes(stranger)

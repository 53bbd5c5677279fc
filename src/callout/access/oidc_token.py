"""ID tokens and logout tokens: signed by a key of the provider, for us, now."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import jwt

from callout.access.oidc_errors import OidcError

SIGNATURES: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""What a signature may be made with: by a key of which only the provider has the private half. `none` and HMAC are not among them."""
LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
"""The event by which a logout token is told from an ID token."""
LOGOUT_LIVES: Final = timedelta(minutes=2)
"""So long a logout token holds that does not say until when, as those of before the standard was final."""
LEEWAY: Final = timedelta(seconds=60)
"""So far the provider's clock may be off."""
_REMEDY: Final = "Sign in again. If it stays so, an operator looks at the settings of the sign-in service."


class KeySet:
    """The keys that a provider publishes (RFC 7517), as far as they are for signatures."""

    def __init__(self, keys: Sequence[jwt.PyJWK]) -> None:
        self._keys = tuple(keys)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> KeySet:
        """Return the keys in a document; those of a kind that we do not know are left out."""
        listed = document.get("keys")
        found = []
        for one in listed if isinstance(listed, list) else ():
            if not isinstance(one, Mapping) or one.get("use", "sig") != "sig" or one.get("kty") == "oct":
                continue
            try:
                found.append(jwt.PyJWK.from_dict(dict(one)))
            except (jwt.PyJWTError, ValueError, TypeError):
                continue
        return cls(found)

    def has_key_of(self, token: str) -> bool:
        """Return whether the key that a token names is here."""
        return bool(self.fitting(_head(token)))

    def fitting(self, head: Mapping[str, Any]) -> list[jwt.PyJWK]:
        """Return the keys that may have signed a token with that header: the one it names, else all that there are."""
        named = head.get("kid")
        return [one for one in self._keys if named is None or one.key_id == named]


def verified(
    token: str,
    *,
    keys: KeySet,
    algorithms: Sequence[str],
    issuer: str,
    audience: str,
    nonce: str,
    now: datetime,
) -> Mapping[str, Any]:
    """Return the claims of an ID token, checked as OpenID Connect Core 3.1.3.7 says.

    Args:
        token: as the provider sent it.
        keys: the provider's.
        algorithms: what the provider says that it signs with.
        issuer: who must have signed it.
        audience: our client id.
        nonce: that of this sign-in.
        now: our time.

    Raises:
        OidcError: it is not to be believed.
    """
    claims = _believed(token, keys, algorithms, issuer, audience)
    _check_times(claims, now)
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode("utf-8", "replace"), nonce.encode()):
        raise _refused("nonce", "it is of another sign-in")
    if not _is_name(claims.get("sub")):
        raise _refused("subject", "it does not say who signed in")
    return claims


def verified_logout(
    token: str, *, keys: KeySet, algorithms: Sequence[str], issuer: str, audience: str, now: datetime
) -> Mapping[str, Any]:
    """Return the claims of a logout token, checked as OpenID Connect Back-Channel Logout 1.0, 2.6 says; `exp` is always there.

    The arguments are those of :func:`verified`. Raises OidcError when it is not to be believed.
    """
    claims = dict(_believed(token, keys, algorithms, issuer, audience))
    issued = claims.get("iat")
    if "exp" not in claims and isinstance(issued, int | float):
        claims["exp"] = issued + LOGOUT_LIVES.total_seconds()
    _check_times(claims, now)
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(LOGOUT), Mapping):
        raise _refused("events", "it does not tell that somebody signed out")
    if "nonce" in claims:
        raise _refused("nonce", "it is one of a sign-in")
    if not _is_name(claims.get("jti")):
        raise _refused("jti", "it has no name of its own")
    told = [name for name in ("sub", "sid") if name in claims]
    if not told or not all(_is_name(claims[name]) for name in told):
        raise _refused("subject", "it does not say who signed out")
    return claims


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255  # noqa: PLR2004  # OpenID Connect Core, 2


def _believed(
    token: str, keys: KeySet, algorithms: Sequence[str], issuer: str, audience: str
) -> Mapping[str, Any]:
    """Return the claims of a token that the provider signed, for us."""
    head = _head(token)
    algorithm = str(head.get("alg"))
    if algorithm not in SIGNATURES or algorithm not in algorithms:
        raise _refused("algorithm", f"it is signed with {algorithm[:20]}, which is not agreed on")
    claims = _signed(token, keys.fitting(head), algorithm)
    if claims.get("iss") != issuer:
        raise _refused("issuer", "it is of another service")
    audiences = claims.get("aud")
    audiences = [audiences] if isinstance(audiences, str) else audiences
    if not isinstance(audiences, list) or audience not in audiences:
        raise _refused("audience", "it is meant for another program")
    party = claims.get("azp")
    if (party is not None or len(audiences) > 1) and party != audience:
        raise _refused("audience", "it was asked for by another program")
    return claims


def _signed(token: str, keys: Sequence[jwt.PyJWK], algorithm: str) -> Mapping[str, Any]:
    """Return the claims of a token whose signature is right."""
    # Everything but the signature is checked here, against our own clock and in our own words.
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
    options.update(verify_iss=False, verify_sub=False, verify_jti=False)
    for key in keys:
        try:
            claims: Mapping[str, Any] = jwt.decode(token, key.key, algorithms=[algorithm], options=options)
        except (jwt.PyJWTError, TypeError, ValueError):
            continue
        return claims
    raise _refused("signature", "its signature is not right")


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    moment, leeway = now.timestamp(), LEEWAY.total_seconds()
    for name in ("exp", "iat"):
        if isinstance(claims.get(name), bool) or not isinstance(claims.get(name), int | float):
            raise _refused("times", f"it does not say its {name}")
    if claims["exp"] + leeway <= moment:
        raise _refused("expired", "it has expired; perhaps the clocks differ")
    before = claims.get("nbf", 0)
    early = max(claims["iat"], before if isinstance(before, int | float) else 0)
    if early - leeway > moment:
        raise _refused("early", "it is of a time to come; perhaps the clocks differ")


def _head(token: str) -> Mapping[str, Any]:
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        raise _refused("token", "it cannot be read") from None


def _refused(why: str, words: str) -> OidcError:
    return OidcError(why, f"the token of the sign-in service is refused: {words}", _REMEDY)

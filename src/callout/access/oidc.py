"""Signing in by an OpenID provider: the authorization code flow with PKCE, as a confidential or public client.

Two steps, and no transaction is open while the provider is asked: :meth:`OpenId.begin` says where to send the person, and what to keep
in their browser meanwhile; :meth:`OpenId.finish` turns what they came back with into claims that are verified.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

import orjson

from callout.access.oidc_errors import NotSilentlyError, OidcError, OidcUnavailableError
from callout.access.oidc_token import LEEWAY, KeySet, verified, verified_logout
from callout.kit.http_errors import HttpError, HttpStatusError
from callout.kit.ids import random_token
from callout.kit.secrets import SealError, Secret

if TYPE_CHECKING:
    from callout.access.oidc_settings import OidcSettings
    from callout.kit.clock import Clock
    from callout.kit.http import VendorHttp
    from callout.kit.secrets import KeyRing

UNDERWAY: Final = timedelta(minutes=10)
"""So long a person may take at the provider."""
KEPT: Final = timedelta(hours=1)
"""How long what the provider says of itself is believed without asking again."""
KEYS_AGAIN: Final = timedelta(seconds=30)
"""How soon its keys are asked for again because of a key that is not among them."""
AWAY: Final = timedelta(seconds=5)
"""How soon a provider that did not answer is asked again."""
_SEALED_FOR: Final = ("sign-in", "openid", "underway")
LONGEST_SID: Final = 255
_LONGEST: Final = 8_192
"""Of a code, state or error that came back, in characters."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the person, and what to keep in a cookie until they come back."""

    address: str
    kept: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who came back: claims that are verified, and where they had wanted to go."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]
    onwards: str
    silent: bool = False
    """Whether nobody was asked anything: their session there stands for them."""

    @property
    def sid(self) -> str:
        """The session there, by which the provider may end the one here; empty where it does not tell."""
        found = self.claims.get("sid")
        return found if isinstance(found, str) and len(found) <= LONGEST_SID else ""

    @property
    def email(self) -> str:
        """The e-mail address the provider tells, verified or not."""
        found = self.claims.get("email")
        return found.strip().lower() if isinstance(found, str) else ""

    @property
    def email_verified(self) -> bool:
        """Whether the provider has verified it; some say so in words."""
        return self.claims.get("email_verified") in (True, "true")


@dataclass(frozen=True, slots=True)
class SignedOut:
    """Who signed out at the provider: one session there (`sid`), or all of `subject`. `mark` is that of this notice, until `until`."""

    issuer: str
    mark: str
    until: datetime
    subject: str = ""
    sid: str = ""


@dataclass(frozen=True, slots=True)
class _Provider:
    """What the provider says of itself, as far as we use it."""

    authorization: str
    token: str
    userinfo: str
    keys: str
    algorithms: tuple[str, ...]
    basic: bool
    names_itself: bool
    until: datetime


class OpenId:
    """One provider. `http` makes the client to ask it with, by its address."""

    def __init__(
        self, settings: OidcSettings, *, keys: KeyRing, clock: Clock, http: Callable[[str], VendorHttp]
    ) -> None:
        self.settings = settings
        self._ring = keys
        self._clock = clock
        self._http = http(settings.issuer)
        self._provider: _Provider | None = None
        self._away: tuple[OidcUnavailableError, datetime] | None = None
        self._keys: KeySet | None = None
        self._keys_at: datetime | None = None

    async def begin(self, onwards: str, *, silent: bool = False) -> Begun:
        """Return where to send a person who wants to sign in; `silent`: without asking them anything. Raises OidcError."""
        provider = await self._discovered()
        state, nonce, verifier = random_token(), random_token(), random_token(48)
        kept = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "onwards": onwards,
            "silent": "yes" if silent else "",
            "until": (self._clock.now() + UNDERWAY).isoformat(),
        }
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        if silent:
            query["prompt"] = "none"
        joint = "&" if urlsplit(provider.authorization).query else "?"
        sealed = self._ring.seal(orjson.dumps(kept).decode(), context=_SEALED_FOR)
        return Begun(f"{provider.authorization}{joint}{urlencode(query)}", sealed)

    async def finish(self, query: Mapping[str, str], kept: str) -> Arrival:
        """Return who came back.

        Args:
            query: the parameters of the address they came back to.
            kept: the cookie of :meth:`begin`.

        Raises:
            OidcError: it is not to be believed, the provider said no, or it did not answer.
            NotSilentlyError: the person has to be asked, and was not to be.
        """
        underway = self._opened(kept)
        given = query.get("state", "")
        if len(given) > _LONGEST or not hmac.compare_digest(underway["state"].encode(), given.encode()):
            raise OidcError(
                "state", "the answer of the sign-in service is not the one this browser waits for", _AGAIN
            )
        silent = bool(underway.get("silent"))
        if query.get("error"):
            if silent:
                raise NotSilentlyError(underway["onwards"])
            raise _said_no(query)
        provider = await self._discovered()
        named = query.get("iss")
        if (named is not None or provider.names_itself) and named != self.settings.issuer:
            raise OidcError(
                "issuer", "the answer came from another sign-in service than the one asked", _AGAIN
            )
        code = query.get("code", "")
        if not code or len(code) > _LONGEST:
            raise OidcError("code", "the sign-in service sent no code", _AGAIN)
        tokens = await self._exchanged(provider, code, underway["verifier"])
        claims = await self._claims(provider, tokens, underway["nonce"])
        return Arrival(self.settings.issuer, str(claims["sub"]), claims, underway["onwards"], silent)

    async def signed_out(self, token: str) -> SignedOut:
        """Return whom a logout token is about. Raises OidcError when it is not to be believed."""
        if not token or len(token) > _LONGEST:
            raise OidcError("token", "there is no logout token", _OPERATOR)
        provider = await self._discovered()
        claims = verified_logout(
            token,
            keys=await self._key_set(provider, token),
            algorithms=provider.algorithms,
            issuer=self.settings.issuer,
            audience=self.settings.client_id,
            now=self._clock.now(),
        )
        until = datetime.fromtimestamp(claims["exp"], UTC) + LEEWAY
        return SignedOut(
            self.settings.issuer, claims["jti"], until, claims.get("sub", ""), claims.get("sid", "")
        )

    def _opened(self, kept: str) -> dict[str, str]:
        try:
            underway: dict[str, str] = orjson.loads(self._ring.open(kept, context=_SEALED_FOR).reveal())
        except (SealError, ValueError):
            raise OidcError("cookie", "this browser did not begin a sign-in", _AGAIN) from None
        if self._clock.now() >= datetime.fromisoformat(underway["until"]):
            raise OidcError("late", "the sign-in took longer than ten minutes", _AGAIN)
        return underway

    async def _discovered(self) -> _Provider:
        known, now = self._provider, self._clock.now()
        if known is not None and now < known.until:
            return known
        if self._away is not None and now < self._away[1]:
            # Whoever knocks at our door again and again does not have us knock at the provider's.
            raise OidcUnavailableError(self._away[0].what, self._away[0].detail, again=True)
        try:
            found = await self._asked("GET", "/.well-known/openid-configuration", "what it offers")
        except OidcUnavailableError as error:
            self._away = (error, now + AWAY)
            raise
        self._away = None
        if found.get("issuer") != self.settings.issuer:
            raise OidcError(
                "issuer",
                f"the sign-in service calls itself {str(found.get('issuer'))[:200]!r}",
                "An operator sets CALLOUT_OIDC_ISSUER to exactly that.",
            )
        ways = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        try:
            provider = _Provider(
                authorization=_address(found, "authorization_endpoint"),
                token=_address(found, "token_endpoint"),
                userinfo=_address(found, "userinfo_endpoint") if found.get("userinfo_endpoint") else "",
                keys=_address(found, "jwks_uri"),
                algorithms=tuple(map(str, found.get("id_token_signing_alg_values_supported") or ["RS256"])),
                basic="client_secret_basic" in ways,
                names_itself=found.get("authorization_response_iss_parameter_supported") is True,
                until=now + KEPT,
            )
        except ValueError as error:
            raise OidcError(
                "discovery", f"the sign-in service does not tell its {error}", _OPERATOR
            ) from None
        self._provider = provider
        return provider

    async def _exchanged(self, provider: _Provider, code: str, verifier: str) -> Mapping[str, Any]:
        """Return the tokens for a code."""
        settings = self.settings
        secret = settings.client_secret
        form: dict[str, str | Secret] = {
            "grant_type": "authorization_code",
            "code": Secret(code),
            "redirect_uri": settings.redirect_uri,
            "code_verifier": Secret(verifier),
        }
        headers: dict[str, str | Secret] = {}
        if secret and provider.basic:
            # RFC 6749, 2.3.1: each half is form-encoded before they are put together.
            pair = f"{quote(settings.client_id, safe='')}:{quote(secret.reveal(), safe='')}"
            headers["Authorization"] = Secret(f"Basic {base64.b64encode(pair.encode()).decode()}")
        else:
            form["client_id"] = settings.client_id
            if secret:
                form["client_secret"] = secret
        return await self._asked("POST", provider.token, "for a token", form=form, headers=headers)

    async def _claims(self, provider: _Provider, tokens: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """Return what the ID token says, with what only the userinfo endpoint tells."""
        given = tokens.get("id_token")
        if not isinstance(given, str):
            raise OidcError("id_token", "the sign-in service sent no ID token", _OPERATOR)
        claims = dict(
            verified(
                given,
                keys=await self._key_set(provider, given),
                algorithms=provider.algorithms,
                issuer=self.settings.issuer,
                audience=self.settings.client_id,
                nonce=nonce,
                now=self._clock.now(),
            )
        )
        wanted = {"email", "email_verified", "name", self.settings.role_claim} - {""}
        access = tokens.get("access_token")
        if provider.userinfo and isinstance(access, str) and not wanted <= claims.keys():
            bearer = {"Authorization": Secret(f"Bearer {access}")}
            more = await self._asked("GET", provider.userinfo, "who signed in", headers=bearer)
            if more.get("sub") != claims["sub"]:
                raise OidcError("subject", "the sign-in service told of two different people", _OPERATOR)
            # What is signed wins.
            claims = {**more, **claims}
        return claims

    async def _key_set(self, provider: _Provider, token: str) -> KeySet:
        """Return the provider's keys; asked for again, though not often, where the token names one that is not known yet."""
        now, known = self._clock.now(), self._keys
        if known is None or self._keys_at is None or now - self._keys_at >= KEPT:
            wanted = True
        else:
            wanted = not known.has_key_of(token) and now - self._keys_at >= KEYS_AGAIN
        if wanted or known is None:
            known = KeySet.of(await self._asked("GET", provider.keys, "for its keys"))
            self._keys, self._keys_at = known, now
        return known

    async def _asked(
        self,
        method: str,
        address: str,
        what: str,
        *,
        form: Mapping[str, str | Secret] | None = None,
        headers: Mapping[str, str | Secret] | None = None,
    ) -> Mapping[str, Any]:
        try:
            found = await self._http.request_json(method, address, form=form, headers=headers)
        except HttpStatusError as error:
            told = error.json if isinstance(error.json, Mapping) else {}
            why = str(told.get("error_description") or told.get("error") or "")[:200]
            raise OidcUnavailableError(f"it answered {error.status} when asked {what}", why) from error
        except HttpError as error:
            raise OidcUnavailableError(f"it could not be asked {what}", str(error)[:300]) from error
        if not isinstance(found, Mapping):
            raise OidcUnavailableError(f"its answer could not be read when asked {what}", "")
        return found


_AGAIN: Final = "Go back to the sign-in page and sign in again."
_OPERATOR: Final = "An operator looks at the settings CALLOUT_OIDC_… and at those of the sign-in service."


def _said_no(query: Mapping[str, str]) -> OidcError:
    why, words = query["error"][:100], query.get("error_description", "")[:200]
    if why == "access_denied":
        return OidcError(
            "denied", "the sign-in service did not let you in, or you said no", _AGAIN, detail=words
        )
    return OidcError("provider", f"the sign-in service said no: {why}", _OPERATOR, detail=words)


def _address(found: Mapping[str, Any], name: str) -> str:
    """Return an address from what the provider says of itself. Raises ValueError naming it."""
    value = found.get(name)
    if not isinstance(value, str) or not value.startswith(("https://", "http://")) or not value.isprintable():
        raise ValueError(name)
    return value


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

"""Signing in at an OpenID provider: the way there, and the way back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import structlog
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from callout.access.oidc_errors import NotSilentlyError, OidcError, OidcUnavailableError
from callout.access.tries import TooManyTriesError
from callout.audit import during
from callout.ports.errors import CalloutError, ConflictError, NotFoundError
from callout.server.answers import facts_of
from callout.server.dashboard import session_cookie
from callout.server.dashboard.forms import read_form
from callout.server.dashboard.render import HEADERS
from callout.server.dashboard.signin import (
    NOBODY,
    address_of,
    browser,
    facts,
    login_page,
    own_path,
    signed_in,
)

if TYPE_CHECKING:
    from typing import Any

    from starlette.requests import Request

    from callout.access import OpenedSession
    from callout.access.oidc import Arrival, OpenId
    from callout.server.dashboard.visit import Doors, Visit
    from callout.storage import Tx

COOKIE: Final = "callout_openid"
MINUTES: Final = 10
_UNCACHED: Final = {"Cache-Control": "no-store"}
LONGEST_ONWARDS: Final = 1_000
"""Of the address that somebody wanted to go to: it has to fit into a cookie."""
_log = structlog.get_logger(__name__)


class _OpenIdSignIn:
    def __init__(self, doors: Doors) -> None:
        self._services = doors.services

    async def begin(self, visit: Visit) -> Response:
        onwards = own_path(visit.query("next"))
        self._provider()
        try:
            await self._require_patience(visit)
            begun = await self._provider().begin(
                onwards if len(onwards) <= LONGEST_ONWARDS else "/incidents",
                silent=visit.query("silent") == "1",
            )
        except CalloutError as error:
            return await self._refused(visit, error, {})
        answer = RedirectResponse(begun.address, 303, headers={**HEADERS})
        answer.set_cookie(
            self._cookie(visit),
            begun.kept,
            httponly=True,
            samesite="lax",  # they come back from another site
            secure=visit.secure,
            max_age=MINUTES * 60,
        )
        return answer

    async def done(self, visit: Visit) -> Response:
        provider, data = self._provider(), dict[str, "Any"]()
        try:
            await self._require_patience(visit)
            arrival = await provider.finish(
                visit.request.query_params, visit.request.cookies.get(self._cookie(visit), "")
            )
            data = {"subject": arrival.subject, "email": arrival.email}
            opened = await self._open(visit, provider, arrival)
        except NotSilentlyError as error:
            # Nobody did anything wrong, and nobody is asked a second time in silence.
            secret = session_cookie.secret_of(self._services, visit.request)
            await self._services.database.transaction(lambda tx: self._services.sessions.drop(tx, secret))
            answer = visit.go(f"/login?{urlencode({'next': error.onwards})}")
        except CalloutError as error:
            answer = await self._refused(visit, error, data)
        else:
            answer = signed_in(visit, opened, arrival.onwards)
        answer.delete_cookie(self._cookie(visit), secure=visit.secure, httponly=True, samesite="lax")
        return answer

    async def signed_out(self, request: Request) -> Response:
        """Take a notice of the provider that somebody's session ended there (OpenID Connect Back-Channel Logout 1.0)."""
        services, provider = self._services, self._services.sign_in.openid
        if provider is None:
            return _told(404, "no sign-in service is configured here")
        address = "" if request.client is None else request.client.host
        try:
            await services.database.read(lambda tx: services.sign_in.tries.require(tx, address))
            form = await read_form(request)
            notice = await provider.signed_out(form.raw("logout_token"))
        except TooManyTriesError as error:
            return _told(429, error.message)
        except OidcUnavailableError as error:
            _log.warning("openid_logout_not_checked", why=error.what, detail=error.detail)
            return _told(503, error.message)
        except OidcError as error:
            _log.warning("openid_logout_refused", why=error.why)
            await services.database.transaction(lambda tx: services.sign_in.tries.failed(tx, address))
            return _told(400, error.message)

        async def unit(tx: Tx) -> int:
            with during(facts_of(request, "200")):
                return await services.sign_in.openid_logouts.carry_out(tx, notice, origin=NOBODY)

        ended = await services.database.transaction(unit)
        _log.info("openid_logout", sessions=ended)
        return Response(status_code=200, headers=_UNCACHED)

    async def _open(self, visit: Visit, provider: OpenId, arrival: Arrival) -> OpenedSession:
        services = self._services

        async def unit(tx: Tx) -> OpenedSession:
            with during(facts(visit, "303")):
                member = await services.sign_in.openid_members.member_of(
                    tx, arrival, provider.settings, origin=NOBODY
                )
                secret = session_cookie.secret_of(services, visit.request)
                if arrival.silent and await services.sessions.renewable(tx, secret) != member.id:
                    # Somebody else is signed in there by now: whoever sits here is to see that.
                    raise NotSilentlyError(arrival.onwards)
                await services.sessions.drop(tx, secret)
                return await services.sessions.open(
                    tx, member, method="oidc", sid=arrival.sid, origin=NOBODY, **browser(visit)
                )

        try:
            opened = await services.database.transaction(unit)
        except ConflictError:
            # They came twice at the same moment, and are a member by now.
            opened = await services.database.transaction(unit)
        # The role may have changed, or somebody is new: this process is to see it at once.
        services.manage.changed()
        return opened

    async def _refused(self, visit: Visit, error: CalloutError, data: dict[str, Any]) -> Response:
        """Return the sign-in page that says why not; the audit is told as well."""
        services, provider = self._services, self._provider()
        visit.form.refused(error)
        away = isinstance(error, OidcUnavailableError)
        status = 502 if away else 429 if isinstance(error, TooManyTriesError) else 401
        page = partial(login_page, visit, status=status, onwards=visit.query("next"))
        if isinstance(error, TooManyTriesError) or (isinstance(error, OidcUnavailableError) and error.again):
            return await page()  # what led here is written down
        why = error.why if isinstance(error, OidcError) else error.code.lower()
        told = {**data, "message": error.message, "detail": error.detail}
        _log.warning("openid_refused", why=why, detail=error.detail)

        async def unit(tx: Tx) -> None:
            with during(facts(visit, str(status))):
                await services.sign_in.openid_members.refused(
                    tx, why, data=told, settings=provider.settings, origin=NOBODY
                )
                if not away:  # nobody is to wait because of what is not theirs
                    await services.sign_in.tries.failed(tx, address_of(visit))

        await services.database.transaction(unit)
        return await page()

    async def _require_patience(self, visit: Visit) -> None:
        """Raise TooManyTriesError where too many wrong sign-ins came from the same address."""
        tries, address = self._services.sign_in.tries, address_of(visit)
        await self._services.database.read(lambda tx: tries.require(tx, address))

    def _provider(self) -> OpenId:
        found = self._services.sign_in.openid
        if found is None:
            raise NotFoundError(
                "no sign-in service is configured here", remediation="Sign in with name and password."
            )
        return found

    def _cookie(self, visit: Visit) -> str:
        return session_cookie.name_of(secure=visit.secure, plain=COOKIE)


def routes(doors: Doors) -> list[Route]:
    """Return the routes of the way there and back."""
    pages = _OpenIdSignIn(doors)
    return [
        doors.page("/login/oidc", pages.begin),
        doors.page("/login/oidc/done", pages.done),
        # From the provider itself, without a browser: what it signs stands for it.
        Route("/login/oidc/logout", pages.signed_out, methods=["POST"]),
    ]


def _told(status: int, words: str) -> Response:
    """Return a refusal as the standard wants it (RFC 6749, 5.2)."""
    kind = "invalid_request" if status < 500 else "temporarily_unavailable"  # noqa: PLR2004
    return JSONResponse({"error": kind, "error_description": words}, status, headers=_UNCACHED)

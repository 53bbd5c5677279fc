"""Signing in with a name and a secret, or with an API token; and out."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from callout.access import OpenedSession, UnauthenticatedError
from callout.access.errors import Reason
from callout.access.tries import TooManyTriesError
from callout.audit import during
from callout.kit.secrets import Secret
from callout.ports.errors import CalloutError, ForbiddenError
from callout.ports.values import Actor, ActorKind, Channel, Origin
from callout.server.answers import facts_of
from callout.server.dashboard import session_cookie
from callout.server.dashboard.forms import CSRF_FIELD, Form

if TYPE_CHECKING:
    from starlette.routing import Route

    from callout.audit import RequestFacts
    from callout.server.dashboard.visit import Doors, Visit
    from callout.storage import Tx

LONGEST_NAME: Final = 320
LONGEST_SECRET: Final = 1_000
NOBODY: Final = Origin(Channel.DASHBOARD, Actor(ActorKind.SYSTEM, "dashboard", "the sign-in page"))
"""Where something comes from that is done before it is known by whom."""


class _SignIn:
    def __init__(self, doors: Doors) -> None:
        self._services = doors.services

    async def show(self, visit: Visit) -> Response:
        if await self._may_renew(visit):
            return RedirectResponse(
                f"/login/oidc?{urlencode({'next': own_path(visit.query('next')), 'silent': '1'})}", 303
            )
        return await login_page(visit, onwards=visit.query("next"))

    async def _may_renew(self, visit: Visit) -> bool:
        """Return whether the OpenID provider may be asked in silence: somebody goes to a page, and only its word has run out.

        What a page fetches by itself cannot be led through another site; it comes here as a whole, then.
        """
        services = self._services
        if services.sign_in.openid is None or visit.request.headers.get("sec-fetch-mode") != "navigate":
            return False
        secret = session_cookie.secret_of(services, visit.request)
        if not visit.query("next") or secret is None:
            return False
        found = await services.database.read(lambda tx: services.sessions.renewable(tx, secret))
        return found is not None

    async def login(self, visit: Visit) -> Response:
        form = visit.form
        opened: OpenedSession | None = None
        try:
            if "token" in form:
                opened = await self._with_token(visit)
            else:
                _check(form)
                if form.ok:
                    opened = await self._with_secret(visit)
        except TooManyTriesError as error:
            visit.form.refused(error)
            answer = await login_page(visit, status=429)
            answer.headers["Retry-After"] = str(max(1, int(error.wait.total_seconds())))
            return answer
        except CalloutError as error:
            visit.form.refused(error)
        if opened is None:
            return await login_page(visit, status=401)
        return signed_in(visit, opened, form.raw("next"))

    async def _with_secret(self, visit: Visit) -> OpenedSession:
        """Sign in by name and secret. Raises UnauthenticatedError, alike for whatever is wrong, and TooManyTriesError."""
        services, logons = self._services, self._services.manage.logons
        name, address = visit.form.text("name"), address_of(visit)
        await services.database.read(lambda tx: services.sign_in.tries.require(tx, address))
        member_id = await logons.compare(services.database, name, Secret(visit.form.raw("password")))

        async def unit(tx: Tx) -> OpenedSession | None:
            with during(facts(visit, "401" if member_id is None else "303")):
                if member_id is None:
                    await logons.failed(tx, name, origin=NOBODY)
                    await services.sign_in.tries.failed(tx, address)
                    return None
                if await logons.is_locked(tx, member_id):
                    # Counted like a wrong one: who tries on meanwhile learns nothing from what is counted.
                    await services.sign_in.tries.failed(tx, address)
                    return None
                member = await logons.admit(tx, member_id)
                await services.sessions.drop(tx, session_cookie.secret_of(services, visit.request))
                return await services.sessions.open(
                    tx, member, method="password", origin=NOBODY, **browser(visit)
                )

        opened = await services.database.transaction(unit)
        if opened is None:
            raise UnauthenticatedError(Reason.WRONG_SECRET)
        return opened

    async def _with_token(self, visit: Visit) -> OpenedSession:
        """Sign in by token. Raises UnauthenticatedError, ForbiddenError, TooManyTriesError."""
        services, address = self._services, address_of(visit)
        token = visit.form.text("token")

        async def unit(tx: Tx) -> OpenedSession:
            await services.sign_in.tries.require(tx, address)
            with during(facts(visit, "303")):
                await services.sessions.drop(tx, session_cookie.secret_of(services, visit.request))
                return await services.sessions.open_with_token(
                    tx, Secret(token), origin=NOBODY, **browser(visit)
                )

        try:
            return await services.database.transaction(unit)
        except UnauthenticatedError:
            await services.database.transaction(lambda tx: services.sign_in.tries.failed(tx, address))
            raise

    async def logout(self, visit: Visit) -> Response:
        services = self._services
        secret = session_cookie.secret_of(services, visit.request)

        async def unit(tx: Tx) -> None:
            session = await services.sessions.find(tx, secret)
            if not session.sent_by(visit.form.raw(CSRF_FIELD)):
                raise ForbiddenError(
                    "this form was not made for you, or it is too old",
                    remediation="Go back, load the page again and sign out there. You are still signed in.",
                )
            actor = session.caller.actor
            with during(facts(visit, "303")):
                await services.sessions.end(
                    tx, session.id, actor=actor, origin=Origin(Channel.DASHBOARD, actor)
                )

        answer = visit.go("/login")
        with contextlib.suppress(UnauthenticatedError):  # it had ended already: that is what was asked for
            await services.database.transaction(unit)
        session_cookie.forget(answer, services, visit.request)
        return answer


async def login_page(visit: Visit, *, status: int = 200, onwards: str | None = None) -> Response:
    """Return the sign-in page, with what is wrong as `visit.form` says."""
    services = visit.services
    openid = services.sign_in.openid
    values = {
        "next": own_path(visit.form.raw("next") if onwards is None else onwards),
        "openid": None if openid is None else openid.settings.label,
        "empty": await services.database.read(services.sign_in.links.wanted),
        "with_token": "token" in visit.form,
    }
    return visit.page("signin/login.html", status=status, **values)


def signed_in(visit: Visit, opened: OpenedSession, onwards: str) -> Response:
    """Return the answer that leads on to where somebody wanted to go, with their new session."""
    answer = RedirectResponse(own_path(onwards), 303)
    session_cookie.keep(answer, visit.services, visit.request, opened)
    return answer


def own_path(wanted: str) -> str:
    """Return where to go after signing in: only ever a page of ours."""
    own = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    # The sign-in pages themselves are nowhere to go to.
    return wanted if own and not wanted.startswith(("/login", "/logout", "/setup")) else "/incidents"


def address_of(visit: Visit) -> str:
    """Return where a request comes from."""
    return "" if visit.request.client is None else visit.request.client.host


def browser(visit: Visit) -> dict[str, str]:
    """Return what is kept of the browser that a session is opened in."""
    return {"address": address_of(visit), "user_agent": visit.request.headers.get("user-agent", "")}


def facts(visit: Visit, code: str, *, path: str = "") -> RequestFacts:
    """Return what the audit keeps of the request; `path` where its own holds a secret."""
    found = facts_of(visit.request, code)
    return replace(found, path=path) if path else found


def _check(form: Form) -> None:
    for field, longest in (("name", LONGEST_NAME), ("password", LONGEST_SECRET)):
        if not form.raw(field).strip():
            form.wrong(field, "is missing")
        elif len(form.raw(field)) > longest:
            form.wrong(field, "is too long")


def routes(doors: Doors) -> list[Route]:
    """Return the routes of signing in and out."""
    pages = _SignIn(doors)
    return [
        doors.page("/login", pages.show),
        doors.action("/login", pages.login),
        doors.action("/logout", pages.logout),
    ]

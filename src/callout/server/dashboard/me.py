"""One's own account: name, secret, and the browsers one is signed in with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.access import passwords
from callout.kit.secrets import Secret
from callout.ports.errors import ConflictError, ForbiddenError, InvalidRequestError
from callout.server.dashboard.forms import Form
from callout.server.dashboard.setup import check_new_secret
from callout.server.dashboard.signin import LONGEST_SECRET, NOBODY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from starlette.responses import Response
    from starlette.routing import Route

    from callout.access import Member
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit


class _Me:
    def __init__(self, doors: Doors) -> None:
        self._services = doors.services

    async def show(self, visit: Visit) -> Response:
        return await self._page(visit, "")

    async def _page(self, visit: Visit, about: str) -> Response:
        """Return the page; `about` is the form that `visit.form` belongs to."""
        services = self._services

        async def unit(scope: Scope) -> Mapping[str, Any]:
            tx, member_id = scope.tx.system, scope.caller.member_id
            if member_id is None:
                return {"member": None, "sessions": [], "has_secret": False}
            return {
                "member": await services.manage.members.get(tx, member_id),
                "sessions": await services.sessions.list(tx, member_id),
                "has_secret": await services.manage.logons.has_secret(tx, member_id),
            }

        found = await visit.look(unit)
        member: Member | None = found["member"]
        forms = {"profile": Form(), "password": Form()}
        if member is not None:
            forms["profile"] = Form(values={"fullname": member.fullname, "nickname": member.nickname or ""})
        if about:
            forms[about] = visit.form
        return visit.page("signin/me.html", forms=forms, **found)

    async def profile(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            changes = {
                "fullname": visit.form.text("fullname"),
                "nickname": visit.form.text("nickname") or None,
            }
            await self._services.manage.members.update(
                scope.tx.system,
                _member_of(scope),
                changes=changes,
                actor=scope.caller.actor,
                origin=scope.origin,
            )

        return await visit.submit(
            unit, again=lambda: self._page(visit, "profile"), to="/me", done="Your name is changed."
        )

    async def password(self, visit: Visit) -> Response:
        services, form = self._services, visit.form
        logons = services.manage.logons

        async def who(scope: Scope) -> Member:
            return await logons.may_change(scope.tx.system, _member_of(scope))

        await visit.enter("account.read")
        try:
            member = await visit.look(who)
        except ForbiddenError:  # locked, which is told as a wrong secret
            form.wrong("old_password", "is wrong")
            return await self._again(visit)
        _check(form, member)
        if not form.ok:
            return await self._again(visit)
        fits = (
            await logons.compare(services.database, member.id, Secret(form.raw("old_password"))) == member.id
        )
        kept = await passwords.hashed(Secret(form.raw("new_password"))) if fits else ""

        async def unit(scope: Scope) -> bool:
            if (await who(scope)).id != member.id or not fits:
                await logons.failed(scope.tx.system, member.id, origin=NOBODY)
                return False
            await services.manage.members.set_secret(
                scope.tx.system,
                member.id,
                password_hash=kept,
                actor=scope.caller.actor,
                origin=scope.origin,
                kept_session="" if visit.visitor is None else visit.visitor.session.id,
            )
            return True

        try:
            done = await visit.act(unit)
        except (ForbiddenError, ConflictError, InvalidRequestError) as error:
            form.refused(error)
            done = False
        if not done:
            form.wrong("old_password", "is wrong")
            return await self._again(visit)
        services.manage.changed()
        return visit.go("/me", "Your password is changed. You are signed out everywhere else.")

    async def _again(self, visit: Visit) -> Response:
        answer = await self._page(visit, "password")
        answer.status_code = 422
        return answer

    async def end(self, visit: Visit) -> Response:
        ending = visit.argument("session")

        async def unit(scope: Scope) -> None:
            await self._services.sessions.end(
                scope.tx.system,
                ending,
                actor=scope.caller.actor,
                origin=scope.origin,
                member_id=_member_of(scope),
            )

        await visit.act(unit)
        return visit.go("/me", "That session is ended.")

    async def end_others(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> int:
            return await self._services.sessions.end_all(
                scope.tx.system,
                _member_of(scope),
                actor=scope.caller.actor,
                origin=scope.origin,
                kept="" if visit.visitor is None else visit.visitor.session.id,
            )

        ended = await visit.act(unit)
        return visit.go("/me", f"Ended: {ended}. You are signed in here only.")


def _member_of(scope: Scope) -> str:
    if scope.caller.member_id is None:
        raise ForbiddenError(
            "you are signed in with a token of no member", remediation="Sign in with a name and a password."
        )
    return scope.caller.member_id


def _check(form: Form, member: Member) -> None:
    if not form.raw("old_password"):
        form.wrong("old_password", "is missing")
    elif len(form.raw("old_password")) > LONGEST_SECRET:
        form.wrong("old_password", "is wrong")
    if not form.raw("new_password").strip():
        form.wrong("new_password", "is missing")
    check_new_secret(form, "new_password", names=[member.name, member.name.partition("@")[0]])


def routes(doors: Doors) -> list[Route]:
    """Return the routes of one's own account."""
    pages = _Me(doors)
    return [
        doors.page("/me", pages.show),
        doors.action("/me/profile", pages.profile),
        doors.action("/me/password", pages.password),
        doors.action("/me/sessions/end-others", pages.end_others),
        doors.action("/me/sessions/{session}/end", pages.end),
    ]

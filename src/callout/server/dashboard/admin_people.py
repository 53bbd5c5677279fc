"""Members: who they are and what they may, adding and removing them, their sessions and first passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from callout.access import ROLES, passwords
from callout.kit.ids import random_token
from callout.kit.secrets import Secret
from callout.server.dashboard.admin_pages import enter, page, show_once, submit, whole
from callout.server.dashboard.forms import Form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response
    from starlette.routing import Route

    from callout.access import Member
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

AT_ONCE: Final = 100
ROLE_WORDS: Final = (
    ("viewer", "viewer: looks"),
    ("responder", "responder: works on incidents"),
    ("manager", "manager: sets up integrations, teams and rules"),
    ("admin", "administrator: everything"),
)
STATE_WORDS: Final = (
    ("enabled", "enabled"),
    ("disabled", "disabled: cannot sign in, is signed out at once"),
    ("locked", "locked: the same, until an administrator enables them"),
)
_FIELDS: Final = {
    "/name": "name",
    "/email": "email",
    "/fullname": "fullname",
    "/role": "role",
    "/state": "state",
}
_HOME: Final = "/admin/people"


class _People:
    def __init__(self, doors: Doors) -> None:
        self._services = doors.services
        self._members = doors.services.manage.members

    async def listing(self, visit: Visit) -> Response:
        wanted, after = visit.query("text").lower(), visit.query("after")

        async def unit(scope: Scope) -> dict[str, Any]:
            scope.require("member.read")
            tx = scope.tx.system
            found = [
                one
                for one in (await self._members.list(tx)).items
                if not wanted or wanted in f"{one.name} {one.fullname} {one.email or ''} {one.role}".lower()
            ]
            rest = [one for one in found if one.name > after] if after else found
            shown = rest[:AT_ONCE]
            locked = await self._services.manage.logons.locked(tx)
            return {
                "people": shown,
                "locked": locked,
                "total": len(found),
                "following": shown[-1].name if len(rest) > AT_ONCE else "",
            }

        found = await visit.look(unit)
        return page(visit, "people.html", text=visit.query("text"), may=_may(visit), **found)

    async def fresh(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            scope.require("member.write")

        await visit.look(unit)
        return page(visit, "person_new.html", roles=ROLE_WORDS)

    async def add(self, visit: Visit) -> Response:
        form = visit.form
        await enter(visit, "member.write", everywhere=True)
        first, kept = await self._first(form)

        async def unit(scope: Scope) -> dict[str, Any]:
            made = await self._members.create(
                scope.tx.system,
                actor=scope.caller.actor,
                origin=scope.origin,
                name=form.text("name"),
                fullname=form.text("fullname") or None,
                email=form.text("email") or None,
                role=form.text("role"),
                password_hash=kept,
            )
            return {"member": made, "secret": first, "fresh": True}

        return await show_once(
            visit,
            "member.write",
            unit,
            again=lambda: self.fresh(visit),
            template="person_secret.html",
            everywhere=True,
            fields=_FIELDS,
        )

    async def _first(self, form: Form) -> tuple[Secret, str]:
        """Return a password that nobody chose, and what is kept of it. Hashing takes long, so it is done before the transaction."""
        for field, what in (("name", "is missing"), ("role", "choose one")):
            if not form.text(field):
                form.wrong(field, what)
        if form.text("role") not in ROLES:
            form.wrong("role", "choose one")
        first = Secret(random_token(16))
        return first, await passwords.hashed(first) if form.ok else ""

    async def one(self, visit: Visit) -> Response:
        return await self._page(visit)

    async def _page(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> Mapping[str, Any]:
            scope.require("member.read")
            tx = scope.tx.system
            member = await self._members.get(tx, visit.argument("member"))
            sees = whole_scope(scope)
            return {
                "member": member,
                "locked_until": (await self._services.manage.logons.locked(tx)).get(member.id),
                "has_secret": await self._services.manage.logons.has_secret(tx, member.id),
                "sessions": await self._services.sessions.list(tx, member.id) if sees else [],
            }

        found = await visit.look(unit)
        member: Member = found["member"]
        form = visit.form.begin(
            {
                "name": member.name,
                "fullname": member.fullname,
                "email": member.email or "",
                "role": member.role,
                "state": member.state,
            }
        )
        states = list(STATE_WORDS)
        if member.state not in {key for key, _ in states}:
            states.append((member.state, member.state))
        own = visit.visitor is not None and visit.visitor.caller.member_id == member.id
        return page(
            visit,
            "person.html",
            fields=form,
            roles=ROLE_WORDS,
            states=states,
            own=own,
            may=_may(visit),
            **found,
        )

    async def change(self, visit: Visit) -> Response:
        form = visit.form

        async def unit(scope: Scope) -> str:
            tx = scope.tx.system
            before = await self._members.get(tx, visit.argument("member"))
            given: dict[str, str | None] = {
                name: form.text(name) for name in ("name", "fullname", "role", "state") if name in form
            }
            given |= {"email": form.text("email") or None} if "email" in form else {}
            changes = {name: value for name, value in given.items() if value != getattr(before, name)}
            if changes:
                await self._members.update(
                    tx, before.id, changes=changes, actor=scope.caller.actor, origin=scope.origin
                )
            return f"{_HOME}/{before.id}"

        return await submit(
            visit,
            "member.write",
            unit,
            again=lambda: self._page(visit),
            to=_HOME,
            done="Changed.",
            everywhere=True,
            fields=_FIELDS,
        )

    async def reset(self, visit: Visit) -> Response:
        await enter(visit, "member.write", everywhere=True)
        first = Secret(random_token(16))
        kept = await passwords.hashed(first)

        async def unit(scope: Scope) -> Mapping[str, Any]:
            tx = scope.tx.system
            member = await self._members.get(tx, visit.argument("member"))
            await self._members.set_secret(
                tx, member.id, password_hash=kept, actor=scope.caller.actor, origin=scope.origin
            )
            return {"member": member, "secret": first, "fresh": False}

        return await show_once(
            visit,
            "member.write",
            unit,
            again=lambda: self._page(visit),
            template="person_secret.html",
            everywhere=True,
        )

    async def sign_out(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> str:
            tx = scope.tx.system
            member = await self._members.get(tx, visit.argument("member"))
            await self._services.sessions.end_all(
                tx,
                member.id,
                actor=scope.caller.actor,
                origin=scope.origin,
                kept="" if visit.visitor is None else visit.visitor.session.id,
            )
            return f"{_HOME}/{member.id}"

        return await submit(
            visit,
            "member.write",
            unit,
            again=lambda: self._page(visit),
            to=_HOME,
            done="Their sessions are ended.",
            everywhere=True,
        )

    async def remove(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            tx = scope.tx.system
            member = await self._members.get(tx, visit.argument("member"))
            await self._members.delete(tx, member.id, actor=scope.caller.actor, origin=scope.origin)

        return await submit(
            visit,
            "member.write",
            unit,
            again=lambda: self._page(visit),
            to=_HOME,
            done="Removed.",
            everywhere=True,
        )


def whole_scope(scope: Scope) -> bool:
    """Return whether somebody may see where others are signed in."""
    return scope.caller.account_ids is None and scope.caller.may("member.write")


def _may(visit: Visit) -> bool:
    return visit.visitor is not None and whole(visit.visitor, "member.write")


def routes(doors: Doors) -> list[Route]:
    """Return the routes of these pages."""
    pages = _People(doors)
    return [
        doors.page(_HOME, pages.listing),
        doors.page(f"{_HOME}/new", pages.fresh),
        doors.action(f"{_HOME}/new", pages.add),
        doors.page(f"{_HOME}/{{member}}", pages.one),
        doors.action(f"{_HOME}/{{member}}", pages.change),
        doors.action(f"{_HOME}/{{member}}/reset", pages.reset),
        doors.action(f"{_HOME}/{{member}}/sign-out", pages.sign_out),
        doors.action(f"{_HOME}/{{member}}/remove", pages.remove),
    ]


__all__ = ["routes"]

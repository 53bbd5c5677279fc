"""Tokens: what there are, made and renewed with secrets that are shown on one page and never again, and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from callout.access.permissions import GRANTABLE, PERMISSIONS
from callout.ports.errors import ForbiddenError
from callout.server.dashboard.admin_pages import page, show_once, submit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response
    from starlette.routing import Route

    from callout.access import RefreshToken
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

_HOME: Final = "/admin/tokens"
_FIELDS: Final = {
    "/permission_set": "permission_set",
    "/resources": "accounts",
    "/resources/accounts/ids": "accounts",
    "token_ttl": "ttl",
    "/token_ttl": "ttl",
    "/name": "name",
    "/fullname": "fullname",
}
KINDS: Final = (
    ("organization", "organization: the API as a whole, as far as its permission set goes"),
    ("integration", "integration: the unified API of one integration, for ten minutes or as long as you say"),
)
LISTED: Final = 500


class _Tokens:
    def __init__(self, doors: Doors) -> None:
        self._services = doors.services
        self._tokens = doors.services.manage.tokens

    async def listing(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> dict[str, Any]:
            scope.require("token.read")
            tx = scope.tx.system
            found = [one for one in await self._tokens.list(tx) if await self._reached(scope, one)]
            people = {one.id: one.fullname for one in (await self._services.manage.members.list(tx)).items}
            return {
                "tokens": found[-LISTED:][::-1],
                "total": len(found),
                "people": people,
                "accounts": await self._accounts(scope),
                "integrations": await self._services.integration_names(scope.tx),
                "now": self._services.clock.now(),
                "own": scope.caller.token_id,
            }

        return page(visit, "tokens.html", **await visit.look(unit))

    async def _reached(self, scope: Scope, token: RefreshToken) -> bool:
        try:
            await self._tokens.require_reach(scope.tx.system, scope.caller, token)
        except ForbiddenError:
            return False
        return True

    async def _accounts(self, scope: Scope) -> dict[str, str]:
        listed = await self._services.accounts.list(scope.tx.system, among=scope.caller.account_ids)
        return {one.id: one.name for one in listed.items}

    async def fresh(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> dict[str, Any]:
            scope.require("token.write")
            sets = sorted(one for one in GRANTABLE if PERMISSIONS[one] <= scope.caller.permissions)
            return {
                "sets": sets,
                "accounts": await self._accounts(scope),
                "everything": scope.caller.account_ids is None,
                "integrations": await self._services.integration_names(scope.tx),
            }

        return page(visit, "token_new.html", kinds=KINDS, **await visit.look(unit))

    async def create(self, visit: Visit) -> Response:
        form = visit.form
        await visit.enter("token.write")
        kind = form.text("kind") or "organization"
        if kind not in {one for one, _ in KINDS}:
            form.wrong("kind", "choose one")

        async def unit(scope: Scope) -> Mapping[str, Any]:
            return await (self._issue(scope, visit) if kind == "integration" else self._make(scope, visit))

        return await show_once(
            visit,
            "token.write",
            unit,
            again=lambda: self.fresh(visit),
            template="token_secret.html",
            fields=_FIELDS,
        )

    async def _make(self, scope: Scope, visit: Visit) -> Mapping[str, Any]:
        form, chosen = visit.form, visit.form.all("accounts")
        resources = {"accounts": {"ids": chosen}} if chosen else {"organizations": {"ids": ["*"]}}
        ttl = {"ttl": form.text("ttl")} if form.text("ttl") else {}
        made = await self._tokens.create(
            scope.tx.system,
            scope.caller,
            permission_set=form.text("permission_set"),
            resources=resources,
            name=form.text("name") or None,
            fullname=form.text("fullname") or None,
            origin=scope.origin,
            **ttl,
        )
        return _secrets(made, "made")

    async def _issue(self, scope: Scope, visit: Visit) -> Mapping[str, Any]:
        form, manage = visit.form, self._services.manage
        one = await manage.integrations.get(scope.tx, form.text("integration"))
        ttl = {"ttl": form.text("ttl")} if form.text("ttl") else {}
        half = await self._tokens.issue_access(
            scope.tx.system, one.refresh_token_id, actor=scope.caller.actor, origin=scope.origin, **ttl
        )
        return {"name": one.name, "what": "made", "access": half, "refresh": None}

    async def renew(self, visit: Visit) -> Response:
        """Give a token new secrets; its former ones work on for a while."""
        return await self._renewed(visit, "rotated")

    async def reset(self, visit: Visit) -> Response:
        """Give a token new secrets; its former ones end at once."""
        return await self._renewed(visit, "reset")

    async def _renewed(self, visit: Visit, what: str) -> Response:
        await visit.enter("token.reset")

        async def unit(scope: Scope) -> Mapping[str, Any]:
            tx, found = scope.tx.system, await self._one(scope, visit)
            change = self._tokens.rotate if what == "rotated" else self._tokens.reset
            return _secrets(await change(tx, found.id, actor=scope.caller.actor, origin=scope.origin), what)

        return await show_once(
            visit, "token.reset", unit, again=lambda: self.listing(visit), template="token_secret.html"
        )

    async def revoke(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            found = await self._one(scope, visit)
            await self._tokens.revoke(
                scope.tx.system, found.id, actor=scope.caller.actor, origin=scope.origin
            )

        return await submit(
            visit,
            "token.write",
            unit,
            again=lambda: self.listing(visit),
            to=_HOME,
            done="The token is ended.",
        )

    async def end_former(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            found = await self._one(scope, visit)
            await self._tokens.remove_secondary(
                scope.tx.system, found.id, actor=scope.caller.actor, origin=scope.origin
            )

        return await submit(
            visit,
            "token.write",
            unit,
            again=lambda: self.listing(visit),
            to=_HOME,
            done="The former secrets are ended.",
        )

    async def _one(self, scope: Scope, visit: Visit) -> RefreshToken:
        """Return the token of the address, which opens no more than the visitor may. Raises NotFoundError, ForbiddenError."""
        found = await self._tokens.get(scope.tx.system, visit.argument("token"))
        await self._tokens.require_reach(scope.tx.system, scope.caller, found)
        return found


def _secrets(token: RefreshToken, what: str) -> Mapping[str, Any]:
    return {
        "name": token.fullname or token.name,
        "what": what,
        "access": token.primary.access,
        "refresh": token.primary.refresh,
    }


def routes(doors: Doors) -> list[Route]:
    """Return the routes of these pages."""
    pages = _Tokens(doors)
    return [
        doors.page(_HOME, pages.listing),
        doors.page(f"{_HOME}/new", pages.fresh),
        doors.action(f"{_HOME}/new", pages.create),
        doors.action(f"{_HOME}/{{token}}/rotate", pages.renew),
        doors.action(f"{_HOME}/{{token}}/reset", pages.reset),
        doors.action(f"{_HOME}/{{token}}/revoke", pages.revoke),
        doors.action(f"{_HOME}/{{token}}/end-former", pages.end_former),
    ]

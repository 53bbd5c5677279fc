"""What the pages of administration have in common: their tabs, who may do what there, secrets that are shown once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.ports.errors import ConflictError, ForbiddenError, InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from starlette.responses import Response

    from callout.server.call import Scope
    from callout.server.dashboard.visit import Visit, Visitor

TABS: Final = (
    ("/admin/people", "People", "member.read"),
    ("/admin/catalogue", "Teams and services", "catalogue.read"),
    ("/admin/levels", "Service levels", "response.read"),
    ("/admin/escalation", "Escalation", "response.read"),
    ("/admin/routing", "Notifications", "integration.read"),
    ("/admin/tokens", "Tokens", "token.read"),
    ("/admin/audit", "Audit", "audit.read"),
    ("/admin/jobs", "Work", "job.read"),
    ("/admin/settings", "Settings", "organization.write"),
    ("/admin/doctor", "Doctor", "organization.write"),
)
"""Address, label, and the permission without which it is not shown."""


def tabs_of(visitor: Visitor) -> list[tuple[str, str]]:
    """Return the tabs that somebody sees: address and label."""
    return [(address, label) for address, label, needs in TABS if visitor.may(needs)]


def page(visit: Visit, template: str, **values: Any) -> Response:  # noqa: ANN401  # whatever the template shows
    """Return a page of administration, with its tabs. The visit has looked at something by then."""
    tabs = [] if visit.visitor is None else tabs_of(visit.visitor)
    return visit.page(f"admin/{template}", tabs=tabs, **values)


def require_everywhere(scope: Scope, permission: str) -> None:
    """Raise ForbiddenError unless the visitor holds `permission` and sees all accounts: for what concerns the whole organization."""
    scope.require(permission)
    if scope.caller.account_ids is not None:
        raise ForbiddenError(
            "you are signed in for some accounts only, and this is about the whole organization",
            remediation="Sign in as a member, or with a token whose resources are the organization.",
        )


def whole(visitor: Visitor, permission: str) -> bool:
    """Return whether :func:`require_everywhere` would let them."""
    return visitor.may(permission) and visitor.caller.account_ids is None


def seen_account(scope: Scope) -> str | None:
    """Return the account whose work somebody sees; None for who sees all accounts."""
    return None if scope.caller.account_ids is None else scope.tx.account_id


async def submit(
    visit: Visit,
    permission: str,
    unit: Callable[[Scope], Awaitable[Any]],
    *,
    again: Callable[[], Awaitable[Response]],
    to: str,
    done: str,
    everywhere: bool = False,
    fields: Mapping[str, str] | None = None,
) -> Response:
    """Carry out a form of whoever holds `permission`, as :meth:`Visit.submit` does; who does not hold it is told that before all else.

    What `unit` returns is where to go, if it is a text. `everywhere`: they have to see the whole organization.
    """
    await enter(visit, permission, everywhere=everywhere)

    async def allowed(scope: Scope) -> str | None:
        (require_everywhere if everywhere else _require)(scope, permission)
        where = await unit(scope)
        return where if isinstance(where, str) else None

    answer = await visit.submit(allowed, again=again, to=to, done=done, fields=fields)
    visit.services.manage.changed()
    return answer


async def show_once(
    visit: Visit,
    permission: str,
    unit: Callable[[Scope], Awaitable[Mapping[str, Any]]],
    *,
    again: Callable[[], Awaitable[Response]],
    template: str,
    everywhere: bool = False,
    fields: Mapping[str, str] | None = None,
) -> Response:
    """Carry out a form that makes a secret, and answer with the page that shows it: the only place where it ever stands."""
    made: Mapping[str, Any] | None = None
    if visit.form.ok:

        async def allowed(scope: Scope) -> Mapping[str, Any]:
            (require_everywhere if everywhere else _require)(scope, permission)
            return await unit(scope)

        try:
            made = await visit.act(allowed)
        except (InvalidRequestError, ConflictError, NotFoundError) as error:
            visit.form.refused(error, fields=fields)
    if made is None:
        answer = await again()
        answer.status_code = 422
        return answer
    visit.services.manage.changed()
    return page(visit, template, **made)


async def enter(visit: Visit, permission: str, *, everywhere: bool = False) -> None:
    """Raise ForbiddenError unless this form is the visitor's own and they hold `permission`."""
    visitor = await visit.enter(permission)
    if everywhere and visitor.caller.account_ids is not None:
        raise ForbiddenError(
            "you are signed in for some accounts only, and this is about the whole organization"
        )


def _require(scope: Scope, permission: str) -> None:
    scope.require(permission)

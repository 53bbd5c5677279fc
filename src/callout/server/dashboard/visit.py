"""One request by somebody who looks at the dashboard: who they are, what they see, what they do."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, unquote, urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from callout.access import Caller, Session, UnauthenticatedError
from callout.audit import during
from callout.jobs.outbox import feed_heads
from callout.ports.errors import (
    CalloutError,
    ConflictError,
    ConnectorError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    PausedError,
)
from callout.ports.values import Channel, Origin
from callout.server.answers import facts_of
from callout.server.call import Scope
from callout.server.dashboard.forms import CSRF_FIELD, Form, read_form, read_form_with_file
from callout.server.dashboard.session_cookie import is_secure, secret_of
from callout.server.limits import TooLargeError
from callout.storage import StorageUnavailableError

if TYPE_CHECKING:
    from starlette.requests import Request

    from callout.access import Account, SessionInfo
    from callout.server.dashboard.render import Renderer
    from callout.server.services import Services
    from callout.storage import Tx

T = TypeVar("T")
ACCOUNT_COOKIE: Final = "callout_account"
DONE_COOKIE: Final = "callout_done"
DONE_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks, and at which account.

    Args:
        caller: what they may do.
        csrf: what every form of theirs carries.
        accounts: those they see, by name.
        account: the one they look at.
        session: since when and how they are signed in.
        feed: the number of the newest event that what they are shown can hold; the page's live stream goes on after it.
    """

    caller: Caller
    csrf: str
    accounts: tuple[Account, ...]
    account: Account
    session: SessionInfo
    feed: int

    def may(self, permission: str) -> bool:
        """Return whether they hold a permission in the account they look at."""
        return self.caller.may(permission, self.account.id)


class Visit:
    """The request at hand.

    `visitor` is known from the first :meth:`look` or :meth:`act` on.
    """

    def __init__(self, request: Request, services: Services, renderer: Renderer) -> None:
        self.request = request
        self.services = services
        self.form = Form()
        self.visitor: Visitor | None = None
        self._session: Session | None = None
        self._renderer = renderer

    def argument(self, name: str) -> str:
        """Return a part of the address's path."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """Return a parameter of the address."""
        return self.request.query_params.get(name, default).strip()

    async def look(self, unit: Callable[[Scope], Awaitable[T]]) -> T:
        """Run `unit` on a snapshot. Raises UnauthenticatedError, and what `unit` raises."""

        async def looked(tx: Tx) -> T:
            return await unit(await self._enter(tx, to_show=True))

        return await self.services.database.read(looked)

    async def act(self, unit: Callable[[Scope], Awaitable[T]]) -> T:
        """Run `unit` in one transaction, for a form that is truly of this visitor. Raises ForbiddenError, and what `unit` raises."""
        facts = facts_of(self.request, "303")

        async def acted(tx: Tx) -> T:
            with during(facts):
                return await unit(await self._enter(tx, changes=True))

        return await self.services.database.transaction(acted)

    async def scope(self, tx: Tx) -> Scope:
        """Return what this visitor may see now, in a transaction of one's own. Raises UnauthenticatedError, CalloutError."""
        return await self._enter(tx)

    async def known(self) -> None:
        """Find out who looks, before anything large of theirs is read. Raises UnauthenticatedError."""
        await self.services.database.read(self._enter)

    async def enter(self, permission: str) -> Visitor:
        """Return the visitor of a form that asks for what takes time outside the database. Raises ForbiddenError."""

        async def entered(tx: Tx) -> Visitor:
            scope = await self._enter(tx, changes=self.request.method != "GET")
            scope.require(permission)
            assert self.visitor is not None  # noqa: S101  # set by _enter
            return self.visitor

        return await self.services.database.read(entered)

    async def submit(
        self,
        unit: Callable[[Scope], Awaitable[str | None]],
        *,
        again: Callable[[], Awaitable[Response]],
        to: str,
        done: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> Response:
        """Carry out what a form asks for and lead on to `to`, or show the form again with what is wrong.

        Args:
            unit: does it in one transaction; may return where to lead instead of `to`. Runs only when nothing is noted in `self.form`.
            again: makes the page that holds the form, from `self.form`; it is answered with status 422.
            to: where to go then.
            done: what is said there.
            fields: which field of the form stands for which name in an error, where they differ.
        """
        where: str | None = None
        if self.form.ok:
            try:
                where = await self.act(unit)
            except (InvalidRequestError, ConflictError, NotFoundError, PausedError, ConnectorError) as error:
                # What is not there may be what was typed; where it is the page's own record, the page says so itself.
                self.form.refused(error, fields=fields)
        if not self.form.ok:
            answer = await again()
            answer.status_code = 422
            return answer
        return self.go(where or to, done)

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:  # noqa: ANN401  # whatever the template shows
        """Return the page of `template` for this visitor."""
        done = _done_of(self.request)
        shown = {
            "form": self.form,
            "path": self.request.url.path,
            "visitor": self.visitor,
            "done": done,
            **values,
        }
        answer = self._renderer.page(template, shown, status=status)
        if done:
            answer.delete_cookie(DONE_COOKIE)
        return answer

    def go(self, path: str, done: str = "") -> Response:
        """Lead on to a page of ours, which says what was done."""
        answer = RedirectResponse(path, 303)
        if done:
            answer.set_cookie(
                DONE_COOKIE,
                quote(done[:DONE_LENGTH]),
                httponly=True,
                samesite="strict",
                max_age=60,
                secure=self.secure,
            )
        return answer

    @property
    def secure(self) -> bool:
        """Whether cookies are for https only."""
        return is_secure(self.services, self.request)

    async def remember(self) -> None:
        """Write down that the visitor's session is in use, where it is time to."""
        session = self._session
        if session is not None and session.due:
            # Nobody's page is to fail because of this.
            with contextlib.suppress(StorageUnavailableError):
                await self.services.database.transaction(
                    lambda tx: self.services.sessions.seen(tx, session.id)
                )

    async def _enter(self, tx: Tx, *, changes: bool = False, to_show: bool = False) -> Scope:
        session = await self.services.sessions.find(tx, secret_of(self.services, self.request))
        caller = session.caller
        if changes and not session.sent_by(self.form.raw(CSRF_FIELD)):
            raise ForbiddenError(
                "this form was not made for you, or it is too old",
                remediation="Go back, load the page again and repeat what you did. Nothing was changed.",
            )
        listed = await self.services.accounts.list(tx, among=caller.account_ids)
        if not listed.items:
            raise NotFoundError(
                "you see no account", remediation="Ask an administrator for access to an account."
            )
        wanted = self.request.cookies.get(ACCOUNT_COOKIE, "")
        account = next((one for one in listed.items if one.id == wanted), listed.items[0])
        self._session = session
        # Before anything that is shown is read: what is newer than this may be missing from the page.
        heads = await feed_heads(tx, [account.id]) if to_show else {}
        self.visitor = Visitor(
            caller,
            session.csrf.reveal(),
            tuple(listed.items),
            account,
            session.info,
            heads.get(account.id, 0),
        )
        return Scope(tx.account(account.id), caller, Origin(Channel.DASHBOARD, caller.actor))


Handler = Callable[[Visit], Awaitable[Response]]


class Doors:
    """Makes routes of handlers: what a handler raises becomes a page that says so."""

    def __init__(self, services: Services, renderer: Renderer) -> None:
        self.services = services
        self.renderer = renderer

    def page(self, path: str, handler: Handler) -> Route:
        """Return the route of a page that is looked at."""
        return Route(path, self._endpoint(handler), methods=["GET"])

    def action(self, path: str, handler: Handler) -> Route:
        """Return the route of a form; the handler finds it in `visit.form`."""
        return Route(path, self._endpoint(handler), methods=["POST"])

    def upload(self, path: str, handler: Handler) -> Route:
        """Return the route of a form with a file, which is in `visit.form.file`; nobody's is read who is not signed in."""
        return Route(path, self._endpoint(handler, with_file=True), methods=["POST"])

    def _endpoint(
        self, handler: Handler, *, with_file: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            visit = Visit(request, self.services, self.renderer)
            try:
                if request.method == "POST":
                    _own_page(request)
                    if with_file:
                        await visit.known()
                    visit.form = await (read_form_with_file if with_file else read_form)(request)
                answer = await handler(visit)
                await visit.remember()
                return answer
            except UnauthenticatedError:
                return RedirectResponse(_login_for(request), 303)
            except TooLargeError:
                raise  # LimitBody answers, and reads off what still comes
            except HTTPException as error:
                return self.renderer.error(
                    error.status_code, str(error.detail), visitor=visit.visitor, back=way_back(request)
                )
            except StorageUnavailableError:
                return self.renderer.error(
                    503,
                    "The database did not answer. Nothing was lost; what you asked for may have happened or not.",
                    remediation="Look again in a moment.",
                    visitor=visit.visitor,
                    back=way_back(request),
                )
            except CalloutError as error:
                return self.renderer.error(
                    _status_of(error),
                    error.message,
                    remediation=error.remediation,
                    visitor=visit.visitor,
                    back=way_back(request),
                )

        return endpoint


def _status_of(error: CalloutError) -> int:
    if isinstance(error, NotFoundError):
        return 404
    if isinstance(error, ForbiddenError):
        return 403
    if isinstance(error, ConflictError | PausedError):
        return 409
    if isinstance(error, ConnectorError):
        return 502
    return 400 if isinstance(error, InvalidRequestError) else 403


def _own_page(request: Request) -> None:
    """Raise ForbiddenError for a form that another site sent."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign = site not in {None, "same-origin", "none"}
    if not foreign and site is None and origin is not None:
        foreign = urlsplit(origin).netloc != request.headers.get("host", "")
    if foreign:
        raise ForbiddenError(
            "this form came from another site", remediation="Use the pages of Callout itself."
        )


def way_back(request: Request) -> str:
    """Return the path of the page of ours that the request came from; empty for any other, and for the one asked for."""
    came = urlsplit(request.headers.get("referer", ""))
    if came.netloc != request.headers.get("host", "") or not came.path.startswith("/"):
        return ""
    path = f"{came.path}?{came.query}" if came.query else came.path
    return "" if path.startswith("//") or (request.method == "GET" and path == request.url.path) else path


def _login_for(request: Request) -> str:
    """Return the address of the sign-in page that leads back to where somebody wanted to go."""
    if request.method != "GET" or request.url.path == "/":
        return "/login"
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/login?next={quote(wanted, safe='/')}"


def _done_of(request: Request) -> str:
    return unquote(request.cookies.get(DONE_COOKIE, ""))[:DONE_LENGTH]

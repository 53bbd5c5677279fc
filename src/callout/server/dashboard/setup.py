"""The page behind a set-up link: who opens it first becomes the administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callout.access import passwords
from callout.audit import during
from callout.kit.secrets import Secret
from callout.ports.errors import ConflictError, InvalidRequestError
from callout.server.dashboard.signin import LONGEST_SECRET, NOBODY, browser, facts, signed_in

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.access import OpenedSession
    from callout.server.dashboard.forms import Form
    from callout.server.dashboard.visit import Doors, Visit
    from callout.storage import Tx

_PLACE: Final = "/setup/…"
"""What the audit says of the address: the rest of it is a secret."""


class _Setup:
    def __init__(self, doors: Doors) -> None:
        self._services = doors.services

    async def show(self, visit: Visit) -> Response:
        await self._services.database.read(
            lambda tx: self._services.sign_in.links.require(tx, visit.argument("secret"))
        )
        return self._page(visit)

    async def done(self, visit: Visit) -> Response:
        services, form = self._services, visit.form
        link = visit.argument("secret")
        # Before the secret is hashed: that is work, and only for who has a good link.
        await services.database.read(lambda tx: services.sign_in.links.require(tx, link))
        _check(form)
        opened = None
        if form.ok:
            kept = await passwords.hashed(Secret(form.raw("password")))

            async def unit(tx: Tx) -> OpenedSession:
                with during(facts(visit, "303", path=_PLACE)):
                    member = await services.sign_in.links.use(
                        tx,
                        link,
                        name=form.text("name"),
                        fullname=form.text("fullname"),
                        email=form.text("email"),
                        password_hash=kept,
                        origin=NOBODY,
                    )
                    return await services.sessions.open(
                        tx, member, method="setup", origin=NOBODY, **browser(visit)
                    )

            try:
                opened = await services.database.transaction(unit)
            except (InvalidRequestError, ConflictError) as error:
                form.refused(error)
        return self._page(visit, 422) if opened is None else signed_in(visit, opened, "/")

    def _page(self, visit: Visit, status: int = 200) -> Response:
        return visit.page("signin/setup.html", status=status, secret=visit.argument("secret"))


def _check(form: Form) -> None:
    for field in ("name", "fullname", "email", "password"):
        if not form.raw(field).strip():
            form.wrong(field, "is missing")
    check_new_secret(form, "password", names=[form.text("name"), form.text("email").partition("@")[0]])


def check_new_secret(form: Form, field: str, *, names: list[str]) -> None:
    """Note what is wrong with a new secret, which is typed twice: also as FIELD_again."""
    text = form.raw(field)
    if len(text) > LONGEST_SECRET:
        form.wrong(field, "is too long")
    elif text.strip():
        try:
            passwords.check_quality(Secret(text), *filter(None, names))
        except InvalidRequestError as error:
            form.wrong(field, f"{next(iter(error.fields.values()))}. {error.remediation}")
    if text != form.raw(f"{field}_again"):
        form.wrong(f"{field}_again", "is not the same")


def routes(doors: Doors) -> list[Route]:
    """Return the routes of set-up."""
    pages = _Setup(doors)
    return [doors.page("/setup/{secret}", pages.show), doors.action("/setup/{secret}", pages.done)]

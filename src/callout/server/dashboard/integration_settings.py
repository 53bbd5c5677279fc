"""Changing the settings of an integration: the form of its provider, filled with what is stored, without its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callout.access.stamps import refuse_stale
from callout.ports.errors import InvalidRequestError
from callout.server.dashboard import integration_form as forms
from callout.server.dashboard.forms import Form
from callout.server.dashboard.integration import found, framed, home
from callout.server.dashboard.integrations import REFUSALS, asked
from callout.server.kept_secrets import guard_secrets

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.integrations import Integration
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit


async def show(visit: Visit, *, tried: tuple[str, ...] | None = None) -> Response:
    """Show the form."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("integration.write")
        return await framed(visit, scope)

    frame = await visit.look(unit)
    one: Integration = frame["one"]
    manifest = visit.services.manage.integrations.manifest_of(one)
    if visit.request.method == "GET":
        stored = forms.values_of(manifest, one.provider_config)
        own = {"called": one.name, "fullname": one.fullname, "seen": one.updated_at.isoformat()}
        visit.form = Form(values={**stored, **own})
    slots = forms.slots_of(manifest)
    return visit.page(
        "integrations/settings.html",
        status=200 if visit.form.ok else 422,
        settings=forms.settings_of(manifest),
        slots=slots,
        stored=[slot.name for slot in slots if one.provider_config.get(slot.name)],
        kind_words=forms.KIND_WORDS,
        about=forms.about(manifest),
        tried=tried,
        **frame,
    )


async def change(visit: Visit) -> Response:
    """Try out what was typed over what is stored, or store it."""
    testing = visit.form.text("go") == "test"
    visitor = await visit.enter("integration.verify" if testing else "integration.write")
    form, manage = visit.form, visit.services.manage

    async def unit(scope: Scope) -> Integration:
        scope.require("integration.write")
        return await found(visit, scope)

    one = await visit.look(unit)
    manifest = manage.integrations.manifest_of(one)
    known = forms.names_of(manifest)
    config = forms.read_config(form, manifest, one.provider_config)
    seen = _moment(form)
    if not form.ok:
        return await show(visit)
    if testing:
        tried: tuple[str, ...] | None = None
        try:
            guard_secrets(visitor.caller, one.account_id, one.provider_config, config)
            tried = await manage.try_out(one.account_id, config, [])
        except REFUSALS as error:
            forms.refuse(form, error, known)
        return await show(visit, tried=tried)

    async def store(scope: Scope) -> tuple[str, ...]:
        scope.require("integration.write")
        before = await found(visit, scope)
        refuse_stale(
            seen, before.updated_at
        )  # first: what is older than the settings may differ from them anyhow
        guard_secrets(scope.caller, scope.tx.account_id, before.provider_config, config)
        changes: dict[str, Any] = {"provider_config": config}
        changes |= {"name": form.text("called")} if form.text("called") else {}
        changes |= {"fullname": form.text("fullname")} if form.text("fullname") else {}
        saved = await manage.integrations.update(
            scope.tx,
            before.id,
            changes=changes,
            actor=scope.caller.actor,
            origin=scope.origin,
            expected=seen,
        )
        return saved.warnings

    try:
        warnings = await visit.act(store)
    except REFUSALS as error:
        forms.refuse(form, error, known)
        return await show(visit)
    manage.changed()
    said = await asked(visit, one.account_id, one.id, warnings)
    return visit.go(home(visit), f"Saved. {said}")


def _moment(form: Form) -> datetime | None:
    try:
        return datetime.fromisoformat(form.text("seen")) if form.text("seen") else None
    except ValueError:
        form.refused(InvalidRequestError("the form is damaged", remediation="Load the page again."))
        return None


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    path = "/integrations/{integration}/settings"
    return [doors.page(path, show), doors.action(path, change)]

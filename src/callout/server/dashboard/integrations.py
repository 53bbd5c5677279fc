"""The integrations: how each of them fares, adding one with the form of its provider, and trying that out before it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.integrations import HealthRecord, HealthState, Problems
from callout.ports.errors import (
    CalloutError,
    ConflictError,
    ConnectorError,
    InvalidRequestError,
    NotFoundError,
    OperationNotSupportedError,
)
from callout.server.dashboard import integration_form as forms
from callout.server.dashboard.forms import Form
from callout.server.kept_secrets import guard_secrets
from callout.sync.standing import standing_of

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.integrations import Integration
    from callout.ports.manifest import Manifest
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

REFUSALS: Final = (
    InvalidRequestError,
    ConflictError,
    NotFoundError,
    ConnectorError,
    OperationNotSupportedError,
)
"""What is told beside a form of an integration."""
CATEGORIES: Final[Mapping[str, str]] = {
    "ticketing": "Ticketing",
    "chat": "Chat",
    "incidentresponse": "On call, for programs",
    "notifications": "Notifications, for programs",
    "publishing": "Publishing",
}


def state_of(one: Integration, paused: frozenset[str]) -> list[str]:
    """Return in words how an integration is set: whether it takes part, and what holds it back."""
    found = ["enabled" if one.enabled else "disabled"]
    if one.id in paused or "*" in paused:
        found.append("paused")
    if is_shadow(one):
        found.append("shadow")
    return found


def is_shadow(one: Integration) -> bool:
    """Return whether nothing is written to it."""
    own = one.settings.get("sync")
    return isinstance(own, Mapping) and own.get("shadow") is True


async def paused_in(visit: Visit, scope: Scope) -> frozenset[str]:
    """Return the integrations that are paused, and `*` when everything is."""
    held = await visit.services.oversight.pauses.list(scope.tx)
    return frozenset(
        one.scope_id if one.scope == "integration" else "*" for one in held if one.scope != "link"
    )


async def listing(visit: Visit) -> Response:
    """Show how every integration of the account fares."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("integration.read")
        manage = visit.services.manage
        listed = (await manage.integrations.list(scope.tx)).items
        health = {one.integration_id: one for one in await manage.health.list(scope.tx)}
        problems = await Problems(visit.services.clock).of_account(scope.tx)
        standing = {one.integration_id: one for one in await standing_of(scope.tx)}
        paused = await paused_in(visit, scope)
        rows = [
            {
                "one": one,
                "states": state_of(one, paused),
                "health": health.get(one.id) or _unknown(one).with_problems(problems.get(one.id, ())),
                "standing": standing.get(one.id),
            }
            for one in listed
        ]
        return {"rows": rows}

    return visit.page("integrations/list.html", **await visit.look(unit))


def _unknown(one: Integration) -> HealthRecord:
    """Return the health of an integration that has done nothing yet, without asking for each by itself."""
    made = one.created_at
    return HealthRecord(one.id, one.account_id, HealthState.UNKNOWN, 0, 0, 0, made, made)


def _manifest(visit: Visit, provider: str) -> Manifest:
    found = visit.services.oversight.manifests.get(provider)
    if found is None:
        raise NotFoundError(
            f"there is no provider {provider[:80]!r}", remediation="Choose one at /integrations/new."
        )
    return found


async def new(visit: Visit) -> Response:
    """Show the providers, or the form of the one that was chosen."""

    async def unit(scope: Scope) -> None:
        scope.require("integration.write")

    await visit.look(unit)
    provider = visit.form.text("provider") or visit.query("provider")
    if not provider:
        groups: dict[str, list[Manifest]] = {}
        for one in visit.services.oversight.manifests.values():
            groups.setdefault(CATEGORIES.get(one.category, one.category), []).append(one)
        return visit.page("integrations/choose.html", groups=groups)
    manifest = _manifest(visit, provider)
    if visit.request.method == "GET":
        visit.form = Form(values=forms.values_of(manifest, {}))
    return _new_page(visit, manifest)


def _new_page(visit: Visit, manifest: Manifest, **more: Any) -> Response:  # noqa: ANN401  # what the template shows
    return visit.page(
        "integrations/new.html",
        **{
            "manifest": manifest,
            "settings": forms.settings_of(manifest),
            "slots": forms.slots_of(manifest),
            "kind_words": forms.KIND_WORDS,
            "about": forms.about(manifest),
            "tried": None,
            **more,
        },
        status=200 if visit.form.ok else 422,
    )


async def create(visit: Visit) -> Response:
    """Try out what was typed, or store it and lead on to the new integration."""
    testing = visit.form.text("go") == "test"
    visitor = await visit.enter("integration.verify" if testing else "integration.write")
    form = visit.form
    manifest = _manifest(visit, form.text("provider"))
    config = forms.read_config(form, manifest, {})
    known = forms.names_of(manifest)
    if not form.ok:
        return _new_page(visit, manifest)
    if testing:
        tried: tuple[str, ...] | None = None
        try:
            guard_secrets(visitor.caller, visitor.account.id, {}, config)
            tried = await visit.services.manage.try_out(visitor.account.id, config, [])
        except REFUSALS as error:
            forms.refuse(form, error, known)
        return _new_page(visit, manifest, tried=tried)

    async def unit(scope: Scope) -> tuple[str, tuple[str, ...]]:
        scope.require("integration.write")
        guard_secrets(scope.caller, scope.tx.account_id, {}, config)
        saved = await visit.services.manage.integrations.create(
            scope.tx,
            provider_config=config,
            actor=scope.caller.actor,
            origin=scope.origin,
            name=form.text("called") or None,
            # Without any name it would be called by its id.
            fullname=form.text("fullname") or (None if form.text("called") else manifest.title),
            settings={"sync": {"shadow": True}} if form.flag("begin_shadow") else None,
        )
        return saved.integration.id, saved.warnings

    try:
        made, warnings = await visit.act(unit)
    except REFUSALS as error:
        forms.refuse(form, error, known)
        return _new_page(visit, manifest)
    visit.services.manage.changed()
    said = await asked(visit, visitor.account.id, made, warnings)
    return visit.go(f"/integrations/{made}", f"Added. {said}")


async def asked(visit: Visit, account_id: str, integration_id: str, warnings: tuple[str, ...] = ()) -> str:
    """Ask the vendor about a stored integration; return in words what it said. Never inside of a transaction."""
    try:
        found = (*warnings, *await visit.services.manage.check(account_id, integration_id))
    except CalloutError as error:
        return f"But the other side: {error.message}. {error.remediation}".strip()
    return "The other side lets us in. " + " ".join(f"Warning: {one}." for one in found)


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    return [
        doors.page("/integrations", listing),
        doors.page("/integrations/new", new),
        doors.action("/integrations/new", create),
    ]

"""One integration: how it fares, what its vendor allows, what it would do, and switching it on, off, to shadow mode, or away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from callout.integrations.health import HealthState
from callout.ports.errors import CalloutError, InvalidRequestError
from callout.server.dashboard.integrations import REFUSALS, is_shadow, paused_in, state_of
from callout.sync import settings as sync_settings
from callout.sync.standing import in_conflict_with, standing_of

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.integrations import Integration
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

EVENTS_SHOWN: Final = 10
HELD_SHOWN: Final = 10
CONFLICTS_SHOWN: Final = 20
LONGEST_PAUSE_HOURS: Final = 24 * 365
VERDICTS: Final = ("rejected", "warning", "not_checked", "valid")
"""The worst first."""


def home(visit: Visit, part: str = "") -> str:
    """Return the address of a page of the integration at hand."""
    return f"/integrations/{visit.argument('integration')}{part}"


async def found(visit: Visit, scope: Scope) -> Integration:
    """Return the integration that the address names. Raises NotFoundError."""
    return await visit.services.manage.integrations.get(scope.tx, visit.argument("integration"))


async def framed(visit: Visit, scope: Scope) -> dict[str, Any]:
    """Return what every page of an integration shows. Raises NotFoundError."""
    one = await found(visit, scope)
    return {
        "one": one,
        "home": f"/integrations/{one.id}",
        "states": state_of(one, await paused_in(visit, scope)),
        "ticketing": one.category == "ticketing",
    }


async def show(visit: Visit, *, tried: tuple[str, ...] | None = None) -> Response:
    """Show how the integration fares; `tried` is what its vendor said just now."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("integration.read")
        services, frame = visit.services, await framed(visit, scope)
        one: Integration = frame["one"]
        may_read = scope.caller.may("incident.read", scope.tx.account_id)
        may_see = may_read and scope.caller.may("integration.verify", scope.tx.account_id)
        held = await services.oversight.pauses.is_paused(scope.tx, one.id)
        manifest = services.oversight.manifests.get(one.provider_type)
        standing = next((each for each in await standing_of(scope.tx) if each.integration_id == one.id), None)
        shows_conflicts = standing is not None and standing.in_conflict and may_read
        return {
            **frame,
            "health": await services.manage.health.get(scope.tx, one.id),
            "allowed": await services.oversight.allowed(scope.tx.system, one.id),
            "standing": standing,
            "in_conflict": await in_conflict_with(scope.tx, one.id, limit=CONFLICTS_SHOWN)
            if shows_conflicts
            else (),
            "pause": held,
            "own_pause": held is not None and held.scope == "integration",
            "events": (await services.manage.history.events(scope.tx, one.id))[-EVENTS_SHOWN:][::-1],
            "shadow": await services.shadow(scope.tx, one.id) if may_see and frame["ticketing"] else None,
            "is_shadow": is_shadow(one),
            "installs": manifest is not None and manifest.install is not None,
        }

    values = await visit.look(unit)
    return visit.page(
        "integrations/one.html",
        status=200 if visit.form.ok else 422,
        tried=tried,
        failed=HealthState.FAILED,
        held_shown=HELD_SHOWN,
        **values,
    )


async def plan(visit: Visit) -> Response:
    """Hold the mapping against the live instance, now, and show what was found by verdict."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        # It tells of incidents and of people, too.
        scope.require("integration.verify")
        scope.require("incident.read")
        return await framed(visit, scope)

    frame = await visit.look(unit)
    one: Integration = frame["one"]
    try:
        made: Mapping[str, Any] | None = await visit.services.plan(one.account_id, one.id)
    except REFUSALS as error:
        visit.form.refused(error)
        made = None
    groups = [
        (verdict, [each for each in made["findings"] if each["verdict"] == verdict])
        for verdict in VERDICTS
        if made is not None
    ]
    return visit.page("integrations/plan.html", plan=made, groups=groups, **frame)


async def check(visit: Visit) -> Response:
    """Ask the vendor whether it lets us in, and say so."""

    async def unit(scope: Scope) -> Integration:
        return await found(visit, scope)

    await visit.enter("integration.verify")
    one = await visit.look(unit)
    tried: tuple[str, ...] | None = None
    try:
        tried = await visit.services.manage.check(one.account_id, one.id)
    except CalloutError as error:
        visit.form.refused(error)
    return await show(visit, tried=tried)


async def _submit(
    visit: Visit,
    permission: str,
    unit: Callable[[Scope, Integration], Awaitable[None]],
    *,
    done: str,
    to: str = "",
) -> Response:
    async def allowed(scope: Scope) -> None:
        scope.require(permission)
        await unit(scope, await found(visit, scope))

    answer = await visit.submit(allowed, again=lambda: show(visit), to=to or home(visit), done=done)
    visit.services.manage.changed()
    return answer


async def pause(visit: Visit) -> Response:
    """Hold back what would be written to it."""
    form = visit.form

    async def unit(scope: Scope, one: Integration) -> None:
        hours = form.text("hours")
        until = None
        if hours:
            if not (hours.isascii() and hours.isdigit() and 0 < int(hours[:9]) <= LONGEST_PAUSE_HOURS):
                raise InvalidRequestError(
                    f"{hours[:20]!r} is no number of hours", fields={"hours": "a whole number from 1 on"}
                )
            until = visit.services.clock.now() + timedelta(hours=int(hours))
        await visit.services.oversight.pauses.pause(
            scope.tx,
            "integration",
            one.id,
            reason=form.text("reason"),
            actor=scope.caller.actor,
            until=until,
            origin=scope.origin,
        )

    return await _submit(
        visit, "pause.write", unit, done="Paused. Nothing is lost: what is to be written waits."
    )


async def resume(visit: Visit) -> Response:
    """End its pause."""

    async def unit(scope: Scope, one: Integration) -> None:
        await visit.services.oversight.pauses.resume(
            scope.tx, "integration", one.id, actor=scope.caller.actor, origin=scope.origin
        )

    return await _submit(visit, "pause.write", unit, done="Goes on; what waited is written now.")


async def enable(visit: Visit) -> Response:
    """Switch it on or off as a whole."""
    on = visit.form.flag("enabled")

    async def unit(scope: Scope, one: Integration) -> None:
        await visit.services.manage.integrations.update(
            scope.tx, one.id, changes={"enabled": on}, actor=scope.caller.actor, origin=scope.origin
        )

    return await _submit(visit, "integration.write", unit, done="Enabled." if on else "Disabled.")


async def shadow(visit: Visit) -> Response:
    """Begin or end shadow mode."""
    on = visit.form.flag("on")

    async def unit(scope: Scope, one: Integration) -> None:
        scope.require("rule.write")
        await put_sync(
            visit, scope, one, {**own_sync(one, without="shadow"), **({"shadow": True} if on else {})}
        )

    return await _submit(
        visit,
        "integration.write",
        unit,
        done="Shadow mode: nothing is written there."
        if on
        else "Shadow mode is over: what waited is written now.",
    )


def own_sync(one: Integration, *, without: str = "") -> dict[str, Any]:
    """Return the operator's own sync settings of an integration."""
    own = one.settings.get("sync")
    return {key: value for key, value in own.items() if key != without} if isinstance(own, Mapping) else {}


async def put_sync(visit: Visit, scope: Scope, one: Integration, own: Mapping[str, Any]) -> None:
    """Store sync settings when they say what can be. Raises InvalidRequestError that names the place."""
    check_sync(visit, one, own)
    await visit.services.manage.integrations.put_settings(
        scope.tx, one.id, feature="sync", value=own, actor=scope.caller.actor, origin=scope.origin
    )


def check_sync(visit: Visit, one: Integration, own: Mapping[str, Any]) -> None:
    """Refuse sync settings that say what cannot be, alone and with those of the connector. Raises InvalidRequestError."""
    sync_settings.check(own)
    defaults = visit.services.manage.integrations.manifest_of(one).mapping_defaults
    sync_settings.check(sync_settings.effective(defaults, own))


async def remove(visit: Visit) -> Response:
    """Remove it with its credentials and tokens."""

    async def unit(scope: Scope, one: Integration) -> None:
        if visit.form.text("name") != one.name:
            raise InvalidRequestError(
                "this removes the integration with its credentials",
                fields={"name": f"write {one.name} to confirm"},
            )
        await visit.services.manage.integrations.delete(
            scope.tx, one.id, actor=scope.caller.actor, origin=scope.origin
        )

    return await _submit(visit, "integration.write", unit, done="Removed.", to="/integrations")


async def install(visit: Visit) -> Response:
    """Lead to where a person gives their consent to the app."""
    await visit.enter("integration.write")

    async def unit(scope: Scope) -> tuple[Mapping[str, Any], Any]:
        scope.require("credential.write")
        return await framed(visit, scope), scope.caller.actor

    frame, actor = await visit.look(unit)
    one: Integration = frame["one"]
    try:
        consent = await visit.services.begin_install(one.account_id, one.id, actor)
    except REFUSALS as error:
        visit.form.refused(error)
        return await show(visit)
    return visit.page("integrations/install.html", consent=consent, **frame)


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    one = "/integrations/{integration}"
    return [
        doors.page(one, show),
        doors.page(f"{one}/plan", plan),
        doors.action(f"{one}/check", check),
        doors.action(f"{one}/pause", pause),
        doors.action(f"{one}/resume", resume),
        doors.action(f"{one}/enable", enable),
        doors.action(f"{one}/shadow", shadow),
        doors.action(f"{one}/remove", remove),
        doors.action(f"{one}/install", install),
    ]

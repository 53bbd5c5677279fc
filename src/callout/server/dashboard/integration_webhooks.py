"""Webhooks of an integration: how its vendor reaches us, and whom we tell of its tickets, with every delivery and attempt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from callout.integrations import EVENTS as TICKET_EVENTS
from callout.kit.ids import random_token
from callout.kit.secrets import Secret
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.ports.inbound import HookSetup
from callout.server.api.webhook_models import attempt_out
from callout.server.dashboard.integration import found, framed, home
from callout.server.dashboard.integrations import REFUSALS
from callout.webhooks.outbound import DeliveryFilter, standard_secret
from callout.webhooks.tables import inbound_event

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.integrations import Integration
    from callout.ports.inbound import HookGuide
    from callout.ports.manifest import Manifest
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit
    from callout.storage import AccountTx
    from callout.webhooks.outbound import Endpoint

MOST_COUNTED: Final = 10_000
"""So many of the webhooks that came in are counted by what became of them."""
PAGE: Final = 50
LONGEST_KEY: Final = 200
LONGEST_NUMBER: Final = 18
"""Digits that fit into 64 bits."""
SHORTEST_KEY: Final = 8
_DOORS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "ticketing": (("Webhooks", "/v1/hooks/{id}"),),
    "chat": (
        ("Commands", "/v1/chat/{id}/commands"),
        ("Interactions", "/v1/chat/{id}/interactions"),
        ("Events", "/v1/chat/{id}/events"),
    ),
}
KEY_WORDS: Final = "the stored signing secret, which is not shown here"
NO_KEY_WORDS: Final = "a signing secret; none is stored here yet"


def _addresses(visit: Visit, one: Integration, manifest: Manifest) -> list[tuple[str, str]]:
    if manifest.inbound is None:
        return []
    base = visit.services.oversight.address.rstrip("/")
    return [(name, base + path.format(id=one.id)) for name, path in _DOORS.get(one.category, ())]


def _guide(visit: Visit, one: Integration, manifest: Manifest) -> HookGuide | None:
    """Return how the vendor is made to send its webhooks; the secret is told in words alone."""
    addresses = _addresses(visit, one, manifest)
    if manifest.hook_guide is None or not addresses:
        return None
    key = KEY_WORDS if _has_key(one) else NO_KEY_WORDS
    config = visit.services.manage.integrations.config_of(one)
    return manifest.hook_guide(config, HookSetup(addresses[0][1], one.id, key))


def _has_key(one: Integration) -> bool:
    return bool((one.webhook_config or {}).get("provider_key"))


async def _received(tx: AccountTx, integration_id: str) -> dict[str, int]:
    some = (
        tx.scope(tx.select(inbound_event.c.outcome).where(inbound_event.c.integration_id == integration_id))
        .limit(MOST_COUNTED)
        .subquery()
    )
    rows = await tx.system.all(select(some.c.outcome, func.count().label("count")).group_by(some.c.outcome))
    return {
        str(row["outcome"]): int(row["count"]) for row in sorted(rows, key=lambda row: str(row["outcome"]))
    }


async def show(visit: Visit) -> Response:
    """Show the ways in and out."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("integration.read")
        services, frame = visit.services, await framed(visit, scope)
        one: Integration = frame["one"]
        manifest = services.manage.integrations.manifest_of(one)
        may_out = scope.caller.may("webhook.read", scope.tx.account_id)
        return {
            **frame,
            "addresses": _addresses(visit, one, manifest),
            "guide": _guide(visit, one, manifest),
            "has_key": _has_key(one),
            "health": await services.manage.health.get(scope.tx, one.id),
            "received": await _received(scope.tx, one.id),
            "endpoints": await services.endpoints.list(scope.tx, integration_id=one.id) if may_out else [],
        }

    return visit.page(
        "integrations/webhooks.html",
        status=200 if visit.form.ok else 422,
        events=TICKET_EVENTS,
        most=MOST_COUNTED,
        **await visit.look(unit),
    )


async def script(visit: Visit) -> Response:
    """Show the scripts that the vendor needs to send its webhooks here, for pasting."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("integration.write")
        frame = await framed(visit, scope)
        manifest = visit.services.manage.integrations.manifest_of(frame["one"])
        guide = _guide(visit, frame["one"], manifest)
        if guide is None:
            raise NotFoundError("nobody sets up webhooks of this system by hand")
        return {**frame, "guide": guide}

    return visit.page("integrations/script.html", **await visit.look(unit))


async def key(visit: Visit) -> Response:
    """Store the secret that the vendor signs with: a new one of ours, shown once, or the one that the vendor made."""
    form = visit.form
    making = form.text("make") == "1"
    fresh = random_token(32) if making else form.raw("key").strip()

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("integration.write")
        one = await found(visit, scope)
        if not making and not SHORTEST_KEY <= len(fresh) <= LONGEST_KEY:
            raise InvalidRequestError(
                "this is no signing secret",
                fields={"key": f"has {SHORTEST_KEY} to {LONGEST_KEY} characters"},
            )
        config = {**(one.webhook_config or {}), "provider_key": fresh}
        await visit.services.manage.integrations.update(
            scope.tx,
            one.id,
            changes={"webhook_config": config},
            actor=scope.caller.actor,
            origin=scope.origin,
        )
        return await framed(visit, scope)

    return await _once(
        visit,
        unit,
        secrets=lambda _: [("Signing secret", Secret(fresh))] if making else [],
        said="The former secret holds for 24 hours more.",
        done="Stored. The former secret holds for 24 hours more.",
    )


async def hook_token(visit: Visit) -> Response:
    """Give the integration a new hook token, shown once; the old one is refused at once."""
    made: list[Secret] = []

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("integration.write")
        one = await found(visit, scope)
        after = await visit.services.manage.integrations.rotate_hook_token(
            scope.tx, one.id, actor=scope.caller.actor, origin=scope.origin
        )
        made[:] = [after.hook_token]
        return await framed(visit, scope)

    return await _once(
        visit,
        unit,
        secrets=lambda _: [("Hook token", made[0])],
        said="It goes with a webhook as header TOKEN where the vendor cannot sign. The former one is refused from now on.",
    )


async def _once(
    visit: Visit,
    unit: Callable[[Scope], Awaitable[Mapping[str, Any]]],
    *,
    secrets: Callable[[Mapping[str, Any]], list[tuple[str, Secret]]],
    said: str = "",
    done: str = "",
    again: Callable[[], Awaitable[Response]] | None = None,
    part: str = "/webhooks",
) -> Response:
    """Carry out what makes a secret, and show that in this answer alone; where it makes none, lead on."""
    try:
        frame = await visit.act(unit)
    except REFUSALS as error:
        visit.form.refused(error, fields={"/url": "url", "/filters": "filters", "/name": "name"})
        answer = await (again() if again is not None else show(visit))
        answer.status_code = 422
        return answer
    visit.services.manage.changed()
    shown = secrets(frame)
    if not shown:
        return visit.go(home(visit, part), done)
    return visit.page(
        "integrations/once.html",
        secrets=[(label, secret.reveal()) for label, secret in shown],
        said=said,
        back=home(visit, part),
        **frame,
    )


def _secrets_of(frame: Mapping[str, Any]) -> list[tuple[str, Secret]]:
    endpoint: Endpoint = frame["endpoint"]
    secret = endpoint.secrets[0]
    return [
        ("Secret, for Synqly-Signature", secret),
        ("The same for libraries of Standard Webhooks", standard_secret(secret)),
    ]


async def create(visit: Visit) -> Response:
    """Make a webhook that is told of the integration's tickets; its secret is shown once."""
    form = visit.form

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("webhook.write")
        frame = await framed(visit, scope)
        made = await visit.services.endpoints.create(
            scope.tx,
            url=form.text("url"),
            filters=form.all("filters"),
            actor=scope.caller.actor,
            origin=scope.origin,
            name=form.text("name") or None,
            integration_id=frame["one"].id,
        )
        return {**frame, "endpoint": made}

    return await _once(visit, unit, secrets=_secrets_of)


async def _endpoint(visit: Visit, scope: Scope, one: Integration) -> Endpoint:
    """Return the webhook that the address names, of this integration alone. Raises NotFoundError."""
    endpoint = await visit.services.endpoints.get(scope.tx, visit.argument("webhook"))
    if endpoint.integration_id != one.id:
        raise NotFoundError("this integration has no such webhook")
    return endpoint


def _there(visit: Visit) -> str:
    return home(visit, f"/webhooks/{visit.argument('webhook')}")


async def webhook(visit: Visit) -> Response:
    """Show one webhook and what was delivered to it."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("webhook.read")
        scope.require("delivery.read")
        frame = await framed(visit, scope)
        endpoint = await _endpoint(visit, scope, frame["one"])
        before = visit.query("before")
        listed = await visit.services.deliveries.search(
            scope.tx,
            DeliveryFilter(endpoint_id=endpoint.id),
            limit=PAGE,
            before=int(before)
            if before.isascii() and before.isdigit() and len(before) <= LONGEST_NUMBER
            else None,
            own=scope.caller.account_ids is not None,
        )
        onwards = str(listed[-1].seq) if len(listed) == PAGE else ""
        return {**frame, "endpoint": endpoint, "deliveries": listed, "onwards": onwards}

    status = 200 if visit.form.ok else 422
    return visit.page("integrations/webhook.html", status=status, **await visit.look(unit))


async def rotate(visit: Visit) -> Response:
    """Give a webhook a new secret, shown once; for a day deliveries are signed with both."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("webhook.write")
        frame = await framed(visit, scope)
        endpoint = await _endpoint(visit, scope, frame["one"])
        after = await visit.services.endpoints.rotate(
            scope.tx, endpoint.id, actor=scope.caller.actor, origin=scope.origin
        )
        return {**frame, "endpoint": after}

    return await _once(
        visit,
        unit,
        secrets=_secrets_of,
        said="For 24 hours deliveries are signed with the former secret, too.",
        again=lambda: webhook(visit),
    )


async def act(visit: Visit) -> Response:
    """Switch a webhook on or off, send it a test, or remove it."""
    action = visit.form.text("action")
    done = {
        "on": "Switched on.",
        "off": "Switched off; what happens is held back for it.",
        "remove": "Removed.",
    }

    async def unit(scope: Scope) -> str | None:
        scope.require("webhook.write")
        one = await found(visit, scope)
        endpoint = await _endpoint(visit, scope, one)
        services = visit.services
        who: dict[str, Any] = {"actor": scope.caller.actor, "origin": scope.origin}
        if action == "test":
            sent = await services.deliveries.test(scope.tx, endpoint, **who)
            return f"/integrations/{one.id}/deliveries/{sent.id}"
        if action == "on":
            await services.endpoints.enable(scope.tx, endpoint.id, **who)
        elif action == "off":
            await services.endpoints.disable(scope.tx, endpoint.id, why="by request", **who)
        elif action == "remove":
            await services.endpoints.delete(scope.tx, endpoint.id, **who)
            return f"/integrations/{one.id}/webhooks"
        else:
            raise InvalidRequestError("there is no such action", fields={"action": "not known"})
        return None

    return await visit.submit(
        unit,
        again=lambda: webhook(visit),
        to=_there(visit),
        done=done.get(action, "Sent: see what came of it."),
    )


async def delivery(visit: Visit) -> Response:
    """Show one delivery with every attempt."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("delivery.read")
        scope.require("webhook.read")
        frame = await framed(visit, scope)
        detail = await _delivery(visit, scope, frame["one"])
        return {
            **frame,
            "delivery": detail.delivery,
            "attempts": [attempt_out(each) for each in detail.attempts],
            "body": None if detail.body is None else detail.body.decode("utf-8", "replace"),
        }

    status = 200 if visit.form.ok else 422
    return visit.page("integrations/delivery.html", status=status, **await visit.look(unit))


async def _delivery(visit: Visit, scope: Scope, one: Integration) -> Any:  # noqa: ANN401  # a Detail
    detail = await visit.services.deliveries.get(
        scope.tx, visit.argument("delivery"), own=scope.caller.account_ids is not None
    )
    listed = await visit.services.endpoints.list(scope.tx, integration_id=one.id)
    if detail.delivery.endpoint_id not in {endpoint.id for endpoint in listed}:
        raise NotFoundError("no webhook of this integration has such a delivery")
    return detail


async def redeliver(visit: Visit) -> Response:
    """Send a finished delivery again."""

    async def unit(scope: Scope) -> str:
        scope.require("delivery.replay")
        one = await found(visit, scope)
        detail = await _delivery(visit, scope, one)
        fresh = await visit.services.deliveries.redeliver(
            scope.tx,
            detail.delivery.id,
            actor=scope.caller.actor,
            origin=scope.origin,
            own=scope.caller.account_ids is not None,
        )
        return f"/integrations/{one.id}/deliveries/{fresh.id}"

    return await visit.submit(
        unit,
        again=lambda: delivery(visit),
        to=home(visit, "/webhooks"),
        done="On its way again, as a new delivery.",
    )


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    one = "/integrations/{integration}"
    return [
        doors.page(f"{one}/webhooks", show),
        doors.action(f"{one}/webhooks", create),
        doors.page(f"{one}/webhooks/script", script),
        doors.action(f"{one}/webhooks/key", key),
        doors.action(f"{one}/webhooks/hook-token", hook_token),
        doors.page(f"{one}/webhooks/{{webhook}}", webhook),
        doors.action(f"{one}/webhooks/{{webhook}}", act),
        doors.action(f"{one}/webhooks/{{webhook}}/rotate", rotate),
        doors.page(f"{one}/deliveries/{{delivery}}", delivery),
        doors.action(f"{one}/deliveries/{{delivery}}", redeliver),
    ]

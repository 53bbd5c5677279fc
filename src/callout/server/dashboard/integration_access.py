"""What an integration opens with: its credentials at the vendor's, and its own tokens for programs. None of them is ever shown again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from callout.integrations.credentials import references
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.server.dashboard import integration_form as forms
from callout.server.dashboard.integration import found, framed, home
from callout.server.dashboard.integrations import REFUSALS, asked

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.access import RefreshToken
    from callout.integrations import CredentialRecord, Integration
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit


async def show(visit: Visit) -> Response:
    """Show the credentials and tokens, without what is secret of them."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("credential.read")
        manage, frame = visit.services.manage, await framed(visit, scope)
        one: Integration = frame["one"]
        manifest = manage.integrations.manifest_of(one)
        used = references(one.provider_config)
        rows: list[tuple[str, CredentialRecord | None]] = []
        for field, credential_id in used.items():
            try:
                rows.append((field, await manage.credentials.get(scope.tx, credential_id)))
            except NotFoundError:
                rows.append((field, None))
        unused = [
            record
            for record in await manage.credentials.list(scope.tx, one.id)
            if record.id not in used.values()
        ]
        may_tokens = scope.caller.may("token.read", scope.tx.account_id)
        tokens = (
            await manage.tokens.list(scope.tx.system, owner_type="integration", owner_id=one.id)
            if may_tokens
            else []
        )
        slots = forms.slots_of(manifest)
        return {
            **frame,
            "credentials": rows,
            "unused": unused,
            "tokens": tokens,
            "may_tokens": may_tokens,
            "slots": slots,
            "optional": [slot.name for slot in slots if not slot.required],
            "stored": list(used),
        }

    return visit.page(
        "integrations/access.html",
        status=200 if visit.form.ok else 422,
        kind_words=forms.KIND_WORDS,
        words_of=forms.words_of,
        **await visit.look(unit),
    )


async def replace(visit: Visit) -> Response:
    """Put what was typed in the place of the stored credentials, then ask the vendor whether it lets us in."""
    visitor = await visit.enter("credential.write")
    form, manage = visit.form, visit.services.manage

    async def unit(scope: Scope) -> Integration:
        scope.require("credential.write")
        scope.require("integration.write")
        one = await found(visit, scope)
        manifest = manage.integrations.manifest_of(one)
        given = {slot.name: forms.read_slot(form, slot) for slot in forms.slots_of(manifest)}
        typed = {name: credential for name, credential in given.items() if credential is not None}
        if not form.ok:
            raise InvalidRequestError("some of this cannot be taken as it is")
        if not typed:
            raise InvalidRequestError(
                "no credential was typed", remediation="Fill in the one to be replaced."
            )
        await manage.integrations.update(
            scope.tx,
            one.id,
            changes={"provider_config": {**one.provider_config, **typed}},
            actor=scope.caller.actor,
            origin=scope.origin,
        )
        return one

    try:
        one = await visit.act(unit)
    except REFUSALS as error:

        async def manifest_names(scope: Scope) -> list[str]:
            return forms.names_of(manage.integrations.manifest_of(await found(visit, scope)))

        forms.refuse(form, error, await visit.look(manifest_names))
        return await show(visit)
    manage.changed()
    said = await asked(visit, visitor.account.id, one.id)
    return visit.go(home(visit, "/access"), f"Replaced. {said}")


async def revoke(visit: Visit) -> Response:
    """Forget a credential: out of the settings where they can do without it, or one that nothing uses."""

    async def unit(scope: Scope) -> None:
        scope.require("credential.write")
        scope.require("integration.write")
        manage, one = visit.services.manage, await found(visit, scope)
        record = await manage.credentials.get(scope.tx, visit.argument("credential"))
        fields = [name for name, each in references(one.provider_config).items() if each == record.id]
        if fields:
            config = {name: value for name, value in one.provider_config.items() if name not in fields}
            await manage.integrations.update(
                scope.tx,
                one.id,
                changes={"provider_config": config},
                actor=scope.caller.actor,
                origin=scope.origin,
            )
        elif record.owner_id == one.id:
            await manage.credentials.delete(
                scope.tx, record.id, actor=scope.caller.actor, origin=scope.origin
            )
        else:
            raise NotFoundError("this integration has no such credential")

    return await _submit(visit, unit, done="Revoked here. End it at the other side, too.")


async def _submit(visit: Visit, unit: Callable[[Scope], Awaitable[None]], *, done: str) -> Response:
    answer = await visit.submit(unit, again=lambda: show(visit), to=home(visit, "/access"), done=done)
    visit.services.manage.changed()
    return answer


async def token(visit: Visit) -> Response:
    """Rotate, reset or revoke a token of the integration; new secrets are shown once."""
    action = visit.form.text("action")
    manage = visit.services.manage

    async def unit(scope: Scope) -> tuple[Mapping[str, Any], RefreshToken | None]:
        scope.require("token.write" if action == "revoke" else "token.reset")
        frame, system = await framed(visit, scope), scope.tx.system
        one = await manage.tokens.get(system, visit.argument("token"))
        if one.owner_type != "integration" or one.owner_id != frame["one"].id:
            raise NotFoundError("this integration has no such token")
        await manage.tokens.require_reach(system, scope.caller, one)
        who: dict[str, Any] = {"actor": scope.caller.actor, "origin": scope.origin}
        if action == "rotate":
            return frame, await manage.tokens.rotate(system, one.id, **who)
        if action == "reset":
            return frame, await manage.tokens.reset(system, one.id, **who)
        if action == "revoke":
            await manage.tokens.revoke(system, one.id, **who)
            return frame, None
        raise InvalidRequestError("there is no such action", fields={"action": "not known"})

    try:
        frame, made = await visit.act(unit)
    except REFUSALS as error:
        visit.form.refused(error)
        return await show(visit)
    manage.changed()
    if made is None:
        return visit.go(home(visit, "/access"), "Revoked: programs that used it are turned away from now on.")
    pair = made.primary
    halves = (("Access, for calls", pair.access.secret), ("Refresh, to renew it", pair.refresh.secret))
    return visit.page(
        "integrations/once.html",
        secrets=[(label, secret.reveal()) for label, secret in halves if secret is not None],
        said="The former one works on beside it."
        if action == "rotate"
        else "Every former one is refused from now on.",
        back=home(visit, "/access"),
        **frame,
    )


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    one = "/integrations/{integration}/access"
    return [
        doors.page(one, show),
        doors.action(one, replace),
        doors.action(f"{one}/credentials/{{credential}}/revoke", revoke),
        doors.action(f"{one}/tokens/{{token}}", token),
    ]

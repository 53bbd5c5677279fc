"""Who hears of what in chat: the rules of each chat integration, shown in words and edited as the document that they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callout.ports.chat_rules import Route as Rule
from callout.ports.errors import InvalidRequestError
from callout.server.dashboard.admin_pages import page, submit
from callout.server.dashboard.admin_response import beside, document_of, written
from callout.server.kept_secrets import guard_secrets

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.integrations import Integration
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

PARTS: Final = ("channels", "routing", "routes", "fallback", "batch_seconds")
"""What of a chat integration's settings says who hears of what."""
EXAMPLE: Final[Mapping[str, Any]] = {
    "channels": {"default": "incidents", "SEV-1": "major-incidents", "operators": "callout-ops"},
    "routing": "first",
    "routes": [
        {"when": {"service": "checkout", "days": ["sat", "sun"]}, "to": ["dm:@commander", "@team"]},
        {"types": ["resolved", "closed"], "to": ["status"]},
    ],
    "fallback": {"channel": "duty-desk", "after_minutes": 5},
}
_HOME: Final = "/admin/routing"


def _rules(config: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rules of a chat integration in words."""
    found = []
    for given in config.get("routes") or ():
        rule = Rule.model_validate(given)
        when = rule.when
        parts = [
            f"{name} {' or '.join(words)}"
            for name in ("severity", "service", "team")
            if (words := getattr(when, name))
        ]
        parts += [f"on {', '.join(when.days)}"] if when.days else []
        parts += [f"{when.hours} {when.time_zone}"] if when.hours else []
        found.append(
            {
                "when": "; ".join(parts) or "always",
                "types": ", ".join(one.value.replace("_", " ") for one in rule.types) or "all news",
                "to": ", ".join(rule.to) or "nobody",
            }
        )
    return found


class _Routing:
    def __init__(self, doors: Doors) -> None:
        self._integrations = doors.services.manage.integrations

    async def show(self, visit: Visit) -> Response:
        chosen = visit.request.path_params.get("integration", "")

        async def unit(scope: Scope) -> dict[str, Any]:
            scope.require("integration.read")
            found = await self._integrations.of_category(scope.tx, "chat")
            one = await self._one(scope, chosen) if chosen else None
            return {"found": [_shown(each) for each in found], "one": None if one is None else _shown(one)}

        found = await visit.look(unit)
        one = found["one"]
        if one is not None:
            visit.form.begin({"document": one["document"], "version": one["version"]})
        return page(visit, "routing.html", fields=visit.form, example=written(EXAMPLE), **found)

    async def _one(self, scope: Scope, name: str) -> Integration:
        one = await self._integrations.get(scope.tx, name)
        if one.category != "chat":
            raise InvalidRequestError(f"{one.name} is no chat integration: it tells nobody")
        return one

    async def save(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            document = document_of(visit.form.text("document"))
            before = await self._one(scope, visit.argument("integration"))
            unknown = sorted(set(document) - set(PARTS))
            if unknown:
                raise InvalidRequestError(
                    "this is not about who hears of what",
                    fields={"document": f"{unknown[0]}: not set here; there are {', '.join(PARTS)}"},
                )
            config = {
                name: value for name, value in before.provider_config.items() if name not in PARTS
            } | document
            try:
                guard_secrets(scope.caller, scope.tx.account_id, before.provider_config, config)
                await self._integrations.update(
                    scope.tx,
                    before.id,
                    changes={"provider_config": config},
                    actor=scope.caller.actor,
                    origin=scope.origin,
                    expected=_moment(visit.form.text("version")),
                )
            except InvalidRequestError as error:
                raise beside(error) from error

        return await submit(
            visit,
            "integration.write",
            unit,
            again=lambda: self.show(visit),
            to=_HOME,
            done="The rules are saved. They hold for the next news.",
        )


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequestError("the form is not whole", remediation="Load the page again.") from None


def _shown(one: Integration) -> dict[str, Any]:
    config = one.provider_config
    return {
        "id": one.id,
        "name": one.fullname or one.name,
        "enabled": one.enabled,
        "channels": dict(config.get("channels") or {}),
        "rules": _rules(config),
        "all": config.get("routing") == "all",
        "fallback": config.get("fallback") or None,
        "document": written({name: config[name] for name in PARTS if name in config}),
        "version": one.updated_at.isoformat(),
    }


def routes(doors: Doors) -> list[Route]:
    """Return the routes of these pages."""
    pages = _Routing(doors)
    return [
        doors.page(_HOME, pages.show),
        doors.page(f"{_HOME}/{{integration}}", pages.show),
        doors.action(f"{_HOME}/{{integration}}", pages.save),
    ]

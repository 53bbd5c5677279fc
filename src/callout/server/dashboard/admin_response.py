"""Service levels and escalation policies: shown as tables, edited as the documents that they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.incidents.documents import duration_text
from callout.incidents.sla.clock import ClockKind
from callout.incidents.sla.rules import DEFAULTS
from callout.ports.errors import InvalidRequestError
from callout.server.dashboard.admin_pages import page, submit
from callout.server.dashboard.forms import Form

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

LONGEST: Final = 200_000
"""Characters of a document."""
DIGITS: Final = 9
EXAMPLE_POLICIES: Final[Mapping[str, Any]] = {
    "default": {"SEV-1": "urgent"},
    "policies": {
        "urgent": {
            "repeat": 1,
            "repeat_after": "15m",
            "triggers": ["declared", "sla_breached"],
            "steps": [
                {"targets": ["role:commander"]},
                {"after": "10m", "targets": ["ann@example.com", "#critical-incidents"]},
            ],
        }
    },
}
_KINDS: Final = (ClockKind.ACKNOWLEDGE, ClockKind.UPDATE, ClockKind.RESOLVE)


def written(document: Mapping[str, Any]) -> str:
    """Return a document as people edit it."""
    return json.dumps(document, indent=2, ensure_ascii=False, default=str)


def in_words(place: str) -> str:
    """Return a place in a document (`/rules/0/acknowledge`) as people say it: `rules, number 1, acknowledge`."""
    parts = [one.replace("~1", "/").replace("~0", "~") for one in place.split("/") if one]
    return ", ".join(
        f"number {int(one) + 1}" if one.isdecimal() and len(one) <= DIGITS else one for one in parts
    )


def document_of(text: str) -> dict[str, Any]:
    """Return the document that somebody typed. Raises InvalidRequestError that says where it is no JSON."""
    if len(text) > LONGEST:
        raise InvalidRequestError("the document is too long", fields={"document": "is too long"})
    try:
        given = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        what = f"is no JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        raise InvalidRequestError("the document cannot be read", fields={"document": what}) from None
    except (ValueError, RecursionError):
        raise InvalidRequestError("the document cannot be read", fields={"document": "is no JSON"}) from None
    if not isinstance(given, dict):
        raise InvalidRequestError(
            "the document cannot be read", fields={"document": "has to be an object: it begins with {"}
        )
    return given


def _no_number(word: str) -> None:
    raise ValueError(word)


def beside(error: InvalidRequestError) -> InvalidRequestError:
    """Return the error with all that it says of places in the document beside the field that holds it."""
    said = [f"{in_words(place)}: {what}" if in_words(place) else what for place, what in error.fields.items()]
    return InvalidRequestError(
        "the document cannot be taken as it is",
        fields={"document": "; ".join(said) or error.message},
        remediation=error.remediation,
    )


def version_of(form: Form) -> int:
    """Return the version that a form was made from. Raises InvalidRequestError."""
    text = form.text("version")
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise InvalidRequestError("the form is not whole", remediation="Load the page again.")
    return int(text)


class _Response:
    def __init__(self, doors: Doors) -> None:
        self._responding = doors.services.responding

    async def levels(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> dict[str, Any]:
            scope.require("response.read")
            found = await self._responding.settings.load(scope.tx)
            rules = [
                {
                    "name": rule.name,
                    "limits": [
                        duration_text(rule.limits[kind].amount) if kind in rule.limits else ""
                        for kind in _KINDS
                    ],
                    "pauses": ", ".join(
                        f"{kind.value} while {' or '.join(sorted(one.value for one in rule.limits[kind].pause))}"
                        for kind in _KINDS
                        if kind in rule.limits and rule.limits[kind].pause
                    ),
                    "hours": rule.calendar.name,
                    "warn": rule.warn,
                }
                for _, rule in found.rules.rules
            ]
            document = found.rules.document if found.rules_version else DEFAULTS
            return {
                "rules": rules,
                "calendars": document.get("calendars") or {},
                "version": found.rules_version,
                "document": written(document),
                "example": written(DEFAULTS),
            }

        found = await visit.look(unit)
        return page(visit, "levels.html", fields=_fields(visit, found), **found)

    async def save_levels(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            version, document = version_of(visit.form), document_of(visit.form.text("document"))
            try:
                await self._responding.levels.set_rules(scope.tx, document, scope.origin, version=version)
            except InvalidRequestError as error:
                raise beside(error) from error

        return await submit(
            visit,
            "response.write",
            unit,
            again=lambda: self.levels(visit),
            to="/admin/levels",
            done="The rules are saved. They hold for new incidents.",
        )

    async def escalation(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> dict[str, Any]:
            scope.require("response.read")
            found = await self._responding.settings.load(scope.tx)
            severities: dict[str, list[str]] = {}
            for severity, name in found.policies.default.items():
                severities.setdefault(name, []).append(str(severity))
            policies = [
                {
                    "name": name,
                    "severities": sorted(severities.get(name, [])),
                    "steps": [
                        (duration_text(step.after), [str(one) for one in step.targets])
                        for step in policy.steps
                    ],
                    "repeat": policy.repeat,
                    "repeat_after": duration_text(policy.repeat_after),
                    "triggers": sorted(one.value for one in policy.triggers),
                }
                for name, policy in sorted(found.policies.policies.items())
            ]
            example = written(EXAMPLE_POLICIES)
            return {
                "policies": policies,
                "version": found.policies_version,
                "document": written(found.policies.document)
                if found.policies_version
                else '{\n  "policies": {}\n}',
                "example": example,
            }

        found = await visit.look(unit)
        return page(visit, "escalation.html", fields=_fields(visit, found), **found)

    async def save_escalation(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            version, document = version_of(visit.form), document_of(visit.form.text("document"))
            try:
                await self._responding.escalations.set_policies(
                    scope.tx, document, scope.origin, version=version
                )
            except InvalidRequestError as error:
                raise beside(error) from error

        return await submit(
            visit,
            "response.write",
            unit,
            again=lambda: self.escalation(visit),
            to="/admin/escalation",
            done="The policies are saved. Escalations under way go on by the steps they began with.",
        )


def _fields(visit: Visit, found: Mapping[str, Any]) -> Form:
    return visit.form.begin({"document": found["document"], "version": str(found["version"])})


def routes(doors: Doors) -> list[Route]:
    """Return the routes of these pages."""
    pages = _Response(doors)
    return [
        doors.page("/admin/levels", pages.levels),
        doors.action("/admin/levels", pages.save_levels),
        doors.page("/admin/escalation", pages.escalation),
        doors.action("/admin/escalation", pages.save_escalation),
    ]

"""Which incidents become tickets in which integrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callout.incidents import Incident
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Severity

CONDITIONS = ("severity", "service", "team", "tag")


def wants_ticket(incident: Incident, settings: Mapping[str, Any]) -> bool:
    """Return whether an integration with these `sync` settings wants a ticket for `incident`.

    `settings["create"]` is false (never), true or absent (always), or a list of rules; a rule is an object with any of `severity`,
    `service`, `team` and `tag`, each a list of values; one rule whose every condition holds is enough.
    """
    create = settings.get("create", True)
    if isinstance(create, bool):
        return create
    return any(_holds(incident, rule) for rule in create)


def _holds(incident: Incident, rule: Mapping[str, Sequence[str]]) -> bool:
    values: dict[str, set[str]] = {
        "severity": {str(incident.severity)},
        "service": {incident.service},
        "team": {incident.team},
        "tag": set(incident.tags),
    }
    return all(values[name] & set(map(_READ.get(name, str), wanted)) for name, wanted in rule.items())


def _severity(text: str) -> str:
    return str(Severity.parse(text))  # people write sev1, too


_READ = {"severity": _severity}


def check_rules(settings: Mapping[str, Any]) -> None:
    """Refuse `create` rules that can never hold. Raises InvalidRequestError that names the place."""
    create = settings.get("create", True)
    if isinstance(create, bool):
        return
    if not isinstance(create, list):
        raise InvalidRequestError(
            "create must be true, false or a list of rules", fields={"/sync/create": "wrong kind"}
        )
    for place, rule in enumerate(create):
        where = f"/sync/create/{place}"
        if not isinstance(rule, dict):
            raise InvalidRequestError(
                "a rule is an object of conditions",
                fields={where: "wrong kind"},
                remediation=f"Conditions: {', '.join(CONDITIONS)}.",
            )
        unknown = set(rule) - set(CONDITIONS)
        if unknown:
            raise InvalidRequestError(
                f"a rule knows no condition {', '.join(sorted(unknown))}",
                fields={where: "unknown condition"},
                remediation=f"Conditions: {', '.join(CONDITIONS)}.",
            )
        for name, wanted in rule.items():
            _check_condition(f"{where}/{name}", name, wanted)


def _check_condition(where: str, name: str, wanted: Any) -> None:  # noqa: ANN401  # whatever the settings hold
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, str) for one in wanted):
        raise InvalidRequestError(
            f"the condition {name} is not a list of words",
            fields={where: "wrong kind"},
            remediation='Write the values as a list, such as ["SEV-1"].',
        )
    if name == "severity":
        for severity in wanted:
            try:
                Severity.parse(severity)
            except ValueError as error:
                raise InvalidRequestError(str(error), fields={where: "not a severity"}) from error

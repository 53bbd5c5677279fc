"""Which incidents become tickets in which integrations, and which tickets of theirs become incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from callout.incidents import Incident
from callout.ports.errors import InvalidRequestError
from callout.ports.ticketing import StatusCategory, Ticket
from callout.ports.values import Severity

if TYPE_CHECKING:
    from callout.ports.values import Person
    from callout.sync.mapping import FieldMappings

CONDITIONS = ("severity", "service", "team", "tag")
ACCEPT_CONDITIONS: Final[Mapping[str, str]] = {
    "project": "project",
    "type": "issue_type",
    "priority": "priority",
    "severity": "priority",
    "status": "status",
    "tag": "tags",
    "assignee": "assignee",
    "creator": "creator",
    "title_contains": "title",
}
"""Condition of an `accept` rule → the ticket's field that it looks at."""
ACCEPT_SETS: Final = ("service", "team", "tags")
"""What an `accept` rule may say of the incident that it makes."""
Rule = Mapping[str, Any]


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


def accepts(settings: Mapping[str, Any]) -> bool:
    """Return whether an integration with these settings makes incidents of tickets at all."""
    return bool(settings.get("accept", False))


def accepting_rule(
    ticket: Ticket,
    settings: Mapping[str, Any],
    mappings: FieldMappings,
    *,
    known: frozenset[str] | None = None,
) -> Rule | None:
    """Return the rule by which `ticket` becomes an incident, or None when none does.

    `settings["accept"]` is false or absent (never), true (every ticket), or a list of rules; the first whose every condition holds counts.
    A ticket that is done already becomes one only where the rule names its status. With `known` (the ticket's fields that were told)
    what nobody told counts as fitting: None then says that the ticket surely does not fit.
    """
    for rule in _accept_rules(settings):
        conditions = [name for name in rule if name != "set" and _is_known(name, known)]
        done = ticket.status_category is StatusCategory.DONE and (known is None or "status" in known)
        if done and "status" not in rule:
            continue
        if all(_fits(ticket, name, rule[name], mappings) for name in conditions):
            return rule
    return None


def _accept_rules(settings: Mapping[str, Any]) -> Sequence[Rule]:
    accept = settings.get("accept", False)
    return ({},) if accept is True else accept or ()


def may_accept_done(settings: Mapping[str, Any]) -> bool:
    """Return whether a ticket that is done already may become an incident: where a rule names its status."""
    return any("status" in rule for rule in _accept_rules(settings))


def projects_named(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the projects outside of which no ticket becomes an incident; none where a rule looks at all of them."""
    rules = _accept_rules(settings)
    if not all("project" in rule for rule in rules):
        return ()
    return tuple(dict.fromkeys(name for rule in rules for name in rule["project"]))


def _is_known(condition: str, known: frozenset[str] | None) -> bool:
    return known is None or ACCEPT_CONDITIONS[condition] in known


def _fits(ticket: Ticket, condition: str, wanted: Sequence[str], mappings: FieldMappings) -> bool:
    values = {one.casefold() for one in wanted}
    if condition == "title_contains":
        title = ticket.title.casefold()
        return any(value in title for value in values)
    if condition == "severity":
        found = mappings.severities_in.get(ticket.priority or "")
        return found in {_severity(one) for one in wanted}
    return bool(values & {word.casefold() for word in _words(ticket, condition) if word})


def _words(ticket: Ticket, condition: str) -> Sequence[str]:
    """Return the words by which people may name what a condition looks at."""
    words: Mapping[str, Sequence[str]] = {
        "project": (ticket.project,),
        "type": (ticket.issue_type,),
        "priority": (ticket.priority or "", ticket.priority_name),
        "status": (ticket.status, f"category:{ticket.status_category.value}"),
        "tag": ticket.tags,
        "assignee": _names(ticket.assignee),
        "creator": _names(ticket.creator),
    }
    return words[condition]


def _names(person: Person | None) -> Sequence[str]:
    return () if person is None else (person.id, person.name, person.email)


def check_rules(settings: Mapping[str, Any]) -> None:
    """Refuse `create` rules that can never hold. Raises InvalidRequestError that names the place."""
    for where, rule in _rules(settings, "create", default=True):
        _check_names(where, rule, CONDITIONS)
        for name, wanted in rule.items():
            _check_condition(f"{where}/{name}", name, wanted)


def check_accept(settings: Mapping[str, Any]) -> None:
    """Refuse `accept` rules that can never hold. Raises InvalidRequestError that names the place."""
    for where, rule in _rules(settings, "accept", default=False):
        _check_names(where, {name: 0 for name in rule if name != "set"}, tuple(ACCEPT_CONDITIONS))
        for name, wanted in rule.items():
            if name == "set":
                _check_set(f"{where}/set", wanted)
            else:
                _check_condition(f"{where}/{name}", name, wanted)


def _rules(settings: Mapping[str, Any], name: str, *, default: bool) -> list[tuple[str, dict[str, Any]]]:
    """Return each rule with its place; none for true or false. Raises InvalidRequestError."""
    given = settings.get(name, default)
    if isinstance(given, bool):
        return []
    if not isinstance(given, list):
        raise InvalidRequestError(
            f"{name} must be true, false or a list of rules", fields={f"/sync/{name}": "wrong kind"}
        )
    for place, rule in enumerate(given):
        if not isinstance(rule, dict):
            allowed = CONDITIONS if name == "create" else tuple(ACCEPT_CONDITIONS)
            raise InvalidRequestError(
                "a rule is an object of conditions",
                fields={f"/sync/{name}/{place}": "wrong kind"},
                remediation=f"Conditions: {', '.join(allowed)}.",
            )
    return [(f"/sync/{name}/{place}", rule) for place, rule in enumerate(given)]


def _check_names(where: str, rule: Mapping[str, Any], allowed: Sequence[str]) -> None:
    unknown = set(rule) - set(allowed)
    if unknown:
        raise InvalidRequestError(
            f"a rule knows no condition {', '.join(sorted(unknown))}",
            fields={where: "unknown condition"},
            remediation=f"Conditions: {', '.join(allowed)}.",
        )


def _check_condition(where: str, name: str, wanted: Any) -> None:  # noqa: ANN401  # whatever the settings hold
    if not _is_words(wanted):
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
    if name == "status":
        _check_categories(where, wanted)


def _check_categories(where: str, wanted: Sequence[str]) -> None:
    """A status is the vendor's own word; one that begins with `category:` has to be one of ours."""
    allowed = tuple(f"category:{one.value}" for one in StatusCategory)
    for status in wanted:
        if status.startswith("category:") and status not in allowed:
            raise InvalidRequestError(
                f"{status!r} is not one of {', '.join(allowed)}", fields={where: "not a category"}
            )


def _check_set(where: str, given: Any) -> None:  # noqa: ANN401  # whatever the settings hold
    if not isinstance(given, dict):
        raise InvalidRequestError(
            "set is an object", fields={where: "wrong kind"}, remediation=f"It may hold {_SETS}."
        )
    unknown = set(given) - set(ACCEPT_SETS)
    if unknown:
        raise InvalidRequestError(
            f"a rule cannot set {', '.join(sorted(unknown))}",
            fields={where: "unknown field"},
            remediation=f"It may set {_SETS}.",
        )
    for name, value in given.items():
        fits = _is_words(value) if name == "tags" else isinstance(value, str)
        if not fits:
            kind = "a list of words" if name == "tags" else "a word"
            raise InvalidRequestError(f"set: {name} must be {kind}", fields={f"{where}/{name}": "wrong kind"})


_SETS: Final = ", ".join(ACCEPT_SETS)


def _is_words(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) and one for one in value)

"""What callers ask for, read from their JSON: references become things, mistakes become refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from callout.sandbox.pagerduty.errors import InvalidInputError, PagerDutyError, RefusedError
from callout.sandbox.pagerduty.incidents import Change, Draft

if TYPE_CHECKING:
    from callout.sandbox.pagerduty.account import Account
    from callout.sandbox.pagerduty.model import EscalationPolicy, Json, JsonObject, Priority, User

_T = TypeVar("_T")
STATUSES = ("triggered", "acknowledged", "resolved")
URGENCIES = ("high", "low")


def text(value: Json, name: str) -> str:
    """A text that is not empty.

    Raises:
        InvalidInputError: it is empty, or something else.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(f"{name} cannot be empty")
    return value


def identity(value: Json, name: str) -> str:
    """The id of a reference.

    Raises:
        InvalidInputError: it has none.
    """
    ident = value.get("id") if isinstance(value, dict) else None
    if not isinstance(ident, str):
        raise InvalidInputError(f"{name} must be a reference with an id")  # from memory: the words
    return ident


def referred(things: dict[str, _T], value: Json, name: str) -> _T:
    """The thing a reference means.

    Raises:
        InvalidInputError: there is none.
    """
    found = things.get(identity(value, name))
    if found is None:
        raise InvalidInputError(f"{name} not found")  # from memory: the words
    return found


def urgency(value: Json) -> str:
    """An urgency.

    Raises:
        InvalidInputError: it is neither of the two.
    """
    if value not in URGENCIES:
        raise InvalidInputError("Urgency must be high or low")  # from memory: the words
    return str(value)


def priority(account: Account, value: Json) -> Priority | None:
    """A priority by reference or by name; null for none.

    Raises:
        PagerDutyError: 402 when the account has no priorities, 400 when it lacks this one.
    """
    if value is None:
        return None
    if not account.settings.priorities:
        raise PagerDutyError(402, 2014)
    wanted = value.get("id") if isinstance(value, dict) else value
    for known in account.priorities.values():
        if wanted == known.id or (isinstance(value, str) and value == known.name):
            return known
    raise RefusedError(1020)


def assignees(account: Account, value: Json) -> list[User]:
    """The users of `assignments`.

    Raises:
        InvalidInputError: it is no list.
        RefusedError: one of them is unknown.
    """
    if not isinstance(value, list) or not value:
        raise InvalidInputError("Assignments must be a list of assignees")  # from memory: the words
    users = []
    for item in value:
        target = item.get("assignee") if isinstance(item, dict) else None
        user = account.users.get(target.get("id", "")) if isinstance(target, dict) else None
        if user is None:
            raise RefusedError(1007)
        users.append(user)
    return list(dict.fromkeys(users))


def incident_type(account: Account, value: Json) -> str:
    """The name of a type of incident.

    Raises:
        InvalidInputError: there is none of the name.
    """
    name = value.get("name") if isinstance(value, dict) else None
    if name not in [kind.name for kind in account.incident_types.values()]:
        raise InvalidInputError("Incident type not found")  # from memory: the words
    return str(name)


def conference_bridge(value: Json) -> JsonObject | None:
    """A conference bridge; null takes it away.

    Raises:
        InvalidInputError: it is no object.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidInputError("Conference bridge must be an object")  # from memory: the words
    return {key: value.get(key) for key in ("conference_number", "conference_url")}


def draft(account: Account, body: JsonObject) -> Draft:
    """A new incident.

    Raises:
        PagerDutyError: something is missing or wrong.
    """
    if body.get("type") not in {"incident", "incident_reference"}:
        raise InvalidInputError("Type must be incident")  # from memory: the words
    made: Draft = {
        "title": text(body.get("title"), "Title"),
        "service": referred(account.services, body.get("service"), "Service"),
    }
    if made["service"].status == "disabled":
        raise InvalidInputError("Service is disabled")  # from memory: the words
    if body.get("assignments") and body.get("escalation_policy"):
        raise InvalidInputError("Only one of assignments and escalation policy may be given")  # from memory
    if body.get("urgency") is not None:
        made["urgency"] = urgency(body["urgency"])
    if body.get("incident_key") is not None:
        made["incident_key"] = text(body["incident_key"], "Incident key")
    if isinstance(body.get("body"), dict):
        details = body["body"].get("details")
        made["details"] = details if details is None else str(details)
    if body.get("assignments"):
        made["assignments"] = assignees(account, body["assignments"])
    if body.get("escalation_policy"):
        made["escalation_policy"] = referred(account.policies, body["escalation_policy"], "Escalation policy")
    if body.get("incident_type"):
        made["incident_type"] = incident_type(account, body["incident_type"])
    made["priority"] = priority(account, body.get("priority"))
    made["conference_bridge"] = conference_bridge(body.get("conference_bridge"))
    return made


def _status(_: Account, value: Json) -> str:
    if value not in STATUSES:
        raise RefusedError(1003)
    return str(value)


def _level(_: Account, value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RefusedError(1006)
    return value


def _policy(account: Account, value: Json) -> EscalationPolicy:
    found = account.policies.get(identity(value, "Escalation policy"))
    if found is None:
        raise RefusedError(1014)
    return found


_READERS: dict[str, Callable[[Account, Json], Json]] = {
    "status": _status,
    "resolution": lambda _, value: text(value, "Resolution"),
    "title": lambda _, value: text(value, "Title"),
    "urgency": lambda _, value: urgency(value),
    "priority": priority,
    "escalation_level": _level,
    "assignments": assignees,
    "escalation_policy": _policy,
    "service": lambda account, value: referred(account.services, value, "Service"),
    "incident_type": incident_type,
    "conference_bridge": lambda _, value: conference_bridge(value),
}


def change(account: Account, body: JsonObject) -> Change:
    """What is to become of an incident. Members that cannot be updated, such as `body`, are ignored.

    Raises:
        PagerDutyError: something is wrong.
    """
    if body.get("type") not in {"incident", "incident_reference"}:
        raise InvalidInputError("Type must be incident or incident_reference")  # from memory: the words
    if "assignments" in body and "escalation_policy" in body:
        raise InvalidInputError("Only one of assignments and escalation policy may be given")
    given = {name: reader(account, body[name]) for name, reader in _READERS.items() if name in body}
    return cast("Change", given)

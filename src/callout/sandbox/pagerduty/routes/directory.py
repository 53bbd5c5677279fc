"""Who and what there is: users, teams, priorities, policies, schedules, on-calls, abilities."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from starlette.responses import Response

from callout.sandbox.pagerduty import oncall, reading
from callout.sandbox.pagerduty.call import Call, answer, nothing
from callout.sandbox.pagerduty.errors import ArgumentsError, InvalidInputError, NotFoundError, PagerDutyError
from callout.sandbox.pagerduty.model import Override
from callout.sandbox.pagerduty.routing import Endpoint, account_token_refused
from callout.sandbox.pagerduty.seed import MISSING_ABILITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from callout.sandbox.pagerduty.model import JsonObject
    from callout.sandbox.pagerduty.oncall import OnCall

_T = TypeVar("_T")
FORTNIGHT, FARTHEST = timedelta(days=14), timedelta(days=90)


def named(call: Call, things: Iterable[_T], name: Callable[[_T], str]) -> list[_T]:
    """The things whose name holds `query`, by name."""
    wanted = call.query("query").lower()
    return sorted(
        (thing for thing in things if wanted in name(thing).lower()), key=lambda one: name(one).lower()
    )


def in_teams(call: Call, thing: object) -> bool:
    """Whether a thing belongs to one of `team_ids[]`, or none is asked for."""
    wanted = call.queries("team_ids")
    return not wanted or any(team.id in wanted for team in getattr(thing, "teams", ()))


def _users(call: Call) -> Response:
    found = [
        user
        for user in named(call, call.account.users.values(), lambda one: f"{one.name} {one.email}")
        if in_teams(call, user)
    ]
    return call.page("users", found, lambda one: call.view.user(one, call.include))


def _user(call: Call) -> Response:
    return answer({"user": call.view.user(call.account.find(call.account.users, call.path()), call.include)})


def _me(call: Call) -> Response:
    if call.caller.user is None:
        return account_token_refused()
    return answer({"user": call.view.user(call.caller.user, call.include)})


def _contact_methods(call: Call) -> Response:
    user = call.account.find(call.account.users, call.path())
    return answer({"contact_methods": call.view.contact_methods(user)})


def _teams(call: Call) -> Response:
    return call.page("teams", named(call, call.account.teams.values(), lambda one: one.name), call.view.whole)


def _team(call: Call) -> Response:
    return answer({"team": call.view.whole(call.account.find(call.account.teams, call.path()))})


def _members(call: Call) -> Response:
    team = call.account.find(call.account.teams, call.path())
    found = [user for user in call.account.users.values() if team in user.teams]
    return call.page(
        "members",
        found,
        lambda one: {"user": call.view.expand(one, "users" in call.include), "role": "manager"},
    )


def _priorities(call: Call) -> Response:
    if not call.account.settings.priorities:
        raise PagerDutyError(402, 2014)
    return call.page("priorities", list(call.account.priorities.values()), call.view.whole)


def _policies(call: Call) -> Response:
    users = set(call.queries("user_ids"))
    found = [
        policy
        for policy in named(call, call.account.policies.values(), lambda one: one.name)
        if in_teams(call, policy)
        and (not users or any(target.id in users for rule in policy.rules for target in rule.targets))
    ]
    return call.page("escalation_policies", found, lambda one: call.view.policy(one, call.include))


def _policy(call: Call) -> Response:
    policy = call.account.find(call.account.policies, call.path())
    return answer({"escalation_policy": call.view.policy(policy, call.include)})


def _schedules(call: Call) -> Response:
    return call.page(
        "schedules", named(call, call.account.schedules.values(), lambda one: one.name), call.view.schedule
    )


def _schedule(call: Call) -> Response:
    schedule = call.account.find(call.account.schedules, call.path())
    since = call.time("since") or call.account.moment()
    until = call.time("until") or since + FORTNIGHT
    return answer({"schedule": call.view.schedule(schedule, call.view.entries(schedule, since, until))})


def _schedule_users(call: Call) -> Response:
    schedule = call.account.find(call.account.schedules, call.path())
    return answer({"users": [call.view.user(user) for user in schedule.users]})


def _overrides(call: Call) -> Response:
    schedule = call.account.find(call.account.schedules, call.path())
    since, until = call.time("since"), call.time("until")
    if since is None or until is None:
        raise ArgumentsError("since and until are required")  # from memory: the words
    found = [one for one in schedule.overrides if one.start < until and one.end > since]
    return answer({"overrides": [_override_json(call, one) for one in found]})


def _override_json(call: Call, override: Override) -> JsonObject:
    return {
        "id": override.id,
        "start": call.view.stamp(override.start),
        "end": call.view.stamp(override.end),
        "user": call.view.reference(override.user),
    }


def _add_override(call: Call) -> Response:
    schedule = call.account.find(call.account.schedules, call.path())
    body = call.body("override")
    user = reading.referred(call.account.users, body.get("user"), "User")
    start, end = (call.moment(body.get(name), name) for name in ("start", "end"))
    if start >= end:
        raise InvalidInputError("The end must be after the start")  # from memory: the words
    override = Override(call.account.new_id(), user, start, end)
    schedule.overrides.append(override)
    call.account.record("override.create", user, schedule.id, {"id": override.id})
    return answer({"override": _override_json(call, override)}, 201)


def _on_calls(call: Call) -> Response:
    now = call.account.now()
    since = call.time("since") or now
    until = call.time("until") or since + oncall.INSTANT
    if since > until or until - since > FARTHEST:
        raise PagerDutyError(400, 2005)
    policies, schedules, users = (
        call.queries(name) for name in ("escalation_policy_ids", "schedule_ids", "user_ids")
    )
    found = [
        one
        for policy in call.account.policies.values()
        if not policies or policy.id in policies
        for one in oncall.on_calls(policy, since, until)
        if (not users or one.user.id in users)
        and (not schedules or (one.schedule.id if one.schedule else "null") in schedules)
    ]
    if call.flag("earliest"):
        first: dict[tuple[str, int, str], OnCall] = {}
        for one in found:
            first.setdefault((one.policy.id, one.level, one.user.id), one)
        found = list(first.values())
    return call.page("oncalls", found, lambda one: call.view.on_call(one, call.include))


def _abilities(call: Call) -> Response:
    return answer({"abilities": list(call.account.abilities)})


def _ability(call: Call) -> Response:
    if call.path() in call.account.abilities:
        return nothing()
    if call.path() in MISSING_ABILITIES:
        raise PagerDutyError(402, 2014)
    raise NotFoundError


ENDPOINTS = (
    Endpoint("GET", "/users", _users, "users"),
    Endpoint("GET", "/users/me", _me, "users"),
    Endpoint("GET", "/users/{id}", _user, "users"),
    Endpoint("GET", "/users/{id}/contact_methods", _contact_methods, "users"),
    Endpoint("GET", "/teams", _teams, "teams"),
    Endpoint("GET", "/teams/{id}", _team, "teams"),
    Endpoint("GET", "/teams/{id}/members", _members, "teams"),
    Endpoint("GET", "/priorities", _priorities, "priorities"),
    Endpoint("GET", "/escalation_policies", _policies, "escalation_policies"),
    Endpoint("GET", "/escalation_policies/{id}", _policy, "escalation_policies"),
    Endpoint("GET", "/schedules", _schedules, "schedules"),
    Endpoint("GET", "/schedules/{id}", _schedule, "schedules"),
    Endpoint("GET", "/schedules/{id}/users", _schedule_users, "schedules"),
    Endpoint("GET", "/schedules/{id}/overrides", _overrides, "schedules"),
    Endpoint("POST", "/schedules/{id}/overrides", _add_override, "schedules"),
    Endpoint("GET", "/oncalls", _on_calls, "oncalls"),
    Endpoint("GET", "/abilities", _abilities, "abilities"),
    Endpoint("GET", "/abilities/{id}", _ability, "abilities"),
)

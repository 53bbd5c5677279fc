"""Tags of users, teams and escalation policies, and the audit trail."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from typing import TYPE_CHECKING

from callout.sandbox.pagerduty import reading
from callout.sandbox.pagerduty.call import MAX_LIMIT, Call, answer, nothing
from callout.sandbox.pagerduty.errors import ArgumentsError, InvalidInputError, NotFoundError
from callout.sandbox.pagerduty.model import Tag
from callout.sandbox.pagerduty.routes.directory import named
from callout.sandbox.pagerduty.routing import Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from callout.sandbox.pagerduty.model import EscalationPolicy, JsonObject, Team, User


def _things(call: Call, kind: str) -> Mapping[str, User | Team | EscalationPolicy]:
    """The things of a kind that can be tagged, by id.

    Raises:
        NotFoundError: it is no such kind.
    """
    account = call.account
    kinds: dict[str, Mapping[str, User | Team | EscalationPolicy]] = {
        "users": account.users,
        "teams": account.teams,
        "escalation_policies": account.policies,
    }
    if kind not in kinds:
        raise NotFoundError
    return kinds[kind]


def _tags(call: Call) -> Response:
    return call.page("tags", named(call, call.account.tags.values(), lambda one: one.label), call.view.whole)


def _add_tag(call: Call) -> Response:
    return answer({"tag": call.view.whole(_make_tag(call, call.body("tag")))}, 201)


def _make_tag(call: Call, body: JsonObject) -> Tag:
    label = reading.text(body.get("label"), "Label")
    if any(tag.label == label for tag in call.account.tags.values()):
        raise InvalidInputError("Label has already been taken")  # from memory: the words
    tag = Tag(call.account.new_id(), label)
    call.account.tags[tag.id] = tag
    call.account.record("tag.create", None, tag.id, {"label": label})
    return tag


def _tag(call: Call) -> Response:
    return answer({"tag": call.view.whole(call.account.find(call.account.tags, call.path()))})


def _delete_tag(call: Call) -> Response:
    tag = call.account.find(call.account.tags, call.path())
    del call.account.tags[tag.id]
    call.account.record("tag.delete", None, tag.id, {"label": tag.label})
    return nothing()


def _entity(call: Call) -> tuple[str, str]:
    kind, ident = call.path("entity_type"), call.path()
    if ident not in _things(call, kind):
        raise NotFoundError
    return kind, ident


def _change_tags(call: Call) -> Response:
    entity, body = _entity(call), call.json()
    for item in body.get("add") or []:
        known = next((tag for tag in call.account.tags.values() if tag.label == item.get("label")), None)
        tag = (
            reading.referred(call.account.tags, item, "Tag")
            if "id" in item
            else known or _make_tag(call, item)
        )
        tag.uses.add(entity)
    for item in body.get("remove") or []:
        reading.referred(call.account.tags, item, "Tag").uses.discard(entity)
    call.account.record("tag.assign", None, entity[1], {"entity_type": entity[0]})
    return answer({})


def _tags_of(call: Call) -> Response:
    entity = _entity(call)
    return call.page(
        "tags", [tag for tag in call.account.tags.values() if entity in tag.uses], call.view.whole
    )


def _tagged(call: Call) -> Response:
    kind = call.path("entity_type")
    things = _things(call, kind)
    tag = call.account.find(call.account.tags, call.path())
    uses = sorted(ident for entity, ident in tag.uses if entity == kind)
    return call.page(kind, uses, lambda ident: call.view.reference(things[ident]))


def _audit(call: Call) -> Response:
    limit = min(call.number("limit", MAX_LIMIT), MAX_LIMIT) or MAX_LIMIT
    since, until = call.since_until(default=timedelta(hours=24))
    newest = [
        one
        for one in reversed(call.account.audit)
        if since.isoformat() <= one["execution_time"] < until.isoformat()
    ]
    start = 0
    if call.query("cursor"):
        try:
            start = int(base64.urlsafe_b64decode(call.query("cursor")))
        except (binascii.Error, ValueError):
            raise ArgumentsError("cursor is invalid") from None  # from memory: the words
    more = start + limit < len(newest)
    cursor = base64.urlsafe_b64encode(str(start + limit).encode()).decode() if more else None
    records = newest[start : start + limit]
    return answer({"records": records, "limit": limit, "next_cursor": cursor, "response_metadata": None})


ENDPOINTS = (
    Endpoint("GET", "/audit/records", _audit, "audit_records"),
    Endpoint("GET", "/tags", _tags, "tags"),
    Endpoint("POST", "/tags", _add_tag, "tags"),
    Endpoint("GET", "/tags/{id}", _tag, "tags"),
    Endpoint("DELETE", "/tags/{id}", _delete_tag, "tags"),
    Endpoint("GET", "/tags/{id}/{entity_type}", _tagged, "tags"),
    Endpoint("GET", "/{entity_type}/{id}/tags", _tags_of, "tags"),
    Endpoint("POST", "/{entity_type}/{id}/change_tags", _change_tags, "tags"),
)

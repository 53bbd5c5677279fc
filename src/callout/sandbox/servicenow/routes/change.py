"""The Change Management API: `/api/sn_chg_rest/change`. Every field is shown with value and display value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from callout.sandbox.servicenow.call import NO_CONTENT, Call, answer
from callout.sandbox.servicenow.choices import Phase
from callout.sandbox.servicenow.errors import InvalidRequestError, NoRecordError
from callout.sandbox.servicenow.routes.table import page_headers, select
from callout.sandbox.servicenow.routing import Endpoint, Handler
from callout.sandbox.servicenow.rules import CHANGE_PATHS, phase_of, state_for

if TYPE_CHECKING:
    from callout.sandbox.servicenow.model import Row

TABLE, TASKS, TEMPLATES = "change_request", "change_task", "std_change_producer_version"
PREFIX = "/api/sn_chg_rest"
TYPES = ("normal", "emergency", "standard")


def _shown(call: Call, row: Row, status: int = 200) -> Response:
    return answer({"result": call.rendering("all").record(row)}, status)


def _found(call: Call, kind: str | None = None) -> Row:
    row = call.records.find(TABLE, call.path("sys_id"), call.account)
    if kind is not None and row["type"] != kind:
        raise NoRecordError
    return row


def _listing(call: Call, table: str, *, only: tuple[str, str] | None = None) -> Response:
    rows, total = select(call, table)
    rendering = call.rendering("all")
    kept = [row for row in rows if only is None or row[only[0]] == only[1]]
    return answer(
        {"result": [rendering.record(row) for row in kept]},
        headers=page_headers(call, total if only is None else len(kept)),
    )


def list_changes(call: Call) -> Response:
    """`GET /change`."""
    return _listing(call, TABLE)


def create(call: Call) -> Response:
    """`POST /change`."""
    return _shown(call, call.records.insert(TABLE, call.body(), account=call.account))


def create_from_template(call: Call) -> Response:
    """`POST /change/standard/{sys_id}`: the id is a template's."""
    template = call.records.find(TEMPLATES, call.path("sys_id"), call.account)
    body = {
        "short_description": template["short_description"],
        **call.body(),
        "type": "standard",
        "std_change_producer_version": template.sys_id,
    }
    return _shown(call, call.records.insert(TABLE, body, account=call.account))


def delete(call: Call) -> Response:
    """`DELETE /change/{sys_id}`."""
    call.records.delete(_found(call), account=call.account)
    return Response(status_code=NO_CONTENT)


def next_states(call: Call) -> Response:
    """`GET /change/{sys_id}/nextstates`: the current state and those a person may choose."""
    row = _found(call)
    phase = phase_of(call.instance, TABLE, row["state"])
    ahead = CHANGE_PATHS[row["type"]].get(phase, ()) if phase is not None else ()
    available = [row["state"], *(state_for(call.instance, TABLE, after) for after in ahead)]
    labels = {v: choice["label"] for v, choice in call.instance.choices(TABLE, "state").items()}
    # from memory: the shape of this answer.
    result = {
        "available_states": available,
        "state_label": {value: labels.get(value, value) for value in available},
        "state_transitions": [
            [{"sys_id": row.sys_id, "from_state": row["state"], "to_state": value} for value in available[1:]]
        ],
    }
    return answer({"result": result})


def approve(call: Call) -> Response:
    """`PATCH /change/{sys_id}/approvals` with `{"state": "approved" | "rejected"}`."""
    row = _found(call)
    verdict = call.body().get("state")
    if verdict not in {"approved", "rejected"}:
        raise InvalidRequestError("Invalid approval state", f"{verdict} is not one of approved, rejected")
    if phase_of(call.instance, TABLE, row["state"]) is not Phase.AUTHORIZE:
        raise InvalidRequestError("No approvals", "The change waits for no approval")
    target = Phase.SCHEDULED if verdict == "approved" else Phase.NEW
    body = {"approval": verdict, "state": state_for(call.instance, TABLE, target)}
    return _shown(call, call.records.update(row, body, account=call.account, by_approval=True))


def list_tasks(call: Call) -> Response:
    """`GET /change/{sys_id}/task`."""
    return _listing(call, TASKS, only=("change_request", _found(call).sys_id))


def create_task(call: Call) -> Response:
    """`POST /change/{sys_id}/task`."""
    body = {**call.body(), "change_request": _found(call).sys_id}
    return _shown(call, call.records.insert(TASKS, body, account=call.account))


def list_templates(call: Call) -> Response:
    """`GET /change/standard/template`."""
    return _listing(call, TEMPLATES)


def _get(kind: str | None) -> Handler:
    return lambda call: _shown(call, _found(call, kind))


def _patch(kind: str | None) -> Handler:
    def patch(call: Call) -> Response:
        return _shown(call, call.records.update(_found(call, kind), call.body(), account=call.account))

    return patch


def _delete(kind: str) -> Handler:
    def remove(call: Call) -> Response:
        call.records.delete(_found(call, kind), account=call.account)
        return Response(status_code=NO_CONTENT)

    return remove


def _create(kind: str) -> Handler:
    def make(call: Call) -> Response:
        return _shown(call, call.records.insert(TABLE, {**call.body(), "type": kind}, account=call.account))

    return make


def _list(kind: str) -> Handler:
    return lambda call: _listing(call, TABLE, only=("type", kind))


ENDPOINTS = (
    Endpoint("/change", {"GET": list_changes, "POST": create}, PREFIX),
    Endpoint("/change/standard/template", {"GET": list_templates}, PREFIX),
    *(
        Endpoint(
            f"/change/{kind}",
            {"GET": _list(kind)} if kind == "standard" else {"GET": _list(kind), "POST": _create(kind)},
            PREFIX,
        )
        for kind in TYPES
    ),
    *(
        Endpoint(
            f"/change/{kind}/{{sys_id}}",
            {
                "GET": _get(kind),
                "PATCH": _patch(kind),
                "DELETE": _delete(kind),
                **({"POST": create_from_template} if kind == "standard" else {}),
            },
            PREFIX,
        )
        for kind in TYPES
    ),
    Endpoint("/change/{sys_id}", {"GET": _get(None), "PATCH": _patch(None), "DELETE": delete}, PREFIX),
    Endpoint("/change/{sys_id}/nextstates", {"GET": next_states}, PREFIX),
    Endpoint("/change/{sys_id}/approvals", {"PATCH": approve}, PREFIX),
    Endpoint("/change/{sys_id}/task", {"GET": list_tasks, "POST": create_task}, PREFIX),
)

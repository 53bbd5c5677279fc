"""The Table API: `/api/now/table/{table}`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import Response

from callout.sandbox.servicenow.call import NO_CONTENT, Call, answer
from callout.sandbox.servicenow.errors import NoRecordError, QueryRightsError
from callout.sandbox.servicenow.query_matching import compile_query
from callout.sandbox.servicenow.routing import Endpoint
from callout.sandbox.servicenow.schema import VIEWS

if TYPE_CHECKING:
    from callout.sandbox.servicenow.model import Row

DEFAULT_LIMIT = 10_000


def asked_fields(call: Call) -> list[str] | None:
    """The fields to show: those named, or those of the view, or None for all."""
    names = [name.strip() for name in call.query("sysparm_fields").split(",") if name.strip()]
    view = VIEWS.get(call.query("sysparm_view"))
    return names or (list(view) if view else None)


def asked_query(call: Call) -> str:
    """`sysparm_query`, or else the plain `field=value` parameters."""
    if "sysparm_query" in call.request.query_params:
        return call.query("sysparm_query")
    pairs = call.request.query_params.multi_items()
    return "^".join(
        f"{name}={value}"
        for name, value in pairs
        if not name.startswith("sysparm_") and name != "x-sn-apikey"
    )


def select(call: Call, table: str) -> tuple[list[Row], int]:
    """One page of a list, as far as the user may see it, and the count before that.

    Raises:
        QueryRightsError: the table may not be read at all, and the instance says so.
    """
    call.instance.table(table)
    if not call.rights.reads_table(table):
        if call.instance.settings.forbidden_lists == "refuse":
            raise QueryRightsError(table)
        return [], 0
    finder = compile_query(asked_query(call), table, instance=call.instance, account=call.account)
    found = finder.among(call.instance.all_rows(table, as_of=call.desk.as_of(call.request)))
    offset = call.number("sysparm_offset", 0)
    page = found[offset : offset + call.number("sysparm_limit", DEFAULT_LIMIT)]
    # The limit comes first and the rights after it: pages may be short.
    rights = call.rights
    return [row for row in page if rights.reads(row)], len(found)


def page_headers(call: Call, total: int) -> dict[str, str]:
    """`X-Total-Count` and `Link`, unless the caller does without."""
    headers = {} if call.flag("sysparm_no_count") else {"X-Total-Count": str(total)}
    if call.flag("sysparm_suppress_pagination_header") or call.flag("sysparm_no_count"):
        return headers
    limit, offset = call.number("sysparm_limit", DEFAULT_LIMIT), call.number("sysparm_offset", 0)
    if limit <= 0:
        return headers
    last = max((total - 1) // limit * limit, 0)
    targets = {"first": 0, "last": last}
    if offset + limit < total:
        targets["next"] = offset + limit
    if offset > 0:
        targets["prev"] = max(offset - limit, 0)
    links = [f'<{_at(call, target)}>;rel="{name}"' for name, target in targets.items()]
    return {**headers, "Link": ",".join(links)}


def _at(call: Call, offset: int) -> str:
    params = {**call.request.query_params, "sysparm_offset": str(offset)}
    path = call.request.url.path.partition("/api/")[2]
    return f"{call.desk.base()}/api/{path}?{urlencode(params)}"


def list_records(call: Call) -> Response:
    """`GET /table/{table}`."""
    table = call.path("table")
    rows, total = select(call, table)
    if not rows and call.version == "v1":
        raise NoRecordError
    rendering, fields = call.rendering(), asked_fields(call)
    result = [rendering.record(row, fields, table=table) for row in rows]
    return answer({"result": result}, headers=page_headers(call, total))


def get_record(call: Call) -> Response:
    """`GET /table/{table}/{sys_id}`."""
    row = call.records.find(call.path("table"), call.path("sys_id"), call.account)
    return _shown(call, row)


def create_record(call: Call) -> Response:
    """`POST /table/{table}`."""
    by_display = call.flag("sysparm_input_display_value")
    row = call.records.insert(call.path("table"), call.body(), account=call.account, by_display=by_display)
    location = f"{call.desk.base()}/api/now/table/{row.table}/{row.sys_id}"
    response = Response(status_code=201) if _bodiless(call) else _shown(call, row, status=201)
    response.headers["Location"] = location
    return response


def update_record(call: Call) -> Response:
    """`PATCH` and `PUT /table/{table}/{sys_id}`, which behave alike."""
    row = call.records.find(call.path("table"), call.path("sys_id"), call.account)
    by_display = call.flag("sysparm_input_display_value")
    row = call.records.update(row, call.body(), account=call.account, by_display=by_display)
    return Response(status_code=NO_CONTENT) if _bodiless(call) else _shown(call, row)


def delete_record(call: Call) -> Response:
    """`DELETE /table/{table}/{sys_id}`."""
    row = call.records.find(call.path("table"), call.path("sys_id"), call.account)
    if row.table == "sys_attachment":
        call.records.detach(row, account=call.account)
    else:
        call.records.delete(row, account=call.account)
    return Response(status_code=NO_CONTENT)


def _bodiless(call: Call) -> bool:
    return call.request.headers.get("x-no-response-body", "").lower() == "true"


def _shown(call: Call, row: Row, *, status: int = 200) -> Response:
    return answer({"result": call.rendering().record(row, asked_fields(call))}, status)


ENDPOINTS = (
    Endpoint("/table/{table}", {"GET": list_records, "POST": create_record}),
    Endpoint(
        "/table/{table}/{sys_id}",
        {"GET": get_record, "PATCH": update_record, "PUT": update_record, "DELETE": delete_record},
    ),
)

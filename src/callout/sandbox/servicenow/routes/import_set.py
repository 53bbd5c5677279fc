"""The Import Set API: `/api/now/import/{staging}`. One staging table, coalescing on the correlation id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.servicenow.call import Call, answer
from callout.sandbox.servicenow.errors import InvalidRequestError
from callout.sandbox.servicenow.routing import Endpoint

if TYPE_CHECKING:
    from starlette.responses import Response

# Staging table to target table and the column that decides whether a record is the same.
STAGING = {"u_callout_incident": ("incident", "correlation_id")}


def import_record(call: Call) -> Response:
    """`POST /import/{staging}`: columns are the target's, with or without `u_` in front."""
    staging = call.path("staging")
    if staging not in STAGING:
        raise InvalidRequestError(f"Invalid staging table {staging}")
    table, coalesce = STAGING[staging]
    columns = call.instance.columns(table)
    body = {
        name if name in columns else name.removeprefix("u_"): value for name, value in call.body().items()
    }
    key = str(body.get(coalesce) or "")
    known = next((row for row in call.instance.all_rows(table) if key and row[coalesce] == key), None)
    if known is None:
        row, status = call.records.insert(table, body, account=call.account), "inserted"
    else:
        before = known["sys_mod_count"]
        row = call.records.update(known, body, account=call.account)
        status = "ignored" if row["sys_mod_count"] == before else "updated"
    result = {
        "transform_map": "Callout incidents",
        "table": table,
        "display_name": "number",
        "display_value": row["number"],
        "record_link": f"{call.desk.base()}/api/now/table/{table}/{row.sys_id}",
        "status": status,
        "sys_id": row.sys_id,
    }
    return answer(
        {"import_set": "ISET0010001", "staging_table": staging, "result": [result]},
        201,
    )


ENDPOINTS = (Endpoint("/import/{staging}", {"POST": import_record}),)

"""The Aggregate API: `/api/now/stats/{table}`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.servicenow.call import Call, answer
from callout.sandbox.servicenow.errors import InvalidRequestError, QueryRightsError
from callout.sandbox.servicenow.query_matching import compile_query, walk
from callout.sandbox.servicenow.routes.table import asked_query
from callout.sandbox.servicenow.routing import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.responses import Response

    from callout.sandbox.servicenow.model import JsonObject, Row

_AGGREGATES = ("sum", "avg", "min", "max")


def stats(call: Call) -> Response:
    """`GET /stats/{table}`."""
    table = call.path("table")
    call.instance.table(table)
    if not call.rights.reads_table(table):
        raise QueryRightsError(table)
    if call.query("sysparm_having"):
        raise InvalidRequestError("Not supported", "this instance does not serve sysparm_having")
    finder = compile_query(asked_query(call), table, instance=call.instance, account=call.account)
    # Unlike a list, an aggregate only counts what the user may see.
    rights = call.rights
    rows = [row for row in finder.among(call.instance.all_rows(table)) if rights.reads(row)]
    group_by = _names(call, "sysparm_group_by")
    if not group_by:
        return answer({"result": {"stats": _figures(call, rows)}})
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(walk(call.instance, row, name)[0] for name in group_by), []).append(row)
    result = [
        {"stats": _figures(call, members), "groupby_fields": _group(call, group_by, members[0])}
        for _, members in sorted(groups.items(), key=lambda item: item[0])
    ]
    return answer({"result": result})


def _names(call: Call, parameter: str) -> list[str]:
    return [name for name in call.query(parameter).split(",") if name]


def _group(call: Call, names: Sequence[str], row: Row) -> list[JsonObject]:
    # from memory: each entry's shape.
    shown = call.rendering("all").record(row, names)
    mode = call.query("sysparm_display_value", "false")
    made = []
    for name in names:
        field = shown.get(name, {"value": "", "display_value": ""})
        entry = {"field": name, "value": field["display_value" if mode == "true" else "value"]}
        made.append({**entry, "display_value": field["display_value"]} if mode == "all" else entry)
    return made


def _figures(call: Call, rows: Sequence[Row]) -> JsonObject:
    figures: JsonObject = {"count": str(len(rows))} if call.flag("sysparm_count") else {}
    for aggregate in _AGGREGATES:
        names = _names(call, f"sysparm_{aggregate}_fields")
        if names:
            figures[aggregate] = {name: _figure(aggregate, [row[name] for row in rows]) for name in names}
    return figures


def _figure(aggregate: str, values: Sequence[str]) -> str:
    present = [value for value in values if value]
    numbers = [float(value) for value in present if value.lstrip("-").replace(".", "", 1).isdecimal()]
    if len(numbers) != len(present):
        # Texts and times have an order, but no sum.
        return "" if aggregate in {"sum", "avg"} else {"min": min, "max": max}[aggregate](present)
    if not numbers:
        return ""
    compute: dict[str, Callable[[list[float]], float]] = {
        "sum": sum,
        "min": min,
        "max": max,
        "avg": lambda n: sum(n) / len(n),
    }
    figure = compute[aggregate](numbers)
    return f"{figure:.4f}" if aggregate == "avg" else f"{figure:g}"


ENDPOINTS = (Endpoint("/stats/{table}", {"GET": stats}),)

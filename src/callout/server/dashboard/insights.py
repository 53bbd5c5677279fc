"""Figures about incidents and sync, each leading to what is behind it, and their export."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response, StreamingResponse

from callout.incidents import IncidentFilter
from callout.incidents.insights import CSV_COLUMNS, WEEK, Report, Scope, csv_row, report
from callout.ports.errors import InvalidRequestError
from callout.server.dashboard.incidents import day_of
from callout.server.dashboard.render import HEADERS
from callout.sync.standing import standing_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.routing import Route

    from callout.server import call
    from callout.server.dashboard.visit import Doors, Visit

SPAN: Final = timedelta(weeks=12)
SPANS: Final = ((4, "4 weeks"), (12, "12 weeks"), (52, "a year"))
AT_ONCE: Final = 200
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
WIDTH, HEIGHT = 720, 220
LEFT, BOTTOM, TOP = 36, 26, 10


def _asked(visit: Visit) -> Scope:
    """Return the span that the address names; the last twelve weeks where it names none. Raises InvalidRequestError."""
    today = visit.services.clock.now().astimezone(UTC).date()
    until = day_of(visit.query("until"), "until") or today
    since = day_of(visit.query("since"), "since") or until - SPAN + timedelta(days=1)
    return Scope(
        _midnight(since), _midnight(until) + timedelta(days=1), visit.query("service"), visit.query("team")
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def show(visit: Visit) -> Response:
    """Show the figures of a span of time."""
    wrong: InvalidRequestError | None = None
    try:
        scope = _asked(visit)
    except InvalidRequestError as error:
        wrong, today = error, visit.services.clock.now().astimezone(UTC).date()
        scope = Scope(_midnight(today - SPAN), _midnight(today) + timedelta(days=1))

    async def unit(inside: call.Scope) -> Mapping[str, Any]:
        inside.require("incident.read")
        catalogue = visit.services.responding.catalogue
        links = inside.caller.may("link.read", inside.tx.account_id)
        return {
            "report": await report(inside.tx, scope, now=visit.services.clock.now()),
            "standing": await standing_of(inside.tx) if links else (),
            "names": await visit.services.integration_names(inside.tx),
            "services": [one.name for one in await catalogue.services(inside.tx)],
            "teams": [one.name for one in await catalogue.teams(inside.tx)],
        }

    found = await visit.look(unit)
    if wrong is not None:
        visit.form.refused(wrong, fields={"since": "since", "until": "until"})
    last = scope.until - timedelta(days=1)
    spans = [
        (label, _address(scope, since=(last - timedelta(weeks=weeks) + timedelta(days=1)).date().isoformat()))
        for weeks, label in SPANS
    ]
    return visit.page(
        "insights.html",
        status=200 if wrong is None else 422,
        scope=scope,
        last=last.date().isoformat(),
        spans=spans,
        chart=bars(found["report"]),
        behind=lambda **more: _behind(scope, **more),
        behind_week=lambda week, **more: _behind(scope, **_week(scope, week), **more),
        query=_address(scope).partition("?")[2],
        **found,
    )


def _pairs(scope: Scope) -> dict[str, str]:
    last = (scope.until - timedelta(days=1)).date().isoformat()
    return {
        "since": scope.since.date().isoformat(),
        "until": last,
        "service": scope.service,
        "team": scope.team,
    }


def _address(scope: Scope, **more: str) -> str:
    return "/insights?" + urlencode({k: v for k, v in {**_pairs(scope), **more}.items() if v})


def _behind(scope: Scope, **more: str) -> str:
    """Return the address of the incidents behind a figure."""
    return "/incidents/list?" + urlencode({k: v for k, v in {**_pairs(scope), **more}.items() if v})


def _week(scope: Scope, week: datetime) -> dict[str, str]:
    first, end = max(week, scope.since), min(week + WEEK, scope.until)
    return {"since": first.date().isoformat(), "until": (end - timedelta(days=1)).date().isoformat()}


def bars(found: Report) -> Mapping[str, Any]:
    """Return where the bars of the weeks stand, in the units of the picture."""
    highest = max((sum(count for _, count in counts) for _, counts in found.weeks), default=0) or 1
    step = max(1, -(-highest // 4))
    top = step * -(-highest // step)
    inside = HEIGHT - BOTTOM - TOP
    width = (WIDTH - LEFT) / max(1, len(found.weeks))
    columns = []
    for place, (week, counts) in enumerate(found.weeks):
        at, parts = 0, []
        for severity, count in counts:
            parts.append(
                {
                    "severity": severity,
                    "count": count,
                    "y": round(TOP + inside * (1 - (at + count) / top), 1),
                    "height": round(inside * count / top, 1),
                }
            )
            at += count
        columns.append(
            {
                "week": week,
                "x": round(LEFT + width * place + width * 0.12, 1),
                "width": round(width * 0.76, 1),
                "parts": parts,
                "total": at,
                "labelled": place % max(1, len(found.weeks) // 8) == 0,
            }
        )
    lines = [
        {"y": round(TOP + inside * (1 - mark / top), 1), "mark": mark} for mark in range(0, top + 1, step)
    ]
    return {"columns": columns, "lines": lines, "width": WIDTH, "height": HEIGHT, "left": LEFT}


async def export_json(visit: Visit) -> Response:
    """Answer with the figures as JSON."""
    scope = _asked(visit)

    async def unit(inside: call.Scope) -> Report:
        inside.require("incident.read")
        return await report(inside.tx, scope, now=visit.services.clock.now())

    found = await visit.look(unit)
    return JSONResponse(found.to_json(), headers={**HEADERS, **_saved("insights", scope, "json")})


async def export_csv(visit: Visit) -> Response:
    """Answer with the incidents behind the figures as CSV, page by page."""
    scope = _asked(visit)
    wanted = IncidentFilter(
        service=scope.service, team=scope.team, created_from=scope.since, created_before=scope.until
    )

    async def lines(cursor: str) -> tuple[list[Sequence[object]], str]:
        async def unit(inside: call.Scope) -> tuple[list[Sequence[object]], str]:
            inside.require("incident.read")
            found, following = await visit.services.incidents.search(
                inside.tx, wanted, limit=AT_ONCE, cursor=cursor
            )
            return [csv_row(one) for one in found], following

        return await visit.look(unit)

    first, cursor = await lines("")

    async def text() -> AsyncIterator[str]:
        nonlocal first, cursor
        yield _csv([CSV_COLUMNS, *first])
        while cursor:
            first, cursor = await lines(cursor)
            yield _csv(first)

    return StreamingResponse(
        text(), media_type="text/csv; charset=utf-8", headers={**HEADERS, **_saved("incidents", scope, "csv")}
    )


def _csv(rows: Sequence[Sequence[object]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written)
    for row in rows:
        # A sheet would take what begins like this for a formula.
        writer.writerow(
            [f"'{one}" if isinstance(one, str) and one.startswith(_FORMULA) else one for one in row]
        )
    return written.getvalue()


def _saved(name: str, scope: Scope, suffix: str) -> Mapping[str, str]:
    days = f"{scope.since.date()}-{(scope.until - timedelta(days=1)).date()}"
    return {"Content-Disposition": f'attachment; filename="{name}-{days}.{suffix}"'}


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    return [
        doors.page("/insights", show),
        doors.page("/insights.json", export_json),
        doors.page("/insights.csv", export_csv),
    ]

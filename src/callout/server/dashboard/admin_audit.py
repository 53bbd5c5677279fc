"""The audit: who did what, found by filter, taken away as a file, and its chain checked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from callout.audit import AuditEntry, Head
from callout.audit.search import Condition, search
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Channel
from callout.server.dashboard.admin_pages import enter, page, require_everywhere, whole
from callout.server.dashboard.incidents import day_of
from callout.server.dashboard.render import HEADERS

if TYPE_CHECKING:
    from starlette.routing import Route

    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

AT_ONCE: Final = 100
EXPORTED_AT_ONCE: Final = 500
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_CHANNELS: Final = tuple(one.value for one in Channel)
COLUMNS: Final = (
    *(
        "created_at",
        "action",
        "actor_kind",
        "actor_id",
        "actor_name",
        "channel",
        "account_id",
        "subject_type",
    ),
    *("subject_id", "integration_id", "member_id", "remote_addr", "method", "path", "code", "data"),
    *("position", "digest"),
)
_ASKED: Final = ("who", "action", "subject", "account", "channel", "since", "until")


def _conditions(visit: Visit) -> list[Condition]:
    """Return what the address asks for. Raises InvalidRequestError."""
    found: list[Condition] = []
    if who := visit.query("who"):
        found.append(("actor", "like", (who[:200],)))
    if action := visit.query("action"):
        found.append(("action", "like", (action[:200],)))
    if subject := visit.query("subject"):
        kind, slash, subject_id = subject[:300].partition("/")
        found.append(("subject_type", "eq", (kind,)) if slash else ("subject", "like", (subject[:300],)))
        found += [("subject_id", "eq", (subject_id,))] if slash and subject_id else []
    if account := visit.query("account"):
        found.append(("account_id", "eq", (account[:64],)))
    if channel := visit.query("channel"):
        found.append(("channel", "eq", (channel[:40],)))
    if since := day_of(visit.query("since"), "since"):
        found.append(("created_at", "gte", (_midnight(since),)))
    if until := day_of(visit.query("until"), "until"):
        found.append(("created_at", "lt", (_midnight(until + timedelta(days=1)),)))
    return found


def _midnight(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()


def _after(visit: Visit) -> datetime | None:
    try:
        moment = datetime.fromisoformat(visit.query("after")) if visit.query("after") else None
    except ValueError:
        moment = None
    return moment if moment is not None and moment.tzinfo is not None else None


class _Audit:
    def __init__(self, doors: Doors) -> None:
        self._services = doors.services
        self._sealer = doors.services.administration.sealer

    async def listing(self, visit: Visit) -> Response:
        status, conditions, wrong = 200, None, ""
        try:
            conditions = _conditions(visit)
        except InvalidRequestError as error:
            status, wrong = 422, next(iter(error.fields), "")
            visit.form.wrong(wrong or "since", next(iter(error.fields.values()), error.message))

        async def unit(scope: Scope) -> dict[str, Any]:
            scope.require("audit.read")
            accounts = (
                await self._services.accounts.list(scope.tx.system, among=scope.caller.account_ids)
            ).items
            entries = (
                []
                if conditions is None
                else await self._found(
                    scope, conditions, after=_after(visit), newest_first=True, limit=AT_ONCE
                )
            )
            return {"entries": entries, "accounts": {one.id: one.name for one in accounts}}

        found = await visit.look(unit)
        asked = {name: visit.query(name) for name in _ASKED if visit.query(name)}
        entries: Sequence[AuditEntry] = found["entries"]
        following = ""
        if len(entries) >= AT_ONCE:
            following = urlencode({**asked, "after": entries[-1].created_at.isoformat()})
        answer = page(
            visit,
            "audit.html",
            asked=asked,
            query=urlencode(asked),
            following=following,
            channels=_CHANNELS,
            whole=visit.visitor is not None and whole(visit.visitor, "audit.read"),
            pretty=_pretty,
            **found,
        )
        answer.status_code = status
        return answer

    async def _found(
        self,
        scope: Scope,
        conditions: Sequence[Condition],
        *,
        after: datetime | None,
        newest_first: bool,
        limit: int,
    ) -> Sequence[AuditEntry]:
        return await search(
            scope.tx.system,
            conditions=conditions,
            among=scope.caller.account_ids,
            by_request_only=False,
            newest_first=newest_first,
            after=after,
            limit=limit,
        )

    async def _pages(self, visit: Visit) -> AsyncIterator[Sequence[AuditEntry]]:
        """Yield what is filtered, oldest first, page by page; the right to see it is looked at each time."""
        conditions, after = _conditions(visit), None
        while True:

            async def unit(scope: Scope, after: datetime | None = after) -> Sequence[AuditEntry]:
                scope.require("audit.read")
                return await self._found(
                    scope, conditions, after=after, newest_first=False, limit=EXPORTED_AT_ONCE
                )

            found = await visit.look(unit)
            yield found
            if len(found) < EXPORTED_AT_ONCE:
                return
            after = found[-1].created_at

    async def export_csv(self, visit: Visit) -> Response:
        pages = self._pages(visit)
        first = await anext(pages)

        async def text() -> AsyncIterator[str]:
            yield _csv([COLUMNS, *map(_row, first)])
            async for found in pages:
                yield _csv([_row(one) for one in found])

        return _saved(text(), "text/csv; charset=utf-8", "audit.csv")

    async def export_json(self, visit: Visit) -> Response:
        pages = self._pages(visit)
        first = await anext(pages)

        async def text() -> AsyncIterator[str]:
            begun = False
            yield "[\n"
            for one in first:
                yield (",\n" if begun else "") + _json(one)
                begun = True
            async for found in pages:
                for one in found:
                    yield (",\n" if begun else "") + _json(one)
                    begun = True
            yield "\n]\n"

        return _saved(text(), "application/json", "audit.json")

    async def chain(self, visit: Visit) -> Response:
        """Check the chain, and say in words what was found; with a head that was kept elsewhere, against that too."""
        posted = visit.request.method == "POST"
        if posted:
            await enter(visit, "audit.read", everywhere=True)
        expected = _head_of(visit) if posted else None

        async def unit(scope: Scope) -> dict[str, Any]:
            require_everywhere(scope, "audit.read")
            if posted and not visit.form.ok:
                return {"verdict": None}
            return {"verdict": await self._sealer.verify(scope.tx.system, expected=expected)}

        found = await visit.look(unit)
        answer = page(visit, "chain.html", compared=expected is not None, **found)
        answer.status_code = 200 if visit.form.ok else 422
        return answer

    async def head(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> Head | None:
            require_everywhere(scope, "audit.read")
            return await self._sealer.head(scope.tx.system)

        head = await visit.look(unit)
        body = "null" if head is None else json.dumps(head.to_json(), indent=2)
        return Response(
            body + "\n",
            media_type="application/json",
            headers={**HEADERS, "Content-Disposition": 'attachment; filename="audit-head.json"'},
        )


def _head_of(visit: Visit) -> Head | None:
    try:
        return Head.from_json(json.loads(visit.form.text("head")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        visit.form.wrong("head", "is no exported head: paste the whole file")
        return None


def _values(one: AuditEntry) -> dict[str, Any]:
    return {
        "created_at": one.created_at.isoformat(),
        "action": one.action,
        "actor_kind": one.actor.kind.value,
        "actor_id": one.actor.id,
        "actor_name": one.actor.name,
        "channel": one.channel,
        "account_id": one.account_id,
        "subject_type": one.subject_type,
        "subject_id": one.subject_id,
        "integration_id": one.integration_id,
        "member_id": one.member_id,
        "remote_addr": one.request.remote_addr,
        "method": one.request.method,
        "path": one.request.path,
        "code": one.request.code,
        "data": dict(one.data),
        "position": one.position,
        "digest": one.digest,
    }


def _json(one: AuditEntry) -> str:
    return json.dumps(_values(one), ensure_ascii=False, default=str)


def _pretty(data: Mapping[str, Any]) -> str:
    return json.dumps(dict(data), ensure_ascii=False, indent=1, default=str)


def _row(one: AuditEntry) -> list[object]:
    values = _values(one)
    values["data"] = json.dumps(values["data"], ensure_ascii=False, default=str)
    return [values[name] for name in COLUMNS]


def _csv(rows: Sequence[Sequence[object]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written)
    for row in rows:
        # A sheet would take what begins like this for a formula.
        writer.writerow(
            [f"'{one}" if isinstance(one, str) and one.startswith(_FORMULA) else one for one in row]
        )
    return written.getvalue()


def _saved(text: AsyncIterator[str], kind: str, name: str) -> Response:
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(text, media_type=kind, headers=headers)


def routes(doors: Doors) -> list[Route]:
    """Return the routes of these pages."""
    pages = _Audit(doors)
    return [
        doors.page("/admin/audit", pages.listing),
        doors.page("/admin/audit.csv", pages.export_csv),
        doors.page("/admin/audit.json", pages.export_json),
        doors.page("/admin/audit/chain", pages.chain),
        doors.action("/admin/audit/chain", pages.chain),
        doors.page("/admin/audit/head.json", pages.head),
    ]

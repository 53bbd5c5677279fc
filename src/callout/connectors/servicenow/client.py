"""ServiceNow's endpoints, one method each: Table, Attachment and Change APIs. No mapping, no policy.

Every method raises ConnectorError and its kinds (see `errors.py`). Values are raw (`sysparm_display_value=false`), references sys_ids.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, cast

from callout.connectors.servicenow.errors import (
    TIMED_OUT,
    TooSlowError,
    broken_list,
    from_http,
    refused,
    said,
)
from callout.connectors.servicenow.wire import LABEL_SUFFIX, NextStates, Record, RecordPage
from callout.kit.clock import Clock, http_date
from callout.kit.http import Download, HttpResponse, VendorHttp
from callout.kit.http_errors import HttpError
from callout.ports.errors import RecordNotFoundError, UnavailableError

API: Final = "/api/now"
CHANGE_API: Final = "/api/sn_chg_rest"
MAX_DOWNLOAD_BYTES: Final = 2 * 1024**3
SYS_ID: Final = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SMALLER = 4
_TEXTS = {str}


def _table(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise RecordNotFoundError(f"ServiceNow has no table {name!r}", status=404)
    return name


def _sys_id(value: str) -> str:
    if not SYS_ID.fullmatch(value):
        raise RecordNotFoundError(f"ServiceNow has no record {value!r}", status=404)
    return value


class TableApi:
    """The thin client over one instance.

    Args:
        http: the ready client of this integration; its base URL is the instance.
        clock: to read `Retry-After` dates.
    """

    def __init__(self, http: VendorHttp, clock: Clock) -> None:
        self._http = http
        self._clock = clock

    # Records

    async def query(
        self,
        table: str,
        query: str,
        *,
        fields: Sequence[str],
        limit: int,
        offset: int = 0,
        labels: bool = False,
    ) -> RecordPage:
        """Return one page of a list. A query that the instance gave up on is asked once more for fewer records."""
        doing = f"querying {table}"
        params: dict[str, str | int] = {
            **_shape(fields, labels=labels),
            "sysparm_query": query,
            "sysparm_limit": limit,
            "sysparm_offset": offset,
            "sysparm_suppress_pagination_header": "true",
        }
        path = f"{API}/table/{_table(table)}"
        try:
            page = await self._list(path, params, doing=doing)
        except TooSlowError:
            if limit < _SMALLER:
                raise
            limit //= _SMALLER
            page = await self._list(path, {**params, "sysparm_limit": limit}, doing=doing)
        return replace(page, limit=limit)

    async def get(self, table: str, sys_id: str, *, fields: Sequence[str], labels: bool = False) -> Record:
        path = f"{API}/table/{_table(table)}/{_sys_id(sys_id)}"
        answer = await self._json(
            "GET", path, _shape(fields, labels=labels), doing=f"reading {table} {sys_id}"
        )
        return _record(answer)

    async def create(
        self, table: str, values: Mapping[str, str], *, fields: Sequence[str], labels: bool = False
    ) -> Record:
        path = f"{API}/table/{_table(table)}"
        doing = f"creating a record in {table}"
        return _record(
            await self._json(
                "POST", path, _shape(fields, labels=labels), doing=doing, body=values, repeatable=False
            )
        )

    async def patch(
        self,
        table: str,
        sys_id: str,
        values: Mapping[str, str],
        *,
        fields: Sequence[str],
        labels: bool = False,
        repeatable: bool = True,
    ) -> Record:
        """Change a record. A journal entry is added anew by each repeat: then `repeatable` is False."""
        path = f"{API}/table/{_table(table)}/{_sys_id(sys_id)}"
        doing = f"changing {table} {sys_id}"
        return _record(
            await self._json(
                "PATCH", path, _shape(fields, labels=labels), doing=doing, body=values, repeatable=repeatable
            )
        )

    async def delete(self, table: str, sys_id: str) -> None:
        path = f"{API}/table/{_table(table)}/{_sys_id(sys_id)}"
        await self._call("DELETE", path, {}, doing=f"deleting {table} {sys_id}")

    async def change_next_states(self, sys_id: str) -> NextStates:
        path = f"{CHANGE_API}/change/{_sys_id(sys_id)}/nextstates"
        answer = await self._json("GET", path, {}, doing="asking for the next states of a change")
        return cast("NextStates", answer)

    # Attachments

    async def list_attachments(self, query: str, *, limit: int, offset: int = 0) -> RecordPage:
        params: dict[str, str | int] = {
            "sysparm_query": query,
            "sysparm_limit": limit,
            "sysparm_offset": offset,
        }
        return await self._list(f"{API}/attachment", params, doing="listing attachments")

    async def get_attachment(self, sys_id: str) -> Record:
        path = f"{API}/attachment/{_sys_id(sys_id)}"
        return _record(await self._json("GET", path, {}, doing="reading an attachment's facts"))

    async def upload_attachment(
        self, table: str, sys_id: str, *, file_name: str, content: bytes, media_type: str
    ) -> Record:
        params = {"table_name": _table(table), "table_sys_id": _sys_id(sys_id), "file_name": file_name}
        doing = f"attaching a file to {table} {sys_id}"
        try:
            response = await self._http.request(
                "POST",
                f"{API}/attachment/file",
                params=params,
                content=content,
                headers={"Accept": "application/json", "Content-Type": media_type},
            )
            return _record(self._read(response, doing=doing, repeatable=False))
        except HttpError as error:
            raise from_http(error, doing=doing, repeatable=False, now=self._clock.now()) from error

    @asynccontextmanager
    async def download_attachment(self, sys_id: str) -> AsyncIterator[Download]:
        """Open the file's bytes."""
        path = f"{API}/attachment/{_sys_id(sys_id)}/file"
        try:
            async with self._http.download(path, max_bytes=MAX_DOWNLOAD_BYTES) as opened:
                yield opened
        except HttpError as error:
            doing = "downloading an attachment"
            raise from_http(error, doing=doing, repeatable=True, now=self._clock.now()) from error

    async def delete_attachment(self, sys_id: str) -> None:
        await self._call("DELETE", f"{API}/attachment/{_sys_id(sys_id)}", {}, doing="deleting an attachment")

    # How each of them is done

    async def _list(self, path: str, params: Mapping[str, str | int], *, doing: str) -> RecordPage:
        response = await self._call("GET", path, params, doing=doing)
        if TIMED_OUT.encode() in response.content[-4096:]:
            raise broken_list(doing)
        found = self._read(response, doing=doing, repeatable=True)
        if not isinstance(found, list):
            raise UnavailableError(f"ServiceNow answered with something that is no list while {doing}")
        total = response.headers.get("x-total-count", "")
        return RecordPage(
            tuple(_record(one) for one in found),
            int(total) if total.isdecimal() else None,
            http_date(response.headers.get("date")),
        )

    async def _json(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        *,
        doing: str,
        body: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Any:  # noqa: ANN401  # cast by the caller
        response = await self._call(method, path, params, doing=doing, body=body, repeatable=repeatable)
        return self._read(response, doing=doing, repeatable=repeatable)

    async def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int],
        *,
        doing: str,
        body: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> HttpResponse:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            if body is None:
                return await self._http.request(method, path, params=params, headers=headers)
            return await self._http.request(method, path, params=params, json=dict(body), headers=headers)
        except HttpError as error:
            raise from_http(error, doing=doing, repeatable=repeatable, now=self._clock.now()) from error

    def _read(self, response: HttpResponse, *, doing: str, repeatable: bool) -> Any:  # noqa: ANN401
        try:
            answer = response.json()
        except HttpError as error:
            raise from_http(error, doing=doing, repeatable=repeatable, now=self._clock.now()) from error
        if isinstance(answer, dict) and answer.get("error"):
            raise refused(400, *said(answer), doing=doing)
        if not isinstance(answer, dict) or "result" not in answer:
            raise UnavailableError(
                f"this address answers, but not as ServiceNow does ({doing})",
                remediation="Check the address of the integration.",
            )
        return answer["result"]


def _shape(fields: Sequence[str], *, labels: bool) -> dict[str, str]:
    return {
        "sysparm_fields": ",".join(fields),
        "sysparm_display_value": "all" if labels else "false",
        "sysparm_exclude_reference_link": "true",
    }


def _record(answer: Any) -> Record:  # noqa: ANN401  # any JSON
    """Return a record as plain texts, whichever of its three shapes a field came in."""
    if not isinstance(answer, dict):
        return {}
    if set(map(type, answer.values())) == _TEXTS:
        return answer  # as nearly all are
    found: dict[str, str] = {}
    for name, value in answer.items():
        if isinstance(value, dict):
            found[name] = str(value.get("value") or "")
            if value.get("display_value"):
                found[name + LABEL_SUFFIX] = str(value["display_value"])
        else:
            found[name] = "" if value is None else str(value)
    return found

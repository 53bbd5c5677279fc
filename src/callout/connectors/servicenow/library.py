"""`ServiceNowClient`: the Table and Attachment APIs of an instance for programs of your own, without an installation of Callout.

It wraps `TableApi`, which the connector stands on: the same time limits, repeats, errors and guard of addresses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, Self

from callout.connectors.servicenow import encoded, mapping
from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.wire import LABEL_SUFFIX, Record
from callout.kit.clock import Clock, SystemClock
from callout.kit.http import Auth, StaticAuth, VendorHttp, basic_auth
from callout.kit.net import AddressGuard
from callout.kit.secrets import Secret
from callout.kit.transport import GuardedTransport
from callout.ports.errors import AuthFailedError, InvalidRequestError, RecordNotFoundError
from callout.ports.values import Audience

PAGE: Final = 500
_JOURNALS: Final = {audience: column for column, audience in mapping.AUDIENCES.items()}


class ServiceNowClient:
    """One instance. Values are texts as the instance keeps them (`state` is `2`); references are sys_ids.

    Args:
        url: of the instance, such as `https://example.service-now.com`.
        username: of a user, with `password`.
        password: of that user.
        api_key: instead of a user, a key for `x-sn-apikey`.
        auth: instead of both, what authenticates each request.
        allow_networks: private networks that the instance may be in, such as `10.0.0.0/8`.
        require_https: whether plain http is refused.
        clock: the time, for `Retry-After` dates.

    Every method raises ConnectorError and its kinds: AuthFailedError, PermissionDeniedError, RecordNotFoundError, RejectedError,
    RateLimitedError, UnavailableError, and OutcomeUnknownError for a write whose answer was lost.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str = "",
        password: str | Secret = "",
        api_key: str | Secret = "",
        auth: Auth | None = None,
        allow_networks: str = "",
        require_https: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self._transport = GuardedTransport(AddressGuard.parse(allow_networks, require_https=require_https))
        clock = clock or SystemClock()
        http = VendorHttp(
            url.rstrip("/"),
            transport=self._transport,
            auth=auth or _auth(username, _secret(password), _secret(api_key)),
            clock=clock,
        )
        self._api = TableApi(http, clock)

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close its connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._transport.aclose()

    async def get(
        self, table: str, record: str, *, fields: Sequence[str] = (), labels: bool = False
    ) -> Record:
        """Return a record by its number (`INC0010002`) or sys_id.

        Without `fields` all columns come; with `labels` also `state::label` for each that has one.
        """
        column = "sys_id" if _is_sys_id(record) else "number"
        page = await self._api.query(
            table, encoded.equals(column, record), fields=_fields(fields), limit=1, labels=labels
        )
        if not page.records:
            raise RecordNotFoundError(f"{table} has no record {record!r}", status=404)
        return page.records[0]

    async def query(
        self,
        table: str,
        query: str = "",
        *,
        where: Mapping[str, str] | None = None,
        fields: Sequence[str] = (),
        labels: bool = False,
        page_size: int = PAGE,
    ) -> AsyncIterator[Record]:
        """Yield all records that match, each once, in the order of their sys_ids.

        Args:
            table: such as `incident`.
            query: an encoded query in the instance's own language, as lists show it. Never put a user's text into it.
            where: column → value that it has; any text is safe here. Raises InvalidRequestError for one that the language cannot say.
            fields: the columns; without them all.
            labels: also the labels of states, choices and references.
            page_size: records to a request.
        """
        asked = _conditions(query, where or {})
        last, offset = "", 0
        while True:
            after = encoded.compares("sys_id", ">", last) if last else ""
            branches = [encoded.both(branch, after) for branch in asked]
            page = await self._api.query(
                table,
                encoded.ordered(encoded.union(*branches), [("sys_id", False)]),
                fields=_fields(fields),
                limit=page_size,
                offset=offset,
                labels=labels,
            )
            for record in page.records:
                yield record
            # The limit is applied before records that we may not see are taken out: an empty page need not be the last one.
            if page.total is None and not page.records:
                return
            if page.total is not None and page.total <= offset + page.limit:
                return
            last, offset = (page.records[-1]["sys_id"], 0) if page.records else (last, offset + page.limit)

    async def create(
        self, table: str, values: Mapping[str, str], *, fields: Sequence[str] = (), labels: bool = False
    ) -> Record:
        """Create a record and return it as the instance made it."""
        return await self._api.create(table, values, fields=_fields(fields), labels=labels)

    async def update(
        self,
        table: str,
        record: str,
        values: Mapping[str, str],
        *,
        fields: Sequence[str] = (),
        labels: bool = False,
    ) -> Record:
        """Change columns of a record, by number or sys_id, and return it as the instance made it."""
        sys_id = await self._sys_id(table, record)
        repeatable = not set(values) & set(mapping.AUDIENCES)
        return await self._api.patch(
            table, sys_id, values, fields=_fields(fields), labels=labels, repeatable=repeatable
        )

    async def comment(
        self, table: str, record: str, text: str, *, audience: Audience = Audience.RESPONDERS
    ) -> None:
        """Add a work note, or with `Audience.CUSTOMER` an additional comment that the caller reads.

        Raises InvalidRequestError for `Audience.INTERNAL`: everybody who works on a record reads its work notes.
        """
        if audience not in _JOURNALS:
            raise InvalidRequestError(
                f"a record has no place that only {audience} readers see", fields={"audience": "too narrow"}
            )
        await self.update(table, record, {_JOURNALS[audience]: text}, fields=("sys_id",))

    async def attach(
        self, table: str, record: str, *, file_name: str, content: bytes, media_type: str
    ) -> Record:
        """Attach a file to a record; return its facts."""
        sys_id = await self._sys_id(table, record)
        return await self._api.upload_attachment(
            table, sys_id, file_name=file_name, content=content, media_type=media_type
        )

    async def attachments(self, table: str, record: str) -> Sequence[Record]:
        """Return the facts of a record's files, the oldest first."""
        sys_id = await self._sys_id(table, record)
        query = encoded.both(encoded.equals("table_name", table), encoded.equals("table_sys_id", sys_id))
        ordered = encoded.ordered(query, [("sys_created_on", False)])
        return (await self._api.list_attachments(ordered, limit=PAGE)).records

    async def download(self, attachment: str) -> bytes:
        """Return the bytes of a file, by the sys_id of its facts."""
        async with self._api.download_attachment(attachment) as opened:
            return b"".join([chunk async for chunk in opened.chunks()])

    async def delete(self, table: str, record: str) -> None:
        """Delete a record, by number or sys_id."""
        await self._api.delete(table, await self._sys_id(table, record))

    async def _sys_id(self, table: str, record: str) -> str:
        if _is_sys_id(record):
            return record
        return (await self.get(table, record, fields=("sys_id",)))["sys_id"]


def label(record: Record, column: str) -> str:
    """Return the label of a column, of a record that was read with labels; else its value."""
    return record.get(column + LABEL_SUFFIX) or record.get(column, "")


def _is_sys_id(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)  # noqa: PLR2004  # of a sys_id


def _fields(fields: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*fields, "sys_id"))) if fields else ()


def _conditions(query: str, where: Mapping[str, str]) -> list[str]:
    if "ORDERBY" in query:
        raise InvalidRequestError(
            "records come in the order of their sys_ids", fields={"query": "holds ORDERBY"}
        )
    try:
        also = encoded.both(*(encoded.equals(column, value) for column, value in where.items()))
    except encoded.UnsayableError as error:
        raise InvalidRequestError(
            f"an encoded query cannot say {error}",
            fields={"where": "cannot be said"},
            remediation="Ask for less and compare in your program.",
        ) from error
    return [encoded.both(branch, also) for branch in query.split("^NQ")]


def _secret(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def _auth(username: str, password: Secret, api_key: Secret) -> Auth:
    if api_key:
        return StaticAuth({"x-sn-apikey": api_key})
    if not username or not password:
        raise AuthFailedError(
            "ServiceNow wants a user name and a password, or an API key",
            remediation="Give username and password, or api_key, or auth.",
        )
    return basic_auth(username, password)

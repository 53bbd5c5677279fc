"""One call to PagerDuty's REST API: its headers, its budget, its errors in our words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from callout.connectors.pagerduty.errors import from_http
from callout.kit.clock import Clock, http_date
from callout.kit.http import VendorHttp, path_segment
from callout.kit.http_errors import HttpError
from callout.ports.errors import RecordNotFoundError, UnavailableError

ACCEPT: Final = "application/vnd.pagerduty+json;version=2"
LARGEST_PAGE: Final = 100
REACH: Final = 10_000
"""`offset` and `limit` together may not go beyond; what lies farther has to be asked for by a narrower window."""
Params: TypeAlias = Mapping[str, str | int | bool | Sequence[str]]


def segment(value: str) -> str:
    """Return an id as one piece of a path. Raises RecordNotFoundError for what cannot be one."""
    if not value.strip() or value in {".", ".."} or not value.isprintable() or set(value) & set("/\\?# "):
        raise RecordNotFoundError(f"PagerDuty has nothing called {value!r}", status=404)
    return path_segment(value)


class Rest:
    """Calls to one account. Every method raises ConnectorError and its kinds."""

    def __init__(self, http: VendorHttp, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self.server_time: datetime | None = None
        """The account's clock (the Date header) at the newest answer."""

    async def get(self, path: str, params: Params | None = None, *, doing: str) -> Any:  # noqa: ANN401  # cast by the caller
        """Read."""
        return await self._call("GET", path, params=params, doing=doing, repeatable=True)

    async def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        doing: str,
        repeatable: bool,
        sender: str = "",
    ) -> Any:  # noqa: ANN401  # cast by the caller
        """Write, on behalf of the user with the e-mail `sender` where one is named."""
        return await self._call(method, path, body=body, doing=doing, repeatable=repeatable, sender=sender)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        repeatable: bool,
        params: Params | None = None,
        body: Mapping[str, Any] | None = None,
        sender: str = "",
    ) -> Any:  # noqa: ANN401
        # The vendor wants the content type on every call, also on those without a body.
        headers = {"Accept": ACCEPT, "Content-Type": "application/json"}
        if sender:
            headers["From"] = sender
        options: dict[str, Any] = {} if body is None else {"json": dict(body)}
        try:
            response = await self._http.request(
                method,
                path,
                params=params,
                headers=headers,
                **options,
            )
            self.server_time = http_date(response.headers.get("date"))
            return response.json()
        except HttpError as error:
            raise from_http(error, doing=doing, repeatable=repeatable, now=self._clock.now()) from error


def inner(answer: Any, name: str, *, doing: str) -> Any:  # noqa: ANN401  # any JSON
    """Return what PagerDuty wraps under `name`. Raises UnavailableError for an answer that is not PagerDuty's."""
    found = answer.get(name) if isinstance(answer, dict) else None
    if found is None:
        raise UnavailableError(f"this address answers, but not as PagerDuty does ({doing})")
    return found

"""The service desk API's endpoints, one method each, named as Atlassian names them. No mapping, no policy.

Every method raises ConnectorError and its kinds. A request is an issue: whatever else is asked of it goes through the platform's API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, cast

from callout.connectors.jira.errors import from_http
from callout.connectors.jira.service_management.wire import (
    ClockBean,
    FormBean,
    Paged,
    RequestBean,
    RequestComment,
    RequestTypeBean,
    ServiceDeskBean,
)
from callout.kit.clock import Clock
from callout.kit.http import VendorHttp, path_segment
from callout.kit.http_errors import HttpError

API: Final = "/rest/servicedeskapi"
LARGEST_PAGE: Final = 50


class ServiceDeskClient:
    """The thin client over one site's service desks."""

    def __init__(self, http: VendorHttp, clock: Clock) -> None:
        self._http = http
        self._clock = clock

    # Desks and what can be asked for

    async def get_service_desks(self) -> list[ServiceDeskBean]:
        pages = self._pages("/servicedesk", doing="listing service desks")
        return [bean async for bean in pages]

    async def get_request_types(self, service_desk_id: str) -> list[RequestTypeBean]:
        path = f"/servicedesk/{path_segment(service_desk_id)}/requesttype"
        return [bean async for bean in self._pages(path, doing="listing request types")]

    async def get_request_type_fields(self, service_desk_id: str, request_type_id: str) -> FormBean:
        desk, kind = path_segment(service_desk_id), path_segment(request_type_id)
        path = f"/servicedesk/{desk}/requesttype/{kind}/field"
        return cast("FormBean", await self._get(path, {}, doing="reading the form of a request type"))

    # Requests

    async def create_customer_request(self, body: Mapping[str, Any]) -> RequestBean:
        answer = await self._post("/request", body, doing="creating the request")
        return cast("RequestBean", answer)

    async def get_customer_request(self, request: str, *, expand: Sequence[str] = ()) -> RequestBean:
        params = {"expand": ",".join(expand)} if expand else {}
        path = f"/request/{path_segment(request)}"
        return cast("RequestBean", await self._get(path, params, doing=f"reading request {request}"))

    async def get_sla_information(self, request: str) -> list[ClockBean]:
        path = f"/request/{path_segment(request)}/sla"
        return [bean async for bean in self._pages(path, doing=f"reading the SLAs of {request}")]

    async def create_request_comment(self, request: str, *, body: str, public: bool) -> RequestComment:
        path = f"/request/{path_segment(request)}/comment"
        answer = await self._post(path, {"body": body, "public": public}, doing=f"commenting on {request}")
        return cast("RequestComment", answer)

    # How each of them is done

    async def _get(self, path: str, params: Mapping[str, str | int], *, doing: str) -> Any:  # noqa: ANN401  # cast by the caller
        try:
            return await self._http.request_json("GET", f"{API}{path}", params=params)
        except HttpError as error:
            raise from_http(error, doing=doing, repeatable=True, now=self._clock.now()) from error

    async def _post(self, path: str, body: Mapping[str, Any], *, doing: str) -> Any:  # noqa: ANN401  # cast by the caller
        try:
            return await self._http.request_json("POST", f"{API}{path}", json=dict(body))
        except HttpError as error:
            raise from_http(error, doing=doing, repeatable=False, now=self._clock.now()) from error

    async def _pages(self, path: str, *, doing: str) -> AsyncIterator[Any]:
        start = 0
        while True:
            params = {"start": start, "limit": LARGEST_PAGE}
            page = cast("Paged[Any]", await self._get(path, params, doing=doing))
            values = page.get("values") or []
            for value in values:
                yield value
            start += len(values)
            if page.get("isLastPage", True) or not values:
                return

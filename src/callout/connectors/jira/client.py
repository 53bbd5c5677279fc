"""Jira's endpoints, one method each, named as Jira's documentation names them (REST v3). No mapping, no policy.

Every method raises ConnectorError and its kinds (see `errors.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import urljoin

from callout.connectors.jira.errors import from_http
from callout.connectors.jira.wire import (
    AttachmentBean,
    CommentBean,
    CommentPage,
    CreatedIssue,
    FieldDetails,
    FieldMetaPage,
    IssueBean,
    IssueTypePage,
    IssueTypeStatuses,
    NamedBean,
    Permissions,
    ProjectBean,
    ProjectPage,
    RemoteLinkCreated,
    SearchPage,
    TransitionList,
    User,
)
from callout.kit.clock import Clock, http_date
from callout.kit.http import FilePart, HttpResponse, VendorHttp, path_segment
from callout.kit.http_errors import HttpError
from callout.ports.errors import RecordNotFoundError

API: Final = "/rest/api/3"
MAX_DOWNLOAD_BYTES: Final = 2 * 1024**3
_REDIRECTS: Final = frozenset({302, 303, 307, 308})


def _segment(value: str) -> str:
    """Return an id or key as one piece of a path. Raises RecordNotFoundError for what can be neither."""
    if not value.strip() or value in {".", ".."} or "/" in value or "\\" in value:
        raise RecordNotFoundError(f"Jira has nothing called {value!r}", status=404)
    return path_segment(value)


class JiraClient:
    """The thin client over one site.

    Args:
        http: the ready client of this integration; its base URL is the site or the OAuth gateway's path to it.
        media: a client without credentials, for the signed addresses of files.
        clock: to read `Retry-After` dates.
    """

    def __init__(self, http: VendorHttp, media: VendorHttp, clock: Clock) -> None:
        self._http = http
        self._media = media
        self._clock = clock

    # Myself and the site

    async def get_current_user(self) -> tuple[User, datetime | None]:
        """Return the account we act as, and the site's clock (its Date header) when it told."""
        doing = "asking who we are"
        response = await self._call("GET", "/myself", doing=doing)
        return cast("User", self._json(response, doing)), http_date(response.headers.get("date"))

    async def get_my_permissions(self, permissions: Sequence[str], *, project_key: str = "") -> Permissions:
        params: dict[str, str] = {"permissions": ",".join(permissions)}
        if project_key:
            params["projectKey"] = project_key
        answer = await self._get("/mypermissions", params, doing="asking for our permissions")
        return cast("Permissions", answer)

    # Issues

    async def get_issue(self, issue: str, *, fields: Sequence[str], expand: str = "") -> IssueBean:
        params = {"fields": ",".join(fields)} | ({"expand": expand} if expand else {})
        answer = await self._get(f"/issue/{_segment(issue)}", params, doing=f"reading {issue}")
        return cast("IssueBean", answer)

    async def create_issue(self, body: Mapping[str, Any]) -> CreatedIssue:
        answer = await self._send("POST", "/issue", body, doing="creating the issue", repeatable=False)
        return cast("CreatedIssue", answer)

    async def edit_issue(self, issue: str, body: Mapping[str, Any]) -> None:
        await self._send("PUT", f"/issue/{_segment(issue)}", body, doing=f"changing {issue}", repeatable=True)

    async def get_transitions(self, issue: str) -> TransitionList:
        path = f"/issue/{_segment(issue)}/transitions"
        answer = await self._get(
            path, {"expand": "transitions.fields"}, doing=f"reading the moves of {issue}"
        )
        return cast("TransitionList", answer)

    async def do_transition(self, issue: str, body: Mapping[str, Any]) -> None:
        """Move the issue. Looked at again before a repeat, so an unknown outcome does no harm."""
        path = f"/issue/{_segment(issue)}/transitions"
        await self._send("POST", path, body, doing=f"moving {issue}", repeatable=True)

    async def get_edit_meta(self, issue: str) -> dict[str, Any]:
        path = f"/issue/{_segment(issue)}/editmeta"
        return cast(
            "dict[str, Any]", await self._get(path, {}, doing=f"asking what can be edited on {issue}")
        )

    async def create_or_update_remote_link(self, issue: str, body: Mapping[str, Any]) -> RemoteLinkCreated:
        path = f"/issue/{_segment(issue)}/remotelink"
        answer = await self._send("POST", path, body, doing=f"linking {issue} to us", repeatable=True)
        return cast("RemoteLinkCreated", answer)

    async def search_jql(
        self,
        jql: str,
        *,
        fields: Sequence[str],
        max_results: int,
        next_page_token: str = "",
        reconcile_issues: Sequence[int] = (),
    ) -> SearchPage:
        body: dict[str, Any] = {"jql": jql, "fields": list(fields), "maxResults": max_results}
        if next_page_token:
            body["nextPageToken"] = next_page_token
        if reconcile_issues:
            body["reconcileIssues"] = list(reconcile_issues)
        answer = await self._send(
            "POST", "/search/jql", body, doing="searching issues", repeatable=True, safe=True
        )
        return cast("SearchPage", answer)

    async def count_jql(self, jql: str) -> int:
        """Return about how many issues a query finds."""
        answer = await self._send(
            "POST",
            "/search/approximate-count",
            {"jql": jql},
            doing="counting issues",
            repeatable=True,
            safe=True,
        )
        return int(answer.get("count", 0))

    # Comments

    async def get_comments(self, issue: str, *, start_at: int, max_results: int) -> CommentPage:
        answer = await self._get(
            f"/issue/{_segment(issue)}/comment",
            {"startAt": start_at, "maxResults": max_results, "orderBy": "created"},
            doing=f"reading the comments of {issue}",
        )
        return cast("CommentPage", answer)

    async def get_comments_by_ids(self, ids: Sequence[int]) -> list[CommentBean]:
        answer = await self._send(
            "POST",
            "/comment/list",
            {"ids": list(ids)},
            params={"expand": "properties"},
            doing="reading comments",
            repeatable=True,
            safe=True,
        )
        return cast("list[CommentBean]", answer["values"])

    async def get_comment(self, issue: str, comment: str) -> CommentBean:
        path = f"/issue/{_segment(issue)}/comment/{_segment(comment)}"
        return cast("CommentBean", await self._get(path, {}, doing=f"reading a comment of {issue}"))

    async def add_comment(self, issue: str, body: Mapping[str, Any]) -> CommentBean:
        path = f"/issue/{_segment(issue)}/comment"
        answer = await self._send("POST", path, body, doing=f"commenting on {issue}", repeatable=False)
        return cast("CommentBean", answer)

    async def delete_comment(self, issue: str, comment: str) -> None:
        path = f"/issue/{_segment(issue)}/comment/{_segment(comment)}"
        await self._call("DELETE", path, doing=f"deleting a comment of {issue}")

    # Attachments

    async def add_attachment(self, issue: str, part: FilePart) -> list[AttachmentBean]:
        doing = f"attaching a file to {issue}"
        try:
            answer = await self._http.upload(
                f"{API}/issue/{_segment(issue)}/attachments",
                files=[part],
                # Without this header Jira takes the upload for a forged form and blocks it.
                headers={"X-Atlassian-Token": "no-check"},
            )
        except HttpError as error:
            raise from_http(error, doing=doing, repeatable=False, now=self._clock.now()) from error
        return cast("list[AttachmentBean]", answer)

    async def get_attachment(self, attachment: str) -> AttachmentBean:
        path = f"/attachment/{_segment(attachment)}"
        return cast("AttachmentBean", await self._get(path, {}, doing="reading an attachment's facts"))

    async def get_attachment_content(self, attachment: str) -> AsyncIterator[bytes]:
        """Yield the file. Jira redirects to a signed address, which must not see our credentials, whatever its host."""
        try:
            path = f"{API}/attachment/content/{_segment(attachment)}"
            answer = await self._http.request("GET", path, accept=_REDIRECTS)
            if answer.status not in _REDIRECTS:
                yield answer.content
                return
            address = urljoin(answer.url, answer.headers["location"])
            async with self._media.download(
                address, max_bytes=MAX_DOWNLOAD_BYTES, route="/media"
            ) as download:
                async for chunk in download.chunks():
                    yield chunk
        except HttpError as error:
            doing = "downloading an attachment"
            raise from_http(error, doing=doing, repeatable=True, now=self._clock.now()) from error

    async def remove_attachment(self, attachment: str) -> None:
        await self._call("DELETE", f"/attachment/{_segment(attachment)}", doing="deleting an attachment")

    # Projects, fields, people

    async def search_projects(self, *, start_at: int, max_results: int, type_key: str = "") -> ProjectPage:
        params: dict[str, str | int] = {"startAt": start_at, "maxResults": max_results, "orderBy": "key"}
        if type_key:
            params["typeKey"] = type_key
        return cast("ProjectPage", await self._get("/project/search", params, doing="listing projects"))

    async def get_project(self, project: str) -> ProjectBean:
        answer = await self._get(f"/project/{_segment(project)}", {}, doing=f"reading project {project}")
        return cast("ProjectBean", answer)

    async def get_project_statuses(self, project: str) -> list[IssueTypeStatuses]:
        path = f"/project/{_segment(project)}/statuses"
        answer = await self._get(path, {}, doing=f"reading the statuses of {project}")
        return cast("list[IssueTypeStatuses]", answer)

    async def get_fields(self) -> list[FieldDetails]:
        return cast("list[FieldDetails]", await self._get("/field", {}, doing="listing fields"))

    async def get_priorities(self) -> list[NamedBean]:
        # Flagged deprecated in 2026, and still the only way to all priorities without an admin's right.
        return cast("list[NamedBean]", await self._get("/priority", {}, doing="listing priorities"))

    async def get_create_issue_meta_issue_types(self, project: str, *, start_at: int) -> IssueTypePage:
        path = f"/issue/createmeta/{_segment(project)}/issuetypes"
        params = {"startAt": start_at, "maxResults": 200}
        doing = f"asking what can be created in {project}"
        return cast("IssueTypePage", await self._get(path, params, doing=doing))

    async def get_create_issue_meta_fields(
        self, project: str, issue_type_id: str, *, start_at: int
    ) -> FieldMetaPage:
        path = f"/issue/createmeta/{_segment(project)}/issuetypes/{_segment(issue_type_id)}"
        params = {"startAt": start_at, "maxResults": 200}
        doing = f"asking for the fields of {project}"
        return cast("FieldMetaPage", await self._get(path, params, doing=doing))

    async def find_users(self, query: str) -> list[User]:
        params: dict[str, str | int] = {"query": query, "maxResults": 50}
        return cast("list[User]", await self._get("/user/search", params, doing="looking a person up"))

    # How each of them is done

    async def _get(self, path: str, params: Mapping[str, str | int], *, doing: str) -> Any:  # noqa: ANN401  # cast by the caller
        response = await self._call("GET", path, params=params, doing=doing)
        return self._json(response, doing)

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        doing: str,
        repeatable: bool,
        safe: bool | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Any:  # noqa: ANN401  # cast by the caller
        try:
            return await self._http.request_json(
                method, f"{API}{path}", params=params, json=dict(body), safe=safe
            )
        except HttpError as error:
            raise from_http(error, doing=doing, repeatable=repeatable, now=self._clock.now()) from error

    async def _call(
        self, method: str, path: str, *, doing: str, params: Mapping[str, str | int] | None = None
    ) -> HttpResponse:
        try:
            return await self._http.request(
                method, f"{API}{path}", params=params, headers={"Accept": "application/json"}
            )
        except HttpError as error:
            raise from_http(error, doing=doing, repeatable=True, now=self._clock.now()) from error

    def _json(self, response: HttpResponse, doing: str) -> Any:  # noqa: ANN401  # cast by the caller
        try:
            return response.json()
        except HttpError as error:
            raise from_http(error, doing=doing, repeatable=True, now=self._clock.now()) from error

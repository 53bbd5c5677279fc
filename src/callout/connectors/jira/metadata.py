"""What the live site offers: fields, priorities, types, statuses. Remembered for a few minutes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.mapping import PRIORITY_FROM_NAME
from callout.connectors.jira.wire import (
    FieldDetails,
    FieldMeta,
    IssueTypeBean,
    IssueTypeStatuses,
    ProjectBean,
    StatusBean,
    User,
)
from callout.kit.clock import Clock
from callout.ports.errors import RecordNotFoundError, RejectedError
from callout.ports.filtering import parse_priority

KEPT_SECONDS: Final = 300.0
PREFERRED_TYPES: Final = ("incident", "[system] incident", "task", "bug")
"""Tried in this order when neither the draft nor the integration names an issue type."""

_T = TypeVar("_T")


class SiteMetadata:
    """The site's own vocabulary, read when first needed and again after a while."""

    def __init__(self, client: JiraClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[tuple[str, ...], tuple[float, Any]] = {}
        self.account_id = ""
        """Of the account we act as; empty until :meth:`myself` was asked."""

    async def remembered(self, key: tuple[str, ...], read: Callable[[], Awaitable[_T]]) -> _T:
        """Return what `read` gave for `key` not long ago, else what it gives now."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock.monotonic():
            value: _T = kept[1]
            return value
        value = await read()
        self._kept[key] = (self._clock.monotonic() + KEPT_SECONDS, value)
        return value

    def forget(self) -> None:
        """Read everything again when next needed."""
        self._kept.clear()

    async def myself(self) -> User:
        """Return the account we act as."""

        async def read() -> User:
            user = (await self._client.get_current_user())[0]
            self.account_id = user.get("accountId", "")
            return user

        return await self.remembered(("myself",), read)

    async def zone(self) -> ZoneInfo:
        """Return the account's time zone, in which JQL reads dates."""
        return zone_of(await self.myself())

    async def fields(self) -> Mapping[str, FieldDetails]:
        """Return every field of the site by id."""

        async def read() -> dict[str, FieldDetails]:
            return {field["id"]: field for field in await self._client.get_fields()}

        return await self.remembered(("fields",), read)

    async def priority_names(self) -> Mapping[str, tuple[str, ...]]:
        """Return the site's priority names by unified priority; those of equal rank share theirs."""
        beans = await self.remembered(("priorities",), self._client.get_priorities)
        names: dict[str, list[str]] = {}
        for bean in beans:
            unified = PRIORITY_FROM_NAME.get(bean.get("name", "").casefold())
            if unified is not None:
                names.setdefault(unified, []).append(bean["name"])
        return {unified: tuple(found) for unified, found in names.items()}

    async def project(self, key_or_id: str) -> ProjectBean:
        """Return a project. Raises RejectedError when there is none we can see."""

        async def read() -> ProjectBean:
            return await self._client.get_project(key_or_id)

        try:
            return await self.remembered(("project", key_or_id), read)
        except RecordNotFoundError as error:
            raise RejectedError(
                f"Jira has no project {key_or_id!r} that the integration's user can see",
                fields={"project": f"no such project: {key_or_id}"},
                remediation="Check the project key, and the user's Browse Projects permission.",
            ) from error

    async def issue_types(self, project: str) -> Sequence[IssueTypeBean]:
        """Return the issue types that we can create in a project."""

        async def read() -> list[IssueTypeBean]:
            types: list[IssueTypeBean] = []
            while True:
                page = await self._client.get_create_issue_meta_issue_types(project, start_at=len(types))
                batch = page.get("issueTypes") or page.get("results") or []
                types += batch
                if not batch or len(types) >= page.get("total", 0):
                    return types

        return await self.remembered(("types", project), read)

    async def issue_type(self, project: str, wanted: str) -> IssueTypeBean:
        """Return the type of that name or id, or a sensible one when none is wanted. Raises RejectedError."""
        types = await self.issue_types(project)
        if wanted:
            folded = wanted.casefold()
            for bean in types:
                if folded == bean.get("name", "").casefold() or wanted == bean.get("id"):
                    return bean
        else:
            ordinary = [bean for bean in types if not bean.get("subtask")]
            by_name = {bean.get("name", "").casefold(): bean for bean in ordinary}
            chosen = next((by_name[name] for name in PREFERRED_TYPES if name in by_name), None)
            if chosen or ordinary:
                return chosen or ordinary[0]
        choices = ", ".join(bean.get("name", "") for bean in types)
        raise RejectedError(
            f"issue type {wanted!r} cannot be created in {project}; there are: {choices or 'none'}",
            fields={"issue_type": f"allowed: {choices}"},
            remediation="Choose one of them, or grant Create Issues in that project to the integration's user.",
        )

    async def create_fields(self, project: str, issue_type_id: str) -> Mapping[str, FieldMeta]:
        """Return the fields of the create screen by id."""

        async def read() -> dict[str, FieldMeta]:
            fields: list[FieldMeta] = []
            while True:
                page = await self._client.get_create_issue_meta_fields(
                    project, issue_type_id, start_at=len(fields)
                )
                batch = page.get("fields") or page.get("results") or []
                fields += batch
                if not batch or len(fields) >= page.get("total", 0):
                    return {field.get("fieldId") or field.get("key", ""): field for field in fields}

        return await self.remembered(("create", project, issue_type_id), read)

    async def statuses(self, project: str, issue_type: str) -> Sequence[StatusBean]:
        """Return the statuses of one issue type (by name or id) in a project; of all types when it is empty."""

        async def read() -> list[IssueTypeStatuses]:
            return await self._client.get_project_statuses(project)

        found: dict[str, StatusBean] = {}
        for entry in await self.remembered(("statuses", project), read):
            if not issue_type or issue_type in {entry.get("name"), entry.get("id")}:
                found.update({status["id"]: status for status in entry.get("statuses", [])})
        return list(found.values())


def zone_of(user: User) -> ZoneInfo:
    """Return an account's time zone; UTC when Jira names one that this machine does not know."""
    try:
        return ZoneInfo(user.get("timeZone") or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def names_for(table: Mapping[str, tuple[str, ...]], wanted: str) -> tuple[str, ...]:
    """Return the site's names for a unified priority and its equals. Raises InvalidRequestError."""
    equals = {"MODERATE": ("MODERATE", "MEDIUM"), "MEDIUM": ("MEDIUM", "MODERATE")}
    urgent = ("URGENT", "CRITICAL")
    priority = parse_priority(wanted)
    group = urgent if priority in urgent else equals.get(priority, (priority,))
    return tuple(name for member in group for name in table.get(member, ()))

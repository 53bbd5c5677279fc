"""People of an instance, known by sys_id; and groups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from callout.connectors.servicenow import encoded
from callout.connectors.servicenow.client import SYS_ID, TableApi
from callout.connectors.servicenow.wire import Record
from callout.kit.clock import Clock
from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import InvalidRequestError, PermissionDeniedError, RejectedError
from callout.ports.oncall import EscalationActor
from callout.ports.ticketing import Page
from callout.ports.values import Person

USER_FIELDS: Final = ("sys_id", "user_name", "name", "email", "active", "time_zone", "sys_created_on")
CACHE_SECONDS: Final = 300.0
_MAX_CACHED: Final = 5000
_CHUNK: Final = 100


def person(record: Record) -> Person | None:
    """Return a user as a person."""
    if not record.get("sys_id"):
        return None
    return Person(
        record["sys_id"], record.get("name") or record.get("user_name", ""), record.get("email", "")
    )


class People:
    """Looks people and groups up, with a short memory."""

    def __init__(self, api: TableApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._found: dict[tuple[str, str], tuple[float, Person | None]] = {}
        self._naming = asyncio.Lock()

    async def find(self, *, email: str = "", name: str = "") -> Person | None:
        """Return the one active person with that e-mail or exact name (or user name), or None when nobody or several match."""
        wanted = (email.strip(), name.strip())
        if wanted == ("", ""):
            return None
        key = (wanted[0].casefold(), wanted[1].casefold())
        known = self._known(key)
        if known is not None:
            return known[0]
        columns = ("email", "user_name") if wanted[0] else ("name", "user_name")
        return self._keep(key, await self._only(columns, wanted[0] or wanted[1]))

    async def search(self, query: str, *, limit: int, cursor: str) -> Page[Person]:
        """Return one page of active people whose name, user name or e-mail holds `query`."""
        wanted = query.strip().casefold()

        def fits(row: Record) -> bool:
            return any(wanted in row.get(column, "").casefold() for column in ("name", "user_name", "email"))

        active = encoded.equals("active", "true")
        rows, following = await self._listed(
            "sys_user", active, USER_FIELDS, fits, limit=limit, cursor=cursor, scope=f"people {wanted}"
        )
        return Page([one for one in map(person, rows) if one is not None], following)

    async def groups(self, *, limit: int, cursor: str) -> Page[EscalationActor]:
        """Return one page of groups."""
        rows, following = await self._listed(
            "sys_user_group",
            "",
            ("sys_id", "name"),
            lambda _: True,
            limit=limit,
            cursor=cursor,
            scope="groups",
        )
        return Page([EscalationActor("team", row["sys_id"], row.get("name", "")) for row in rows], following)

    async def _listed(
        self,
        table: str,
        condition: str,
        fields: tuple[str, ...],
        fits: Callable[[Record], bool],
        *,
        limit: int,
        cursor: str,
        scope: str,
    ) -> tuple[list[Record], str]:
        """Return one page in the order of sys_ids, and its cursor; judged here, since a condition may be dropped."""
        after = ""
        if cursor:
            try:
                after = str(decode_cursor(cursor, scope=scope)["after"])
            except (ValueError, KeyError):
                after = "-"
            if not SYS_ID.fullmatch(after):
                raise InvalidRequestError("this is not a cursor of this list", fields={"cursor": "not valid"})
        size = min(limit, _CHUNK)
        found: list[Record] = []
        while True:
            behind = encoded.compares("sys_id", ">", after) if after else ""
            query = encoded.ordered(encoded.both(condition, behind), [("sys_id", False)])
            page = await self._api.query(table, query, fields=fields, limit=size)
            rows = [row for row in page.records if row["sys_id"] > after]
            found += [row for row in rows if fits(row)]
            if len(rows) < size:
                return found[:limit], ""
            after = rows[-1]["sys_id"]
            if found:
                return found, encode_cursor({"after": after}, scope=scope)

    async def _only(self, columns: Iterable[str], text: str) -> Person | None:
        if not encoded.sayable(text):
            return None
        columns = tuple(columns)
        query = encoded.both(
            encoded.either(*(encoded.equals(column, text) for column in columns)),
            encoded.equals("active", "true"),
        )
        page = await self._api.query("sys_user", query, fields=USER_FIELDS, limit=10)
        # What came is looked at again: a condition that the instance did not understand would have selected everybody.
        matching = [
            row
            for row in page.records
            if row.get("active", "true") == "true"
            and text.casefold() in {row.get(column, "").casefold() for column in columns}
        ]
        return person(matching[0]) if len(matching) == 1 else None

    async def by_user_names(self, names: Iterable[str]) -> Mapping[str, Person]:
        """Return people by user name, which is what journal entries and attachments are signed with."""
        asked = list(dict.fromkeys(name for name in names if name))
        # Pages are read side by side, and mostly the same few people have said something in each.
        async with self._naming:
            return await self._by_user_names(asked)

    async def _by_user_names(self, asked: list[str]) -> Mapping[str, Person]:
        found: dict[str, Person | None] = {}
        missing: list[str] = []
        for name in asked:
            known = self._known(("@", name))
            if known is None:
                missing.append(name)
            else:
                found[name] = known[0]
        sayable = [name for name in missing if encoded.sayable(name)]
        for start in range(0, len(sayable), _CHUNK):
            chunk = sayable[start : start + _CHUNK]
            query = encoded.any_of("user_name", chunk)
            try:
                page = await self._api.query("sys_user", query, fields=USER_FIELDS, limit=2 * _CHUNK)
            except PermissionDeniedError:
                break
            found.update(
                {row["user_name"]: person(row) for row in page.records if row.get("user_name") in chunk}
            )
        for name in missing:
            self._keep(("@", name), found.get(name))
        return {name: found.get(name) or Person(name, name) for name in asked}

    async def sys_id(self, wanted: Person, *, field: str) -> str:
        """Return whom the instance knows as `wanted`: by sys_id, e-mail, user name or name. Raises RejectedError naming `field`."""
        if SYS_ID.fullmatch(wanted.id):
            found = await self.with_id(wanted.id)
            if found is not None:
                return found.id
        for text in (wanted.email, wanted.id, wanted.name):
            if text:
                one = await (self.find(email=text) if "@" in text else self.find(name=text))
                if one is not None:
                    return one.id
        shown = wanted.email or wanted.name or wanted.id
        raise RejectedError(
            f"ServiceNow knows nobody, or more than one, as {shown!r}",
            fields={field: f"nobody known as {shown}"},
            remediation="Name the person by sys_id, e-mail or user name of an active user of the instance.",
        )

    async def with_id(self, sys_id: str) -> Person | None:
        """Return the person of a sys_id, None where the instance shows nobody."""
        if not SYS_ID.fullmatch(sys_id):
            return None
        known = self._known(("#", sys_id))
        return known[0] if known else self._keep(("#", sys_id), await self._read(sys_id))

    async def _read(self, sys_id: str) -> Person | None:
        page = await self._api.query(
            "sys_user", encoded.equals("sys_id", sys_id), fields=USER_FIELDS, limit=2
        )
        return next((person(row) for row in page.records if row.get("sys_id") == sys_id), None)

    async def group_id(self, name: str) -> str:
        """Return the group of that name or sys_id. Raises RejectedError."""
        if SYS_ID.fullmatch(name):
            return name
        if encoded.sayable(name):
            page = await self._api.query(
                "sys_user_group", encoded.equals("name", name), fields=("sys_id", "name"), limit=10
            )
            found = [
                row["sys_id"] for row in page.records if row.get("name", "").casefold() == name.casefold()
            ]
            if len(found) == 1:
                return found[0]
        raise RejectedError(
            f"ServiceNow has no group, or more than one, called {name!r}",
            fields={"assignment_group": f"no group {name}"},
            remediation="Name the group by sys_id or by its unique name.",
        )

    def _known(self, key: tuple[str, str]) -> tuple[Person | None] | None:
        kept = self._found.get(key)
        return (kept[1],) if kept is not None and kept[0] > self._clock.monotonic() else None

    def _keep(self, key: tuple[str, str], found: Person | None) -> Person | None:
        if len(self._found) >= _MAX_CACHED:
            self._found.clear()
        self._found[key] = (self._clock.monotonic() + CACHE_SECONDS, found)
        return found

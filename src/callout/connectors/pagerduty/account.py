"""What an account has: priorities, services, people, each read once in a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar, cast

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.directory_client import DirectoryClient
from callout.connectors.pagerduty.errors import NEEDS_FROM, NO_ABILITY
from callout.connectors.pagerduty.wire import PriorityBean, ServiceBean, UserBean
from callout.kit.clock import Clock
from callout.ports.errors import PermissionDeniedError, RecordNotFoundError, RejectedError
from callout.ports.values import Person

CACHE_SECONDS: Final = 300.0
MAX_CACHED: Final = 1000
_T = TypeVar("_T")


class Account:
    """Looks things up by what people call them."""

    def __init__(self, client: DirectoryClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[tuple[str, ...], tuple[float, Any]] = {}

    def forget(self) -> None:
        """Read everything anew at its next use."""
        self._kept.clear()

    async def priorities(self) -> Sequence[PriorityBean]:
        """Return the priorities, most severe first; none where the plan or a setting lacks them."""
        return await self._remembered(("priorities",), self._priorities)

    async def _priorities(self) -> Sequence[PriorityBean]:
        try:
            return await self._client.list_priorities()
        except PermissionDeniedError as error:
            # 402: this account has none. A missing scope (403) must not pass for that.
            if error.status == 402 or error.vendor_code == NO_ABILITY:  # noqa: PLR2004
                return ()
            raise

    async def service(self, wanted: str) -> ServiceBean:
        """Return the service with that id or exact name. Raises RejectedError naming `project`."""
        found = await self._remembered(("service", wanted), lambda: self._service(wanted))
        if found is None:
            raise RejectedError(
                f"PagerDuty has no service {wanted!r} that this key may see",
                fields={"project": "no such service"},
                remediation="Name a service by its id (P…, at the end of its page's address) or its exact name.",
            )
        return found

    async def _service(self, wanted: str) -> ServiceBean | None:
        try:
            return await self._client.get_service(wanted)
        except RecordNotFoundError:
            page = await self._client.list_services(offset=0, limit=100, name=wanted)
        named = [one for one in page["services"] if one.get("name") == wanted]
        return named[0] if len(named) == 1 else None

    async def find_person(self, *, email: str = "", name: str = "") -> Person | None:
        """Return the one user with that e-mail or exact name, or None when nobody or several match."""
        wanted = (email.strip().casefold(), name.strip().casefold())
        if wanted == ("", ""):
            return None
        return await self._remembered(("person", *wanted), lambda: self._find_person(*wanted))

    async def _find_person(self, email: str, name: str) -> Person | None:
        found: list[UserBean] = []
        offset = 0
        while True:
            # The query matches parts of names and addresses: what it finds is compared here.
            page = await self._client.list_users(email or name, offset=offset)
            for user in page["users"]:
                told = user.get("email") if email else user.get("name")
                if (told or "").casefold() == (email or name):
                    found.append(user)
            offset += len(page["users"])
            if not page["users"] or not page.get("more"):
                break
        return mapping.person(found[0]) if len(found) == 1 else None

    async def user(self, person: Person, *, field: str) -> Person:
        """Return whom PagerDuty knows as `person`: by id, e-mail or name. Raises RejectedError naming `field`."""
        found: Person | None = None
        if person.id and "@" not in person.id:
            found = await self._remembered(("user", person.id), lambda: self._user(person.id))
        for text in (person.email, person.id, person.name):
            if found is None and text:
                found = await (self.find_person(email=text) if "@" in text else self.find_person(name=text))
        if found is None:
            shown = person.email or person.name or person.id
            raise RejectedError(
                f"PagerDuty knows nobody, or more than one, as {shown!r}",
                fields={field: f"nobody known as {shown}"},
                remediation="Name the person by PagerDuty user id or by the e-mail of their PagerDuty account.",
            )
        return found

    async def _user(self, user_id: str) -> Person | None:
        try:
            return mapping.person(await self._client.get_user(user_id))
        except RecordNotFoundError:
            return None

    async def sender(self, creator: Person | None, *, default: str) -> str:
        """Return the e-mail for the `From` header: that of `creator` when one is named, else `default` (may be empty)."""
        if creator is None:
            return default
        if "@" in creator.email:
            return creator.email
        found = await self.user(creator, field="creator")
        if not found.email:
            raise RejectedError(
                f"the e-mail of {creator.id!r} is not visible, and PagerDuty knows who acts by it alone",
                fields={"creator": "e-mail not visible"},
                remediation=NEEDS_FROM,
            )
        return found.email

    async def _remembered(self, key: tuple[str, ...], read: Callable[[], Awaitable[_T]]) -> _T:
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock.monotonic():
            return cast("_T", kept[1])
        value = await read()
        if len(self._kept) >= MAX_CACHED:
            self._kept.clear()
        if value is not None:  # who was not there may be made in a minute
            self._kept[key] = (self._clock.monotonic() + CACHE_SECONDS, value)
        return value

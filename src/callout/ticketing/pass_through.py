"""Calls of a program's own to a provider's API, guarded: an operator has to allow them, each integration for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.ports.errors import ForbiddenError
from callout.ports.pass_through import VendorCall, checked

if TYPE_CHECKING:
    from callout.ticketing.engine import Engine, Opened

SETTING: Final = "pass_through"
Json = dict[str, Any]


class PassThrough:
    """The one operation."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def call(
        self, opened: Opened, *, method: str, path: str, query: Mapping[str, str | list[str]], body: object
    ) -> Json:
        """Make a call, and write down one that may have changed something.

        Raises ForbiddenError while no operator allowed it, InvalidRequestError for a path that leads elsewhere.
        """
        verb, place = checked(method, path)
        call = VendorCall(verb, place, query, body)
        allowed = allowance(opened.integration.settings)
        if allowed != "write" and (call.writes or allowed != "read"):
            needed = "write" if call.writes else "read"
            raise ForbiddenError(
                f"calls to the provider's own API are not allowed for this integration ({SETTING} is {allowed})",
                remediation=f'An operator can set `{{"ticketing": {{"{SETTING}": "{needed}"}}}}` in its settings.',
            )
        async with self._engine.calling(opened, writing=call.writes) as provider:
            answer = await provider.pass_through(call)
        if call.writes:
            await self._engine.written(
                opened, "provider.called", place, method=verb, path=place, status=answer.status
            )
        return {"status": answer.status, "content_type": answer.media_type, "body": answer.body}


def allowance(settings: Mapping[str, Any]) -> str:
    """Return what an integration's settings allow: `none`, `read` or `write`."""
    own = settings.get("ticketing")
    wanted = own.get(SETTING) if isinstance(own, Mapping) else None
    return wanted if wanted in {"read", "write"} else "none"

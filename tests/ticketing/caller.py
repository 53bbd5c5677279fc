"""A program that holds the token of one integration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.server.desk import OPERATOR, problem_of

if TYPE_CHECKING:
    import httpx

    from callout.access import RefreshToken
    from callout.integrations import Integration
    from tests.server.desk import Desk

TICKETS = "/v1/ticketing/tickets"


@dataclass(slots=True)
class Caller:
    """Calls the engine API over HTTP."""

    desk: Desk
    integration: Integration
    token: RefreshToken
    half: str = "access"

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and return the answer, whatever it is."""
        secret = getattr(self.token.primary, self.half).secret
        assert secret is not None
        headers = {"authorization": f"Bearer {secret.reveal()}", **options.pop("headers", {})}
        return await self.desk.http.request(method, path, headers=headers, **options)

    async def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Return the JSON of a success; None where there is none."""
        answer = await self.request(method, path, json=body, **options)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def refused(self, status: int, kind: str, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Return the Problem of a refusal, which tells a next step."""
        return problem_of(await self.request(method, path, **options), status, kind)

    async def ticket(self, name: str = "a ticket", **more: Any) -> dict[str, Any]:
        """Create a ticket."""
        made: dict[str, Any] = (await self("POST", TICKETS, {"name": name, **more}))["result"]
        return made

    async def names(self, **params: Any) -> list[str]:
        """Return the names of the tickets that a query finds."""
        page = await self("GET", TICKETS, params=params)
        return [one["name"] for one in page["result"]]


async def caller_of(desk: Desk, *, name: str = "mock", account: str = "", **config: Any) -> Caller:
    """Return the holder of a new test provider's token."""
    saved = await desk.core.database.transaction(
        lambda tx: desk.core.integrations.create(
            tx.account(account or desk.account),
            provider_config={"type": "ticketing_mock_ticketing", **config},
            actor=OPERATOR,
            name=name,
        )
    )
    assert saved.token is not None
    return Caller(desk, saved.integration, saved.token)

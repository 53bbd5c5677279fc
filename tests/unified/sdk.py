"""The public SDK of the contract, in front of a running installation; every answer's raw JSON is judged strictly."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import BaseModel
from synqly.engine.client import AsyncSynqlyEngine
from synqly.engine.common import Problem as EngineProblem
from synqly.engine.core.api_error import ApiError as EngineError
from synqly.management.client import AsyncSynqlyManagement
from synqly.management.common import Problem as ManagementProblem
from synqly.management.core.api_error import ApiError as ManagementError

from tests.stories.installation import OPERATOR
from tests.unified.strict import differences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.integrations import Integration
    from tests.stories.installation import Installation

JIRA_CREDENTIAL = {"type": "basic", "username": "admin@example.com", "secret": "token"}


class Checked:
    """A client of the SDK, or a part of one: calls go through, and what came back is judged.

    An error's body is judged as a Problem. `answers` keeps what was received, in order.
    """

    def __init__(self, client: Any, answers: list[httpx.Response], problem: type[Any]) -> None:
        self._client = client
        self._answers = answers
        self._problem = problem

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return Checked(found, self._answers, self._problem)

        async def call(*args: Any, **options: Any) -> Any:
            try:
                raw = await getattr(self._client.with_raw_response, name)(*args, **options)
            except (EngineError, ManagementError) as error:
                self._refused(error)
                raise
            if raw.data is None:
                assert (raw.status_code, raw._response.content) == (204, b""), raw._response.text
            elif isinstance(raw.data, BaseModel):  # a few answers are of any shape
                _whole(type(raw.data), raw._response)
            return raw.data

        return call

    def _refused(self, error: EngineError | ManagementError) -> None:
        answer = self._answers[-1]
        # The management half of the SDK has no error of its own for these.
        plain = isinstance(error, ManagementError) and answer.status_code > HTTPStatus.INTERNAL_SERVER_ERROR
        known = type(error).__name__ != "ApiError"
        assert known or plain, f"the SDK has no error for {answer.status_code}"
        assert answer.json()["status"] == answer.status_code == error.status_code
        _whole(self._problem, answer)


def _whole(model: type[Any], answer: httpx.Response) -> None:
    wrong = differences(model, answer.json())
    assert not wrong, f"{answer.request.method} {answer.request.url}: " + "; ".join(wrong)


@dataclass(frozen=True, slots=True)
class Connected:
    """An integration, its token, and the engine API as the token's holder calls it."""

    integration: Integration
    token: str
    engine: Any


class Sdk:
    """A running installation, its twins, and programs written with the SDK."""

    def __init__(self, installation: Installation, http: httpx.AsyncClient) -> None:
        self.installation = installation
        self.url = installation.url
        self.http = http
        self.answers: list[httpx.Response] = []
        self.management = self.manage(installation.api.token)
        http.event_hooks["response"].append(self._received)

    async def _received(self, answer: httpx.Response) -> None:
        await answer.aread()
        self.answers.append(answer)

    @property
    def raw(self) -> Any:
        """The JSON of the last answer."""
        return self.answers[-1].json()

    def manage(self, token: str) -> Any:
        """Return the management API as the holder of `token` calls it."""
        client = AsyncSynqlyManagement(token=token, base_url=self.url, httpx_client=self.http, max_retries=0)
        return Checked(client, self.answers, ManagementProblem)

    def engine(self, token: str) -> Any:
        """Return the engine API as the holder of `token` calls it."""
        client = AsyncSynqlyEngine(token=token, base_url=self.url, httpx_client=self.http, max_retries=0)
        return Checked(client, self.answers, EngineProblem)

    def twin(self, name: str) -> str:
        """Return the address of a twin."""
        return f"{self.installation.sandbox.base_url}/{name}"

    async def connect(self, config: Mapping[str, Any], *, name: str = "", **more: Any) -> Connected:
        """Add an integration, past the management API, and open the engine API for it.

        `more` are further arguments of `Integrations.create`, such as `webhook_config`.
        """
        saved = await self.installation.in_account(
            lambda tx: self.installation.core.integrations.create(
                tx, provider_config=dict(config), actor=OPERATOR, name=name or None, **more
            )
        )
        assert saved.token is not None
        assert saved.token.primary.access.secret is not None
        token = saved.token.primary.access.secret.reveal()
        return Connected(saved.integration, token, self.engine(token))

    def config(self, provider: str, **more: Any) -> dict[str, Any]:
        """Return the `provider_config` that connects a provider to its twin, with `more` settings."""
        return {**self._config(provider), **more}

    def _config(self, provider: str) -> dict[str, Any]:
        match provider:
            case "ticketing_jira" | "ticketing_jira_service_management":
                project = "TST" if provider == "ticketing_jira" else "HELP"
                return {
                    "type": provider,
                    "url": self.twin("jira"),
                    "credential": JIRA_CREDENTIAL,
                    "default_project": project,
                }
            case "ticketing_servicenow" | "ticketing_servicenow_sir":
                credential = {"type": "basic", "username": "admin", "secret": "admin"}
                return {"type": provider, "url": self.twin("servicenow"), "credential": credential}
            case "ticketing_pagerduty":
                return {
                    "type": provider,
                    "url": self.twin("pagerduty"),
                    "credential": {"type": "token", "secret": "pd-key-0000000000000"},
                    "default_creator": "admin@example.com",
                    "default_project": "PSVC001",
                }
            case "ticketing_mock_ticketing":
                return {"type": provider, "name": "test"}
            case _:
                raise LookupError(provider)

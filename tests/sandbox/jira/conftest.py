"""The Jira twin on its real port, a REST client for it, and the `jira` library signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from jira import JIRA

from tests.sandbox.conftest import TwinControl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callout.sandbox.core.serve import SandboxServer

ADMIN = ("admin@example.com", "token")


class Rest:
    """Requests to one REST version of the site, as one account."""

    def __init__(self, control: TwinControl, version: int, auth: tuple[str, str] | None = ADMIN) -> None:
        self.control = control
        self.version = version
        self.base = f"{control.url}/rest/api/{version}"
        self.auth = auth

    def ask(self, method: str, path: str, status: int | None = None, **options: Any) -> Any:
        """Send a request; with `status` insist on it and return the JSON, without return the response."""
        url = path if path.startswith("http") else f"{self.base}{path}"
        options.setdefault("auth", self.auth)
        response = self.control.http.request(method, url, **options)
        if status is None:
            return response
        assert response.status_code == status, f"{response.status_code}: {response.text}"
        return response.json() if response.content else None

    def create(
        self, summary: str = "Checkout is slow", project: str = "TST", **fields: Any
    ) -> dict[str, Any]:
        """Create a task."""
        values = {"project": {"key": project}, "issuetype": {"name": "Task"}, "summary": summary, **fields}
        created: dict[str, Any] = self.ask("POST", "/issue", 201, json={"fields": values})
        return created

    def keys(self, jql: str, **more: Any) -> list[str]:
        """The keys a search finds, all pages, in order."""
        keys: list[str] = []
        token = None
        while True:
            body = {"jql": jql, "fields": ["key"], "nextPageToken": token, **more}
            page = self.ask("POST", "/search/jql", 200, json=body)
            keys += [issue["key"] for issue in page["issues"]]
            if page["isLast"]:
                assert "nextPageToken" not in page
                return keys
            token = page["nextPageToken"]


@pytest.fixture
def twin(sandbox_server: SandboxServer, plain_http: httpx.Client) -> Iterator[TwinControl]:
    control = TwinControl(sandbox_server.base_url, "jira", plain_http)
    control.reset()
    yield control
    assert control.get("state")["internal_errors"] == []


@pytest.fixture
def v3(twin: TwinControl) -> Rest:
    return Rest(twin, 3)


@pytest.fixture
def v2(twin: TwinControl) -> Rest:
    return Rest(twin, 2)


@pytest.fixture
def library(twin: TwinControl) -> Iterator[Any]:
    # The library is only half typed.
    client: Any = JIRA(server=twin.url, basic_auth=ADMIN, max_retries=0)
    yield client
    client.close()


def doc(*paragraphs: str) -> dict[str, Any]:
    """An ADF document of plain paragraphs."""
    content = [{"type": "paragraph", "content": [{"type": "text", "text": text}]} for text in paragraphs]
    return {"type": "doc", "version": 1, "content": content}

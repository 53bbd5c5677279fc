"""One sandbox on a real port for all twin tests, reset for each; and real HTTP receivers for webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn

from callout.sandbox.core.serve import SandboxServer, listening_socket, sandbox_in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator


# Made once: httpx would load every certificate anew for each client, and nothing here leaves the loopback.
TLS = ssl.create_default_context()


class TwinControl:
    """The control path of one twin, for tests; `url` is the twin's mount."""

    def __init__(self, base_url: str, name: str, http: httpx.Client) -> None:
        self.http = http
        self.url = f"{base_url}/{name}"
        self._control = f"{self.url}/_twin"

    def get(self, path: str, **query: str | int) -> Any:
        """Read something from the control path."""
        answer = self.http.get(f"{self._control}/{path}", params=query)
        answer.raise_for_status()
        return answer.json()

    def reset(self) -> None:
        """Seed the twin again."""
        self.http.post(f"{self._control}/reset").raise_for_status()

    def configure(self, **settings: Any) -> None:
        """Change settings of the twin."""
        self.http.put(f"{self._control}/config", json=settings).raise_for_status()

    def fault(self, *rules: dict[str, Any], seed: int = 0) -> None:
        """Set the fault plan."""
        plan = {"seed": seed, "rules": list(rules)}
        self.http.put(f"{self._control}/faults", json=plan).raise_for_status()

    async def act(self, action: str, **body: Any) -> Any:
        """Let the vendor's user act; the receiver may run in this very loop."""
        async with httpx.AsyncClient(timeout=60, verify=TLS) as http:
            answer = await http.post(f"{self._control}/act/{action}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def drain(self) -> list[dict[str, Any]]:
        """Wait for background webhooks; returns every attempt so far."""
        async with httpx.AsyncClient(timeout=60, verify=TLS) as http:
            answer = await http.post(f"{self._control}/drain")
        attempts: list[dict[str, Any]] = answer.json()["attempts"]
        return attempts

    def effects(self, kind: str) -> list[dict[str, Any]]:
        """Return the ledger's entries of a kind that changed state."""
        entries: list[dict[str, Any]] = self.get("ledger", kind=kind, effect="true")["entries"]
        return entries


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    with sandbox_in_thread() as server:
        yield server


@pytest.fixture(scope="session")
def plain_http() -> Iterator[httpx.Client]:
    # One client for all tests: making one loads certificates nobody needs on the loopback.
    with httpx.Client(timeout=60) as http:
        yield http


@pytest.fixture
def slack(sandbox_server: SandboxServer, plain_http: httpx.Client) -> Iterator[TwinControl]:
    control = TwinControl(sandbox_server.base_url, "slack", plain_http)
    control.reset()
    yield control
    assert control.get("state")["internal_errors"] == []


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: Callable[..., Any]) -> AsyncIterator[str]:
    """Serve an ASGI application on an ephemeral port in this loop; yields its base URL."""
    sock = listening_socket("127.0.0.1")
    config = uvicorn.Config(
        app, log_level="warning", lifespan="off", access_log=False, timeout_graceful_shutdown=1
    )
    server = _QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        sock.close()


@pytest.fixture
def serve() -> Callable[[Callable[..., Any]], contextlib.AbstractAsyncContextManager[str]]:
    return serving

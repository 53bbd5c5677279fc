"""The ServiceNow twin on its real port, a REST client for it, and the same behind TLS for `pysnc`."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from callout.sandbox.core.app import create_app
from callout.sandbox.core.serve import listening_socket
from tests.sandbox.conftest import TwinControl

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from callout.sandbox.core.serve import SandboxServer

ADMIN = ("admin", "admin")
INTEGRATION = ("callout.integration", "integration")
ANN = ("ann.lee", "ann")
MIA = ("mia.manager", "mia")
CARLA = ("carla.customer", "carla")


class Rest:
    """Requests to the instance, as one user unless told otherwise."""

    def __init__(self, control: TwinControl, auth: tuple[str, str] | None = ADMIN) -> None:
        self.control = control
        self.auth = auth

    def ask(self, method: str, path: str, status: int | None = None, **options: Any) -> Any:
        """Send a request; with `status` insist on it and return the JSON, without return the response."""
        options.setdefault("auth", self.auth)
        if options["auth"] is None:
            del options["auth"]
        response = self.control.http.request(method, f"{self.control.url}{path}", **options)
        if status is None:
            return response
        assert response.status_code == status, f"{response.status_code}: {response.text}"
        return response.json() if response.content else None

    def create(self, table: str = "incident", **fields: Any) -> dict[str, Any]:
        """Make a record; returns its raw values."""
        body = {"short_description": "Checkout is slow", **fields}
        params = {"sysparm_exclude_reference_link": "true"}
        made: dict[str, Any] = self.ask("POST", f"/api/now/table/{table}", 201, json=body, params=params)[
            "result"
        ]
        return made

    def read(self, row: dict[str, Any], table: str = "incident", **params: str) -> dict[str, Any]:
        """Read a record again."""
        path = f"/api/now/table/{table}/{row['sys_id']}"
        read: dict[str, Any] = self.ask("GET", path, 200, params=params)["result"]
        return read

    def patch(
        self, row: dict[str, Any], table: str = "incident", status: int = 200, **fields: Any
    ) -> dict[str, Any]:
        """Change a record; returns its new values, or the refusal's `error`."""
        path = f"/api/now/table/{table}/{row['sys_id']}"
        answer: dict[str, Any] = self.ask("PATCH", path, status, json=fields)
        changed: dict[str, Any] = answer["result"] if status == 200 else answer["error"]
        return changed

    def rows(self, table: str, query: str = "", **params: Any) -> list[dict[str, Any]]:
        """One list."""
        asked = {"sysparm_query": query, **params}
        found: list[dict[str, Any]] = self.ask("GET", f"/api/now/table/{table}", 200, params=asked)["result"]
        return found

    def numbers(self, query: str, table: str = "incident", **params: Any) -> list[str]:
        """The numbers a query finds."""
        return [row["number"] for row in self.rows(table, query, **params)]


@pytest.fixture
def twin(sandbox_server: SandboxServer, plain_http: httpx.Client) -> Iterator[TwinControl]:
    control = TwinControl(sandbox_server.base_url, "servicenow", plain_http)
    control.reset()
    yield control
    assert control.get("state")["internal_errors"] == []


@pytest.fixture
def rest(twin: TwinControl) -> Rest:
    return Rest(twin)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, private


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class SecureInstance:
    """The twin behind TLS, as `pysnc` insists on it: `url`, and the certificate to trust."""

    def __init__(self, url: str, certificate: Path) -> None:
        self.url = url
        self.certificate = str(certificate)


@pytest.fixture(scope="session")
def secure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    certificate, key = _certificate(tmp_path_factory.mktemp("tls"))
    sock = listening_socket("127.0.0.1")
    server = _QuietServer(
        uvicorn.Config(
            create_app(only=["servicenow"]),
            log_level="warning",
            access_log=False,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield f"https://127.0.0.1:{sock.getsockname()[1]}", certificate
    server.should_exit = True
    thread.join(10)
    sock.close()


@pytest.fixture
def secure(secure_server: tuple[str, Path]) -> Iterator[TwinControl]:
    base_url, certificate = secure_server
    with httpx.Client(timeout=10, verify=ssl.create_default_context(cafile=certificate)) as http:
        control = TwinControl(base_url, "servicenow", http)
        control.reset()
        yield control
        assert control.get("state")["internal_errors"] == []


@pytest.fixture
def instance(secure: TwinControl, secure_server: tuple[str, Path]) -> SecureInstance:
    return SecureInstance(secure.url, secure_server[1])

"""A throw-away installation to measure: a database of its own, a Jira integration that signs, real `callout serve` processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from callout.cli.bench.baseline import NotMeasuredError

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.bootstrap.settings import Settings

START_SECONDS = 90.0
STOP_SECONDS = 15.0
KEPT = "CALLOUT_WORKER_NICE"
"""Is as whoever measures wants it: a worker that gives way does so to whatever else is at work on the machine, too."""
LOOPBACK = "127.0.0.0/8,::1/128"


class Running(Protocol):
    """A process of ours, as `subprocess.Popen` shows it."""

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Installation:
    """Where it lives. `environment` is that of its processes."""

    folder: Path
    database_url: str
    port: int
    environment: dict[str, str] = field(repr=False)

    @property
    def address(self) -> str:
        """Where its API listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def embedded(self) -> bool:
        """Whether it is on SQLite."""
        return self.database_url.startswith("sqlite")

    def settings(self) -> Settings:
        """Return the settings that its processes read from their environment."""
        from callout.bootstrap.settings import load_settings

        return load_settings({}, environ=self.environment, file=None)

    def start(self, role: str, *options: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a real `callout serve` of that role; `more` goes into its environment. Its log goes to the folder."""
        with (self.folder / f"{role}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-m", "callout", "serve", "--role", role, *options],
                env={**self.environment, **more},
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    def wait_ready(self, process: Running) -> None:
        """Wait until the API answers. Raises NotMeasuredError with the end of its log when it does not."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"{self.address}/healthz", timeout=1).close()  # noqa: S310  # our own address
                return
            time.sleep(0.02)
        logs = sorted(self.folder.glob("*.log"), key=lambda found: found.stat().st_mtime)
        log = logs[-1].read_text(errors="replace")[-2000:] if logs else ""
        raise NotMeasuredError(f"callout serve did not start:\n{log}")


def stop(process: Running) -> None:
    """End a process gently, then by force."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def installation(database: str, postgres_url: str | None) -> Iterator[Installation]:
    """Make an empty, migrated installation on `sqlite` or `postgres`; remove everything at the end. Raises NotMeasuredError."""
    with tempfile.TemporaryDirectory(prefix="callout-bench-") as name:
        folder = Path(name)
        with _database(database, postgres_url, folder) as url:
            one = at_home(folder, url)
            asyncio.run(_migrate(one))
            yield one


def at_home(folder: Path, url: str) -> Installation:
    """Return an installation on the database at `url`, with everything else in `folder`."""
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CALLOUT_") or k == KEPT}
    environment |= {
        "CALLOUT_DATA_DIR": str(folder),
        "CALLOUT_DATABASE_URL": url,
        "CALLOUT_PORT": str(port),
        "CALLOUT_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "CALLOUT_ALLOW_NETWORKS": LOOPBACK,
        "CALLOUT_REQUIRE_HTTPS": "false",
        "CALLOUT_LOG_LEVEL": "warning",
    }
    return Installation(folder, url, port, environment)


@contextmanager
def _database(database: str, postgres_url: str | None, folder: Path) -> Iterator[str]:
    if database == "sqlite":
        yield f"sqlite:///{folder / 'callout.db'}"
        return
    if postgres_url is None:
        raise NotMeasuredError("no --postgres-url was given")
    try:
        import psycopg
        from sqlalchemy.engine import make_url
    except ImportError:
        raise NotMeasuredError("the extra `callout[postgres]` is not installed") from None
    name = f"callout_bench_{secrets.token_hex(4)}"
    try:
        admin = psycopg.connect(postgres_url, autocommit=True)
    except psycopg.Error as error:
        raise NotMeasuredError(f"PostgreSQL does not answer: {error}") from error
    with admin:
        admin.execute(f"CREATE DATABASE {name}")  # a name of our own making
        try:
            # Its name alone is another: what follows it says where the server is (`?host=`) and how it is spoken to.
            yield make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
        finally:
            # FORCE: processes that were killed may have left connections behind.
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def _migrate(one: Installation) -> None:
    from callout.bootstrap.core import prepare_database

    await prepare_database(one.settings(), migrate=True)


async def add_integration(core: Core, provider_config: dict[str, Any], **more: Any) -> str:
    """Add an integration to the default account; return its id."""
    from callout.access import DEFAULT_ACCOUNT
    from callout.ports.values import Actor

    async def unit(tx: Any) -> str:
        account = await core.accounts.get(tx, DEFAULT_ACCOUNT)
        saved = await core.integrations.create(
            tx.account(account.id), provider_config=provider_config, actor=Actor.system("bench"), **more
        )
        found: str = saved.integration.id
        return found

    return await core.database.transaction(unit)

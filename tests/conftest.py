"""What every test can have: a clean database of either kind, a browser, and rings (tests/rings.py).

`CALLOUT_TEST_STRICT=1` (CI) turns every skip into a failure: a machine that lacks PostgreSQL or Chromium is then a
broken machine, not a reason to pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg
import pytest
from hypothesis.internal.conjecture import providers

from tests import rings
from tests.leaks import leaks_are_found_in_their_own_test

__all__ = ["leaks_are_found_in_their_own_test"]

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# Tests run beside each other: a worker that gave way to all of them would come too late.
os.environ["CALLOUT_WORKER_NICE"] = "0"
STRICT = os.environ.get("CALLOUT_TEST_STRICT", "") not in {"", "0"}
POSTGRES_HOME = "CALLOUT_TEST_POSTGRES_HOME"  # from the controller to its xdist workers
MEMORY = Path("/dev/shm")  # noqa: S108  not a name that anybody could take before us: folders in it are made as in /tmp
MEMORY_BYTES = 3 << 30
SERVER_SECONDS = 50.0

# The same examples every time where a machine judges; new ones at a developer's desk.
hypothesis.settings.register_profile("ci", derandomize=True, max_examples=60, deadline=None)
hypothesis.settings.register_profile("dev", max_examples=60, deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")
if os.environ.get("CI"):
    # It also draws the constants of those of our modules that are loaded, which are others for each order of the tests.
    assert hasattr(providers, "is_local_module_file")
    setattr(providers, "is_local_module_file", lambda _path: False)  # noqa: B010  # not for others to know of


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
    # The order is random otherwise; every worker deals alike.
    items[:] = rings.dealt(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def pytest_collection_finish() -> None:
    # What was imported lives as long as the tests: the collector need not look at all of it again and again.
    gc.collect()
    gc.freeze()
    gc.enable()


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


def memory_to_spare() -> int:
    """How many bytes a file system in memory may take here; 0 where there is none."""
    try:
        free = shutil.disk_usage(MEMORY).free if os.access(MEMORY, os.W_OK) else 0
        available = re.search(r"MemAvailable: +([0-9]+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        return 0
    return min(free, int(available[1]) * 1024 // 2) if available else 0


def pytest_configure(config: pytest.Config) -> None:
    # Tests kill processes, never the machine: databases on a real disk would only wait for it, a thousand times over.
    if "TMPDIR" not in os.environ and memory_to_spare() > MEMORY_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None
    gc.disable()  # until all is imported, which stays: to look through it again and again costs each worker a second or two
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
def postgres_database(postgres_admin: psycopg.Connection) -> list[str]:
    """Names of the database that the tests of this worker use one after the other; the last is what it is called now."""
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_0"
    postgres_admin.execute(f'CREATE DATABASE "{name}"')
    return [name]


@pytest.fixture
def postgres_url(
    postgres_server: str, postgres_admin: psycopg.Connection, postgres_database: list[str]
) -> str:
    """`postgresql://...` of a database that is empty and nobody else's.

    It is emptied, not made anew: dropping a database waits for a checkpoint, which takes longer than most tests. It gets another name:
    what a killed process of another test has left behind would come again, and make its tables.
    """
    old = postgres_database[-1]
    new = f"{old.rpartition('_')[0]}_{len(postgres_database)}"
    query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
    deadline = time.monotonic() + SERVER_SECONDS
    while True:
        postgres_admin.execute(query, (old,))
        try:
            postgres_admin.execute(f'ALTER DATABASE "{old}" RENAME TO "{new}"')
            break
        except psycopg.errors.ObjectInUse:
            if time.monotonic() > deadline:
                raise
    postgres_database.append(new)
    url = postgres_server.rpartition("/")[0] + "/" + new
    with psycopg.connect(url, autocommit=True) as connection:
        # Putting a backup back leaves what was there in a schema of its own.
        schemas = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        )
        for (schema,) in schemas.fetchall():
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
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


@pytest.fixture(scope="session")
def migrated_file(testrun_uid: str) -> Path:
    """A SQLite file with the schema, to be copied: migrating anew for every test would cost more than the test."""
    path = Path(os.environ[POSTGRES_HOME]) / "migrated" / "callout.db"
    with made_once(path.parent) as making:
        if making:
            migrate(f"sqlite:///{path}", path.parent)
    return path


@pytest.fixture(scope="session")
def migrated_database(postgres_server: str, postgres_admin: psycopg.Connection) -> str:
    """The name of a PostgreSQL database with the schema, to be used as a template."""
    with made_once(Path(os.environ[POSTGRES_HOME]) / "migrated-postgres") as making:
        if making:
            postgres_admin.execute("CREATE DATABASE migrated")
            migrate(f"{postgres_server.rpartition('/')[0]}/migrated", Path(os.environ[POSTGRES_HOME]))
    return "migrated"


@contextlib.contextmanager
def made_once(folder: Path) -> Iterator[bool]:
    """Whether this process is to make what all workers of this run share; the others wait until it is there."""
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        making = not folder.exists()
        if making:
            folder.mkdir()
        yield making


def migrate(url: str, data_dir: Path) -> None:
    """Bring a database up to date as `callout migrate` does."""
    from callout.bootstrap.core import prepare_database  # noqa: PLC0415  most tests do not need half the product
    from callout.bootstrap.settings import Settings  # noqa: PLC0415

    settings = Settings(data_dir=data_dir, database_url=url)
    with ThreadPoolExecutor(1) as pool:  # the tests' event loop is not for fixtures of a session
        pool.submit(lambda: asyncio.run(prepare_database(settings, migrate=True))).result()


# -------------------------------------------------------------------------------------------------- browser


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chrome]:
    """A headless Chromium with an empty profile."""
    with _chromium(tmp_path / "chromium") as browser:
        yield browser


@pytest.fixture
def another_chromium(tmp_path: Path) -> Iterator[Chrome]:
    """A second one, of another person."""
    with _chromium(tmp_path / "another-chromium") as browser:
        yield browser


@contextlib.contextmanager
def _chromium(profile: Path) -> Iterator[Chrome]:
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium chromium-driver")
    from selenium import webdriver  # noqa: PLC0415  half a second that other tests need not pay

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(argument)
    # It is to talk to us alone, and to look up nobody at its start.
    for feature in ("quic", "background-networking", "component-update", "sync"):
        options.add_argument(f"--disable-{feature}")
    options.add_argument("--no-first-run")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium's sandbox refuses root, as in most CI containers
    options.add_argument(f"--user-data-dir={profile}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()

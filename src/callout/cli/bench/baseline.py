"""What the machine itself can do: W, commits of PostgreSQL under pgbench; S, commits of SQLite in a bare loop; P, steps of a processor."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

ROW_BYTES = 4096
W_CLIENTS = 16
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


class NotMeasuredError(Exception):
    """Something the measure needs is not on this machine; the message says what."""


def pgbench() -> str:
    """Return the path of pgbench. Raises NotMeasuredError."""
    found = shutil.which("pgbench")
    if found is None:
        newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
        found = str(newest[-1]) if newest else None
    if found is None:
        raise NotMeasuredError("pgbench is not installed (apt-get install postgresql-contrib)")
    return found


class PostgresCommits:
    """W: single-row 4 kB commits per second with 16 clients, `pgbench -M prepared -j 1`, bytea stored uncompressed."""

    def __init__(self, url: str, folder: Path, *, seconds: float) -> None:
        self._url, self._seconds = url, max(1, round(seconds))
        self._program = pgbench()
        self._script = folder / "w.sql"
        # Random bytes from the server itself would cost it time that our own rows do not: the row is part of the script.
        row = (b"0123456789abcdef" * (ROW_BYTES // 16)).hex()
        self._script.write_text(f"INSERT INTO bench_w (body) VALUES ('\\x{row}');\n")  # noqa: S608

    def __call__(self) -> float:
        """Measure once."""
        import psycopg

        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS bench_w")
            connection.execute(
                "CREATE TABLE bench_w (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea)"
            )
            connection.execute("ALTER TABLE bench_w ALTER COLUMN body SET STORAGE EXTERNAL")
        arguments = ["-n", "-M", "prepared", "-j", "1", "-c", str(W_CLIENTS), "-T", str(self._seconds)]
        done = subprocess.run(  # noqa: S603  # the program found above, with arguments of ours
            [self._program, *arguments, "-f", str(self._script), self._url],
            capture_output=True,
            text=True,
            check=False,
        )
        found = _TPS.search(done.stdout)
        if done.returncode or found is None:
            raise NotMeasuredError(f"pgbench failed: {done.stderr.strip()[-300:]}")
        return float(found.group(1))


class SqliteCommits:
    """S: one 4 kB row per commit in a bare loop, WAL, `synchronous=FULL`."""

    def __init__(self, folder: Path, *, seconds: float) -> None:
        self._path, self._seconds = folder / "s.db", seconds

    def __call__(self) -> float:
        """Measure once, on a fresh file."""
        for name in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + name).unlink(missing_ok=True)
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)")
            row = (b"0123456789abcdef" * (ROW_BYTES // 16),)
            done, started = 0, time.perf_counter()
            end = started + self._seconds
            while time.perf_counter() < end:
                connection.execute("INSERT INTO t (body) VALUES (?)", row)
                done += 1
            return done / (time.perf_counter() - started)
        finally:
            connection.close()


class ProcessorPace:
    """P: steps of a bare loop for each second that a processor gave to it.

    It tells how fast the processor is now, whoever else wants it: that of a virtual machine changes its pace with its neighbours.
    """

    STEPS = 200_000

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self) -> float:
        """Measure once."""
        done, started, used = 0, time.perf_counter(), time.thread_time()
        while time.perf_counter() < started + self._seconds:
            for _ in range(self.STEPS):
                done += 1
        return done / (time.thread_time() - used)

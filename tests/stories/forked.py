"""`callout serve` processes for stories: forked from one that has imported everything already, else like any other.

Starting a Python with the whole product costs two seconds of a processor, forking one a tenth of that, and stories start dozens. Each
is a process of its own with its own environment, log, database connections and event loop, and real signals end it. What only a fresh
start can show (the command line, `--processes`, closed descriptors) is told by tests that start the real command.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from functools import cache
from typing import TYPE_CHECKING

from tests.rings import TESTS

if TYPE_CHECKING:
    from pathlib import Path

    from callout.cli.bench.installation import Installation

PATIENCE = 60.0
STOP_SECONDS = 15.0


class Forked:
    """One process, with what of `subprocess.Popen` stories use."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return how it ended, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._nursery.ended(self.pid, within=0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return it as `poll` does. Raises TimeoutExpired."""
        if self.returncode is None:
            self.returncode = self._nursery.ended(self.pid, within=timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return self.returncode

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # at this very moment
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send(signal.SIGTERM)

    def kill(self) -> None:
        self.send(signal.SIGKILL)


class Nursery:
    """The process that forks them; it ends them when we end, however that happens."""

    def __init__(self) -> None:
        # Settings of the developer's own must not reach the processes; each is given its own.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CALLOUT_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "callout.cli.bench.crashing.nursery"],
            env=environment,
            cwd=TESTS.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._told = threading.Condition()
        self._begun: list[int] = []
        self._ended: dict[int, int] = {}
        threading.Thread(target=self._listen, name="nursery", daemon=True).start()
        atexit.register(self.close)

    def start(self, role: str, environment: dict[str, str], folder: Path) -> Forked:
        """Start a `callout serve` of that role, its log in the folder."""
        asked = {"role": role, "environment": environment, "folder": str(folder)}
        assert self._process.stdin is not None
        with self._told:
            self._process.stdin.write(json.dumps(asked | {"log": str(folder / f"{role}.log")}) + "\n")
            self._process.stdin.flush()
            assert self._told.wait_for(lambda: bool(self._begun), PATIENCE), "the nursery does not answer"
            return Forked(self, self._begun.pop())

    def ended(self, pid: int, *, within: float | None) -> int | None:
        """Return how a process ended; None when it has not `within` so many seconds (None: however long it takes)."""
        with self._told:
            self._told.wait_for(lambda: pid in self._ended, within)
            return self._ended.get(pid)

    def close(self) -> None:
        """End it, and whatever of it still runs."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            with self._told:
                if "pid" in told:
                    self._begun.append(told["pid"])
                elif "ended" in told:
                    self._ended[told["ended"]] = told["by"]
                self._told.notify_all()


@cache
def nursery() -> Nursery:
    """Return the one of this test process."""
    return Nursery()


def forked(one: Installation, role: str, **more: str) -> Forked:
    """Start a `callout serve` of that role, as `one.start` does."""
    return nursery().start(role, {**one.environment, **more}, one.folder)

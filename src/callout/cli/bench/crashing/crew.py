"""The processes of a crash run: one API and one worker, each armed to die at the next point of its list, and replaced when it did."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.installation import Installation

SIGKILLED = -9
PATIENCE_SECONDS = 12.0
"""A process that has not come by its point after so long is replaced; the point has another turn later."""
START_SECONDS = 30.0
TRIES = 4
"""How often a process is armed with the same point before the point counts as not hit."""


@dataclass(slots=True)
class Kill:
    """One process armed with one point: it dies there when it comes by the `turn`-th time."""

    point: str
    role: str
    turn: int = 1
    armed_at: float = 0.0
    died_at: float | None = None
    tries: int = 1

    @property
    def hit(self) -> bool:
        """Whether it died there."""
        return self.died_at is not None


@dataclass(slots=True)
class _Member:
    role: str
    kills: deque[Kill]
    pid: int = 0
    current: Kill | None = None
    ended: bool = True


@dataclass(slots=True)
class Crew:
    """Starts, arms and replaces. Call :meth:`mind` often: it notices deaths."""

    installation: Installation
    nursery: subprocess.Popen[str]
    members: dict[str, _Member]
    done: list[Kill] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    _ended: dict[int, int] = field(default_factory=dict)
    _started: deque[int] = field(default_factory=deque)

    @property
    def left(self) -> int:
        """How many kills are still to come."""
        return sum(len(m.kills) + (m.current is not None) for m in self.members.values())

    @property
    def idle(self) -> float:
        """How many seconds ago the last armed process was started."""
        armed = [m.current.armed_at for m in self.members.values() if m.current is not None]
        return time.monotonic() - max(armed, default=0.0)

    def mind(self) -> None:
        """Replace whoever has died, and whoever does not come by its point."""
        for member in self.members.values():
            code = self._ended.pop(member.pid, None)
            now = time.monotonic()
            if code is not None:
                self._after(member, code)
            elif member.current is not None and now - member.current.armed_at > PATIENCE_SECONDS:
                os.kill(member.pid, signal.SIGKILL)
                self._await_end(member.pid)
                self._put_back(member, member.current)
            else:
                continue
            self._start(member)

    def _put_back(self, member: _Member, kill: Kill) -> None:
        """Let a point that nobody came by have its turn again, at the end: on a busy machine work may just have been elsewhere."""
        if kill.tries < TRIES:
            member.kills.append(Kill(kill.point, kill.role, tries=kill.tries + 1))
        else:
            self.done.append(kill)

    def start(self) -> None:
        """Start everybody."""
        for member in self.members.values():
            self._start(member)

    def _after(self, member: _Member, code: int) -> None:
        kill = member.current
        if kill is not None and code == SIGKILLED:
            kill.died_at = time.monotonic()
        else:
            self.surprises.append(f"the {member.role} process ended by itself with {code}")
        if kill is not None:
            self.done.append(kill)

    def _start(self, member: _Member) -> None:
        member.current = member.kills.popleft() if member.kills else None
        environment = {"CALLOUT_CRASH_AT": ""}
        if member.current is not None:
            environment = {"CALLOUT_CRASH_AT": f"{member.current.point}:{member.current.turn}"}
            member.current.armed_at = time.monotonic()
        log = str(self.installation.folder / f"{member.role}.log")
        asked = {"role": member.role, "environment": environment, "log": log}
        assert self.nursery.stdin is not None  # noqa: S101  # it was started with a pipe
        self.nursery.stdin.write(json.dumps(asked) + "\n")
        self.nursery.stdin.flush()
        deadline = time.monotonic() + START_SECONDS
        while not self._started:
            if time.monotonic() > deadline or self.nursery.poll() is not None:
                raise NotMeasuredError("the nursery of processes does not answer")
            time.sleep(0.001)
        member.pid = self._started.popleft()

    def _await_end(self, pid: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._ended.pop(pid, None) is None and time.monotonic() < deadline:
            time.sleep(0.005)

    def listen(self) -> None:
        """Read what the nursery tells, for ever."""
        assert self.nursery.stdout is not None  # noqa: S101  # it was started with a pipe
        for line in self.nursery.stdout:
            told = json.loads(line)
            if "pid" in told:
                self._started.append(told["pid"])
            elif "ended" in told:
                self._ended[told["ended"]] = told["by"]


@contextmanager
def crew(one: Installation, kills: Iterable[Kill]) -> Iterator[Crew]:
    """Have a crew with these kills before it; everybody is gone at the end."""
    planned = list(kills)
    nursery = subprocess.Popen(
        [sys.executable, "-m", "callout.cli.bench.crashing.nursery"],
        env=one.environment,
        cwd=one.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    members = {
        role: _Member(role, deque(kill for kill in planned if kill.role == role))
        for role in ("api", "worker")
    }
    found = Crew(one, nursery, members)
    listener = threading.Thread(target=found.listen, daemon=True)
    listener.start()
    try:
        found.start()
        yield found
    finally:
        with contextlib.suppress(OSError):
            assert nursery.stdin is not None  # noqa: S101
            nursery.stdin.close()
        try:
            nursery.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            nursery.kill()
            nursery.wait()
        listener.join(1)
        if nursery.stdout is not None:
            nursery.stdout.close()

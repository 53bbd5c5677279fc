"""The processes of a crash run: APIs and workers, each armed to die at the next point or moment of its list, and replaced when it did."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.installation import Installation

SIGKILLED = -9
PATIENCE_SECONDS = 12.0
"""A process that has not come by its point after so long is replaced; the point has another turn later."""
START_SECONDS = 90.0
STALL_SECONDS = 2.0
LOG_END = 3_000
TRIES = 4
"""How often a process is armed with the same point before the point counts as not hit."""


@dataclass(frozen=True, slots=True)
class Post:
    """A place in the crew: what the process there is called, its role, and what is its own in its environment.

    An API has the `port` that it listens on: only from then on it counts as started.
    """

    name: str
    role: str
    port: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)


ONE_OF_EACH = (Post("api", "api"), Post("worker", "worker"))


@dataclass(slots=True)
class Kill:
    """One process armed with one point: it dies there when it comes by the `turn`-th time.

    Without a point it is killed from outside, so many seconds `after` its start, wherever it is then.
    `post` is whose turn it is, where a role has several.
    """

    point: str
    role: str
    turn: int = 1
    after: float = 0.0
    post: str = ""
    armed_at: float = 0.0
    died_at: float | None = None
    tries: int = 1

    @property
    def hit(self) -> bool:
        """Whether it died there."""
        return self.died_at is not None


@dataclass(slots=True)
class _Member:
    post: Post
    kills: deque[Kill]
    pid: int = 0
    current: Kill | None = None
    listening: bool = False


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
    _minded_at: float = 0.0

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
        self._bear_with_stalls()
        for member in self.members.values():
            code = self._ended.pop(member.pid, None)
            now = time.monotonic()
            if code is not None:
                self._after(member, code)
            elif member.current is None:
                continue
            elif not member.listening:
                member.listening = _listens(member.post.port)
                member.current.armed_at = now
                continue
            elif not member.current.point and now - member.current.armed_at > member.current.after:
                self._after(member, self._kill(member.pid))
            elif member.current.point and now - member.current.armed_at > PATIENCE_SECONDS:
                self._kill(member.pid)
                self._put_back(member, member.current)
            else:
                continue
            self._start(member)

    def _bear_with_stalls(self) -> None:
        """While we were held still ourselves, most likely the others were, too: that time does not count."""
        now = time.monotonic()
        stalled, self._minded_at = now - (self._minded_at or now), now
        if stalled > STALL_SECONDS:
            for member in self.members.values():
                if member.current is not None:
                    member.current.armed_at += stalled

    def _put_back(self, member: _Member, kill: Kill) -> None:
        """Let a point that nobody came by have its turn again, at the end: on a busy machine work may just have been elsewhere."""
        if kill.tries < TRIES:
            member.kills.append(replace(kill, turn=1, tries=kill.tries + 1))
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
            log = self.installation.folder / f"{member.post.name}.log"
            end = log.read_text(errors="replace")[-LOG_END:]
            self.surprises.append(f"the {member.post.role} process ended by itself with {code}:\n{end}")
        if kill is not None:
            self.done.append(kill)

    def _start(self, member: _Member) -> None:
        member.current = member.kills.popleft() if member.kills else None
        member.listening = member.post.port == 0
        environment = {**member.post.environment, "CALLOUT_CRASH_AT": ""}
        if member.current is not None:
            if member.current.point:
                environment["CALLOUT_CRASH_AT"] = f"{member.current.point}:{member.current.turn}"
            member.current.armed_at = time.monotonic()
        log = str(self.installation.folder / f"{member.post.name}.log")
        asked = {"role": member.post.role, "environment": environment, "log": log}
        assert self.nursery.stdin is not None  # noqa: S101  # it was started with a pipe
        self.nursery.stdin.write(json.dumps(asked) + "\n")
        self.nursery.stdin.flush()
        deadline = time.monotonic() + START_SECONDS
        while not self._started:
            if time.monotonic() > deadline or self.nursery.poll() is not None:
                raise NotMeasuredError("the nursery of processes does not answer")
            time.sleep(0.001)
        member.pid = self._started.popleft()

    def _kill(self, pid: int) -> int:
        """Kill a process and wait until it is gone; return how it ended."""
        with contextlib.suppress(ProcessLookupError):  # it ended by itself at this moment
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            code = self._ended.pop(pid, None)
            if code is not None:
                return code
            time.sleep(0.005)
        raise NotMeasuredError(f"process {pid} does not end by SIGKILL")

    def listen(self) -> None:
        """Read what the nursery tells, for ever."""
        assert self.nursery.stdout is not None  # noqa: S101  # it was started with a pipe
        for line in self.nursery.stdout:
            told = json.loads(line)
            if "pid" in told:
                self._started.append(told["pid"])
            elif "ended" in told:
                self._ended[told["ended"]] = told["by"]


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def crew(one: Installation, kills: Iterable[Kill], posts: Sequence[Post] = ONE_OF_EACH) -> Iterator[Crew]:
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
        post.name: _Member(post, deque(kill for kill in planned if (kill.post or kill.role) == post.name))
        for post in posts
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

"""The demo's processes: started in parallel, watched, killed on purpose, and never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from callout.cli.demo.checks import StepFailedError

STOP_SECONDS = 4.0
LINES_SHOWN = 12
# Linux ends a process whose parent died, when it asked for that. Asked here, before the program itself is loaded, so that even
# `kill -9` of the demo leaves nothing behind; the process group takes care of the rest everywhere.
_DIE_WITH_PARENT = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); "
    "os.getppid() == int(sys.argv[1]) or os._exit(1); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the demo with the file its output goes to."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.popen.pid

    def says(self, text: str) -> bool:
        """Return whether `text` is in its output so far."""
        return text in self.log.read_text(encoding="utf-8", errors="replace")

    def last_words(self) -> str:
        """Return the end of its output."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LINES_SHOWN:]) or "(no output)"


class Processes:
    """All processes of one demo. Use as a context manager: whatever happens, they end with it."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = dict(environment)
        self._running: list[Process] = []
        self.started: dict[str, int] = {}
        """Name → process id of everything that was ever started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, *arguments: str) -> Process:
        """Start `callout ARGUMENTS` in a process group of its own, so that Ctrl-C reaches the demo alone, which then ends it."""
        log = self._logs / f"{name.replace(' ', '-')}.log"
        command = [sys.executable, "-m", "callout", *arguments]
        if sys.platform == "linux":
            command = [sys.executable, "-c", _DIE_WITH_PARENT, str(os.getpid()), *command[1:]]
        with log.open("wb") as out:
            popen = subprocess.Popen(  # noqa: S603  # our own program with our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._environment,
                process_group=0,
            )
        process = Process(name, popen, log)
        self._running.append(process)
        self.started[name] = popen.pid
        return process

    def run(self, *arguments: str, seconds: float = 20.0) -> str:
        """Run `callout ARGUMENTS` to its end and return its output. Raises StepFailedError when it fails."""
        command = [sys.executable, "-m", "callout", *arguments]
        shown = f"callout {' '.join(arguments)}"
        try:
            done = subprocess.run(  # noqa: S603  # as above
                command, env=self._environment, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise StepFailedError(f"`{shown}` ends within {seconds:.0f} s", "it still ran") from None
        if done.returncode != 0:
            raise StepFailedError(
                f"`{shown}` succeeds", f"exit code {done.returncode}: {done.stderr.strip()}"
            )
        return done.stdout

    def kill(self, process: Process) -> None:
        """`kill -9`: no clean-up runs, no buffer is flushed. Returns when the system has buried it."""
        process.popen.kill()
        process.popen.wait()
        self._running.remove(process)

    def check(self) -> None:
        """Raise StepFailedError when a process has ended that should run."""
        for process in self._running:
            code = process.popen.poll()
            if code is not None:
                raise StepFailedError(
                    f"the {process.name} process keeps running",
                    f"it ended with exit code {code}; the end of {process.log}:\n{process.last_words()}",
                )

    def stop(self) -> None:
        """End everything: asked first, killed when it does not listen, or when somebody cannot wait."""
        try:
            for process in self._running:
                _signal_group(process, signal.SIGTERM)
            for process in self._running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.popen.wait(STOP_SECONDS)
        finally:
            for process in self._running:
                _signal_group(process, signal.SIGKILL)
                process.popen.wait()
            self._running.clear()


def _signal_group(process: Process, number: signal.Signals) -> None:
    if process.popen.poll() is None:
        os.killpg(process.pid, number)


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def refuse_taken(port: int) -> None:
    """Raise StepFailedError when something listens on `port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StepFailedError(
                f"port {port} is free for the dashboard",
                f"{error.strerror}. Choose another with --port, or leave it out to get a free one",
            ) from None

"""Several `callout serve` processes side by side on one port: started, replaced when they die, ended together.

Each is a whole server that knows nothing of the others but the database. The operating system spreads connections over them
(SO_REUSEPORT). A child whose parent is gone, however it went, notices by its closed standard input and ends.

The supervising process is `python -m callout.bootstrap.supervise`: `callout serve` reads the settings and then becomes it, so that
it is small all its life. Here nothing of the product is imported that is not needed (a test has the list).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from typing import TYPE_CHECKING, Final, NoReturn

import structlog

from callout.kit.log import LogFormat, configure

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable

    from callout.bootstrap.settings import Settings

METRICS_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where the processes put their counters, so that each can answer `/metrics` for all (named by prometheus_client)."""
RESTART_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)


class ChildFailedError(Exception):
    """A process did not start; it has said why itself."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a server process ended with {code}")
        self.code = code


def can_share_port() -> bool:
    """Return whether several processes may listen on one port here."""
    return hasattr(socket, "SO_REUSEPORT")


def become_supervisor(settings: Settings, role: str) -> NoReturn:
    """Make this process the one that runs `settings.processes` servers. Raises OSError for a port in use."""
    if role != "worker":
        from callout.server.listen import listen  # noqa: PLC0415  # not in the process that this one becomes

        # One that shares would not notice a stranger's server on the port.
        listen(settings.host, settings.port).close()
    words = [role, str(settings.processes), settings.log, settings.log_level]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(  # noqa: S606  # without a shell, as it should be
        sys.executable,
        [sys.executable, "-m", __name__, *words],
        {**os.environ, **_as_environment(settings)},
    )


def main(role: str, processes: str, log: LogFormat, log_level: str) -> None:
    """Be the supervising process; the words are those of `become_supervisor`. Ends with a child's code when it cannot start."""
    configure(log, log_level)
    try:
        asyncio.run(_supervise(role, int(processes)))
    except ChildFailedError as error:
        sys.exit(error.code)


async def _supervise(role: str, processes: int) -> None:
    """Run servers until SIGINT or SIGTERM. Raises ChildFailedError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    with tempfile.TemporaryDirectory(prefix="callout-metrics-") as metrics:
        command = [sys.executable, "-m", "callout", "serve", "--role", role]
        environment = {METRICS_DIR: metrics, **os.environ}
        keepers = [
            asyncio.create_task(
                _keep(command, environment, stop, first=number == 1), name=f"server process {number}"
            )
            for number in range(1, processes + 1)
        ]
        _log.info("supervising", processes=processes, role=role)
        try:
            await asyncio.gather(*keepers)
        finally:
            stop.set()
            await asyncio.gather(*keepers, return_exceptions=True)


async def _keep(command: list[str], environment: dict[str, str], stop: asyncio.Event, *, first: bool) -> None:
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            # What is to be printed once is printed by the first one, and not by who replaces it.
            process, has_started = await _start([*command, *(["--first"] if first else [])], environment)
            first = False
            ended = asyncio.create_task(process.wait())
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await _end(process)
                has_started()
                return
            code = ended.result()
            forget_gauges(process.pid, environment[METRICS_DIR])
            if not has_started() and code > 0:
                raise ChildFailedError(code)
            _log.error("a server process ended by itself; starting another", pid=process.pid, code=code)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RESTART_SECONDS)
    finally:
        stopping.cancel()


def forget_gauges(pid: int, folder: str) -> None:
    """Take what a process that is gone had open out of the sums (connections, streams); what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  # when one of several has died

    mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


async def _start(command: list[str], environment: dict[str, str]) -> tuple[Process, Callable[[], bool]]:
    """Start one; with it comes what tells, once it has ended, whether it had been at work: its message says why it had not."""
    readable, writable = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            "--child",
            str(writable),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            pass_fds=(writable,),
        )
    except BaseException:
        os.close(readable)
        raise
    finally:
        os.close(writable)
    os.set_blocking(readable, False)

    def has_started() -> bool:
        try:
            return bool(os.read(readable, 1))
        except BlockingIOError:
            return False  # whoever it started keeps the pipe open
        finally:
            os.close(readable)

    return process, has_started


async def _end(process: Process) -> None:
    from callout.server.listen import GRACE_SECONDS  # noqa: PLC0415  # uvicorn, only when all is over

    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), GRACE_SECONDS + 10)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _as_environment(settings: Settings) -> dict[str, str]:
    """Return what flags may have said, for the children; the rest they read where we read it."""
    return {
        "CALLOUT_HOST": settings.host,
        "CALLOUT_PORT": str(settings.port),
        "CALLOUT_DATA_DIR": str(settings.data_dir.absolute()),
    }


def say_started(pipe: int) -> None:
    """Tell the supervising process that this one is at work; `pipe` is the descriptor it gave."""
    with contextlib.suppress(BrokenPipeError):
        os.write(pipe, b"1")
    os.close(pipe)


def stop_with_parent(stop: asyncio.Event) -> None:
    """Set `stop` when the supervising process is gone: standard input is a pipe that it never writes to."""
    loop = asyncio.get_running_loop()

    def look() -> None:
        if not os.read(0, 64):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, look)


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]  # the words of `become_supervisor`

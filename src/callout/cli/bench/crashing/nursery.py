"""A process that has imported everything and forks `callout serve` from itself: a replacement starts in a tenth of the time.

Reads one JSON line per process to start on its standard input (`role`, `environment`, `log`, and `folder` to work in), answers each
with its `pid`, and tells of every process that ended. When its input closes it kills what is left and ends. Run with `python -m`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
from typing import Any, NoReturn

LOOK_SECONDS = 0.02
PRELOADED = (
    "callout.bootstrap.run",
    "callout.bootstrap.settings",
    "callout.bootstrap.web",
    "callout.cli.run",
    "callout.jobs.embedded",
    "callout.jobs.procrastinate",
    "callout.kit.crash",
    "callout.storage.sqlite",
    "sqlite3.dbapi2",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
"""What a process needs to serve, the parts that it would import late among them."""


def main() -> None:
    """Serve requests until the input closes."""
    _preload()
    children: set[int] = set()
    _tell(ready=True)
    try:
        while True:
            readable, _, _ = select.select([sys.stdin], [], [], LOOK_SECONDS)
            if readable:
                line = sys.stdin.readline()
                if not line:
                    break
                children.add(_start(json.loads(line)))
            _bury(children)
    finally:  # also when nobody listens any more, which the next word would show
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    while children:
        _bury(children)


def _preload() -> None:
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:  # the PostgreSQL extra is not installed, or the system has no uvloop
            continue
    importlib.import_module("callout.kit.transport").trusted_authorities()
    gc.collect()
    gc.freeze()


def _start(asked: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _serve(asked)
    _tell(pid=pid)
    return pid


def _serve(asked: dict[str, Any]) -> NoReturn:
    from callout.bootstrap.run import serve
    from callout.bootstrap.settings import load_settings
    from callout.cli.run import run
    from callout.kit import crash
    from callout.kit.log import configure

    code = 1
    try:
        log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(log, number)
        # Closed, its number would go to a part of the event loop, which aborts the process when it has to close that.
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(asked["environment"])
        os.chdir(asked.get("folder", "."))
        # The one thing that is read at import and differs from process to process.
        importlib.reload(crash)
        settings = load_settings({})
        configure(settings.log, settings.log_level.upper())
        run(lambda: serve(settings, asked["role"]), fast=True)
        code = 0
    finally:
        os._exit(code)


def _bury(children: set[int]) -> None:
    for pid in tuple(children):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            children.discard(pid)
            _tell(ended=pid, by=os.waitstatus_to_exitcode(status))


def _tell(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

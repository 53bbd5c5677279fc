"""What every command does around its work: settings, logging, errors in plain words, one event loop."""

from __future__ import annotations

import asyncio
import errno
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.bootstrap.settings import Settings
    from callout.bootstrap.wiring import Wired

T = TypeVar("T")

data_option = click.option(
    "--data",
    "data_dir",
    type=click.Path(path_type=Path),
    help="Data directory [CALLOUT_DATA_DIR, ./.callout].",
)
account_option = click.option(
    "--account", help="Account, by id or name; needed only where there are several."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def fail(message: str, *, remediation: str = "", code: int = 1) -> NoReturn:
    """Say what went wrong and what to do, and end with `code`."""
    click.echo(f"callout: {message}", err=True)
    if remediation:
        click.echo(f"  → {remediation}", err=True)
    sys.exit(code)


def settings_of(flags: Mapping[str, Any]) -> Settings:
    """Return the settings for a command, with logging configured; ends with code 2 when one is wrong."""
    from callout.bootstrap.settings import SettingsError, load_settings
    from callout.kit.log import configure

    try:
        settings = load_settings(flags)
    except SettingsError as error:
        fail(str(error), remediation="All settings are described in docs/settings.md.", code=2)
    configure(settings.log, settings.log_level.upper())
    # Alembic tells every plug-in it loads; an operator wants to hear of trouble only.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return settings


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the maker of the faster event loop, where there is one (not on Windows)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def run(work: Callable[[], Awaitable[T]], *, fast: bool = False) -> T:
    """Run `work` on an event loop; known errors end the command with their words and code 1.

    `fast` takes uvloop, whose import only pays for a process that stays.
    """
    from callout.bootstrap.core import NotReadyError
    from callout.kit import collector
    from callout.kit.secrets import KeyFileError, SealError
    from callout.ports.errors import CalloutError
    from callout.storage import StorageError

    if not fast:  # one that stays imports more yet, and says itself when it is at work
        collector.working()

    async def main() -> T:
        return await work()

    try:
        with asyncio.Runner(loop_factory=fast_loop() if fast else None) as runner:
            return runner.run(main())
    except CalloutError as error:
        fields = "; ".join(f"{name}: {why}" for name, why in error.fields.items())
        fail(
            f"{error.message} [{error.code}]" + (f" ({fields})" if fields else ""),
            remediation=error.remediation,
        )
    except (NotReadyError, StorageError, KeyFileError, SealError) as error:
        fail(str(error))
    except OSError as error:
        refused(error)
    except KeyboardInterrupt:
        sys.exit(130)


def refused(error: OSError) -> NoReturn:
    """End a command that the operating system refused something: a port in use, a folder that cannot be written.

    It is the operator's to repair; `CALLOUT_LOG_LEVEL=debug` shows the trace.
    """
    logging.getLogger(__name__).debug("the operating system refused", exc_info=error)
    place = f": {error.filename}" if error.filename else ""
    fail(f"{error.strerror or error}{place}", remediation=_what_to_do(error))


def _what_to_do(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            "Something listens on that port already: end it, or choose another with --port or CALLOUT_PORT."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return "This machine has no such address: see --host and CALLOUT_HOST."
    if error.errno == errno.EACCES and error.filename is None:
        return "This user may not listen on that port: choose one above 1023 with --port or CALLOUT_PORT."
    return ""


def with_core(flags: Mapping[str, Any], work: Callable[[Core], Awaitable[T]]) -> T:
    """Open the installation for one operator's command, and close it."""
    return with_wired(flags, lambda wired: work(wired.core))


def with_wired(flags: Mapping[str, Any], work: Callable[[Wired], Awaitable[T]]) -> T:
    """Open the installation with its features bound together, and close it."""
    settings = settings_of({"log_level": "warning", **flags})

    async def opened() -> T:
        from callout.bootstrap.core import open_core
        from callout.bootstrap.wiring import wire

        async with open_core(settings) as core:
            wired = wire(core)
            try:
                return await work(wired)
            finally:
                await wired.connections.close()

    return run(opened)
